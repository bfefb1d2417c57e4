"""`cspbench score` and `cspbench compare`: metrics from kept predictions, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli.eval_coco import BootstrapOption, ClassOption, EngineOption, JsonOption, KindOption, NmsOption
from cspbench.cli.options import Format, FormatOption
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.coco import CocoSource
    from cspbench.evaluate.run import Run

DataOption = Annotated[Path | None, typer.Option("--data", help="Where a detector's data set lies now.")]


def score(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories, or folders of runs.")],
    nms: NmsOption = None,
    nms_kind: KindOption = None,
    engine: EngineOption = "cspbench",
    bootstrap: BootstrapOption = False,
    per_class: ClassOption = False,
    save_json: JsonOption = None,
    data: DataOption = None,
    server: Annotated[
        Path | None, typer.Option("--import-server", help="The evaluation server's answer for a test split.")
    ] = None,
    allow_bad: Annotated[int, typer.Option("--allow-bad", help="Unreadable images that are no failure.")] = 0,
    form: FormatOption = Format.MD,
) -> None:
    """Compute a run's metrics again from its predictions; for a detector at any NMS thresholds.

    Exit codes as in the evaluation; 4: the run is unfinished, or a server must answer first.
    """
    from cspbench.cli import coco_results, eval_imagenet
    from cspbench.evaluate import imagenet
    from cspbench.evaluate.run import find_runs, load_run
    from cspbench.results import write_json

    found = [load_run(path) for path in find_runs(runs)]
    tasks = {run.identity.get("task") for run in found}
    if server is not None and len(found) != 1:
        raise UsageError(
            "--import-server is of one run", expected="one RUN", found=f"{len(found)} runs", remedy="Name the one"
        )
    if tasks == {"imagenet"} and any((nms, nms_kind, bootstrap, per_class, save_json, data, server)):
        raise UsageError(
            "options of detectors do not go with classifiers",
            expected="RUN, --allow-bad and --format alone",
            remedy="Leave out the others",
        )
    if tasks == {"imagenet"}:
        results = []
        for run in found:
            result = imagenet.result(run)
            write_json(run.path / "metrics.json", result)
            results.append({**result, "run": str(run.path)})
        eval_imagenet.finish(results, [], form, allow_bad)
        return
    if tasks != {"coco"}:
        raise UsageError(
            "runs of different tasks",
            expected="runs of one task",
            found=", ".join(map(str, tasks)),
            remedy="Score them apart",
        )
    scored = []
    for run in found:
        asked = coco_results.again(run, nms, nms_kind, engine, bootstrap, per_class, save_json)
        if server is not None:
            scored.append(coco_results.imported(run, asked, server))
        else:
            scored.append(coco_results.result(run, _coco(run, data), asked))
    coco_results.finish(scored, [], form, allow_bad)


def _coco(run: Run, place: Path | None) -> CocoSource:
    """The data set of a detector's run, where it was or at `place`."""
    from cspbench.data.coco import open_coco
    from cspbench.evaluate.coco import limited
    from cspbench.evaluate.run import record

    kept = record(run.path)["data"]
    source = open_coco(place or Path(kept["place"]), kept["split"])
    if kept["limit"] is not None:
        source = limited(source, kept["limit"])
    if source.as_json() != run.identity["data"]:
        raise UsageError(
            "the data set is not the one of the run",
            where=str(place or kept["place"]),
            expected=f"{run.identity['data']['images']} images, sha256 {run.identity['data']['sha256'][:12]}...",
            found=f"{len(source)} images, sha256 {source.as_json()['sha256'][:12]}...",
            remedy="Name the right one with --data",
        )
    return source


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_A")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B")],
    nms: NmsOption = None,
    data: DataOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare two runs on the same images: classifiers by McNemar's test, detectors by a paired bootstrap of AP."""
    from cspbench.evaluate.run import load_run

    runs = (load_run(first), load_run(second))
    tasks = [run.identity.get("task") for run in runs]
    if tasks[0] != tasks[1]:
        raise UsageError(
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
    from cspbench.data.classes import order
    from cspbench.evaluate.accuracy import compare as compared
    from cspbench.evaluate.classification import score as scored
    from cspbench.report.counted import grid

    both = [scored(run, order(run.identity["classes"])) for run in runs]
    names = [str(run.identity["model"]) for run in runs]
    if both[0].keys != both[1].keys:
        shared = len(set(both[0].keys) & set(both[1].keys))
        raise UsageError(
            "the runs are not of the same images",
            where=f"{runs[0].path} and {runs[1].path}",
            expected=f"the same {len(both[0].keys)} images",
            found=f"{len(both[1].keys)}, of which {shared} in both",
            remedy="Evaluate both on the same data, with the same --limit",
        )
    found = compared(both[0].hits, both[1].hits, both[0].keys)
    if as_json:
        shown: dict[str, Any] = {
            "runs": [str(run.path) for run in runs],
            "models": names,
            "top1": [each.top1.as_json() for each in both],
            "both": found.both,
            "only_first": found.only_first,
            "only_second": found.only_second,
            "neither": found.neither,
            "p": found.p,
            "flipped": list(found.flipped),
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
    for key in found.flipped:
        typer.echo(f"flipped: {key}")


def _detectors(runs: tuple[Run, Run], nms: str | None, place: Path | None, as_json: bool) -> None:
    from cspbench.cli import coco_results
    from cspbench.cli.progress import Progress
    from cspbench.evaluate import bootstrap
    from cspbench.report.counted import grid

    if nms is not None and "," in nms:
        raise UsageError("compare takes one threshold", expected="--nms 0.6", found=nms, remedy="Name one")
    found = []
    for run in runs:
        asked = coco_results.again(run, nms)
        (each,) = coco_results.at_thresholds(run, _coco(run, place), asked)[1]
        if each.measured is None:
            raise UsageError(
                "there is no ground truth", where=str(run.path), remedy="Compare runs on a set with annotations"
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
    names = [f"{run.identity['model']} NMS {threshold:g}" for run, threshold, _ in found]
    typer.echo(f"A: {names[0]}, B: {names[1]}; paired bootstrap over {runs[0].samples} images\n")
    typer.echo(grid(("", "A", "B", "B - A", "95 % interval", "p"), rows))
