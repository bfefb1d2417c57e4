"""The memory of a GPU during a trial."""

from __future__ import annotations

import torch


def free(device: torch.device) -> int | None:
    """Bytes of memory that are free, and where `peak` begins to count; None where only a failure tells."""
    if device.type != "cuda":
        return None
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    return int(torch.cuda.mem_get_info(device)[0])


def peak(device: torch.device) -> int:
    """The most bytes that tensors had at once."""
    return torch.cuda.max_memory_allocated(device)
