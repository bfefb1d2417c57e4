"""Several processes on one evaluation, as torchrun starts them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from cspbench.errors import IncompleteRunError, UsageError

GATHERING = timedelta(minutes=10)
"""How long the processes wait for each other at the beginning."""


def rank() -> tuple[int, int]:
    """(rank, processes) as torchrun says it in the environment; (0, 1) alone. Raises `UsageError`."""
    number, count = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not number.isdecimal() or not count.isdecimal() or not int(number) < int(count) <= 65536:
        raise UsageError(
            "usage.torchrun",
            "RANK and WORLD_SIZE do not belong together",
            expected="RANK below WORLD_SIZE, as torchrun sets them",
            found=f"RANK {number!r}, WORLD_SIZE {count!r}",
            remedy="Start several processes with torchrun, or unset both",
        )
    return int(number), int(count)


def meet(share: tuple[int, int]) -> None:
    """Connect the processes, at the beginning: so each notices when another one dies before it is done."""
    if share[1] == 1:
        return
    import torch.distributed as dist
    from torch.distributed.rendezvous import rendezvous

    with _lost(share):
        if not dist.is_initialized():
            # all begin at about the same time, and one that never comes must not be waited for as long as the work
            store, number, count = next(rendezvous("env://", timeout=GATHERING))
            store.set_timeout(GATHERING)
            dist.init_process_group("gloo", store=store, rank=number, world_size=count, timeout=timedelta(days=7))


def together(share: tuple[int, int]) -> None:
    """Wait until every process has come here; one that dies ends the waiting with `IncompleteRunError`."""
    if share[1] == 1:
        return
    import torch.distributed as dist

    with _lost(share):
        arrived = dist.barrier(async_op=True)
        assert arrived is not None
        # an interrupt is heard while Python sleeps, and not while the library waits
        while not arrived.is_completed():
            time.sleep(0.02)
        arrived.wait()


@contextmanager
def _lost(share: tuple[int, int]) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:  # of the network, or for want of an address
        raise IncompleteRunError(
            "incomplete.no-rendezvous",
            "the processes of this evaluation do not find each other",
            expected=f"{share[1]} processes, as torchrun starts them",
            found=str(error).splitlines()[0][:200],
            remedy="Finished shards are kept: run the command again to resume, with any number of processes",
        ) from error
