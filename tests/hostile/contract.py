"""The contract for every input, and random damage to hold it against.

A reader gives a result, or one `CspbenchError` with all its parts; it ends within a minute of work and two gigabytes.
"""

from __future__ import annotations

import re
import resource
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from fuzzing import examples
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from cspbench.errors import CspbenchError, printable
from cspbench.inference.memory import give_back

SECONDS = 60
"""Of this process's own work, for what takes two at most on an idle machine."""
PATIENCE = 900
"""Seconds on the clock for whatever waits without working."""
TRACED = 6
"""Times as long while each line is traced, as for coverage: a loop in Python takes four times as long then."""
MEMORY = 2 * 2**30

Result = TypeVar("Result")


class OverrunError(BaseException):
    """Not an Exception, so that no reader takes it for one of a library's."""


def fuzz(count: int) -> Callable[[Any], Any]:
    """How many examples of a property are tried; see fuzzing.py."""
    return settings(max_examples=examples(count), suppress_health_check=list(HealthCheck))


def result_of(read: Callable[[], Result], path: Path | None = None) -> Result | CspbenchError:
    """What a reader gives or raises, after checking it against the contract; `path` is the file that it must name."""
    with _limited():
        try:
            return read()
        except CspbenchError as error:
            raised = error
    _complete(raised, path)
    return raised


def _complete(error: CspbenchError, path: Path | None) -> None:
    text = str(error)
    assert error.what
    assert error.remedy, text
    assert error.exit_code in (1, 2, 3, 4)
    assert text.isprintable()
    assert len(text) < 3000, text[:3000]
    assert path is None or printable(path.name) in text, text


def refused(
    read: Callable[[], object], code: str, path: Path | None = None, *, found: str = "", **fields: str | None
) -> None:
    """Assert that a reader keeps the contract and raises the error of that code.

    Its `found` holds the given text; other fields, as far as given, are equal.
    """
    error = result_of(read, path)
    assert isinstance(error, CspbenchError), f"{code}: was read"
    assert (error.code, {name: getattr(error, name) for name in fields}) == (code, fields), str(error)
    assert found in str(error.found), f"{found!r} is not in: {error.found}"


@contextmanager
def _limited() -> Iterator[None]:
    slower = TRACED if sys.gettrace() else 1
    work, wait = SECONDS * slower, PATIENCE * slower

    def overrun(number: int, frame: FrameType | None) -> None:
        raise OverrunError(f"more than {work} s of work, or {wait} s of waiting")

    timers = {signal.SIGPROF: (signal.ITIMER_PROF, work), signal.SIGALRM: (signal.ITIMER_REAL, wait)}
    before = {number: signal.signal(number, overrun) for number in timers}
    for timer, seconds in timers.values():
        signal.setitimer(timer, seconds)
    forget_peak()
    peak = _peak()
    try:
        yield
    finally:
        for number, (timer, _) in timers.items():
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])
        assert _peak() - peak < MEMORY, f"{_peak() - peak:,} bytes more than before"


def forget_peak() -> bool:
    """Reset the peak to what is in use, where the system can: an earlier one hides all that is below it.

    So does memory that is free but not yet returned to the system.
    """
    give_back()
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
        return True
    return False


def _peak() -> int:
    """The peak of this process's memory in bytes, since the last reset where the system can."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        status = ""
    if peak := re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE):
        return int(peak[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


_NUMBERS = [0, 1, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**40, 2**62, 2**63, 2**64 - 1]


@st.composite
def damaged(draw: st.DrawFn, whole: bytes) -> bytes:
    """A valid file after a few edits: bits, bytes, lengths, blocks cut off, cut out, put in, doubled and exchanged."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at, other = (draw(st.integers(0, len(data))) for _ in range(2))
        first, last = min(at, other), max(at, other)
        short = min(last, first + 64)
        match draw(st.sampled_from(["bit", "byte", "number", "end", "cut", "insert", "double", "exchange"])):
            case "bit" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "byte" if at < len(data):
                data[at] = draw(st.integers(0, 255))
            case "number":
                form = draw(st.sampled_from(["<Q", ">Q", "<I", ">I", "<H", ">H"]))
                size = struct.calcsize(form)
                data[at : at + size] = struct.pack(form, draw(st.sampled_from(_NUMBERS)) % 2 ** (8 * size))
            case "end":
                del data[at:]
            case "cut":
                del data[first:short]
            case "insert":
                data[at:at] = draw(st.binary(max_size=16))
            case "double":
                data[first:first] = data[first:last] * draw(st.integers(1, 3))
            case "exchange":
                middle = (first + last) // 2
                data[first:last] = data[middle:last] + data[first:middle]
    return bytes(data)


def chosen(wholes: list[bytes]) -> st.SearchStrategy[bytes]:
    """Damage to one of several files."""
    return st.sampled_from(wholes).flatmap(damaged)
