"""`cspbench score`: metrics from kept predictions, without a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli.eval_coco import BootstrapOption, ClassOption, EngineOption, JsonOption, KindOption, NmsOption
from cspbench.cli.options import Format, FormatOption
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.coco import CocoSource
    from cspbench.inference.run import Run

DataOption = Annotated[Path | None, typer.Option("--data", help="Where a detector's data set lies now.")]


def score(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run directories, or folders of runs; or files of detections (COCO's result format), with --data.",
        ),
    ],
    nms: NmsOption = None,
    nms_kind: KindOption = None,
    engine: EngineOption = "cspbench",
    bootstrap: BootstrapOption = False,
    per_class: ClassOption = False,
    save_json: JsonOption = None,
    data: DataOption = None,
    split: Annotated[
        str | None, typer.Option("--split", help="Of a file of detections: val2017, val2014-5k or custom; asserted.")
    ] = None,
    server: Annotated[
        Path | None, typer.Option("--import-server", help="The evaluation server's answer for a test split.")
    ] = None,
    allow_bad: Annotated[int, typer.Option("--allow-bad", help="Unreadable images that are no failure.")] = 0,
    form: FormatOption = Format.MD,
) -> None:
    """Compute a run's metrics again from its predictions; for a detector at any NMS thresholds.

    A file of detections, as `darknet detector valid` writes it, is scored as it is. A detector's run keeps what it was
    scored at before; without --nms all of that is computed again.

    Exit codes as in the evaluation; 4: the run is unfinished, or a server must answer first.
    """
    from cspbench.cli import coco_answers, coco_file, coco_results, eval_imagenet
    from cspbench.cli.coco_asked import again
    from cspbench.evaluation import imagenet
    from cspbench.inference.run import find_runs, load_run
    from cspbench.io import write_json

    files = [path for path in runs if path.is_file()]
    if files:
        refused = {"--nms": nms, "--nms-kind": nms_kind, "--save-json": save_json, "--import-server": server}
        given = [option for option, value in refused.items() if value is not None]
        if given or len(files) != len(runs):
            raise UsageError(
                "usage.file-options",
                "a file of detections is scored as it is",
                where=str(files[0]),
                expected="files alone, with --data, --split, --engine, --bootstrap and --per-class",
                found=", ".join(given) or "runs beside files",
                remedy="Leave out the others",
            )
        made = [coco_file.scored(file, data, split, engine, bootstrap, per_class) for file in files]
        coco_results.finish(made, [], form, allow_bad)
        return
    if split is not None:
        raise UsageError(
            "usage.split-of-run",
            "--split is of a file of detections",
            expected="RUN alone",
            found=split,
            remedy="A run knows its split",
        )
    found = [load_run(path) for path in find_runs(runs)]
    tasks = {run.identity.get("task") for run in found}
    if server is not None and len(found) != 1:
        raise UsageError(
            "usage.import-one-run",
            "--import-server is of one run",
            expected="one RUN",
            found=f"{len(found)} runs",
            remedy="Name the one",
        )
    if tasks == {"imagenet"} and any((nms, nms_kind, bootstrap, per_class, save_json, data, server)):
        raise UsageError(
            "usage.detector-options",
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
            "usage.different-tasks",
            "runs of different tasks",
            expected="runs of one task",
            found=", ".join(map(str, tasks)),
            remedy="Score them apart",
        )
    scored = []
    for run in found:
        asked = again(run, nms, nms_kind, engine, bootstrap, per_class, save_json)
        if server is not None:
            scored.append(coco_answers.imported(run, asked, server))
        else:
            scored.append(coco_results.result(run, data_of(run, data), asked))
    coco_results.finish(scored, [], form, allow_bad)


def data_of(run: Run, place: Path | None) -> CocoSource:
    """The data set of a detector's run, where it was or at `place`."""
    from cspbench.data.coco import open_coco
    from cspbench.evaluation.coco import limited
    from cspbench.inference.run import record

    kept = record(run.path)["data"]
    source = open_coco(place or Path(kept["place"]), kept["split"])
    if kept["limit"] is not None:
        source = limited(source, kept["limit"])
    if source.as_json() != run.identity["data"]:
        raise UsageError(
            "usage.other-data",
            "the data set is not the one of the run",
            where=str(place or kept["place"]),
            expected=f"{run.identity['data']['images']} images, sha256 {run.identity['data']['sha256'][:12]}...",
            found=f"{len(source)} images, sha256 {source.as_json()['sha256'][:12]}...",
            remedy="Name the right one with --data",
        )
    return source
