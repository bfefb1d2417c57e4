"""Several workers of one machine, each a process; an interrupt of the command saves what each of them has."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from typing import Any

from cspbench.errors import CspbenchError, IncompleteRunError
from cspbench.sample.processes import end_with_parent

Work = Callable[..., None]


def together(work: Work, arguments: tuple[Any, ...], count: int) -> None:
    """Call `work` with the arguments in `count` processes, and wait for all.

    Raises the first `CspbenchError` of one of them after all have ended, and `IncompleteRunError` where one dies.
    """
    # spawned: a forked process that has threads can deadlock
    context = get_context("spawn")
    errors = context.SimpleQueue()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    processes = [context.Process(target=_child, args=(work, arguments, errors)) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        for process in processes:
            process.join()
    except BaseException:
        for process in processes:
            process.terminate()
        for process in processes:
            process.join()
        raise
    if not errors.empty():
        kind, fields = errors.get()
        raise kind(**fields)
    codes = [process.exitcode for process in processes if process.exitcode]
    if codes:
        raise IncompleteRunError(
            "incomplete.study-died",
            "a process of the study died",
            found=f"exit code {codes[0]}",
            remedy="Resume with the same command; if memory is short, with fewer --processes",
        )


def _child(work: Work, arguments: tuple[Any, ...], errors: Any) -> None:
    """Work until the end, the command's interrupt, which comes as SIGTERM, or its death."""
    end_with_parent()
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        work(*arguments)
    except CspbenchError as error:
        errors.put((type(error), vars(error)))
    except KeyboardInterrupt:
        os._exit(130)


def _interrupt(*_: object) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise KeyboardInterrupt
