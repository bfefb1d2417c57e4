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
"""Bytes. The longest published cfg has 60 kB; the limit keeps a wrong file from being read whole."""
MOST_SECTIONS = 2048
"""Layers, nearly. The deepest published cfg has a few hundred, the deepest network of the catalogue 1082. Each layer is
traced to be counted, and 2048 of the slowest kind, all different, take nearly ten seconds."""
MOST_NOTES = 1000
"""Odd values that are told of one file."""
LARGEST_LIST = 4096
"""Values in one list. Published ones have a few dozen, the anchors of a head; no network needs thousands."""

_BLANKS = str.maketrans("", "", " \t\r")
_INT = re.compile(r"[+-]?[0-9]++")
_FLOAT = re.compile(r"[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_NOTHING = re.compile(r"\.0*+")
"""What may follow an integer and leave it what it is."""
_LARGEST_INT = 2**31 - 1

Number = TypeVar("Number", int, float)


@dataclass(slots=True)
class Section:
    """One [section]: its name, where it begins, and its keys, each with its line, the first of duplicates winning.

    The readers mark every key they use; `unused` are those nobody asked for. All sections of a file share its `notes`
    and `used`, the lines of used keys.
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
        """File and line of a key; of the section where it has none."""
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
        """The error for a key that has no default."""
        return DefinitionError(
            "cfg.missing-key",
            f"{self.title} lacks the key {key}",
            where=self.place,
            expected=expected,
            found="nothing",
            remedy=f"Add {key}= to this section",
        )

    def note(self, key: str, text: str) -> None:
        """Remember something odd about a key, or about its absence."""
        note = f"{self.at(key)}: {text}"
        if len(self.notes) < MOST_NOTES and self.notes[-1:] != [note]:
            self.notes.append(note)

    def text(self, key: str, default: str) -> str:
        """A word, such as an activation; a trailing comment is cut off, which Darknet does for numbers only."""
        found = self.keys.get(key)
        if found is None:
            return default
        self.used.add(found[1])
        word, sign, _ = found[0].partition("#")
        if sign:
            self.note(key, f"{key}={brief(found[0])} is read as {brief(word)}; Darknet keeps the comment in the value")
        return word

    def _number(self, key: str, text: str, pattern: re.Pattern[str], kind: Callable[[str], Number]) -> Number:
        """What atoi and atof read: the leading number, whatever follows it."""
        if len(text) < 10 and text.isdecimal() and text.isascii():  # nearly every number
            return kind(text)
        match = pattern.match(text)
        if match is None:
            raise self._error("cfg.bad-value", key, "a number")
        end = match.end()
        rest = text[end:]
        # 8. and 8.0 are 8; 8.7 and 1e3 are 8 and 1 to atoi
        if rest and rest[0] not in "#;" and not (kind is int and _NOTHING.fullmatch(rest)):
            self.note(key, f"{key}={brief(text)}: everything after {brief(match[0])} is ignored")
        # Python refuses to convert thousands of digits to an int, and none of them would be in range
        number = kind(match[0] if kind is float or len(match[0]) < 32 else "9" * 31)
        if abs(number) > _LARGEST_INT:
            raise self._error("cfg.out-of-range", key, f"a number of at most {_LARGEST_INT}")
        return number

    def integer(self, key: str, default: int | None = None, expected: str = "an integer") -> int:
        """An integer; without a default the key must be there."""
        found = self.keys.get(key)
        if found is None:
            if default is None:
                raise self.missing(key, expected)
            return default
        self.used.add(found[1])
        return self._number(key, found[0], _INT, int)

    def flag(self, key: str) -> bool:
        """A switch: any integer but 0 is on; off when absent."""
        return self.integer(key, 0) != 0

    def real(self, key: str, default: float) -> float:
        """A real number."""
        found = self.keys.get(key)
        if found is None:
            return default
        self.used.add(found[1])
        return self._number(key, found[0], _FLOAT, float)

    def _list(self, key: str, expected: str) -> list[str]:
        found = self.keys.get(key)
        if found is None:
            raise self.missing(key, expected)
        self.used.add(found[1])
        items = found[0].partition("#")[0].split(",", LARGEST_LIST + 1)
        if len(items) > LARGEST_LIST + 1:
            raise DefinitionError(
                "cfg.list-too-long",
                f"{key} in {self.title} lists more than {LARGEST_LIST} values",
                where=self.at(key),
                expected=expected,
                found="more",
                remedy=f"Correct {key}=",
            )
        return items[:-1] if items[-1] == "" and len(items) > 1 else items

    def integers(self, key: str, expected: str) -> list[int]:
        """A list of integers separated by commas."""
        return [self._number(key, item, _INT, int) for item in self._list(key, expected)]

    def reals(self, key: str, expected: str) -> list[float]:
        """A list of real numbers separated by commas."""
        return [self._number(key, item, _FLOAT, float) for item in self._list(key, expected)]

    def unused(self, known: frozenset[str]) -> Iterator[str]:
        """The keys that no reader asked for and that are not `known` either, as Darknet reports them."""
        for key, (_, line) in self.keys.items():
            if line not in self.used and key not in known:
                yield f"{self.file}:{line}: unknown key {brief(key)} in {self.title} is ignored, as in Darknet"


def decode(path: Path) -> str:
    """The text of a cfg file; a binary or absurdly large one is refused before it is read whole."""
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
    if len(data) > LARGEST_FILE:
        raise DefinitionError(
            "cfg.file-too-large",
            "too large for a cfg file",
            where=str(path),
            expected=f"at most {LARGEST_FILE} bytes",
            found="more",
            remedy="Give the .cfg, not the .weights",
        )
    if b"\0" in data:
        raise DefinitionError(
            "cfg.binary",
            "a binary or UTF-16 file, not a cfg",
            where=str(path),
            expected="plain text",
            found=f"a NUL byte at {data.index(0)}",
            remedy="Give the .cfg, not the .weights, and save it as UTF-8",
        )
    return data.decode("utf-8", errors="replace").removeprefix("\ufeff")


def sections(text: str, file: str) -> list[Section]:
    """Split cfg text into sections; blanks vanish everywhere, `#` and `;` begin comment lines."""
    found: list[Section] = []
    notes: list[str] = []
    used: set[int] = set()
    for number, line in enumerate(text.translate(_BLANKS).split("\n"), start=1):
        if not line or line[0] in "#;":
            continue
        if line[0] == "[":
            if len(found) == MOST_SECTIONS:
                raise DefinitionError(
                    "cfg.too-many-layers",
                    "too many layers for a cfg file",
                    where=f"{file}:{number}",
                    expected=f"at most {MOST_SECTIONS} sections",
                    found="more",
                    remedy="Give the .cfg of a network",
                )
            found.append(Section(line.partition("]")[0][1:], file, number, notes, used))
            continue
        key, separator, value = line.partition("=")
        if not separator or not found:
            raise DefinitionError(
                "cfg.bad-line",
                "not a line of a cfg file",
                where=f"{file}:{number}",
                expected="[section] first, then key=value" if not found else "key=value",
                found=repr(brief(line)),
                remedy="Correct or remove the line",
            )
        found[-1].keys.setdefault(key, (value, number))
    if not found:
        raise DefinitionError(
            "cfg.empty",
            "the cfg is empty",
            where=file,
            expected="[net] and at least one layer",
            found="no section",
            remedy="Check the file",
        )
    return found
