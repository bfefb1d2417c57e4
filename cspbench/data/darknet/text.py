"""Lines of Darknet's small text files: .data, lists, names and labels, whatever is in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from cspbench.errors import DatasetError, brief, printable
from cspbench.io import read_file

LINE_LIMIT = 4096
"""Bytes of a line; Darknet reads paths of at most as many."""
SHOWN = 80
"""Characters of a line in a message."""


class Line(NamedTuple):
    """A line that is not blank, stripped, and its number from 1."""

    number: int
    text: str


def read_lines(path: Path, kind: str, limit: int) -> list[Line]:
    """The lines of a text file of at most `limit` bytes; `kind` names it in messages. Raises `DatasetError`.

    Bytes that are not UTF-8 become surrogates, which `os` turns back into the bytes of a file name.
    """
    try:
        data = read_file(path, limit)
        if b"\0" in data:
            raise OSError("binary data or UTF-16")
    except OSError as error:
        raise DatasetError(
            "darknet.unreadable",
            "cannot be read",
            where=str(path),
            expected=kind,
            found=brief(error.strerror or str(error), 120),
            remedy="Name a text file in UTF-8",
        ) from error
    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    rows = enumerate(re.split(r"\r\n?|\n", text), 1)
    lines = [Line(number, stripped) for number, row in rows if (stripped := row.strip(" \t"))]
    for line in lines:
        if len(line.text) > LINE_LIMIT:
            raise DatasetError(
                "darknet.long-line",
                "a line is too long",
                where=at(path, line),
                expected=f"{LINE_LIMIT:,} bytes at most",
                found=f"{len(line.text):,}",
                remedy="Correct the line",
            )
    return lines


def at(path: Path, line: Line | int) -> str:
    """File and line, for a message."""
    return f"{path}, line {line if isinstance(line, int) else line.number}"


def excerpt(text: str) -> str:
    """Text of a file for a message."""
    return repr(brief(printable(text), SHOWN))
