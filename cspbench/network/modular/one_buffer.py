"""A module of any size whose arrays take no memory, for runs that read nothing but shapes."""

from __future__ import annotations

import torch
from torch import nn

from cspbench.errors import DefinitionError


def on_one_buffer(module: nn.Module) -> None:
    """Give a module on the meta device arrays that share one buffer, which is never read or written; in place.

    The buffer is as large as the largest array: it takes addresses but no memory. torch cannot trace convolutions on
    the meta device, which would need no buffer. Raises `DefinitionError` for an array beyond the limit of memory.
    """
    arrays = [*module.parameters(), *module.buffers()]
    largest = max((array.numel() for array in arrays), default=0)
    try:
        buffer = torch.empty(largest)
    except RuntimeError:
        raise DefinitionError(
            "network.too-large-to-count",
            "not enough memory to count a layer this large",
            expected=f"{4 * largest / 2**30:.1f} GiB for one array",
            found="less",
            remedy="Raise the memory limit (ulimit -v), or correct filters= and size=",
        ) from None

    def in_buffer(array: torch.Tensor) -> torch.Tensor:
        if not array.is_floating_point():  # a batch norm's count of batches
            return torch.zeros(array.shape, dtype=array.dtype)
        return buffer[: array.numel()].view(array.shape)

    module._apply(in_buffer)  # type: ignore[no-untyped-call]
