"""Darknet's .data files: `key = value` lines that name the lists, the names and the number of classes of a data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cspbench.data.darknet import paths
from cspbench.data.darknet.paths import missing
from cspbench.data.darknet.text import Line, at, excerpt, read_lines
from cspbench.errors import DatasetError, brief

SIZE_LIMIT = 1 << 16
"""Bytes of a .data file; Darknet's own have a few hundred."""
MOST_CLASSES = 100_000
"""Classes of a data set; ImageNet's whole has 21,842."""
PATHS = ("train", "valid", "test", "difficult", "names", "labels", "map", "tree")
"""The keys whose values are files to read."""
OTHERS = ("classes", "top", "eval", "backup", "results")
FOLDERS = ("", "data", "cfg")
"""Where a folder of Darknet's has its .data files."""
PROBED = 100
"""Files of a folder that are looked at."""


@dataclass(frozen=True)
class DataFile:
    """A .data file: the line of each key, the first one of repeated keys, as Darknet reads it."""

    path: Path
    values: dict[str, str]
    lines: dict[str, int]

    def text(self, key: str) -> str | None:
        """The value of a key; None where it is missing or empty."""
        return self.values.get(key) or None

    def file(self, key: str) -> Path | None:
        """The file that a key names; None without the key. Raises `DatasetError` where there is no such file."""
        text = self.text(key)
        if text is None:
            return None
        path = paths.find(text, self.path.parent)
        if path is None:
            raise missing("darknet.missing-file", f"no file {excerpt(text)} for {key}=", text, *self._where(key))
        return path

    def finds(self, key: str) -> bool:
        """Whether a key names a file that is there."""
        text = self.text(key)
        return text is not None and paths.find(text, self.path.parent) is not None

    def required(self, *keys: str) -> Path:
        """The file that the first present of the keys names. Raises `DatasetError`."""
        key = next((key for key in keys if self.text(key)), None)
        if key is None:
            raise DatasetError(
                "darknet.missing-key",
                f"no {keys[0]}=",
                where=str(self.path),
                expected=f"{keys[0]} = a list of images",
                found=", ".join(f"{name}=" for name in self.values) or "no keys",
                remedy=f"Add {keys[0]}=, or name the list of images instead of the .data file",
            )
        file = self.file(key)
        assert file is not None
        return file

    def number(self, key: str, largest: int) -> int | None:
        """The value of a key that is a number from 1 to `largest`; None without the key. Raises `DatasetError`."""
        text = (self.text(key) or "").partition("#")[0].strip()  # a comment may follow, as `atoi` stops there
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= largest):
            raise DatasetError(
                "darknet.bad-value",
                f"{key}= is not a number in its range",
                where=self._where(key)[1],
                expected=f"1 to {largest:,}",
                found=excerpt(text),
                remedy="Correct the line",
            )
        return int(text)

    def _where(self, key: str) -> tuple[Path, str]:
        return self.path.parent, at(self.path, self.lines[key])


def is_data_file(path: Path) -> bool:
    """Whether a path has the suffix of a .data file."""
    return path.suffix.lower() == ".data"


def read(path: Path) -> DataFile:
    """Read a .data file; `DatasetError` for a line that is not `key = value`, and for a file without any known key."""
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line in read_lines(path, "a .data file", SIZE_LIMIT):
        if line.text[0] in "#;":
            continue
        key, equals, value = line.text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise _bad_line(path, line)
        if key not in values:
            values[key] = value.strip()
            lines[key] = line.number
    if not values.keys() & {*PATHS, *OTHERS}:
        raise DatasetError(
            "darknet.not-a-data-file",
            "not a .data file",
            where=str(path),
            expected="lines such as valid = valid.txt",
            found=", ".join(f"{excerpt(name)}" for name in list(values)[:8]) or "no keys",
            remedy="Name Darknet's .data file",
        )
    return DataFile(path, values, lines)


def _bad_line(path: Path, line: Line) -> DatasetError:
    return DatasetError(
        "darknet.bad-line",
        "not key = value",
        where=at(path, line),
        expected="key = value",
        found=excerpt(line.text),
        remedy="Correct the line, or start it with # to leave it out",
    )


def in_folder(folder: Path) -> Path | None:
    """The .data file of a folder of Darknet's, preferably one whose list is there; None without one.

    Raises `DatasetError` for several of those.
    """
    files = [file for name in FOLDERS for file in sorted((folder / name).glob("*.data"))[:PROBED] if file.is_file()]
    usable = [file for file in files if _has_list(file)]
    if len(usable) > 1:
        raise DatasetError(
            "darknet.several-sets",
            "several .data files",
            where=str(folder),
            expected="one with valid=",
            found=", ".join(brief(str(file.relative_to(folder))) for file in usable[:4]),
            remedy="Name the .data file",
        )
    return next(iter(usable or files), None)


def _has_list(file: Path) -> bool:
    """Whether a .data file names a list that is there; Darknet's folder of examples has many without."""
    try:
        return read(file).file("valid") is not None
    except DatasetError:
        return False
