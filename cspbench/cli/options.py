"""Options that several commands share."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.network.network import Network


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

DecoderOption = Annotated[
    str | None,
    typer.Option(
        "--decoder",
        help="Whose pixels: opencv (libjpeg, turned as EXIF says), stb (Darknet without OpenCV) or pillow (libjpeg, "
        "not turned); the preset's own if absent.",
    ),
]


def refuse_together(given: Mapping[str, object], apart: Mapping[str, tuple[str, ...]]) -> None:
    """Raise `UsageError` for the first two options that were given and make no sense together."""
    for option, others in apart.items():
        for other in others:
            if given[option] and given[other]:
                raise UsageError(
                    "usage.not-together", f"{option} does not go with {other}", remedy="Leave one of them out"
                )


def print_table(lines: list[dict[str, Any]], form: Format) -> None:
    """Objects with the same keys, one a line of a table on stdout; None prints as a dash."""
    from cspbench.report.counts_table import flat_csv, grid, latex

    keys = list(lines[0])
    header = [key.capitalize() for key in keys]
    texts = [["-" if value is None else str(value) for value in line.values()] for line in lines]
    text = {
        Format.MD: lambda: grid(header, texts) + "\n",
        Format.JSON: lambda: json.dumps(lines, indent=1, ensure_ascii=False) + "\n",
        Format.CSV: lambda: flat_csv(keys, texts),
        Format.LATEX: lambda: latex(header, texts),
    }[form]()
    typer.echo(text, nl=False)


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Read "416" or "256x326" as (height, width)."""
    if text is None:
        return None
    match = re.fullmatch(r"(\d{1,5})(?:[x×,](\d{1,5}))?", text)
    if match is None or int(match[1]) == 0 or (match[2] and int(match[2]) == 0):
        raise UsageError(
            "usage.size",
            "--size cannot be read",
            expected="N or HEIGHTxWIDTH, 1 to 99999",
            found=repr(text),
            remedy="Try --size 416",
        )
    return int(match[1]), int(match[2] or match[1])


def resized(network: Network, size: tuple[int, int] | None) -> Network:
    """The network at an input size (height, width), None for its own; warns of shortcuts that no longer fit."""
    from cspbench.network.shortcut_checks import misfits

    if size is None:
        return network
    network = network.resized(*size)
    for line in misfits(network):
        typer.echo(f"cspbench: warning: {line}", err=True)
    return network
