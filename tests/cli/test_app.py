"""How the command ends where something goes wrong around it, or in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cspbench.cli.terminal.failing import unforeseen


@pytest.mark.parametrize(
    ("redirected", "code"),
    [("list --models >&-", 0), ("show nope 2>/dev/full", 2), ("list --models 2>&-", 0)],
)
def test_streams_that_take_nothing_do_not_change_the_code(redirected: str, code: int) -> None:
    if "/dev/full" in redirected and not Path("/dev/full").exists():
        pytest.skip("no device that is always full")
    command = ["bash", "-c", f"{sys.executable} -m cspbench {redirected}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")


class OutOfMemoryError(RuntimeError):
    """As torch calls its own."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
)
def test_too_little_memory_is_incomplete(error: Exception) -> None:
    result = unforeseen(error)
    assert (result.code, result.exit_code) == ("memory.exhausted", 4)


def test_a_defect_is_one_line_and_no_number_that_is_off() -> None:
    try:
        unforeseen(None)  # type: ignore[arg-type]
    except AttributeError as error:
        result = unforeseen(error)
    text = str(result)
    assert (result.code, result.exit_code) == ("internal.defect", 3)
    assert text.startswith("AttributeError: ")
    assert "in failing.py, line " in text
    assert "please report it; CSPBENCH_TRACEBACK=1 shows" in text
    assert "\n" not in text
