"""`cspbench eval-imagenet`: top-1 and top-5 of the authors' weights, on Darknet's pixels."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli import choosing
from cspbench.cli import evaluating as shared
from cspbench.cli.options import DecoderOption, Format, FormatOption, SizeOption, parse_size
from cspbench.errors import UsageError, printable

if TYPE_CHECKING:
    from cspbench.data.presets import ClassificationPreset
    from cspbench.data.source import Source
    from cspbench.evaluation.imagenet import Subject

DATA = "CSPBENCH_IMAGENET"
SHOWN = 20
"""Unreadable images of a model that are named."""


def eval_imagenet(
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help=f"The ImageNet validation set; ${DATA} if absent.")
    ] = None,
    models: shared.ModelsOption = None,
    cfg: shared.CfgOption = None,
    weights: shared.WeightsOption = None,
    sample: shared.SampleOption = False,
    labels: Annotated[Path | None, typer.Option("--labels", help="Label file of a flat folder or tar.")] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="readme, head, pjreddie, timm, mmpretrain; the model's own if absent."),
    ] = None,
    decoder: DecoderOption = None,
    classes: Annotated[
        str | None,
        typer.Option("--classes", help="The network's class order: darknet or sorted; the model's own if absent."),
    ] = None,
    batch: shared.BatchOption = "auto",
    workers: shared.WorkersOption = "auto",
    device: shared.DeviceOption = None,
    precision: shared.PrecisionOption = "fp32",
    compiled: shared.CompileOption = False,
    size: SizeOption = None,
    limit: shared.LimitOption = None,
    run: shared.RunOption = Path("runs"),
    fresh: shared.FreshOption = False,
    allow_bad: shared.BadOption = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Which step of preprocessing moves the accuracy.")] = False,
    channels_last: shared.LastOption = True,
    form: FormatOption = Format.MD,
) -> None:
    """Evaluate ImageNet classifiers as their own framework did, and hold top-1 and top-5 against the claims.

    With nothing configured and nothing named it runs on the bundled sample.

    Killed runs resume; `torchrun --nproc-per-node N -m cspbench eval-imagenet ...` shares the work (name the run
    directory with --run-dir there, torchrun takes --run for its own). Exit code 1: an accuracy is off; 3: labels or
    class order are another than declared; 4: images could not be read.
    """
    from cspbench.classification.classifiers import class_order
    from cspbench.data.classes import ORDERS
    from cspbench.data.decode import decoder_named
    from cspbench.data.imagenet import open_imagenet
    from cspbench.evaluation.imagenet import Subject, limited
    from cspbench.results.match import CARDS, IMAGENET, of_sample

    if classes not in (None, *ORDERS):
        raise UsageError(
            "usage.unknown-class-order",
            "unknown class order",
            expected=" or ".join(ORDERS),
            found=classes,
            remedy="Correct --classes",
        )
    if decoder is not None:
        decoder_named(decoder)  # raises: before a model is read
    options = shared.Options(batch, workers, device, precision, compiled, run, fresh)
    place = data or os.environ.get(DATA)
    if sample or not (place or models or cfg or weights or os.environ.get(shared.WEIGHTS)):
        shared.without_data(data)
        place, of_tables = str(shared.drawn("classification")), of_sample("imagenet")
    else:
        of_tables = (*IMAGENET, *CARDS)
    if place is None:
        raise UsageError(
            "usage.no-data",
            "no images to evaluate on",
            expected=f"DATA, ${DATA} or --sample",
            remedy=f"Give the ImageNet validation set: cspbench eval-imagenet /data/imagenet/val, or set ${DATA}",
        )
    if not (Path(place).expanduser().exists() or str(place).startswith(("hfds/", "tfds/", "wds/"))):
        open_imagenet(place, labels)  # raises: a mistyped path is told before weights that lack, too
    pixels = parse_size(size)
    found, without = choosing.chosen(models or [], cfg, weights, of_tables, detectors=False)
    if not found:
        raise choosing.nothing(without)
    source = limited(open_imagenet(place, labels), limit)
    subjects = [
        Subject(name, network.resized(*pixels) if pixels else network, file, classes or class_order(name))
        for name, network, file in found
    ]
    if explain:
        _explain(subjects, source, preset, decoder, options, form, allow_bad)
        return
    results, left_out = shared.each(
        [(subject.name, partial(_one, subject, source, preset, decoder, options)) for subject in subjects]
    )
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):
        finish(finished, without, form, allow_bad, left_out)


def _one(
    subject: Subject, source: Source, wanted: str | None, decoder: str | None, options: shared.Options
) -> dict[str, Any] | None:
    """Evaluate one subject; its result, or None in a process that only helped."""
    from cspbench.classification import predict as classification
    from cspbench.evaluation import imagenet
    from cspbench.io import write_json
    from cspbench.weights.opening import open_weights

    imagenet.check_classes(subject, source)
    preset = _preset(subject, wanted, decoder)
    network = subject.network
    imagenet.check_size(preset, network.input[1:])
    weights = open_weights(subject.weights, network)
    identity = imagenet.identity(subject, weights.sha256, source, preset, network.input[1:], options.precision)
    path = imagenet.directory(options.root, identity)
    images = classification.PreparedImages(source, preset, network.input[1:])

    def predict(run: Any, shards: list[int], engine: Any, batch: int, workers: int, progress: Any) -> Any:
        streams = 0 if not source.random_access else workers
        return classification.predict(run, shards, images, engine, network, batch, streams, progress)

    run = shared.made(subject.name, network, weights, preset.epsilon, identity, path, source, options, predict)
    if run is None:
        return None
    result = imagenet.result(run)
    write_json(path / "metrics.json", result)
    return {**result, "run": str(path), "faults": classification.faults(images, result["bad"][:SHOWN])}


def finish(results: list[dict[str, Any]], without: list[str], form: Format, allow_bad: int, left_out: int = 0) -> None:
    """Print results and leave with their exit code.

    `left_out` where that is one: of the models that could not be evaluated. 3 where a class order is swapped, 4 where
    images could not be read, 1 where an accuracy is off.
    """
    from cspbench.inference.run import record
    from cspbench.report.classification_table import claims, described, failed, lines, text, unmeasured

    judged = [(result, record(Path(result["run"])), lines(result)) for result in results]
    rows = [line for *_, own in judged for line in own]
    if form is Format.JSON:
        found = [{**each, "claims": claims(own), "provenance": _provenance(kept)} for each, kept, own in judged]
        missing = [
            {"model": model, "verdict": "unmeasured", "reason": "no-weights", "claims": claims(unmeasured(model))}
            for model in without
        ]
        typer.echo(json.dumps([*found, *missing], indent=1))
    else:
        typer.echo(text(rows, without, form.value, [described(*each) for each in judged]), nl=False)
    for result in results:
        if result["class_order"]["verdict"] in ("swapped", "chance"):
            typer.echo(f"cspbench: {result['identity']['model']}: {result['class_order']['words']}", err=True)
        _name_bad(result["bad"], result.get("faults", {}), "counts as wrong")
    if left_out:
        raise typer.Exit(left_out)
    if any(result["class_order"]["verdict"] == "swapped" for result in results):
        raise typer.Exit(3)
    if any(len(result["bad"]) > allow_bad for result in results):
        raise typer.Exit(4)
    if failed(rows):
        raise typer.Exit(1)


def _name_bad(keys: list[str], faults: Mapping[str, str], fate: str) -> None:
    """Name unreadable images on stderr, the first ones of many, and why they are where that is known."""
    for key in keys[:SHOWN]:
        why = f" ({faults[key]})" if key in faults else ""
        typer.echo(f"cspbench: could not be read and {fate}: {printable(key)}{why}", err=True)
    if len(keys) > SHOWN:
        typer.echo(f"cspbench: and {len(keys) - SHOWN} more images; --format json names them all", err=True)


def _provenance(kept: Mapping[str, Any]) -> dict[str, Any]:
    """How a run was made, from its run.json; `sessions` are the later ones that made a part of it."""
    own = {name: kept.get(name) for name in ("when", "command", "cspbench", "commit", "packages", "device")}
    return {**own, "precision": kept["identity"]["precision"], "sessions": kept.get("sessions", [])}


def _preset(subject: Subject, wanted: str | None, decoder: str | None) -> ClassificationPreset:
    """The preset asked for, else the one that the network's framework had, with another decoder if one is named."""
    from cspbench.classification.classifiers import preset_of

    return preset_of(subject.name, wanted, file=bool(subject.network.places)).overridden(decoder=decoder)


