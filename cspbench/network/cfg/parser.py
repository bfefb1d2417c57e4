"""Darknet's cfg grammar: text to sections of keys (spec: read_cfg, option_list.c)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cspbench.errors import CspbenchError, DefinitionError, brief
from cspbench.io import open_file, read_part

LARGEST_FILE = 16 * 2**20
"""Bytes. The longest published cfg has 60 kB; the limit avoids reading a wrong file whole."""
MOST_SECTIONS = 2048
"""[net] and the layers. The deepest published cfg has a few hundred layers, the deepest network of the catalogue 1082.
Counting traces each layer, and 2048 different ones of the slowest kind take nearly ten seconds."""
MOST_NOTES = 1000
"""Warnings about values, per file."""
LARGEST_LIST = 4096
"""Values in one list. The longest published ones, anchors, have a few dozen."""

_BLANKS = str.maketrans("", "", " \t\r")
_INT = re.compile(r"[+-]?[0-9]++")
_FLOAT = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_ZERO_FRACTION = re.compile(r"\.0*+")
"""May follow an integer without changing its value."""
_LARGEST_INT = 2**31 - 1

Number = TypeVar("Number", int, float)


@dataclass(slots=True)
class Section:
    """One [section]: its name, its first line, and its keys with values and lines; the first of duplicate keys wins.

    Readers mark the keys they use, `unused` lists the rest. All sections of a file share `notes` (warnings) and `used`
    (the lines of used keys).
    """

    name: str
    file: str
    line: int
    notes: list[str]
    used: set[int]
    keys: dict[str, tuple[str, int]] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """File and line of the section's first line."""
        return f"{self.file}:{self.line}"

    @property
    def title(self) -> str:
        """The name in brackets, for messages."""
        return f"[{brief(self.name)}]"

    def at(self, key: str) -> str:
        """File and line of a key, or of the section if the key is absent."""
        return f"{self.file}:{self.keys[key][1]}" if key in self.keys else self.place

    def _error(self, code: str, key: str, expected: str) -> CspbenchError:
        return DefinitionError(
            code,
            f"{key} in {self.title} cannot be read",
            where=self.at(key),
            expected=expected,
            found=repr(brief(self.keys[key][0])),
            remedy=f"Correct {key}=",
        )

    def missing(self, key: str, expected: str) -> CspbenchError:
        """The error for an absent key without a default."""
        return DefinitionError(
            "cfg.missing-key",
            f"{self.title} has no {key}=",
            where=self.place,
            expected=expected,
            found="nothing",
            remedy=f"Add {key}= to this section",
        )

    def note(self, key: str, text: str) -> None:
        """Record a warning about a key or its absence."""
        self._note(f"{self.at(key)}: {text}")

    def note_at(self, line: int, text: str) -> None:
        """Record a warning about a line."""
        self._note(f"{self.file}:{line}: {text}")

    def _note(self, note: str) -> None:
        if len(self.notes) < MOST_NOTES and self.notes[-1:] != [note]:
            self.notes.append(note)

    def _value(self, key: str) -> str | None:
        """The value, marked as used; None if the key is absent."""
        if key not in self.keys:
            return None
        value, line = self.keys[key]
        self.used.add(line)
        return value

    def text(self, key: str, default: str) -> str:
        """A word, such as an activation, without a trailing comment; Darknet strips comments from numbers only."""
        value = self._value(key)
        if value is None:
            return default
        word, sign, _ = value.partition("#")
        if sign:
            self.note(key, f"{key}={brief(value)} is read as {brief(word)}; Darknet keeps the comment in the value")
        return word

    def _number(self, key: str, text: str, pattern: re.Pattern[str], kind: Callable[[str], Number]) -> Number:
        """The leading number, whatever follows it, as atoi and atof read it."""
        if len(text) < 10 and text.isdecimal() and text.isascii():  # the common case
            return kind(text)
        match = pattern.match(text)
        if match is None:
            raise self._error("cfg.bad-value", key, "a number")
        end = match.end()
        rest = text[end:]
        # 8. and 8.0 are 8; 8.7 and 1e3 are 8 and 1 to atoi
        if rest and rest[0] not in "#;" and not (kind is int and _ZERO_FRACTION.fullmatch(rest)):
            self.note(key, f"{key}={brief(text)}: everything after {brief(match[0])} is ignored")
        # Python refuses to convert thousands of digits, and so many are out of range anyway
        number = kind(match[0] if kind is float or len(match[0]) < 32 else "9" * 31)
        if abs(number) > _LARGEST_INT:
            raise self._error("cfg.out-of-range", key, f"a number of at most {_LARGEST_INT}")
        return number

    def integer(self, key: str, default: int | None = None, expected: str = "an integer") -> int:
        """An integer; without a default the key is required."""
        value = self._value(key)
        if value is not None:
            return self._number(key, value, _INT, int)
        if default is None:
            raise self.missing(key, expected)
        return default

    def flag(self, key: str) -> bool:
        """A switch: any integer except 0 means on; an absent key means off."""
        return self.integer(key, 0) != 0

    def real(self, key: str, default: float) -> float:
        value = self._value(key)
        return default if value is None else self._number(key, value, _FLOAT, float)

    def _list(self, key: str, expected: str) -> list[str]:
        value = self._value(key)
        if value is None:
            raise self.missing(key, expected)
        items = value.partition("#")[0].split(",", LARGEST_LIST + 1)
        if len(items) > 1 and items[-1] == "":  # after a trailing comma
            items.pop()
        if len(items) > LARGEST_LIST:
            raise DefinitionError(
                "cfg.list-too-long",
                f"{key} in {self.title} has more than {LARGEST_LIST} values",
                where=self.at(key),
                expected=expected,
                found="more",
                remedy=f"Correct {key}=",
            )
        return items

    def integers(self, key: str, expected: str) -> list[int]:
        """Comma-separated integers."""
        return [self._number(key, item, _INT, int) for item in self._list(key, expected)]

    def reals(self, key: str, expected: str) -> list[float]:
        """Comma-separated real numbers."""
        return [self._number(key, item, _FLOAT, float) for item in self._list(key, expected)]

    def unused(self, known: frozenset[str]) -> Iterator[tuple[str, str]]:
        """The keys that no reader used and that are not `known`, each with its place."""
        for key, (_, line) in self.keys.items():
            if line not in self.used and key not in known:
                yield key, f"{self.file}:{line}"


