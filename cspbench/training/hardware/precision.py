"""Whether a device can train below float32."""

from __future__ import annotations

import warnings

import torch

from cspbench.errors import UsageError


def check(device: torch.device, precision: torch.dtype) -> None:
    """Raise `UsageError` where autocast cannot compute a convolution and its gradient on the device."""
    if precision == torch.float32:
        return
    found = _fault(device, precision)
    if found:
        name = "fp16" if precision == torch.float16 else "bf16"
        raise UsageError(
            "usage.training-precision",
            f"no training in {name} on this device",
            where=str(device),
            expected="a convolution and its gradient under torch's autocast",
            found=found,
            remedy="Leave out --precision, or use another --device",
        )


def _fault(device: torch.device, precision: torch.dtype) -> str | None:
    weight = torch.ones(2, 2, 3, 3, device=device, requires_grad=True)
    x = torch.ones(1, 2, 4, 4, device=device, requires_grad=True)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that autocast is disabled, which the result shows
            with torch.autocast(device.type, precision):
                y = torch.conv2d(x, weight)
        torch.autograd.backward([y], [torch.ones_like(y)])
    except RuntimeError as error:
        return str(error).splitlines()[0][:160]
    return None if y.dtype == precision else f"a result in {str(y.dtype).removeprefix('torch.')}"
