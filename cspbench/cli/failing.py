"""Errors on stderr: a line that ends with the error's code, or a line of JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from itertools import pairwise

from cspbench.cli import streams
from cspbench.errors import CspbenchError


def line(error: CspbenchError, arguments: Sequence[str] | None = None) -> str:
    """The error in words, or as JSON if the arguments contain `--format json`."""
    if not json_wanted(sys.argv[1:] if arguments is None else arguments):
        return f"cspbench: {error} [{error.code}]"
    fields = {key: getattr(error, key) for key in ("code", "what", "where", "expected", "found", "remedy")}
    return json.dumps({"error": fields | {"exit_code": error.exit_code}})


def report(error: CspbenchError) -> int:
    """Print an error; returns its exit code."""
    streams.say(line(error))
    return error.exit_code


def stopped(number: int, resumable: bool = False) -> CspbenchError:
    """The error of a command that a signal stopped: an interrupt or SIGTERM."""
    kept = "; what is finished is kept" if resumable else ""
    if number == signal.SIGTERM:
        return CspbenchError("terminated", f"terminated{kept}")
    return CspbenchError("interrupted", f"interrupted{kept}")


def json_wanted(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON."""
    return bool({"--json", "--format=json"} & {*arguments}) or ("--format", "json") in pairwise(arguments)
