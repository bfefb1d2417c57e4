"""Downloading a file: resumed where it broke off, and checked before it gets its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cspbench.errors import BrokenError, ExistingError, UnreachableError, WeightsError
from cspbench.lock import exclusive
from cspbench.weights.arrays import digest
from cspbench.weights.download.part import Origin, Part, unfinished
from cspbench.weights.download.transport import Answer, opened
from cspbench.weights.filekind import examine

LARGEST = 2 << 30
"""Bytes of a file whose size is not known: no server can fill the disk."""

ENOUGH = 1 << 20
"""Bytes by which the file must have grown for an attempt not to count as failed; so every transfer comes to an end."""

OTHERS = 3600.0
"""Seconds to wait for another process that downloads the same file."""


@dataclass(frozen=True)
class Expected:
    """What a file must be: one of the exact sizes in bytes (any if none), and a sha256 that begins like this one.

    `inspect` reads the file and raises `WeightsError` for anything but a weight file of the model; `inspected` says in
    words what it looks at.
    """

    sizes: tuple[int, ...] = ()
    sha256: str | None = None
    inspect: Callable[[Path], None] | None = None
    inspected: str = ""


@dataclass(frozen=True)
class Patience:
    """Seconds without a byte until a transfer has stalled (or twice as long below a kilobyte a second), and retries.

    The pauses before these double from `first` up to `longest` seconds.
    """

    timeout: float = 30.0
    retries: int = 5
    first: float = 0.5
    longest: float = 30.0

    def pause(self, failures: int) -> float:
        """Seconds to wait after so many failures in a row."""
        return min(self.longest, self.first * 2.0 ** min(failures - 1, 32))


@dataclass(frozen=True)
class Fetched:
    """A verified file; `source` is the address it came from, None when it existed already."""

    path: Path
    source: str | None
    size: int
    sha256: str
    checked: str


def check(path: Path, expected: Expected, source: str | None = None) -> Fetched:
    """Compare a file with what it must be; raises `WeightsError` where they differ. Nothing in it is executed."""
    file = examine(path)
    if expected.sizes and file.size not in expected.sizes:
        raise WeightsError(
            "download.other-size",
            "not the size that the file must have",
            where=str(path),
            expected=_size_words(expected.sizes),
            found=f"{file.size} bytes, {file.kind.value[0]}",
        )
    found, wanted = digest(path), (expected.sha256 or "").lower()
    if not found.startswith(wanted):
        raise WeightsError(
            "download.other-sha256",
            "not the file's sha256",
            where=str(path),
            expected=wanted if len(wanted) == len(found) else f"a sha256 that begins {wanted}",
            found=found,
        )
    if expected.inspect is not None:
        expected.inspect(path)
    words = ["exact size"] if expected.sizes else []
    words += [expected.inspected] if expected.inspected else []
    if wanted:
        words.append("sha256" if len(wanted) == len(found) else f"sha256 begins {wanted}")
    else:
        words.append("no digest is known")
    return Fetched(path, source, file.size, found, ", ".join(words))


def download(
    sources: Sequence[str],
    target: Path,
    expected: Expected,
    patience: Patience | None = None,
    *,
    force: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
) -> Fetched:
    """Download a file from the first of the addresses that has it; one that exists already is only checked.

    Bytes go to `TARGET.part`, never more than the largest size; the file gets its name when it has been checked. A
    killed or broken transfer resumes if the address and its version are the same. Other processes that want the same
    file wait for this one. `progress` gets the bytes so far and in total; `say` gets a line for each broken attempt.

    Raises `ExistingError` for another file of that name without `force`, `WeightsError` when no address has the file,
    `LockError` or `CspbenchError` when it cannot be stored, `LockedError` when another process takes more than an hour.
    """
    if (there := _existing(target, expected, force)) is not None:
        return there
    alone = exclusive(
        target.with_name(f".{target.name}.lock"),
        wait=OTHERS,
        waiting=lambda holder: say(f"waiting for {holder}, which downloads {target.name}"),
        place="Name a folder of yours with --out",
    )
    with alone, unfinished(target) as part:
        if (there := _existing(target, expected, force)) is not None:  # by the process that this one waited for
            return there
        problems: list[WeightsError] = []
        origin = part.origin
        if origin is not None and part.size in ((origin.size,) if origin.size else expected.sizes):
            try:
                return _named(part, expected, origin.url)
            except WeightsError as error:  # killed before it was checked, and not the file
                say(f"{error}; downloading it again")
        for url in sources:
            transfer = _Transfer(part, url, expected, patience or Patience(), progress, say)
            try:
                transfer.run()
                return _named(part, expected, url)
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
        raise ExistingError(
            "download.file-exists",
            f"a different file exists: {error.what}",
            where=str(target),
            expected=error.expected,
            found=error.found,
            remedy="Remove it, or replace it with --force",
        ) from error


def _named(part: Part, expected: Expected, source: str) -> Fetched:
    """The complete file, checked and given its name; deleted where it is another file."""
    try:
        found = check(part.path, expected, source)
    except WeightsError as error:
        part.clear()
        raise error.at(source) from error
    part.finish()
    return Fetched(part.target, source, found.size, found.sha256, found.checked)


@dataclass
class _Transfer:
    """All the bytes of one address into the `.part` file, in as many attempts as it takes."""

    part: Part
    url: str
    expected: Expected
    patience: Patience
    progress: Callable[[int, int | None], None]
    say: Callable[[str], None]
    came: bool = False

    def run(self) -> None:
        failures, reached, attempts = 0, self.part.size, self.patience.retries + 1
        while True:
            try:
                return self.attempt()
            except BrokenError as error:
                if isinstance(error, UnreachableError) and not self.came:
                    raise
                if self.part.size >= reached + ENOUGH:
                    failures, reached = 0, self.part.size
                failures += 1
                if failures == attempts:
                    kept = self.part.size
                    raise BrokenError(
                        error.code,
                        f"{error.what}, at attempt {attempts} of {attempts}",
                        where=error.where,
                        expected=error.expected,
                        found=error.found,
                        remedy=f"{kept} bytes are kept; run the same command again to resume" if kept else None,
                    ) from error
                seconds = self.patience.pause(failures)
                self.say(f"{error}; attempt {failures + 1} of {attempts} in {seconds:g} s")
                time.sleep(seconds)

    def attempt(self) -> None:
        """Resume the same version, or one that a digest will tell from others; else start over."""
        part, origin = self.part, self.part.origin
        if origin is None or origin.url != self.url or not (origin.validator or self.expected.sha256):
            origin = None
        start, validator = (part.size, origin.validator) if origin is not None else (0, None)
        with opened(self.url, start, validator, self.patience.timeout) as answer:
            self.examine(answer)
            if answer.start == 0:
                part.begin(Origin(self.url, answer.validator, answer.total))
            total = answer.total or (part.origin.size if part.origin is not None else None)
            self.receive(answer.parts, (total,) if total else self.expected.sizes)

    def examine(self, answer: Answer) -> None:
        """Refuse an answer by its header alone: another size, or another version than that of the bytes so far."""
        sizes, total, origin = self.expected.sizes, answer.total, self.part.origin
        if total is not None and (total not in sizes if sizes else not 0 < total <= LARGEST):
            raise WeightsError(
                "download.other-file",
                "a different file is there",
                where=self.url,
                expected=_size_words(sizes),
                found=f"{total} bytes",
            )
        if answer.start and origin is not None:
            pairs = ((answer.validator, origin.validator), (total, origin.size))
            if any(None not in pair and pair[0] != pair[1] for pair in pairs):
                self.part.clear()
                raise BrokenError("download.changed", "the remote file changed during the download", where=self.url)

    def receive(self, parts: Iterator[bytes], sizes: tuple[int, ...]) -> None:
        """Append what comes, which must end at one of the sizes (any if none)."""
        for data in parts:
            if self.part.size + len(data) > max(sizes, default=LARGEST):
                self.part.clear()
                raise WeightsError(
                    "download.too-many-bytes",
                    "the server sends more bytes than the file has",
                    where=self.url,
                    expected=_size_words(sizes),
                )
            self.part.append(data)
            self.came = True
            self.progress(self.part.size, max(sizes, default=None))
        size = self.part.size
        if size not in sizes if sizes else not size:
            raise BrokenError(
                "download.broken-off",
                "the connection broke off",
                where=self.url,
                expected=_size_words(sizes),
                found=str(size),
            )


def _size_words(sizes: tuple[int, ...]) -> str:
    return " or ".join(map(str, sizes)) + " bytes" if sizes else f"at most {LARGEST} bytes"
