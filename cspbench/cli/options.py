"""Options that several commands share."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated

import typer

from cspbench.errors import UsageError


class Format(StrEnum):
    """How a table is printed."""

    MD = "md"
    JSON = "json"
    CSV = "csv"
    LATEX = "latex"


FormatOption = Annotated[Format, typer.Option("--format", help="How the table is printed on stdout.")]
SizeOption = Annotated[
    str | None,
    typer.Option("--size", "--img-size", "--imgsz", metavar="N|HxW", help="Input size in pixels, instead of its own."),
]


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read "416" or "256x326" as (height, width)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})(?:[x×,](\d{1,5}))?", text)
    if match is None or int(match[1]) == 0 or (match[2] and int(match[2]) == 0):
        raise UsageError(
            "--size cannot be read", expected="N or HEIGHTxWIDTH, 1 to 99999", found=repr(text), remedy="Try --size 416"
        )
    return int(match[1]), int(match[2] or match[1])