def decode(path: Path) -> str:
    """The text of a cfg file; refuses large files before reading them whole, and binary ones."""
    try:
        with open_file(path) as stream:
            data = read_part(stream, 0, LARGEST_FILE + 1)
    except OSError as error:
        raise DefinitionError(
            "cfg.unreadable",
            "the cfg file cannot be read",
            where=str(path),
            expected="a readable file",
            found=error.strerror or str(error),
            remedy="Check the path",
        ) from None
    return decoded(data, str(path))


def decoded(data: bytes, where: str) -> str:
    """The text of a cfg file's bytes, which may be cut after LARGEST_FILE + 1."""
    if len(data) > LARGEST_FILE:
        raise DefinitionError(
            "cfg.file-too-large",
            "the cfg file is too large",
            where=where,
            expected=f"at most {LARGEST_FILE} bytes",
            found="more",
            remedy="Pass the .cfg, not the .weights",
        )
    if b"\0" in data:
        raise DefinitionError(
            "cfg.binary",
            "not a cfg but a binary or UTF-16 file",
            where=where,
            expected="plain text",
            found=f"a NUL byte at {data.index(0)}",
            remedy="Pass the .cfg, not the .weights, saved as UTF-8",
        )
    return data.decode("utf-8", errors="replace").removeprefix("\ufeff")


def split(text: str, file: str) -> list[Section]:
    """Cfg text as sections; all blanks are removed, `#` and `;` begin comment lines."""
    result: list[Section] = []
    notes: list[str] = []
    used: set[int] = set()
    for number, line in enumerate(text.translate(_BLANKS).split("\n"), start=1):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            if len(result) == MOST_SECTIONS:
                raise DefinitionError(
                    "cfg.too-many-layers",
                    "too many layers for a cfg file",
                    where=f"{file}:{number}",
                    expected=f"at most {MOST_SECTIONS} sections",
                    found="more",
                    remedy="Pass the .cfg of a network",
                )
            result.append(Section(line.partition("]")[0][1:], file, number, notes, used))
            continue
        key, separator, value = line.partition("=")
        if not separator or not result:
            raise DefinitionError(
                "cfg.bad-line",
                "not a line of a cfg file",
                where=f"{file}:{number}",
                expected="[section] first, then key=value" if not result else "key=value",
                found=repr(brief(line)),
                remedy="Correct or remove the line",
            )
        first, _ = result[-1].keys.setdefault(key, (value, number))
        if value != first:
            result[-1].note_at(
                number,
                f"{brief(key)}={brief(value)} is ignored, as in Darknet: the {brief(key)}={brief(first)} above counts",
            )
    if not result:
        raise DefinitionError(
            "cfg.empty",
            "the cfg is empty",
            where=file,
            expected="[net] and at least one layer",
            found="no sections",
            remedy="Check the file",
        )
    return result
