"""Downloads of one file: they resume where they broke off, and the file is checked before it gets its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cspbench.errors import BrokenError, WeightsError
from cspbench.lock import exclusive
from cspbench.weights.arrays import digest
from cspbench.weights.download.part import Origin, Part, unfinished
from cspbench.weights.download.transport import opened
from cspbench.weights.filekind import examine

LARGEST = 2 << 30
"""Bytes of a file of unknown size, so that no server can fill the disk."""

ENOUGH = 1 << 20
"""Bytes that an interrupted attempt must bring for the count of failures to restart; so every transfer ends."""

LONGEST = 30.0
"""Seconds to wait before a retry, however often it failed."""

OTHERS = 3600.0
"""Seconds to wait while another process downloads the same file."""

Progress = Callable[[int, int | None], None]
"""Gets the bytes of a file so far and in total."""

Say = Callable[[str], None]
"""Gets a line for each event."""


@dataclass(frozen=True)
class Expected:
    """Requirements for a file: its size in bytes is one of `sizes`, if any, and its sha256 begins with `sha256`.

    `inspect` raises `WeightsError` for anything but a weight file of the model, and returns what it checked.
    """

    sizes: tuple[int, ...] = ()
    sha256: str | None = None
    inspect: Callable[[Path], str] = lambda path: ""


@dataclass(frozen=True)
class Patience:
    """Seconds without data until a transfer has stalled (or twice as many below 1 kB/s), and the number of retries.

    The pause before a retry doubles from `first` up to `LONGEST` seconds.
    """

    timeout: float = 30.0
    retries: int = 5
    first: float = 0.5


@dataclass(frozen=True)
class Fetched:
    """A verified file; `source` is its address, None if the file existed already."""

    path: Path
    source: str | None
    size: int
    sha256: str
    checked: str


def check(path: Path, expected: Expected, source: str | None = None) -> Fetched:
    """Verify a file; raises `WeightsError` if it does not meet the requirements. Nothing in it is executed."""
    file = examine(path)
    if expected.sizes and file.size not in expected.sizes:
        what, found = "the file has the wrong size", f"{file.size} bytes, {file.kind.value[0]}"
        sizes = _size_text(expected.sizes)
        raise WeightsError("download.other-size", what, where=str(path), expected=sizes, found=found)
    sha256, prefix = digest(path), (expected.sha256 or "").lower()
    text = "sha256" if len(prefix) == len(sha256) else f"sha256 begins {prefix}" if prefix else "no digest is known"
    if not sha256.startswith(prefix):
        what, wanted = "the file has the wrong sha256", prefix if text == "sha256" else text
        raise WeightsError("download.other-sha256", what, where=str(path), expected=wanted, found=sha256)
    checks = ["exact size" if expected.sizes else "", expected.inspect(path), text]
    return Fetched(path, source, file.size, sha256, ", ".join(filter(None, checks)))


def download(
    sources: Sequence[str],
    target: Path,
    expected: Expected,
    patience: Patience | None = None,
    *,
    force: bool = False,
    progress: Progress = lambda done, total: None,
    say: Say = lambda text: None,
) -> Fetched:
    """Download a file from the first address that has it; if it exists already, only check it.

    Data goes to `TARGET.part`, never more than the largest size; the checked file is renamed to `target`. A killed or
    interrupted transfer resumes if the address and the version there are the same. Other processes that download the
    same file wait for this one. `say` gets a line for each failed attempt.

    Raises `WeightsError` for a different file at `target` without `force` or if no address has the file,
    `CspbenchError` if it cannot be stored, `LockedError` if another process takes more than an hour.
    """
    if (existing := _existing(target, expected, force)) is not None:
        return existing
    lock = exclusive(
        target.with_name(f".{target.name}.lock"),
        wait=OTHERS,
        waiting=lambda holder: say(f"waiting for {holder}, which downloads {target.name}"),
        place="Choose a writable folder with --out",
    )
    with lock, unfinished(target) as part:
        if (existing := _existing(target, expected, force)) is not None:  # from the process that held the lock
            return existing
        origin = part.origin
        if origin is not None and part.size in ((origin.size,) if origin.size else expected.sizes):
            with suppress(WeightsError):  # a process was killed before it checked the wrong file
                return _finished(part, expected, origin.url)
        problems: list[WeightsError] = []
        for url in sources:
            try:
                _transfer(part, url, expected, patience or Patience(), progress, say)
                return _finished(part, expected, url)
            except WeightsError as error:
                problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        found = "; ".join(f"{error} [{error.code}]" for error in problems) or "no address"
        raise WeightsError("download.nowhere", "no address has the file", where=target.name, found=found)


def _existing(target: Path, expected: Expected, force: bool) -> Fetched | None:
    if not target.exists() and not target.is_symlink():
        return None
    try:
        return check(target, expected)
    except WeightsError as error:
        if force:
            return None
        raise WeightsError(
            "download.file-exists",
            f"a different file exists: {error.what}",
            where=str(target),
            expected=error.expected,
            found=error.found,
            remedy="Remove it, or replace it with --force",
        ) from error


def _finished(part: Part, expected: Expected, source: str) -> Fetched:
    """The complete file, checked and under its name; cleared if it is the wrong file."""
    try:
        file = check(part.path, expected, source)
    except WeightsError as error:
        part.clear()
        raise error.at(source) from error
    part.finish()
    return replace(file, path=part.target)


def _transfer(part: Part, url: str, expected: Expected, patience: Patience, progress: Progress, say: Say) -> None:
    """Download from one address to the `.part` file, in several attempts if necessary."""
    failures, reached, attempts = 0, part.size, patience.retries + 1
    while True:
        try:
            return _attempt(part, url, expected, patience.timeout, progress)
        except BrokenError as error:
            if error.code == "download.changed":
                part.clear()
            if error.code == "download.unreachable" and (part.origin is None or part.origin.url != url):
                raise  # the server has never been reached
            if part.size >= reached + ENOUGH:
                failures, reached = 0, part.size
            failures += 1
            if failures == attempts:
                error.what += f", at attempt {attempts} of {attempts}"
                if size := part.size:
                    error.remedy = f"{size} bytes are kept; run the same command again to resume"
                raise
            seconds = min(LONGEST, patience.first * 2.0 ** (failures - 1))
            say(f"{error}; attempt {failures + 1} of {attempts} in {seconds:g} s")
            time.sleep(seconds)


def _attempt(part: Part, url: str, expected: Expected, timeout: float, progress: Progress) -> None:
    """Resume if it is the same version, or a digest will confirm that; else start over."""
    sizes, origin = expected.sizes, part.origin
    if origin is None or origin.url != url or not (origin.validator or expected.sha256):
        origin = None
    start, validator = (part.size, origin.validator) if origin is not None else (0, None)
    with opened(url, start, validator, timeout) as answer:
        total = answer.total
        if total is not None and (total not in sizes if sizes else not 0 < total <= LARGEST):
            code, what = "download.other-size", "the file has the wrong size"
            raise WeightsError(code, what, where=url, expected=_size_text(sizes), found=f"{total} bytes")
        if answer.start == 0:
            part.begin(Origin(url, answer.validator, total))
        elif origin is not None:
            pairs = ((answer.validator, origin.validator), (total, origin.size))
            if any(None not in pair and pair[0] != pair[1] for pair in pairs):
                raise BrokenError("download.changed", "the remote file changed during the download", where=url)
            total = total or origin.size
        sizes = (total,) if total else sizes
        for data in answer.parts:
            if part.size + len(data) > max(sizes, default=LARGEST):
                part.clear()
                code, what = "download.too-many-bytes", "the server sends more bytes than the file has"
                raise WeightsError(code, what, where=url, expected=_size_text(sizes))
            part.append(data)
            progress(part.size, max(sizes, default=None))
    size = part.size
    if size not in sizes if sizes else not size:
        code, what = "download.broken-off", "the connection broke off"
        raise BrokenError(code, what, where=url, expected=_size_text(sizes), found=str(size))


def _size_text(sizes: tuple[int, ...]) -> str:
    return " or ".join(map(str, sizes)) + " bytes" if sizes else f"at most {LARGEST} bytes"
