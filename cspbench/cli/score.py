"""`cspbench score`: scores existing runs again, without the network."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import arguments, options
from cspbench.cli.options import Format
from cspbench.cli.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.results.store import StoredEvaluation


def score(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN...",
            help="Run directories, or folders of runs; or files of detections (COCO's result format), with --data.",
        ),
    ],
    nms: options.NmsOption = None,
    nms_kind: options.KindOption = None,
    engine: options.EngineOption = "cspbench",
    bootstrap: options.BootstrapOption = False,
    per_class: options.ClassOption = False,
    save_json: options.SaveJsonOption = None,
    data: options.DataOption = None,
    split: options.SplitOption = None,
    server: Annotated[
        Path | None,
        typer.Option("--import-server", metavar="FILE", help="The evaluation server's answer for a test split."),
    ] = None,
    allow_bad: options.BadOption = 0,
    form: options.FormatOption = Format.MD,
) -> None:
    """Compute the metrics of runs again from their predictions; of detectors at any NMS thresholds.

    Earlier thresholds are kept; without --nms they are computed again. A detector's data set is looked for where it
    was, or at --data. Files of detections, as `darknet detector valid` writes them, are scored as they are.

    Exit codes as in the evaluation; 4: the run is unfinished, or a server must answer first.
    """
    files = [path for path in runs if path.is_file()]
    if files:
        values = {"--nms": nms, "--nms-kind": nms_kind, "--save-json": save_json, "--import-server": server}
        unfit = [option for option, value in values.items() if value is not None]
        if unfit or len(files) != len(runs):
            raise UsageError(
                "usage.file-options",
                "a file of detections is scored as it is",
                where=str(files[0]),
                expected="files alone, with --data, --split, --engine, --bootstrap and --per-class",
                found=", ".join(unfit) or "runs beside files",
                remedy="Leave out the others",
            )
        _files(files, data, split, engine, bootstrap, per_class, form)
        return
    if split is not None:
        raise UsageError(
            "usage.split-of-run",
            "--split applies only to files of detections",
            expected="RUN alone",
            found=split,
            remedy="Leave it out: a run knows its split",
        )
    _runs(runs, nms, nms_kind, engine, bootstrap, per_class, save_json, data, server, allow_bad, form)


def _files(
    files: list[Path],
    data: str | None,
    split: str | None,
    engine: str,
    bootstrap: bool,
    per_class: bool,
    form: Format,
) -> None:
    from cspbench.cli.detection_results import print_files
    from cspbench.evaluation.result_files import score_file

    place = data or os.environ.get(options.COCO)
    if place is None:
        raise UsageError(
            "usage.detections-without-data",
            "a file of detections does not say what it is of",
            where=str(files[0]),
            expected=f"--data COCO, or ${options.COCO}",
            remedy="Name the data set with the annotations",
        )
    results = [
        score_file(file, place, split=split, engine=engine, bootstrap=bootstrap, listener=terminal()) for file in files
    ]
    print_files(results, form, per_class)


def _runs(
    paths: list[Path],
    nms: str | None,
    nms_kind: str | None,
    engine: str,
    bootstrap: bool,
    per_class: bool,
    save_json: Path | None,
    data: str | None,
    server: Path | None,
    allow_bad: int,
    form: Format,
) -> None:
    from cspbench.cli import classification_results, detection_results
    from cspbench.evaluation.coco import DetectionResult
    from cspbench.evaluation.execution import Execution
    from cspbench.evaluation.imagenet import ClassificationResult
    from cspbench.evaluation.score import check_one_task, detector_options, import_server_answer
    from cspbench.evaluation.score import score as scored
    from cspbench.results.runs import find_runs, load_run

    listener, how = terminal(), Execution(command=arguments.command())
    runs = [load_run(path) for path in find_runs(paths)]
    check_one_task(runs)
    if len(runs) > 1 and (server or save_json):
        raise UsageError(
            "usage.one-run",
            "--import-server and --save-json take a single run",
            expected="one RUN",
            found=f"{len(runs)} runs",
            remedy="Name the one",
        )
    if server is not None:
        answered = [
            import_server_answer(run, server, nms=nms, nms_kind=nms_kind, execution=how, listener=listener)
            for run in runs
        ]
        detection_results.finish(answered, [], form, allow_bad, listener)
        return
    results = [
        scored(
            run,
            data=data,
            nms=nms,
            nms_kind=nms_kind,
            engine=engine,
            bootstrap=bootstrap or None,
            per_class=per_class,
            execution=how,
            listener=listener,
        )
        for run in runs
    ]
    classifiers = [result for result in results if isinstance(result, ClassificationResult)]
    if classifiers:
        if save_json is not None:
            raise detector_options()
        classification_results.finish(classifiers, [], form, allow_bad, listener)
        return
    detectors = [result for result in results if isinstance(result, DetectionResult)]
    for result in detectors:
        detection_results.write_json(result, save_json, listener)
    stored: list[StoredEvaluation] = [result.stored for result in detectors]
    detection_results.finish(stored, [], form, allow_bad, listener)
