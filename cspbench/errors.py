"""The exceptions cspbench raises: each says what is wrong, where, what was expected, what was found and what to do."""

from __future__ import annotations


class CspbenchError(Exception):
    """Base of every error a user can cause; the command line prints it on one line and exits with `exit_code`.

    Exit codes: 1 a measurement disagrees, 2 wrong usage, 3 data, definition or weights unusable.
    """

    exit_code = 3

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        found: str | None = None,
        remedy: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.found = found
        self.remedy = remedy

    def at(self, where: str) -> CspbenchError:
        """The same error with its place put in front of the place it already names."""
        place = f"{where}, {self.where}" if self.where else where
        return type(self)(self.what, where=place, expected=self.expected, found=self.found, remedy=self.remedy)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        details = [f"{label} {value}" for label, value in (("expected", self.expected), ("found", self.found)) if value]
        if details:
            text += f" ({', '.join(details)})"
        return printable(f"{text}. {self.remedy}" if self.remedy else text)


def printable(text: str) -> str:
    """Text on one line: what a terminal would not print as a character (line ends, controls, half bytes) escaped."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def brief(text: str, length: int = 40) -> str:
    """Text from a file for a message: cut to `length` characters, those that cannot be printed escaped."""
    return printable(text if len(text) <= length else f"{text[: length - 3]}...")


class UsageError(CspbenchError):
    """The command was asked for something that does not exist or makes no sense."""

    exit_code = 2


class DefinitionError(CspbenchError):
    """A network definition (cfg file or builder call) is not a valid network."""


class TableError(CspbenchError):
    """A table of published numbers is malformed."""


class CountingError(CspbenchError):
    """Two independent counters disagree about the same network."""

    exit_code = 1
