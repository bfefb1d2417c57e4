"""Errors on stderr: a line that ends with the error's code, or a line of JSON."""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import textwrap
import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from shutil import get_terminal_size

from cspbench.cli.terminal import streams
from cspbench.errors import CspbenchError, IncompleteRunError, brief, printable

TRACEBACK = "CSPBENCH_TRACEBACK"
"""The environment variable that makes an unforeseen error show its traceback."""


def line(error: CspbenchError, arguments: Sequence[str] | None = None) -> str:
    """The error in words, or as JSON if the arguments contain `--format json`."""
    if not json_wanted(sys.argv[1:] if arguments is None else arguments):
        return f"cspbench: {error} [{error.code}]"
    fields = {key: getattr(error, key) for key in ("code", "what", "where", "expected", "found", "remedy")}
    return json.dumps({"error": fields | {"exit_code": error.exit_code}})


def report(error: CspbenchError) -> int:
    """Print an error; returns its exit code. On a terminal a message that does not fit has a line for each part."""
    text = line(error)
    if sys.stderr.isatty() and len(text) > (width := get_terminal_size().columns) and not json_wanted(sys.argv[1:]):
        text = _in_parts(error, width)
    streams.say(text)
    return error.exit_code


def _in_parts(error: CspbenchError, width: int) -> str:
    """What is wrong, what was expected and found, and the remedy."""
    what = f"cspbench: {error.where}: {error.what}" if error.where else f"cspbench: {error.what}"
    parts = [f"{what} [{error.code}]"]
    details = [f"{label} {value}" for label, value in (("expected", error.expected), ("found", error.found)) if value]
    parts += ["; ".join(details)] if details else []
    parts += [error.remedy] if error.remedy else []
    return "\n".join(
        textwrap.fill(printable(part), width, initial_indent="  " * bool(at), subsequent_indent="    ")
        for at, part in enumerate(parts)
    )


def stopped(number: int, resumable: bool = False) -> CspbenchError:
    """The error of a command that a signal stopped: an interrupt or SIGTERM."""
    kept = "; what is finished is kept" if resumable else ""
    if number == signal.SIGTERM:
        return CspbenchError("terminated", f"terminated{kept}")
    return CspbenchError("interrupted", f"interrupted{kept}")


def json_wanted(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON."""
    return bool({"--json", "--format=json"} & {*arguments}) or ("--format", "json") in pairwise(arguments)


def unexpected(error: Exception) -> int:
    """Print an error that ends a command, whatever it is; returns its exit code."""
    if isinstance(error, CspbenchError):
        return report(error)
    if os.environ.get(TRACEBACK):
        raise error
    if isinstance(error, OSError):  # a full disk behind stdout, for instance
        streams.silence()
        return report(_of_system(error))
    return report(unforeseen(error))


def _of_system(error: OSError) -> CspbenchError:
    """What the system refuses where no command expects it, such as to write our output."""
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return CspbenchError(
        "disk.full" if full else "system.refused",
        error.strerror or brief(str(error), 200),
        where=brief(str(error.filename)) if error.filename else None,
        remedy="Free some space, or write elsewhere" if full else f"{TRACEBACK}=1 shows what was being done",
    )


def unforeseen(error: Exception) -> CspbenchError:
    """An unforeseen error as one with a code; its exit code is never 1, which means that a number is off."""
    name = type(error).__name__
    if isinstance(error, MemoryError) or name == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return IncompleteRunError(
            "memory.exhausted", "out of memory; what is finished is kept", remedy="Use a smaller -b or --size"
        )
    frames = traceback.extract_tb(error.__traceback__)
    package = Path(__file__).parents[1]
    places = [(Path(frame.filename), frame.lineno) for frame in frames]
    where = [f" in {file.name}, line {number}" for file, number in places if file.is_relative_to(package)]
    return CspbenchError(
        "internal.defect",
        f"{name}: {brief(str(error), 200)}{where[-1] if where else ''}",
        remedy=f"This is a defect of cspbench, please report it; {TRACEBACK}=1 shows how it came about",
    )
