"""`cspbench score`: scores existing runs again, without the network."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from cspbench.cli import options
from cspbench.cli.arguments import command, place_of_data
from cspbench.cli.choices import Format
from cspbench.cli.evaluation.darknet_map import map_options
from cspbench.cli.terminal.printing import Style
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError
from cspbench.io import argument_path


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
    names: options.NamesOption = None,
    darknet_map: options.MapOption = None,
    map_iou: options.MapIouOption = 0.5,
    map_conf: options.MapConfOption = 0.25,
    save_json: options.SaveJsonOption = None,
    data: options.DataOption = None,
    split: options.SplitOption = None,
    server: Annotated[
        Path | None,
        typer.Option("--import-server", metavar="FILE", help="The evaluation server's answer for a test split."),
    ] = None,
    out: options.OutOption = None,
    allow_bad: options.BadOption = 0,
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
    legend: options.LegendOption = False,
    own_tables: options.TablesOption = None,
) -> None:
    """Compute the metrics of runs again, at any NMS threshold.

    From their predictions, without the network. Earlier thresholds are kept; without --nms they are computed again. A
    detector's data set is looked for where it was, or at --data. Files of detections, as `darknet detector valid`
    writes them, are scored as they are.

    Exit codes as in the evaluation; 4: the run is unfinished, or a server must answer first.
    """
    from cspbench.cli.evaluation.detector_results import finish_detectors, write_classes, write_json
    from cspbench.cli.evaluation.results import finish_classifiers
    from cspbench.evaluation.coco import DetectionResult
    from cspbench.evaluation.execution import Execution
    from cspbench.evaluation.imagenet import ClassificationResult
    from cspbench.evaluation.result_files import unfit_options
    from cspbench.evaluation.score import check_one_task, detector_options, import_server_answer
    from cspbench.evaluation.score import score as scored
    from cspbench.results.runs import find_runs, load_run
    from cspbench.results.schema import ImagenetIdentity

    style = Style(form, wide, legend)
    paths = [argument_path("RUN", path) for path in runs]
    if files := [path for path in paths if path.is_file()]:
        wanted = map_options(darknet_map, map_iou, map_conf)
        values = {"--nms": nms, "--nms-kind": nms_kind, "--map": wanted, "--save-json": save_json}
        values["--import-server"] = server
        unfit = [option for option, value in values.items() if value is not None]
        if unfit or len(files) != len(runs):
            expected = "files alone, with --data, --split, --engine, --bootstrap and --per-class"
            raise unfit_options(files[0], expected, ", ".join(unfit) or "runs beside files")
        _score_files(files, data, split, engine, bootstrap, per_class, names, style)
        return
    if split is not None:
        raise UsageError(
            "usage.split-of-run", "--split applies only to files of detections", found=split, remedy="Leave it out"
        )
    opened = [load_run(path) for path in find_runs(paths)]
    check_one_task(opened)
    if save_json is not None and isinstance(opened[0].identity, ImagenetIdentity):
        raise detector_options()
    if len(opened) > 1 and (server or save_json):
        raise UsageError(
            "usage.one-run",
            "--import-server and --save-json take a single run",
            found=f"{len(opened)} runs",
            remedy="Name the one",
        )
    listener = terminal()
    how = Execution(command=command())
    about: dict[str, Any] = {"nms": nms, "nms_kind": nms_kind, "execution": how, "listener": listener}
    if server is not None:
        finish_detectors([import_server_answer(opened[0], server, **about)], [], style, allow_bad)
        return
    about |= {"data": data, "engine": engine, "bootstrap": bootstrap or None, "per_class": per_class}
    about |= {"names": names, "darknet_map": map_options(darknet_map, map_iou, map_conf)}
    results = [scored(run, **about) for run in opened]
    classifiers = [result for result in results if isinstance(result, ClassificationResult)]
    if classifiers:
        finish_classifiers(classifiers, [], style, allow_bad)
        return
    detectors = [result for result in results if isinstance(result, DetectionResult)]
    for result in detectors:
        write_json(result, save_json)
    if per_class:
        write_classes(detectors, out)
    finish_detectors(detectors, [], style, allow_bad)


def _score_files(
    files: list[Path],
    data: str | None,
    split: str | None,
    engine: str,
    bootstrap: bool,
    per_class: bool,
    names: Path | None,
    style: Style,
) -> None:
    from cspbench.cli.evaluation.detector_results import print_files
    from cspbench.evaluation.result_files import no_data, open_objects, score_file

    place = place_of_data(None, data, options.COCO)
    if place is None:
        raise no_data(files[0])
    listener = terminal()
    source = open_objects(place, split, names, listener)
    score = partial(score_file, engine=engine, bootstrap=bootstrap, per_class=per_class, listener=listener)
    print_files([score(file, source) for file in files], style)
