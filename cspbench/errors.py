"""The exceptions of cspbench in one tree; each has a code, and says what is wrong, where, and what to do.

    CspbenchError                       exit code 3
    ├── UsageError                      2
    ├── CountingError                   1
    ├── DefinitionError
    ├── TableError
    ├── DatasetError
    ├── BadImageError
    ├── OutputError
    ├── RunError
    ├── IncompleteRunError              4
    ├── MigrationError
    ├── LockError
    ├── LockedError                     4
    ├── StoppedError                    130
    └── WeightsError
        ├── ExistingError
        └── BrokenError
            └── UnreachableError
    Exception
    └── TooManyPairsError               makes NMS compare one box at a time

`cspbench.error_codes` lists the codes.
"""

from __future__ import annotations


class CspbenchError(Exception):
    """Base of all errors that a user can cause; the command line prints it on one line and exits with `exit_code`.

    `code` identifies the cause, as `area.cause` in `cspbench.error_codes`, whatever the message. Exit codes: 1 a
    measurement disagrees, 2 wrong usage, 3 data, definition or weights unusable, 4 incomplete.
    """

    exit_code = 3

    def __init__(
        self,
        code: str,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(code, what)
        self.code = code
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.remedy = remedy

    def at(self, where: str) -> CspbenchError:
        """The same error with `where` in front of its own place."""
        place = f"{where}, {self.where}" if self.where else where
        return type(self)(
            self.code, self.what, where=place, expected=self.expected, found=self.found, remedy=self.remedy
        )

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        details = [f"{label} {value}" for label, value in (("expected", self.expected), ("found", self.found)) if value]
        if details:
            text += f" ({', '.join(details)})"
        return printable(f"{text}. {self.remedy}" if self.remedy else text)


def printable(text: str) -> str:
    """Text on one line, with line ends, controls and undecodable bytes escaped."""
    return text if text.isprintable() else "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def brief(text: str, length: int = 40) -> str:
    """Text from a file for a message: cut to `length` characters and made `printable`."""
    return printable(text if len(text) <= length else f"{text[: length - 3]}...")


class UsageError(CspbenchError):
    """Arguments or options that are invalid or name something that does not exist."""

    exit_code = 2


class CountingError(CspbenchError):
    """Two independent counters disagree about the same network."""

    exit_code = 1


class DefinitionError(CspbenchError):
    """A network definition (cfg file or builder call) is not a valid network."""


class TableError(CspbenchError):
    """A table of published numbers is malformed."""


class DatasetError(CspbenchError):
    """A data set is missing, unreadable or unlabelled, or detections or a server's result do not match it."""


class BadImageError(CspbenchError):
    """An image file cannot be read or decoded."""


class OutputError(CspbenchError):
    """A network's outputs are not probabilities or boxes."""


class RunError(CspbenchError):
    """A run directory is unusable, or belongs to another run."""


class IncompleteRunError(CspbenchError):
    """A run lacks predictions; it can be resumed."""

    exit_code = 4


class MigrationError(CspbenchError):
    """A result of an earlier schema cannot be migrated."""


class LockError(CspbenchError):
    """A lock file cannot be created or opened."""


class LockedError(CspbenchError):
    """Another process holds the lock."""

    exit_code = 4


class StoppedError(CspbenchError):
    """The command was interrupted."""

    exit_code = 130


class WeightsError(CspbenchError):
    """A weight file cannot be used."""


class ExistingError(WeightsError):
    """A different file with this name exists already."""


class BrokenError(WeightsError):
    """The transfer broke off; another attempt may succeed."""


class UnreachableError(BrokenError):
    """The server cannot be reached; another attempt makes sense only if it was reached before."""


class TooManyPairsError(Exception):
    """More pairs than the caller's memory limit allows."""
