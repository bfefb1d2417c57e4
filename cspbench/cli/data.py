"""`cspbench data`: is a data set whole, before hours are spent on it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.errors import brief

if TYPE_CHECKING:
    from cspbench.data.check import Report

data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check data sets.")
check = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check that a data set is whole and readable.")
data.add_typer(check, name="check")

SHOWN = 5
"""Names printed of each list; --json has them all."""


@check.callback()
def _check() -> None:
    pass


@check.command()
def imagenet(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="Class folders, a flat folder or ILSVRC2012_img_val.tar with its label file, or wds/PATH.",
            envvar="CSPBENCH_IMAGENET",
        ),
    ],
    labels: Annotated[Path | None, typer.Option("--labels", help="The label file of a flat folder or archive.")] = None,
    full: Annotated[bool, typer.Option("--full", help="Decode every image instead of reading its ends.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every name.")] = False,
) -> None:
    """Count ImageNet's validation images and find those that cannot be used.

    Exit code 3: an image is unreadable, empty or has no class. A part of the data set is no fault.
    """
    from cspbench.cli.progress import Progress
    from cspbench.data import check as checks
    from cspbench.data.imagenet import scan

    source = scan(path, labels)
    with Progress("checking", len(source)) as progress:
        report = checks.check(source, full=full, step=progress.step)
    typer.echo(json.dumps(report.as_json(), indent=1, ensure_ascii=False) if as_json else _text(report))
    if not report.usable:
        raise typer.Exit(3)


def _text(report: Report) -> str:
    facts = report.as_json()
    low, high = facts["images_per_class"]
    spread = str(low) if low == high else f"{low} to {high}"
    whole = "the whole validation set" if report.complete else "a part of the validation set"
    lines = [
        ("images", f"{report.images:,} ({whole}), {facts['other_files']} other files"),
        ("classes", f"{len(report.classes)} of 1000, {spread} images each"),
        ("missing", _some(report.missing_classes) if report.missing_classes else "no class"),
        ("formats", ", ".join(f"{count:,} {name}" for name, count in {**report.formats, **report.modes}.items())),
        ("classes from", facts["order"]["source"]),
        (
            "class order",
            f"Darknet's differs from the sorted one at {facts['order']['darknet_differs_from_sorted']} of 1000 places; "
            "each network's own is used",
        ),
    ]
    for name, keys in (
        ("no class", report.unlabelled),
        ("empty", report.empty),
        ("unreadable", [f"{key}: {fault}" for key, fault in report.unreadable.items()]),
        ("CMYK", report.cmyk),
        ("grey", report.grey),
        ("tiny", report.tiny),
        ("EXIF-rotated", report.turned),
        ("same file", [" = ".join(keys) for keys in report.duplicates]),
    ):
        lines.append((name, _some(keys) if keys else "none"))
    checked = "every image decoded" if report.full else "headers and ends of files; --full decodes"
    lines.append(("verdict", f"{'usable' if report.usable else 'not usable as it is'} ({checked})"))
    return "\n".join(f"{name:<13} {text}" for name, text in lines)


def _some(names: list[str]) -> str:
    """The first few names on one line, unprintable characters escaped."""
    shown = ", ".join(brief(name, 120) for name in names[:SHOWN])
    return f"{len(names)}: {shown}" + (", ..." if len(names) > SHOWN else "")
