"""`cspbench score` and `cspbench compare`: metrics from kept predictions, without a network."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from cspbench.cli.options import Format, FormatOption
from cspbench.errors import UsageError


def score(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run directories, or folders of runs.")],
    allow_bad: Annotated[int, typer.Option("--allow-bad", help="Unreadable images that are no failure.")] = 0,
    form: FormatOption = Format.MD,
) -> None:
    """Compute a run's metrics again from its predictions. Exit codes as in the evaluation; 4: the run is unfinished."""
    from cspbench.cli.eval_imagenet import finish
    from cspbench.evaluate import imagenet
    from cspbench.evaluate.run import find_runs, load_run
    from cspbench.results import write_json

    results = []
    for path in find_runs(runs):
        result = imagenet.result(load_run(path))
        write_json(path / "metrics.json", result)
        results.append({**result, "run": str(path)})
    finish(results, [], form, allow_bad)


def compare(
    first: Annotated[Path, typer.Argument(metavar="RUN_A")],
    second: Annotated[Path, typer.Argument(metavar="RUN_B")],
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Compare two runs image by image: who got what right, McNemar's test, and the images that flipped."""
    from cspbench.report.counted import grid

    names, scored = zip(*(_scored(path) for path in (first, second)), strict=True)
    if scored[0].keys != scored[1].keys:
        shared = len(set(scored[0].keys) & set(scored[1].keys))
        raise UsageError(
            "the runs are not of the same images",
            where=f"{first} and {second}",
            expected=f"the same {len(scored[0].keys)} images",
            found=f"{len(scored[1].keys)}, of which {shared} in both",
            remedy="Evaluate both on the same data, with the same --limit",
        )
    from cspbench.evaluate.accuracy import compare as compared

    found = compared(scored[0].hits, scored[1].hits, scored[0].keys)
    if as_json:
        data: dict[str, Any] = {
            "runs": [str(first), str(second)],
            "models": list(names),
            "top1": [each.top1.as_json() for each in scored],
            "both": found.both,
            "only_first": found.only_first,
            "only_second": found.only_second,
            "neither": found.neither,
            "p": found.p,
            "flipped": list(found.flipped),
        }
        typer.echo(json.dumps(data, indent=1))
        return
    rows = [
        [label, name, f"{float(each.top1.percent):.3f}", f"{float(each.top5.percent):.3f}"]
        for label, name, each in zip("AB", names, scored, strict=True)
    ]
    typer.echo(grid(("Run", "Model", "Top-1", "Top-5"), rows))
    typer.echo(
        f"\nboth right {found.both}, only A {found.only_first}, only B {found.only_second}, neither {found.neither}; "
        f"McNemar p = {found.p:.4g}"
    )
    for key in found.flipped:
        typer.echo(f"flipped: {key}")


def _scored(path: Path) -> tuple[str, Any]:
    from cspbench.data.classes import order
    from cspbench.evaluate.classification import score as scored
    from cspbench.evaluate.run import load_run

    run = load_run(path)
    return str(run.identity["model"]), scored(run, order(run.identity["classes"]))