def _explain(
    subjects: list[Subject],
    source: Source,
    wanted: str | None,
    decoder: str | None,
    options: shared.Options,
    form: Format,
    allow_bad: int,
) -> None:
    from cspbench.classification.ablation import MOST, Means, explain
    from cspbench.cli.progress import Progress
    from cspbench.evaluation.imagenet import Subset
    from cspbench.inference import footprint
    from cspbench.inference.engine import choose_device
    from cspbench.report.classification_table import explanation

    subset = source
    if len(source) > MOST:
        subset = Subset(source, MOST)
        typer.echo(f"cspbench: --explain takes {MOST} of the {len(source)} images, evenly spread", err=True)
    device = choose_device(options.device)
    means = Means(device, options.precision, *shared.batch_and_workers(options, device))  # type: ignore[arg-type]
    worst = 0
    for subject in subjects:
        footprint.check(subject.network)
        with Progress(f"explaining {subject.name}", 0) as progress:
            explained = explain(subject, subset, _preset(subject, wanted, decoder), means, progress.step)
        if form is Format.JSON:
            typer.echo(json.dumps([step.as_json() for step in explained.steps], indent=1))
        else:
            heading = f"# {subject.name}, {explained.images} images\n\n" if form is Format.MD else ""
            typer.echo(heading + explanation(explained.steps, form.value), nl=form is Format.MD)
        _name_bad(list(explained.bad), {}, "is left out")
        worst = max(worst, len(explained.bad))
    if worst > allow_bad:
        raise typer.Exit(4)
