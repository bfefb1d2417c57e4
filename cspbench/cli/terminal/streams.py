"""Closed or full stdout and stderr must not change what a command does or how it ends."""

from __future__ import annotations

import io
import os
import sys
from contextlib import suppress
from typing import Any


class _Lossy(io.FileIO):
    """A file whose write errors are ignored."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def secure() -> None:
    """Reopen closed streams, so that no file takes their numbers, and ignore write errors on stderr.

    Write errors on stdout, such as a full disk, stay errors.
    """
    for number, stream in ((1, sys.stdout), (2, sys.stderr)):
        if stream is None:
            null = os.open(os.devnull, os.O_WRONLY)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            opened = open(number, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - open until the process ends
            setattr(sys, "stdout" if number == 1 else "stderr", opened)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a terminal or a file that knows no "×" gets it escaped
        sys.stdout.reconfigure(errors="backslashreplace")
    original = sys.__stderr__
    if original is not None and original is sys.stderr:  # not if stderr is captured
        errors = io.BufferedWriter(_Lossy(2, "wb", closefd=False))
        sys.stderr = io.TextIOWrapper(errors, original.encoding, "backslashreplace", line_buffering=True)


def say(text: str) -> None:
    """Print a line on stderr; a write error is ignored."""
    with suppress(OSError):
        print(text, file=sys.stderr, flush=True)


def silence() -> None:
    """Keep Python's shutdown from complaining that it cannot flush stdout."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
