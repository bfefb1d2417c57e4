"""`cspbench data check darknet` and `cspbench data anchors`: data sets as Darknet keeps them."""

from __future__ import annotations

from typing import Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import checked_part, checking_threads, either, parse_size
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import format_of, print_facts
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError, printable
from cspbench.evaluation.execution import steps
from cspbench.io import argument_path


def darknet(
    path: Annotated[
        str | None, typer.Argument(metavar="DATA", help="Darknet's .data file, a list of images, or a folder of them.")
    ] = None,
    data_option: options.DataOption = None,
    names: options.NamesOption = None,
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    workers: options.WorkersOption = "auto",
    form: options.FormatOption = Format.MD,
    as_json: options.JsonOption = False,
) -> None:
    """Compare Darknet's .data file, list, names, labels and images.

    JSON has every fault. --limit reads a part of the images; the other files are checked whole.

    Exit code 3: a file is missing, a line is wrong, or an image is unreadable.
    """
    from cspbench.cli.files.data_facts import darknet_facts
    from cspbench.data.coco.source import data_path
    from cspbench.data.darknet.check import check, scan
    from cspbench.data.darknet.names import read_names
    from cspbench.data.darknet.opening import darknet_path

    place = data_path(needed(path, data_option))
    place = darknet_path(place) or place
    texts = None if names is None else read_names(argument_path("--names", names))
    source = scan(place, texts, terminal().progress)
    indices, threads = checked_part(len(source), limit, seed), checking_threads(workers)
    with terminal().progress("checking", len(indices)) as reach:
        report = check(source, place, steps(reach), indices=indices, workers=threads)
    print_facts(darknet_facts(report), format_of(form, as_json), report.as_json())
    if not report.usable:
        raise typer.Exit(3)


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
    """Compute anchors for a data set by k-means.

    As `darknet detector calc_anchors` does. They are in pixels of an input of --size. The same --seed gives the same
    anchors.
    """
    import numpy as np

    from cspbench.data.coco.source import data_path
    from cspbench.data.darknet.anchors import anchors_of, check_number
    from cspbench.data.darknet.data_file import MOST_CLASSES
    from cspbench.data.darknet.detection_set import read_set
    from cspbench.data.darknet.faults import Faults
    from cspbench.data.darknet.opening import darknet_path

    pixels = parse_size(size) or (416, 416)
    check_number(number)
    place = data_path(needed(path, data_option))
    place = darknet_path(place) or place
    progress = terminal().progress
    read = read_set(place, Faults(allow_bad), lists=("train", "valid"), classes=MOST_CLASSES, progress=progress)
    boxes = [box for image in read.images for box in image.boxes]
    clusters = anchors_of(np.array([box[3:] for box in boxes]), number, pixels[::-1], seed)
    facts = {
        "anchors": clusters.cfg(),
        "average IoU": f"{100 * clusters.average_iou:.2f} %",
        "boxes": f"{len(boxes):,} of {len(read.images):,} images in {printable(read.list_path.name)}",
        "boxes of each": ", ".join(map(str, clusters.counts.tolist())),
        "input": f"{pixels[1]}x{pixels[0]} (width x height)",
    }
    plain = {
        "anchors": [[round(side, 4) for side in pair] for pair in clusters.sizes.tolist()],
        "average_iou": round(100 * clusters.average_iou, 4),
        "counts": clusters.counts.tolist(),
        "boxes": len(boxes),
        "images": len(read.images),
        "width": pixels[1],
        "height": pixels[0],
        "seed": seed,
        "iterations": clusters.iterations,
    }
    print_facts(facts, format_of(form, as_json), plain)


def needed(path: str | None, option: str | None) -> str:
    """DATA or --data; `UsageError` without either."""
    place = either(path, option, "--data")
    if place is None:
        raise UsageError("usage.nothing-to-check", "nothing to check", remedy="Name Darknet's .data file")
    return place
