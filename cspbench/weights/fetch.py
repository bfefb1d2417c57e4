"""Fetching a weight file: resumed where it broke off, and checked before it gets its name."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cspbench.errors import BeyondError, BrokenError, DeadError, ExistingError, UnreachableError, WeightsError
from cspbench.weights.arrays import digest
from cspbench.weights.filekind import examine
from cspbench.weights.links import google_host
from cspbench.weights.partial import Origin, Partial
from cspbench.weights.transport import Answer, open_address

LARGEST = 2 << 30
"""Bytes of a file whose size is not known: no server can fill the disk."""

ENOUGH = 1 << 20
"""Bytes by which the file must have grown for an attempt not to count as failed; so every transfer comes to an end."""


@dataclass(frozen=True)
class Expected:
    """What a file must be: one of the exact sizes in bytes (any if none), and a sha256 that begins like this one.

    `inspect` reads the file and raises `WeightsError` for what is no weight file, or another model's; `inspected` says
    in words what it looks at.
    """

    sizes: tuple[int, ...] = ()
    sha256: str | None = None
    inspect: Callable[[Path], None] | None = None
    inspected: str = ""

    @property
    def most(self) -> int:
        """The bytes that are accepted at most."""
        return max(self.sizes, default=LARGEST)

    def size_words(self) -> str:
        """The sizes for a message."""
        return " or ".join(map(str, self.sizes)) + " bytes" if self.sizes else f"at most {LARGEST} bytes"


@dataclass(frozen=True)
class Patience:
    """Seconds without a byte until a transfer counts as stalled, and how often it is tried again after which pauses.

    Over twice as many seconds with less than a kilobyte each it has stalled as well. The pauses double from `first` up
    to `longest` seconds.
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
    """A file that has been checked; `source` is the address it came from, None when it was there already."""

    path: Path
    source: str | None
    size: int
    sha256: str
    checked: str


def check(path: Path, expected: Expected, source: str | None = None) -> Fetched:
    """Hold a file against what it must be; raises `WeightsError` naming what differs. No code in it is executed."""
    file = examine(path)
    if expected.sizes and file.size not in expected.sizes:
        raise WeightsError(
            "download.other-size",
            "not the size that the file must have",
            where=str(path),
            expected=expected.size_words(),
            found=f"{file.size} bytes, {file.kind.value[0]}",
        )
    found, wanted = digest(path), (expected.sha256 or "").lower()
    if not found.startswith(wanted):
        whole = "" if len(wanted) == len(found) else " in front"
        raise WeightsError(
            "download.other-sha256", "not the file's sha256", where=str(path), expected=wanted + whole, found=found
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


def fetch(
    sources: Sequence[str],
    target: Path,
    expected: Expected,
    patience: Patience | None = None,
    *,
    force: bool = False,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    say: Callable[[str], None] = lambda text: None,
    google: Callable[[str], bool] = google_host,
) -> Fetched:
    """Fetch a file from the first of the addresses that has it; one that is there already is only checked.

    Bytes go to `TARGET.part`, never more than `expected.most`; the file gets its name when it has been checked. A
    killed or broken transfer is gone on with if the address and its version are the same. Other processes that want
    the same file wait for this one. `progress` hears of the bytes there and the bytes to come; `say` hears of broken
    attempts; `google` is for Google Drive, as in `open_address`.

    Raises `ExistingError` for another file of that name without `force`, `WeightsError` when no address has the file,
    `PlaceError` when it cannot be stored.
    """
    if (there := _existing(target, expected, force)) is not None:
        return there
    with Partial(target, say) as partial:
        if (there := _existing(target, expected, force)) is not None:  # by the process that this one waited for
            return there
        problems: list[WeightsError] = []
        origin = partial.origin
        if origin is not None and partial.size in ((origin.size,) if origin.size else expected.sizes):
            try:
                return _named(partial, expected, origin.url)
            except WeightsError as error:  # killed before it was checked, and no good
                say(f"{error}; fetched again")
        for url in sources:
            transfer = _Transfer(partial, url, expected, patience or Patience(), progress, say, google)
            try:
                transfer.run()
                return _named(partial, expected, url)
            except WeightsError as error:
                problems.append(error)
        if len(problems) == 1:
            raise problems[0]
        found = "; ".join(str(error).removesuffix(".") for error in problems) or "no address"
        raise DeadError("download.nowhere", "nobody has the file", where=target.name, found=found)


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
            f"another file is there: {error.what}",
            where=str(target),
            expected=error.expected,
            found=error.found,
            remedy="Remove it, or replace it with --force",
        ) from error


