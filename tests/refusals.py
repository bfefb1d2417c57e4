"""Errors by their code and values, whatever the words of the message are."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from cspbench.errors import CspbenchError

FIELDS = frozenset({"where", "expected", "found", "remedy"})
_END = re.compile(r"^(?:cspbench|Error): .* \[([a-z0-9.-]+)\]$", re.MULTILINE)


@contextmanager
def refuses(code: str, **fields: str | None) -> Iterator[pytest.ExceptionInfo[CspbenchError]]:
    """Expects the error of that code; `where`, `expected`, `found` and `remedy`, as far as given, must be equal."""
    assert fields.keys() <= FIELDS, f"an error has no {', '.join(sorted(fields.keys() - FIELDS))}"
    with pytest.raises(CspbenchError) as caught:
        yield caught
    error = caught.value
    values = {name: getattr(error, name) for name in fields}
    assert (error.code, values) == (code, fields), str(error)


def error_of(done: subprocess.CompletedProcess[str]) -> str:
    """The code of the error that ended a command: the last that stderr shows, as words or as JSON."""
    for line in reversed(done.stderr.splitlines()):
        if line.startswith('{"error": '):
            return str(fields_of(line)["code"])
        if result := _END.search(line):
            return result[1]
    raise AssertionError(f"no error on stderr, and exit code {done.returncode}: {done.stderr}")


def fields_of(line: str) -> dict[str, Any]:
    """The fields of an error that was printed as a line of JSON."""
    fields: dict[str, Any] = json.loads(line)["error"]
    return fields
