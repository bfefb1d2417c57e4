"""`cspbench predict`: what a model says of pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import arguments, choices, options
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.prediction.pictures import Picture
    from cspbench.prediction.selection import Chosen


def predict(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE|FOLDER|GLOB|-", help="Pictures; - reads one from stdin.", show_default=False),
    ] = None,
    model: options.ModelOption = None,
    cfg: options.CfgOption = None,
    weights: options.WeightsOption = None,
    ema: options.EmaOption = None,
    names: options.NamesOption = None,
    preset: Annotated[
        choices.AnyPreset | None, typer.Option("--preset", help="The preset; by default the model's.")
    ] = None,
    decoder: options.DecoderOption = None,
    classes: options.ClassesOption = None,
    size: options.SizeOption = None,
    topk: Annotated[int | None, typer.Option("--topk", min=1, metavar="N", help="Classes of a picture [5].")] = None,
    conf: options.ConfOption = None,
    nms: options.NmsOption = None,
    nms_kind: options.KindOption = None,
    draw: options.DrawOption = None,
    save_txt: Annotated[
        bool, typer.Option("--save-txt", help="Write YOLO's label files, with scores, into labels/ in --out.")
    ] = False,
    out: options.OutOption = None,
    force: options.ForceOption = False,
    batch: options.BatchOption = "auto",
    device: options.DeviceOption = None,
    precision: options.PrecisionOption = "fp32",
    allow_bad: options.BadOption = 0,
    form: options.PredictionFormatOption = choices.PredictionFormat.MD,
) -> None:
    """Show what a model sees in pictures: classes or boxes.

    By the evaluation's own pixels and decoding. Without arguments, a bundled detector looks at a bundled picture.
    Weights of a known size need no -m. Boxes with a score above 0.25 are shown, with --format coco all of an
    evaluation. `--draw` alone draws every picture; pictures and label files are written to --out, by default to
    `predictions`.

    Exit codes: 3 weights are unusable, or more pictures than --allow-bad could not be read.
    """
    from cspbench.cli.inference.prediction_files import files_of
    from cspbench.cli.inference.prediction_output import finish
    from cspbench.prediction.selection import chosen, sample

    listener = terminal()
    how, pixels = arguments.execution(batch, "auto", device, precision, False, False), arguments.parse_size(size)
    network = arguments.read_cfg(cfg, listener) if cfg is not None else None
    nothing = not (images or model or cfg or weights)
    selected = sample() if nothing else chosen(model, network, cfg, weights)
    pictures = _pictures(images or [], selected)
    if form is choices.PredictionFormat.COCO and not selected.network.detects:
        raise UsageError(
            "usage.coco-of-classes",
            "COCO's result format is for boxes",
            where=selected.network.name,
            expected="a detector",
            found="a classifier",
            remedy="Use --format json or csv",
        )
    if nothing:
        listener.note("a bundled detector on a bundled drawn picture; for your own name the picture and -m MODEL")
    draw = "all" if out is not None and draw is None and not save_txt else draw
    files = files_of(pictures, out or Path("predictions"), draw, save_txt)
    files.check(force)
    # everything above is checked without torch
    from cspbench.prediction.loading import predictor_of

    predictor = predictor_of(
        selected.network,
        weights=selected.weights,
        ema=ema,
        names=names,
        preset=preset,
        decoder=decoder,
        classes=classes,
        size=pixels,
        topk=topk,
        conf="preset" if conf is None and form is choices.PredictionFormat.COCO else conf,
        nms=nms,
        nms_kind=nms_kind,
        beside=selected.beside,
        execution=how,
        listener=listener,
    )
    finish(predictor, pictures, files, form, how, allow_bad)


def _pictures(images: list[str], selected: Chosen) -> list[Picture]:
    """The pictures that the arguments name, - for stdin; without arguments the sample's, for a bundled net."""
    from cspbench.data.decode import FILE_LIMIT
    from cspbench.prediction.pictures import at_place, from_bytes
    from cspbench.sample.one import one

    if not images and selected.sample is None:
        raise UsageError(
            "usage.nothing-to-predict",
            "no picture named",
            expected="a file, a folder, a pattern such as 'photos/*.jpg', or - for stdin",
            remedy=f"Try `cspbench predict photo.jpg -m {selected.network.name}`",
        )
    if not images:
        assert selected.sample is not None
        name, data = one(selected.sample)
        return [from_bytes(data, name)]
    pictures: list[Picture] = []
    for image in images:
        stdin = image == "-"
        pictures += [from_bytes(sys.stdin.buffer.read(FILE_LIMIT), "stdin")] if stdin else at_place(image)
    return pictures
