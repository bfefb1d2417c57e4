"""stdout and stderr that are closed or full do not change what a command does or how it ends."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any


class _Lossy(io.FileIO):
    """A file whose failures to write are nobody's business."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def secure() -> None:
    """Open what the caller closed, so that no file takes its number, and let words on stderr be lost if they must.

    Numbers on stdout must not: a full disk behind it is an error.
    """
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        if stream is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            opened = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - as long as the process
            setattr(sys, "stdout" if number == 1 else "stderr", opened)
    said = sys.__stderr__
    if said is not None and said is sys.stderr:  # not where somebody collects what is said
        errors = io.BufferedWriter(_Lossy(2, "wb", closefd=False))
        sys.stderr = io.TextIOWrapper(errors, said.encoding, "backslashreplace", line_buffering=True)


def say(text: str) -> None:
    """A line on stderr, if it takes one."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def silence() -> None:
    """Let Python's shutdown not complain about what it cannot flush to stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
