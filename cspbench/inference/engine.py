"""Fast inference on any device: folded batch norms, channels last, fused kernels on the CPU, smaller batches if memory
runs out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, fx, nn

from cspbench.errors import UsageError
from cspbench.inference.device import Direct, Part, Running, interface, look_up
from cspbench.inference.footprint import exhausted, out_of_memory
from cspbench.inference.memory import keep_freed_memory
from cspbench.inference.onednn import fuse
from cspbench.network.module import fold_batch_norm

Precision = Literal["fp32", "bf16", "fp16"]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str | None) -> torch.device:
    """The device with this name; None chooses the first GPU (or the process's own under torchrun), or the CPU.

    Raises `UsageError`.
    """
    import os

    if name is None and not torch.cuda.is_available():
        return torch.device("cpu")
    try:
        device = torch.device(name or "cuda")
        if device.type == "cuda" and torch.cuda.is_available():
            if device == torch.device("cuda"):
                device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) % torch.cuda.device_count())
            torch.cuda.set_device(device)  # what names no device, such as pinned memory, would be on the first one
        torch.empty(1, device=device).cpu()  # tensors on "meta" have no values
    except (RuntimeError, AssertionError, ValueError) as error:
        raise UsageError(
            "usage.device",
            f"device {name!r} cannot be used",
            expected="cpu, cuda, cuda:N or mps, if this machine has it",
            found=(str(error) or type(error).__name__).splitlines()[0],
            remedy="`cspbench env` lists the devices",
        ) from None
    return device


def exact_arithmetic() -> None:
    """Full float32 precision and deterministic kernels: no TF32, deterministic cuDNN."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.benchmark = False


@dataclass
class Engine:
    """A module ready for inference. A call halves the batch until it fits into memory."""

    module: Callable[[Tensor], Any]
    device: torch.device
    precision: Precision
    limit: int | None = None
    """Images per forward pass; set when memory runs out."""
    interface: Direct = field(init=False)

    def __post_init__(self) -> None:
        self.interface = interface(self.device)

    def __call__(self, batch: Tensor) -> tuple[Tensor, ...]:
        """The module's outputs, float32 on the CPU, for (N, C, H, W), float32 on the CPU.

        Raises `IncompleteRunError` if memory does not suffice for one image.
        """
        return self.start(batch).wait()

    @torch.inference_mode()
    def start(self, batch: Tensor, levels: Tensor | None = None) -> Running:
        """The same, when it is waited for. `levels` is the table, on the device, of a batch of uint8 (N, H, W, C)."""
        parts = torch.split(batch, self.limit or len(batch))
        while True:
            try:
                return Running(self.interface, tuple([self._forward(part, levels) for part in parts]))
            except (MemoryError, RuntimeError) as error:
                if not out_of_memory(error):
                    raise
                size = max(map(len, parts))
                if size == 1:
                    raise exhausted("a forward pass of one image", error) from error
            # outside the handler, so that the tensors of the failed pass are freed before the next attempt
            self.limit = size // 2
            parts = torch.split(batch, self.limit)
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _forward(self, part: Tensor, levels: Tensor | None) -> Part:
        x = self.interface.copy(part)
        begin = self.interface.mark()
        if levels is not None:
            x = look_up(x, levels)
        x = x.to(DTYPES[self.precision], memory_format=torch.channels_last)
        outputs = self.module(x)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return Part(begin, tuple(map(self.interface.fetch, outputs)), self.interface.mark())


def prepare(module: nn.Module, device: torch.device, precision: Precision = "fp32", compiled: bool = False) -> Engine:
    """The engine of a module with loaded weights.

    A `GraphModule` made from a network is changed and must not be used afterwards: its batch norms are folded, its
    kernels fused. Other modules are copied and run unchanged. `precision` bf16 and fp16 convert weights and
    activations; fp32 is exact (no TF32) and deterministic.
    """
    exact_arithmetic()
    if device.type == "cpu":
        keep_freed_memory()
    module = module if isinstance(module, fx.GraphModule) else copy.deepcopy(module).eval()
    if isinstance(module, fx.GraphModule):
        fold_batch_norm(module)
    module.requires_grad_(False)
    module.to(device, DTYPES[precision])
    for parameter in module.parameters():
        if parameter.dim() == 4:
            parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
    ready: Callable[[Tensor], Any] = module
    if compiled:
        ready = torch.compile(
            module, dynamic=False, mode="max-autotune-no-cudagraphs" if device.type == "cuda" else None
        )
    elif isinstance(module, fx.GraphModule) and device.type == "cpu" and precision == "fp32":
        ready = fuse(module)
    return Engine(ready, device, precision)
