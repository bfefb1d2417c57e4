"""`cspbench data`: is a data set whole, before hours are spent on it?"""

from __future__ import annotations

import difflib
import os
from typing import Annotated, Any

import typer

from cspbench.cli import options
from cspbench.cli.arguments import checked_part, checking_threads, place_of_data
from cspbench.cli.choices import Format
from cspbench.cli.files.darknet_data import anchors, darknet
from cspbench.cli.files.data_draw import draw
from cspbench.cli.terminal.help import App, Group
from cspbench.cli.terminal.printing import format_of, print_facts
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError
from cspbench.evaluation.execution import steps

data = App(help="Check data sets, draw some, and compute anchors.")


class _AnyData(Group):
    """`data check PATH` without the form of the data set."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0] not in self.commands:
            misspelt = difflib.get_close_matches(args[0], self.commands, n=1)
            if not misspelt or os.path.exists(os.path.expanduser(args[0])):
                args = [_form_of(args[0]), *args]
        return super().resolve_command(ctx, args)


def _form_of(path: str) -> str:
    """`darknet`, `coco` or `imagenet`, as the files at a path look like; `imagenet` for none."""
    from cspbench.data.coco.source import data_path
    from cspbench.data.darknet.opening import darknet_path, is_annotated

    place = data_path(path)
    if place.suffix.lower() == ".json" or is_annotated(place):
        return "coco"
    return "darknet" if place.suffix.lower() == ".data" or darknet_path(place) is not None else "imagenet"


check = App(
    cls=_AnyData,
    help="Check that a data set is whole and readable.\n\n`data check PATH` finds out which form it has.",
)
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
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    workers: options.WorkersOption = "auto",
    form: options.FormatOption = Format.MD,
    as_json: options.JsonOption = False,
) -> None:
    """Find images of ImageNet's validation set that cannot be used.

    JSON has every name. --limit reads a part of the files; names and classes are still those of all.

    Exit code 3: an image is unreadable, empty or has no class. A part of the data set is not a fault.
    """
    from cspbench.cli.files.data_facts import imagenet_facts
    from cspbench.data import check as checks
    from cspbench.data.imagenet import scan

    source = scan(_place(path, data_option, options.IMAGENET), labels)
    indices, threads = checked_part(len(source), limit, seed), checking_threads(workers)
    with terminal().progress("checking", len(indices)) as reach:
        report = checks.check(source, full=full, indices=indices, workers=threads, step=steps(reach))
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
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    workers: options.WorkersOption = "auto",
    form: options.FormatOption = Format.MD,
    as_json: options.JsonOption = False,
) -> None:
    """Compare COCO's annotations with the images.

    And with themselves. JSON has every name. --limit reads a part of the images; the annotations are checked whole.

    Exit code 3: an image is missing, unreadable or of another size, or the annotations contradict themselves.
    """
    from cspbench.cli.files.data_facts import coco_facts
    from cspbench.data.coco.check import check as check_coco
    from cspbench.data.coco.source import scan_coco

    source = scan_coco(_place(path, data_option, options.COCO), split)
    for note in source.notes:
        terminal().note(f"note: {note}")
    indices, threads = checked_part(len(source), limit, seed), checking_threads(workers)
    with terminal().progress("checking", len(indices)) as reach:
        report = check_coco(source, indices=indices, workers=threads, step=steps(reach))
    _finish(coco_facts(report), report, format_of(form, as_json))


check.command()(darknet)
data.command()(anchors)
data.command()(draw)


def _place(path: str | None, option: str | None, variable: str) -> str:
    place = place_of_data(path, option, variable)
    if place is None:
        raise UsageError("usage.nothing-to-check", "nothing to check", remedy=f"Name DATA, or set ${variable}")
    return place


def _finish(facts: dict[str, str], report: Any, form: Format) -> None:
    print_facts(facts, form, report.as_json())
    if not report.usable:
        raise typer.Exit(3)
