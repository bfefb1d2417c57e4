"""`cspbench compare`: two runs on the same images, classifiers or detectors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli.eval_coco import NmsOption
from cspbench.cli.score import DataOption, data_of
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.inference.run import Run


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_A")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B")],
    nms: NmsOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare two runs on the same images: classifiers by McNemar's test, detectors by a paired bootstrap of AP."""
    from cspbench.inference.run import load_run

    runs = (load_run(first), load_run(second))
    tasks = [run.identity.get("task") for run in runs]
    if tasks[0] != tasks[1]:
        raise UsageError(
            "usage.different-tasks",
            "the runs are of different tasks",
            where=f"{first} and {second}",
            expected=str(tasks[0]),
            found=str(tasks[1]),
            remedy="Compare two classifiers or two detectors",
        )
    if tasks[0] == "imagenet":
        _classifiers(runs, as_json)
    else:
        _detectors(runs, nms, data, as_json)


def _classifiers(runs: tuple[Run, Run], as_json: bool) -> None:
    from cspbench.classification.accuracy import compare as compared
    from cspbench.classification.predict import score as scored
    from cspbench.data.classes import order
    from cspbench.report.counts_table import grid

    both = [scored(run, order(run.identity["classes"])) for run in runs]
    names = _labels(runs)
    if both[0].keys != both[1].keys:
        shared = len(set(both[0].keys) & set(both[1].keys))
        raise UsageError(
            "usage.different-images",
            "the runs are not of the same images",
            where=f"{runs[0].path} and {runs[1].path}",
            expected=f"the same {len(both[0].keys)} images",
            found=f"{len(both[1].keys)}, of which {shared} in both",
            remedy="Evaluate both on the same data, with the same --limit",
        )
    found = compared(both[0].hits, both[1].hits, both[0].keys)
    first = dict(zip(both[0].keys, both[0].hits.tolist(), strict=True))
    right = {key: "A" if first[key] else "B" for key in found.flipped}
    if as_json:
        shown: dict[str, Any] = {
            "runs": [str(run.path) for run in runs],
            "models": [str(run.identity["model"]) for run in runs],
            "top1": [each.top1.as_json() for each in both],
            "both": found.both,
            "only_first": found.only_first,
            "only_second": found.only_second,
            "neither": found.neither,
            "p": found.p,
            "flipped": list(found.flipped),
            "right": right,
        }
        typer.echo(json.dumps(shown, indent=1))
        return
    rows = [
        [label, name, f"{float(each.top1.percent):.3f}", f"{float(each.top5.percent):.3f}"]
        for label, name, each in zip("AB", names, both, strict=True)
    ]
    typer.echo(grid(("Run", "Model", "Top-1", "Top-5"), rows))
    typer.echo(
        f"\nboth right {found.both}, only A {found.only_first}, only B {found.only_second}, neither {found.neither}; "
        f"McNemar p = {found.p:.4g}"
    )
    for key, which in right.items():
        typer.echo(f"flipped: {key}, right in {which}")


def _labels(runs: tuple[Run, Run]) -> list[str]:
    """What the two runs are called: by their models, and where those are the same, by preset and directory too."""
    from cspbench.inference.run import record

    models = [str(run.identity["model"]) for run in runs]
    if models[0] != models[1]:
        return models
    return [f"{run.identity['model']} ({_preset_name(run, record(run.path))}, {run.path.name})" for run in runs]


def _preset_name(run: Run, kept: dict[str, Any]) -> str:
    """A run's preset with what overrides it; a quoted detector has a recipe instead."""
    from cspbench.results import protocol

    if run.identity["task"] == "imagenet":
        return protocol.named(str(run.identity["preset"]["name"]), protocol.of_classifier(run.identity))
    name = "its own recipe" if run.identity["quoted"] else str(kept["preset"]["name"])
    return protocol.named(name, protocol.of_detector(kept))


def _detectors(runs: tuple[Run, Run], nms: str | None, place: Path | None, as_json: bool) -> None:
    from cspbench.cli.coco_asked import usual
    from cspbench.cli.coco_results import at_thresholds
    from cspbench.cli.progress import Progress
    from cspbench.detection.ap import bootstrap
    from cspbench.report.counts_table import grid

    found = []
    for run in runs:
        (each,) = at_thresholds(run, data_of(run, place), usual(run, nms))[1]
        if each.measured is None:
            raise UsageError(
                "usage.no-ground-truth",
                "there is no ground truth",
                where=str(run.path),
                remedy="Compare runs on a set with annotations",
            )
        found.append((run, each.nms, each.measured))
    with Progress("bootstrap", bootstrap.DRAWS) as progress:
        differences = bootstrap.paired(found[0][2], found[1][2], step=progress.reach)
    stats = [measured.as_json() for *_, measured in found]
    if as_json:
        shown = {name: each.as_json() if each else None for name, each in differences.items()}
        typer.echo(json.dumps({"runs": [str(run.path) for run in runs], "ap": stats, "difference": shown}, indent=1))
        return
    rows = [
        [
            name.upper(),
            f"{stats[0][name]:.3f}",
            f"{stats[1][name]:.3f}",
            f"{each.delta:+.3f}",
            f"[{each.interval[0]:+.3f}, {each.interval[1]:+.3f}]",
            f"{each.p:.3g}",
        ]
        for name, each in differences.items()
        if each is not None
    ]
    names = [f"{label} NMS {each[1]:g}" for label, each in zip(_labels(runs), found, strict=True)]
    typer.echo(f"A: {names[0]}, B: {names[1]}; paired bootstrap over {runs[0].samples} images\n")
    typer.echo(grid(("", "A", "B", "B - A", "95 % interval", "p"), rows))
