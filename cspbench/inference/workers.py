"""Items of a data set made ahead by other processes, in the order asked for; the processes end with this one."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from cspbench.errors import CspbenchError, IncompleteRunError
from cspbench.inference.footprint import enough_memory
from cspbench.inference.memory import TRIM, give_back

_PARENT_DEATH_SIGNAL = 1
"""Linux's PR_SET_PDEATHSIG."""


def ahead(items: Dataset[Any], workers: int, **order: Any) -> Generator[Any, None, None]:
    """What a DataLoader of the items gives, made ahead by `workers` processes, or in this process if 0.

    `order` are the DataLoader's arguments on order and batches. Exhaust or close the generator to end the workers.
    Raises the `CspbenchError` of an item, and `IncompleteRunError` if a worker dies or runs out of memory; but torch
    may notice a dead worker first and raise, at any place in this process, a RuntimeError that mentions a DataLoader
    worker.
    """
    loader: DataLoader[Any] = DataLoader(
        _OrErrors(items),
        num_workers=workers,
        prefetch_factor=2 if workers else None,
        # not Python's default, which changes in 3.14: only a forked worker is a child of this process
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        worker_init_fn=partial(_begin_worker, os.getpid()),
        **order,
    )
    with _postponed({signal.SIGINT, signal.SIGTERM}):
        made = iter(loader)
    try:
        for item in made:
            if isinstance(item, CspbenchError):
                raise item
            yield item
    except (OSError, EOFError) as error:  # a worker died while this process was reading from it
        if not workers:
            raise
        raise died(error) from error
    finally:
        _end(getattr(made, "_workers", ()))


class _OrErrors(Dataset[Any]):
    """Items, or their errors as values: an exception in a worker would arrive as its traceback."""

    def __init__(self, items: Dataset[Any]) -> None:
        self.items, self.count = items, 0

    def __getitem__(self, index: Any) -> Any:
        self.count += 1
        if self.count % TRIM == 0 and get_worker_info() is not None:
            give_back()  # the worker is forked from a process that keeps it
        try:
            with enough_memory("preparation of an image"):
                return self.items[index]
        except CspbenchError as error:
            return error


def died(error: Exception) -> Exception:
    """The error of a worker that died; another error stays as it is."""
    if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
        return error
    return IncompleteRunError(
        "incomplete.worker-died",
        "a data-loading worker died",
        found=(str(error) or type(error).__name__).splitlines()[0],
        remedy="Run the command again to resume; if memory is short, with fewer workers (-j)",
    )


@contextmanager
def _postponed(numbers: set[signal.Signals]) -> Iterator[None]:
    """Postpone signals; processes started inside ignore them, and end when this process does (`_begin_worker`).

    A terminal interrupts all processes at once, and so does a scheduler that terminates a job: workers would print
    tracebacks, or seem to have died. Besides, a signal right after the start of a worker, before it is registered,
    would leave it running.
    """
    if not hasattr(signal, "pthread_sigmask") or threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {number: handler for number in numbers if callable(handler := signal.getsignal(number))}
    for number in handlers:
        # blocking alone does not postpone a signal that another thread can receive
        signal.signal(number, lambda number, frame: received.append(number))
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if received:
            signal.raise_signal(received[0])


def _end(workers: Sequence[Any]) -> None:
    """Kill running workers: if asked to stop, they would print errors about unsent data."""
    living = [worker for worker in workers if worker.is_alive()]
    if not living:
        return
    # torch's handler would raise an error when a worker dies
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL) if hasattr(signal, "SIGCHLD") else None
    try:
        for worker in living:
            worker.kill()
        for worker in living:
            worker.join()
    finally:
        if before is not None:
            signal.signal(signal.SIGCHLD, before)


def _begin_worker(parent: int, worker: int) -> None:
    torch.set_num_threads(1)
    # a worker's own threads raise only when its tensors are no longer read
    sys.excepthook = lambda kind, error, trace: None
    _end_with(parent)


def _end_with(parent: int) -> None:
    """End this process when its parent ends, for any reason; torch's watchdog misses a parent that is already dead."""
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
