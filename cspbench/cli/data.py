"""`cspbench data`: is a data set whole, before hours are spent on it?"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cspbench.cli import options
from cspbench.cli.arguments import parse_size, place_of_data
from cspbench.cli.options import Format
from cspbench.cli.printing import format_of, print_facts
from cspbench.cli.progress import listener as terminal
from cspbench.errors import UsageError, printable
from cspbench.evaluation.execution import steps

data = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check data sets.")
check = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Check that a data set is whole and readable.")
data.add_typer(check, name="check")


@check.command()
def imagenet(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help="Class folders, a flat folder or ILSVRC2012_img_val.tar with its label file, or wds/PATH; by default "
            f"${options.IMAGENET}.",
        ),
    ] = None,
    data_option: options.DataOption = None,
    labels: options.LabelsOption = None,
    full: Annotated[bool, typer.Option("--full", help="Decode every image instead of reading its ends.")] = False,
    form: options.FormatOption = Format.MD,
    as_json: options.JsonOption = False,
) -> None:
    """Count ImageNet's validation images and find those that cannot be used. JSON has every name.

    Exit code 3: an image is unreadable, empty or has no class. A part of the data set is not a fault.
    """
    from cspbench.data import check as checks
    from cspbench.data.imagenet import scan
    from cspbench.report.data_checks import imagenet_facts

    source = scan(_place(path, data_option, options.IMAGENET), labels)
    with terminal().progress("checking", len(source)) as reach:
        report = checks.check(source, full=full, step=steps(reach))
    _finish(imagenet_facts(report), report, format_of(form, as_json))


@check.command()
def coco(
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help=f"The folder of annotations/ and the images, or an annotation file; by default ${options.COCO}.",
        ),
    ] = None,
    data_option: options.DataOption = None,
    split: options.SplitOption = None,
    form: options.FormatOption = Format.MD,
    as_json: options.JsonOption = False,
) -> None:
    """Compare COCO's annotations with the images, and with themselves. JSON has every name.

    Exit code 3: an image is missing, unreadable or of another size, or the annotations contradict themselves.
    """
    from cspbench.data.coco import scan_coco
    from cspbench.data.coco_check import check as check_coco
    from cspbench.report.data_checks import coco_facts

    source = scan_coco(_place(path, data_option, options.COCO), split)
    with terminal().progress("checking", len(source)) as reach:
        report = check_coco(source, step=steps(reach))
    _finish(coco_facts(report), report, format_of(form, as_json))


@data.command()
def anchors(
    path: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Darknet's .data file with train=, or a list of images."),
    ] = None,
    data_option: options.DataOption = None,
    number: options.NumOption = 9,
    size: options.SizeOption = "416",
    seed: options.SeedOption = 0,
    allow_bad: options.BadOption = 0,
    form: options.FormatOption = Format.MD,
    as_json: options.JsonOption = False,
) -> None:
    """Compute anchors for a data set by k-means, as `darknet detector calc_anchors` does.

    They are in pixels of an input of --size. The same --seed gives the same anchors.
    """
    import numpy as np

    from cspbench.data.coco import data_path
    from cspbench.data.darknet.anchors import anchors_of
    from cspbench.data.darknet.data_file import MOST_CLASSES
    from cspbench.data.darknet.detection_set import read_set
    from cspbench.data.darknet.faults import Faults

    pixels = parse_size(size) or (416, 416)
    place = data_path(_place(path, data_option, options.COCO))
    read = read_set(place, Faults(allow_bad), lists=("train", "valid"), classes=MOST_CLASSES)
    boxes = [box for image in read.images for box in image.boxes]
    found = anchors_of(np.array([box[3:] for box in boxes]), number, pixels[::-1], seed)
    facts = {
        "anchors": found.cfg(),
        "average IoU": f"{100 * found.average_iou:.2f} %",
        "boxes": f"{len(boxes):,} of {len(read.images):,} images in {printable(read.list_path.name)}",
        "boxes of each": ", ".join(map(str, found.counts.tolist())),
        "input": f"{pixels[1]}x{pixels[0]} (width x height)",
    }
    plain = {
        "anchors": [[round(side, 4) for side in each] for each in found.sizes.tolist()],
        "average_iou": round(100 * found.average_iou, 4),
        "counts": found.counts.tolist(),
        "boxes": len(boxes),
        "images": len(read.images),
        "width": pixels[1],
        "height": pixels[0],
        "seed": seed,
        "iterations": found.iterations,
    }
    print_facts(facts, format_of(form, as_json), plain)


def _place(path: str | None, option: str | None, variable: str) -> str:
    place = place_of_data(path, option, variable)
    if place is None:
        raise UsageError("usage.nothing-to-check", "no data set to check", remedy=f"Name DATA, or set ${variable}")
    return place


def _finish(facts: dict[str, str], report: Any, form: Format) -> None:
    print_facts(facts, form, report.as_json())
    if not report.usable:
        raise typer.Exit(3)
