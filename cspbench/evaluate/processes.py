"""Several processes on one evaluation, as torchrun starts them."""

from __future__ import annotations

import os
from datetime import timedelta


def rank() -> tuple[int, int]:
    """(rank, processes) as torchrun says it in the environment; (0, 1) alone."""
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def together(share: tuple[int, int]) -> None:
    """Wait until every process has made its shards; one that dies ends the waiting with an error."""
    if share[1] == 1:
        return
    import torch.distributed as dist

    if not dist.is_initialized():
        dist.init_process_group("gloo", timeout=timedelta(days=7))
    dist.barrier()
