"""The exceptions of cspbench in one tree; each has a code, and says what is wrong, where, and what to do.

`cspbench.error_codes` lists the codes.
"""

from __future__ import annotations

from copy import copy
from dataclasses import KW_ONLY, dataclass
from typing import Self

EXIT_CODES = {"count": 1, "incomplete": 4, "interrupted": 130, "memory": 4, "terminated": 143, "usage": 2}
"""Exit codes by the area of an error's code: 1 a measurement disagrees, 2 wrong usage, 4 incomplete. All others: 3,
data, definition or weights unusable."""


def exit_code(code: str) -> int:
    """The exit code of a command that ends with this error."""
    return EXIT_CODES.get(code.partition(".")[0], 3)


@dataclass(eq=False, repr=False)
class CspbenchError(Exception):
    """Base of all errors that a user can cause; the command line prints it on one line and exits with `exit_code`.

    `code` identifies the cause, as `area.cause` in `cspbench.error_codes`, whatever the message.
    """

    code: str
    what: str
    _: KW_ONLY
    where: str | None = None
    expected: str | None = None
    found: str | None = None
    remedy: str | None = None

    @property
    def exit_code(self) -> int:
        return exit_code(self.code)

    def at(self, where: str) -> Self:
        """The same error with `where` in front of its own place."""
        error = copy(self)
        error.where = f"{where}, {self.where}" if self.where else where
        return error

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


class CountingError(CspbenchError):
    """Two independent counters disagree about the same network."""


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


class MigrationError(CspbenchError):
    """A result of an earlier schema cannot be migrated."""


class LockedError(CspbenchError):
    """Another process holds the lock."""


class WeightsError(CspbenchError):
    """A weight file cannot be used."""


class BrokenError(WeightsError):
    """The transfer broke off; another attempt may succeed."""


class TooManyPairsError(Exception):
    """More pairs than the caller's memory limit allows."""
