"""Why a network cannot be timed: memory, arithmetic or compilation that this machine lacks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from cspbench.errors import CspbenchError, IncompleteRunError, UsageError
from cspbench.inference.footprint import out_of_memory
from cspbench.results.speeds.record import Setting
from cspbench.speed.subjects import Subject

LACKING = ("not implemented for", "not supported", "unsupported", "does not support", "no kernel image")
"""What torch says of arithmetic that a device does not have."""


@contextmanager
def explained(subject: Subject, batch: int, setting: Setting, device: torch.device) -> Iterator[None]:
    """Convert torch's errors on what the machine lacks to one line each; others pass."""
    if setting.precision == "bf16" and device.type == "cuda" and not torch.cuda.is_bf16_supported(False):
        raise no_arithmetic(subject, setting, device, "emulation alone")
    try:
        yield
    except CspbenchError:
        raise
    except Exception as error:
        text = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        if isinstance(error, MemoryError | RuntimeError) and out_of_memory(error):
            raise too_large(subject, batch, text) from error
        if setting.precision != "fp32" and any(words in str(error).lower() for words in LACKING):
            raise no_arithmetic(subject, setting, device, text) from error
        if setting.compiled and type(error).__module__.startswith("torch._"):
            raise UsageError(
                "usage.not-compiled",
                "torch.compile does not work here",
                where=subject.name,
                expected="a C++ compiler, and for a GPU Triton",
                found=text,
                remedy="Install it, or leave out --compile",
            ) from error
        raise


def too_large(subject: Subject, batch: int, found: str) -> IncompleteRunError:
    """The error for a batch that does not fit into memory."""
    return IncompleteRunError(
        "memory.batch-too-large",
        "the batch does not fit into memory",
        where=subject.name,
        expected=f"memory for a batch of {batch}",
        found=found,
        remedy="Choose a smaller -b",
    )


def no_arithmetic(subject: Subject, setting: Setting, device: torch.device, found: str) -> UsageError:
    """The error for a precision that the device lacks."""
    return UsageError(
        "usage.no-such-arithmetic",
        f"the device has no {setting.precision}",
        where=subject.name,
        expected=f"a device with {setting.precision}",
        found=f"{device}: {found}",
        remedy="Measure --precision fp32 there",
    )
