"""`cspbench eval-imagenet`: top-1 and top-5 of the authors' weights, on Darknet's pixels."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli.options import Format, FormatOption, SizeOption, parse_size
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.source import Source
    from cspbench.evaluate.imagenet import Subject

DATA = "CSPBENCH_IMAGENET"
WEIGHTS = "CSPBENCH_WEIGHTS"


def eval_imagenet(
    data: Annotated[
        str | None, typer.Argument(metavar="[DATA]", help=f"ImageNet validation; ${DATA} if absent.")
    ] = None,
    models: Annotated[
        list[str] | None, typer.Option("-m", "--model", help="Models or patterns; every row if absent.")
    ] = None,
    cfg: Annotated[Path | None, typer.Option("--cfg", help="A Darknet .cfg of yours; needs --weights.")] = None,
    weights: Annotated[Path | None, typer.Option("--weights", help=f"The weight file; ${WEIGHTS} if absent.")] = None,
    labels: Annotated[Path | None, typer.Option("--labels", help="Label file of a flat folder or tar.")] = None,
    preset: Annotated[
        str | None,
        typer.Option("--preset", help="readme, head, pjreddie, timm, mmpretrain; the model's own if absent."),
    ] = None,
    batch: Annotated[str, typer.Option("-b", "--batch-size", help="Images per forward, or auto.")] = "auto",
    workers: Annotated[str, typer.Option("-j", "--workers", help="Processes that prepare images, or auto.")] = "auto",
    device: Annotated[
        str | None, typer.Option("--device", help="cpu, cuda, cuda:N, mps; the first GPU if any.")
    ] = None,
    precision: Annotated[str, typer.Option("--precision", help="fp32, bf16 or fp16.")] = "fp32",
    compiled: Annotated[bool, typer.Option("--compile", help="torch.compile the network.")] = False,
    size: SizeOption = None,
    limit: Annotated[str | None, typer.Option("--limit", help="N or N% of the images, evenly spread.")] = None,
    run: Annotated[Path, typer.Option("--run", "--run-dir", help="Where runs are kept and resumed.")] = Path("runs"),
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw away what the run directory holds.")] = False,
    allow_bad: Annotated[int, typer.Option("--allow-bad", help="Unreadable images that are no failure.")] = 0,
    explain: Annotated[bool, typer.Option("--explain", help="Which step of preprocessing moves the accuracy.")] = False,
    channels_last: Annotated[bool, typer.Option("--channels-last", help="Accepted; always on.", hidden=True)] = True,
    form: FormatOption = Format.MD,
) -> None:
    """Evaluate ImageNet classifiers as their own framework did, and hold top-1 and top-5 against the claims.

    Killed runs resume; `torchrun --nproc-per-node N -m cspbench eval-imagenet ...` shares the work (name the run
    directory with --run-dir there, torchrun takes --run for its own). Exit code 1: an accuracy is off; 4: images
    could not be read.
    """
    from cspbench.data.imagenet import open_imagenet
    from cspbench.evaluate.imagenet import limited

    if precision not in ("fp32", "bf16", "fp16"):
        raise UsageError(
            "unknown precision", expected="fp32, bf16 or fp16", found=precision, remedy="Correct --precision"
        )
    place = data or os.environ.get(DATA)
    if place is None:
        raise UsageError(
            "no images to evaluate on",
            expected=f"DATA or ${DATA}",
            remedy=f"Give the ImageNet validation set: cspbench eval-imagenet /data/imagenet/val, or set ${DATA}",
        )
    subjects, without = _subjects(models or [], cfg, weights, parse_size(size))
    if not subjects:
        names = sorted({model for model in without if model})
        raise UsageError(
            "no weights to evaluate",
            expected=f"weight files in ${WEIGHTS}, or --weights FILE with -m MODEL or --cfg FILE",
            found=os.environ.get(WEIGHTS) or f"${WEIGHTS} not set",
            remedy=f"Put for instance {names[0] if names else 'csdarknet53'}.weights there; "
            "`cspbench weights list` names every file and its size",
        )
    source = limited(open_imagenet(place, labels), limit)
    if explain:
        _explain(subjects, source, device, form)
        return
    results = []
    for subject in subjects:
        results.append(_one(subject, source, preset, batch, workers, device, precision, compiled, run, fresh))
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):
        finish(finished, without, form, allow_bad)


def _subjects(
    patterns: list[str], cfg: Path | None, weights: Path | None, size: tuple[int, int] | None
) -> tuple[list[Subject], list[str]]:
    """What can be evaluated, and the models that lack weights."""
    from cspbench.evaluate.imagenet import TABLES, Subject, class_order
    from cspbench.weights.catalogue import find
    from cspbench.zoo import catalogue

    if cfg is not None:
        from cspbench.network.cfg import read

        if weights is None:
            raise UsageError("--cfg needs --weights", expected="both files", remedy="Name the .weights of this .cfg")
        network = read(cfg).network
        network = network.resized(*size) if size else network
        _classifier(network.name, bool(network.detections))
        return [Subject(network.name, network, weights, "darknet")], []
    if patterns:
        models = catalogue.matching(patterns)
    else:
        named = {entry.model for table in (*TABLES, "timm", "mmpretrain") for entry in catalogue.ROWS[table].values()}
        models = [model for name, model in catalogue.MODELS.items() if name in named]
    if weights is not None and len(models) != 1:
        raise UsageError(
            "--weights is one model's", expected="-m MODEL", found=f"{len(models)} models", remedy="Name the model"
        )
    subjects, without = [], []
    for model in models:
        file = weights or find(model)
        if file is None:
            without.append(model.name)
            continue
        network = model.build()
        _classifier(model.name, bool(network.detections))
        network = network.resized(*size) if size else network
        subjects.append(Subject(model.name, network, file, class_order(model.name)))
    return subjects, without


def _classifier(name: str, detects: bool) -> None:
    if detects:
        raise UsageError(
            f"{name} is a detector", expected="a classifier", remedy="Evaluate it with `cspbench eval-coco`"
        )


def _number(name: str, text: str, automatic: int) -> int:
    if text == "auto":
        return automatic
    if not text.isdecimal() or not (0 if name == "-j" else 1) <= int(text) <= 65536:
        raise UsageError(
            f"{name} cannot be read", expected="a number or auto", found=repr(text), remedy=f"Try {name} auto"
        )
    return int(text)


def _one(
    subject: Subject,
    source: Source,
    wanted: str | None,
    batch: str,
    workers: str,
    device: str | None,
    precision: str,
    compiled: bool,
    root: Path,
    fresh: bool,
) -> dict[str, Any] | None:
    """Evaluate one subject; its result, or None in a process that only helped."""
    from cspbench.cli.progress import Progress
    from cspbench.data.presets import preset as named
    from cspbench.evaluate import imagenet
    from cspbench.evaluate.engine import choose_device
    from cspbench.evaluate.processes import rank, together
    from cspbench.evaluate.run import open_run
    from cspbench.results import provenance, write_json
    from cspbench.weights.opening import open_weights

    preset = named(wanted or ("timm" if subject.name.startswith("timm/") else "readme"))
    chosen = choose_device(device)
    accelerated = chosen.type != "cpu"
    size = subject.network.input[1:]
    weights = open_weights(subject.weights, subject.network)
    identity = imagenet.identity(subject, weights.sha256, source, preset, size, precision)
    path = imagenet.directory(root, identity)
    share = rank()
    made = {**provenance(["cspbench", *sys.argv[1:]]), "device": str(chosen)}
    run = open_run(path, identity, len(source), made, fresh)
    with Progress(subject.name, len(source) // share[1]) as progress:

        def heard(timing: Any) -> None:
            progress.reach(timing.images, f"{timing.images / max(1e-9, timing.seconds):.1f} images/s")

        try:
            timing = imagenet.evaluate(
                subject,
                weights,
                source,
                preset,
                run,
                batch=_number("-b", batch, 128 if accelerated else 8),
                workers=_number("-j", workers, min(16, os.cpu_count() or 1) if accelerated else 1),
                device=device,
                precision=precision,
                compiled=compiled,
                share=share,
                progress=heard,
            )
        except KeyboardInterrupt:
            again = shlex.join(["cspbench", *(each for each in sys.argv[1:] if each != "--fresh")])
            typer.echo(f"\ncspbench: interrupted; finished shards are kept in {path}. To go on:\n{again}", err=True)
            raise
    if timing.images:
        typer.echo(f"cspbench: {subject.name}: {timing}", err=True)
    together(share)
    if share[0] != 0:
        return None
    result = imagenet.result(run)
    write_json(path / "metrics.json", result)
    return {**result, "run": str(path)}


def finish(results: list[dict[str, Any]], without: list[str], form: Format, allow_bad: int) -> None:
    """Print results and leave with their exit code: 1 where an accuracy is off, 4 where images could not be read."""
    from cspbench.report.accuracies import failed, lines, text

    rows = [line for result in results for line in lines(result)]
    typer.echo(
        json.dumps(results, indent=1) + "\n" if form is Format.JSON else text(rows, without, form.value), nl=False
    )
    for result in results:
        if result["class_order"]["verdict"] in ("swapped", "chance"):
            typer.echo(f"cspbench: {result['identity']['model']}: {result['class_order']['words']}", err=True)
        for key in result["bad"]:
            typer.echo(f"cspbench: could not be read and counts as wrong: {key}", err=True)
    if any(len(result["bad"]) > allow_bad for result in results):
        raise typer.Exit(4)
    if failed(rows):
        raise typer.Exit(1)


def _explain(subjects: list[Subject], source: Source, device: str | None, form: Format) -> None:
    from cspbench.cli.progress import Progress
    from cspbench.evaluate.explain import explain
    from cspbench.evaluate.imagenet import Subset
    from cspbench.report.accuracies import explanation

    subset = source if len(source) <= 1000 else Subset(source, 1000)
    for subject in subjects:
        with Progress(f"explaining {subject.name}", 0) as progress:
            steps = explain(subject, subset, device, progress.step)
        if form is Format.JSON:
            typer.echo(json.dumps([step.as_json() for step in steps], indent=1))
        else:
            typer.echo(f"# {subject.name}, {len(subset)} images\n\n{explanation(steps)}")
