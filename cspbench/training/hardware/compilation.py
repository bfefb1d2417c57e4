"""torch.compile of a network in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from cspbench.evaluation.execution import Listener
from cspbench.inference.footprint import out_of_memory

SIZES = 64
"""Input sizes with a compiled version of their own; multi-scale training has about 13."""
Module = Callable[[Tensor], Any]


def compiled(module: nn.Module) -> Module:
    """The module's forward and backward pass by torch's compiler: the same arrays, other roundings.

    Every input size is compiled for itself, so that the numbers do not depend on the sizes before.
    """
    from torch._dynamo import config  # slow to import

    config.recompile_limit = max(config.recompile_limit, SIZES)
    return torch.compile(module, dynamic=False)


def available(device: torch.device, listener: Listener) -> bool:
    """Whether torch.compile works here, which needs a C++ compiler or Triton; says why if it does not."""
    convolution = torch.nn.Conv2d(1, 1, 1).to(device)
    try:
        output = torch.compile(convolution, dynamic=False)(torch.ones(1, 1, 2, 2, device=device))
        torch.autograd.backward([output], [torch.ones_like(output)])
    except Exception as error:  # torch._inductor, Triton and the compilers raise errors of all kinds
        if out_of_memory(error):
            raise
        cause = (str(error) or type(error).__name__).strip().splitlines()[0][:160]
        listener.note(f"warning: torch.compile does not work here, so the network is not compiled: {cause}")
        return False
    return True
