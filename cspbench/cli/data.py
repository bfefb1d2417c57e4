"""`cspbench data`: is a data set whole, before hours are spent on it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.errors import brief

if TYPE_CHECKING:
    from cspbench.data.check import Report
    from cspbench.data.coco_check import CocoReport

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
    typer.echo(json.dumps(report.as_json(), indent=1) if as_json else _text(report))
    if not report.usable:
        raise typer.Exit(3)


@check.command()
def coco(
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH",
            help="The folder that holds annotations/ and the images, or an annotation file.",
            envvar="CSPBENCH_COCO",
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option("--split", help="val2017, val2014-5k, test-dev2017 or custom; where there are several."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, with every name.")] = False,
) -> None:
    """Compare COCO's annotations with the images, and with themselves.

    Exit code 3: an image is missing, unreadable or of another size, or the annotations contradict themselves.
    """
    from cspbench.cli.progress import Progress
    from cspbench.data.coco import scan_coco
    from cspbench.data.coco_check import check as check_coco

    source = scan_coco(path, split)
    with Progress("checking", len(source)) as progress:
        report = check_coco(source, step=progress.step)
    typer.echo(json.dumps(report.as_json(), indent=1) if as_json else _coco_text(report))
    if not report.usable:
        raise typer.Exit(3)


def _coco_text(report: CocoReport) -> str:
    objects = "none are public" if report.objects is None else f"{report.objects:,}, of them {report.crowd} crowds"
    differ = report.categories_differ
    lines = [
        ("split", report.split),
        ("images", f"{report.images:,}, {report.others} other images in the folder"),
        ("objects", objects),
        ("no object", f"{report.empty:,} images"),
        ("no extent", f"{report.tiny} objects"),
        ("outside", f"{report.outside} objects reach more than a pixel out of their image"),
        ("formats", ", ".join(f"{count:,} {name}" for name, count in report.modes.most_common()) or "none"),
        ("categories", f"{report.categories}, " + (f"not COCO's 80: {_some(differ)}" if differ else "COCO's 80")),
    ]
    for name, found in (
        ("missing", report.missing),
        ("unreadable", [f"{key}: {fault}" for key, fault in report.unreadable.items()]),
        ("other size", report.other_size),
        ("listed twice", report.listed_twice),
        ("faults", report.faults),
    ):
        lines.append((name, _some(found) if found else "none"))
    fitting = f"usable, by a network of these {report.categories} categories, not of COCO's 80" if differ else "usable"
    lines.append(("verdict", fitting if report.usable else "not usable as it is"))
    return "\n".join(f"{name:<13} {text}" for name, text in lines)


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
        ("class order", _order(report)),
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


def _order(report: Report) -> str:
    """What is known about the order in which the images' classes are numbered."""
    right, there = report.known
    if report.mislabelled:
        return (
            f"wrong: only {right} of {there} known images have their class; the label file is of another order or set"
        )
    if there:
        return f"right: {right} of {there} known images have their class"
    if report.numbered:
        return "numbers are read as the sorted order; only a network can tell: eval-imagenet warns"
    return "as the WordNet ids say; no image is known by its name"


def _some(names: list[str]) -> str:
    """The first few names on one line, unprintable characters escaped."""
    shown = ", ".join(brief(name, 120) for name in names[:SHOWN])
    return f"{len(names)}: {shown}" + (", ..." if len(names) > SHOWN else "")
