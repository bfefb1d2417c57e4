"""Evaluation by several processes, as started by torchrun."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING

from cspbench.errors import IncompleteRunError, UsageError
from cspbench.waiting import LATE, announced

if TYPE_CHECKING:
    from torch import Tensor

RENDEZVOUS = timedelta(minutes=10)
"""How long the processes wait for each other at the start."""
WORK = timedelta(days=7)
"""How long they wait for each other's work; a process that dies is noticed at once."""


def rank() -> tuple[int, int]:
    """(rank, number of processes) from torchrun's environment; (0, 1) without torchrun. Raises `UsageError`."""
    number, count = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not number.isdecimal() or not count.isdecimal() or not int(number) < int(count) <= 65536:
        raise UsageError(
            "usage.torchrun",
            "RANK and WORLD_SIZE do not match",
            expected="RANK below WORLD_SIZE, as torchrun sets them",
            found=f"RANK {number!r}, WORLD_SIZE {count!r}",
            remedy="Start several processes with torchrun, or unset both",
        )
    return int(number), int(count)


def init(share: tuple[int, int]) -> None:
    """Connect the processes at the start, so that each notices if another dies. Raises `IncompleteRunError`."""
    if share[1] == 1:
        return
    import torch.distributed as dist
    from torch.distributed.distributed_c10d import _set_pg_timeout
    from torch.distributed.rendezvous import rendezvous

    minutes = int(RENDEZVOUS.total_seconds() / 60)
    others = f"the other {share[1] - 1} of {share[1]} processes to start, at most {minutes} minutes"
    with _connection(share), announced(others):
        if not dist.is_initialized():
            # all start at about the same time, so the wait for a missing process can be shorter than that for the work
            store, number, count = next(rendezvous("env://", timeout=RENDEZVOUS))
            store.set_timeout(RENDEZVOUS)
            dist.init_process_group("gloo", store=store, rank=number, world_size=count, timeout=RENDEZVOUS)
            _set_pg_timeout(WORK)


def barrier(share: tuple[int, int], what: str) -> None:
    """Wait until every process has reached this call, as it does when `what`. Raises `IncompleteRunError` if one dies.

    The first process says what it waits for.
    """
    if share[1] == 1:
        return
    import torch.distributed as dist

    with _connection(share), announced(what, LATE if share[0] else None):
        work = dist.barrier(async_op=True)
        assert work is not None
        # signals are handled while Python sleeps, but not while the library waits
        while not work.is_completed():
            time.sleep(0.02)
        work.wait()


def broadcast(values: Tensor, source: int, share: tuple[int, int]) -> None:
    """Fill a tensor on the CPU with that of process `source`. Raises `IncompleteRunError` if one dies."""
    import torch.distributed as dist

    with _connection(share):
        work = dist.broadcast(values, source, async_op=True)
        assert work is not None
        while not work.is_completed():
            time.sleep(0.0005)
        work.wait()


@contextmanager
def _connection(share: tuple[int, int]) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, ValueError) as error:  # a network failure, or a missing address
        raise IncompleteRunError(
            "incomplete.no-rendezvous",
            "could not connect the worker processes",
            expected=f"{share[1]} processes, started by torchrun",
            found=(str(error) or type(error).__name__).splitlines()[0][:200],
            remedy="Finished shards are kept: run the command again to resume, with any number of processes",
        ) from error