def _named(partial: Partial, expected: Expected, source: str) -> Fetched:
    """The complete file, checked and given its name; thrown away where it is another file."""
    try:
        found = check(partial.path, expected, source)
    except WeightsError as error:
        partial.clear()
        raise WeightsError(
            "download.not-the-file",
            f"what came is not the file: {error.what}",
            where=source,
            expected=error.expected,
            found=error.found,
        ) from error
    partial.finish()
    return Fetched(partial.target, source, found.size, found.sha256, found.checked)


@dataclass
class _Transfer:
    """All the bytes of one address into the `.part` file, in as many attempts as it takes."""

    partial: Partial
    url: str
    expected: Expected
    patience: Patience
    progress: Callable[[int, int | None], None]
    say: Callable[[str], None]
    google: Callable[[str], bool]
    came: bool = False

    def run(self) -> None:
        failures, reached = 0, self.partial.size
        while True:
            try:
                self.attempt()
                return
            except (BrokenError, UnreachableError) as error:
                if isinstance(error, UnreachableError) and not self.came:
                    raise
                if self.partial.size >= reached + ENOUGH:
                    failures, reached = 0, self.partial.size
                failures += 1
                if failures > self.patience.retries:
                    raise self.given_up(error) from error
                seconds = self.patience.pause(failures)
                self.say(f"{error}; attempt {failures + 1} of {self.patience.retries + 1} in {seconds:g} s")
                time.sleep(seconds)

    def attempt(self) -> None:
        start, validator = self.resumable()
        try:
            answer = open_address(self.url, start, validator, self.patience.timeout, self.google)
        except BeyondError:
            self.partial.clear()
            answer = open_address(self.url, 0, None, self.patience.timeout, self.google)
        try:
            self.receive(answer)
        finally:
            answer.close()

    def resumable(self) -> tuple[int, str | None]:
        """Where to go on, and with which version: only the same one, or one that a digest will tell from others."""
        origin = self.partial.origin
        if origin is None or origin.url != self.url or self.partial.size >= self.expected.most:
            return 0, None
        if origin.validator is None and self.expected.sha256 is None:
            return 0, None
        return self.partial.size, origin.validator

    def receive(self, answer: Answer) -> None:
        self.examine_promise(answer)
        if answer.start == 0:
            self.partial.begin(Origin(self.url, answer.validator, answer.total))
        origin = self.partial.origin
        total = origin.size if answer.total is None and origin is not None else answer.total
        while total is None or self.partial.size < total:
            data = answer.read()
            if not data:
                break
            if self.partial.size + len(data) > (total or self.expected.most):
                self.partial.clear()
                raise DeadError(
                    "download.too-many-bytes",
                    "more bytes come than the file has",
                    where=self.url,
                    expected=f"{total} bytes" if total else self.expected.size_words(),
                    found="more",
                )
            self.partial.append(data)
            self.came = True
            self.progress(self.partial.size, total or max(self.expected.sizes, default=None))
        size = self.partial.size
        if size == total or (total is None and size and (not self.expected.sizes or size in self.expected.sizes)):
            return
        raise BrokenError(
            "download.broken-off",
            "the connection broke off",
            where=self.url,
            expected=self.expected.size_words() if total is None else f"{total} bytes",
            found=str(size),
        )

    def examine_promise(self, answer: Answer) -> None:
        """Refuse an answer by its header alone: another size, or another version than the one begun with."""
        sizes, total = self.expected.sizes, answer.total
        if total is not None and (total not in sizes if sizes else not 0 < total <= LARGEST):
            raise DeadError(
                "download.other-file",
                "another file is there",
                where=self.url,
                expected=self.expected.size_words(),
                found=f"{total} bytes",
            )
        origin = self.partial.origin
        if answer.start == 0 or origin is None:
            return
        other_version = None not in (answer.validator, origin.validator) and answer.validator != origin.validator
        other_size = None not in (total, origin.size) and total != origin.size
        if other_version or other_size:
            self.partial.clear()
            raise BrokenError("download.changed", "the file has changed there meanwhile", where=self.url)

    def given_up(self, error: WeightsError) -> BrokenError:
        kept = f"; {self.partial.size} bytes are kept" if self.partial.size else ""
        return BrokenError(
            error.code,
            f"{error.what}, at attempt {self.patience.retries + 1} of {self.patience.retries + 1}{kept}",
            where=error.where,
            expected=error.expected,
            found=error.found,
            remedy="The same command goes on" if kept else None,
        )
