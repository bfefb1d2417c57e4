"""What a command that fails says on stderr: a line that ends with the error's code, or a line of JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import pairwise

from cspbench.cli import streams
from cspbench.errors import CspbenchError, StoppedError


def line(error: CspbenchError, arguments: Sequence[str] | None = None) -> str:
    """The error as words, or as JSON where `--format json` is among the command's arguments."""
    if not json_asked(sys.argv[1:] if arguments is None else arguments):
        return f"cspbench: {error} [{error.code}]"
    fields = {key: getattr(error, key) for key in ("code", "what", "where", "expected", "found", "remedy")}
    return json.dumps({"error": fields | {"exit_code": error.exit_code}})


def tell(error: CspbenchError) -> int:
    """Say what is wrong; the exit code."""
    streams.say(line(error))
    return error.exit_code


def stopped(kept: bool = False) -> StoppedError:
    """What an interrupt is to those who read errors."""
    return StoppedError("interrupted", "interrupted; what is finished is kept" if kept else "interrupted")


def json_asked(arguments: Sequence[str]) -> bool:
    """Whether the command prints JSON."""
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)
