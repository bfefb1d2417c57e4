"""A detector's errors by type, class and size, from a run's predictions or from a file of detections."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import structs

from cspbench.data.coco.annotations import GroundTruth
from cspbench.data.coco.source import CocoSource, data_path
from cspbench.detection.analysis.confusion import confusion
from cspbench.detection.analysis.tide import Area, analysed
from cspbench.detection.ap.matching import Detections, Matches
from cspbench.errors import UsageError
from cspbench.evaluation import server
from cspbench.evaluation.coco import DetectionResult, detect
from cspbench.evaluation.detection_data import data_of, ground_truth
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.result_files import no_data, score_file, unfit_options
from cspbench.evaluation.runner import store_metrics
from cspbench.evaluation.score import score
from cspbench.evaluation.scoring import at_one_threshold
from cspbench.io import argument_path
from cspbench.results import runs
from cspbench.results.analysis_record import NAMES, AnalysisRecord, ClassErrors, Errors, Mistake
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import CocoIdentity, DetectionMetrics

if TYPE_CHECKING:
    from pandas import DataFrame

CONFIDENCE = 0.25
"""Score from which a detection counts in the confusion matrix: AP counts hundreds per image, most of them guesses."""


@dataclass(frozen=True, eq=False)
class Analysis:
    """The errors of a model, or of a file of detections by its name, with its data set and detections."""

    name: str
    record: AnalysisRecord
    source: CocoSource
    detections: Detections
    run: RunDirectory | None = None
    """None for a file of detections."""

    def frame(self) -> DataFrame:
        """One line per area range and class: objects, AP50 and dAP in percent, and counts by type."""
        from pandas import DataFrame

        parts = [("area", name, errors) for name, errors in self.record.areas.items()]
        parts += [("class", of_class.name, of_class) for of_class in self.record.classes]
        return DataFrame(
            {
                "part": part,
                "name": name,
                "objects": errors.objects,
                "ap50": None if errors.ap50 is None else 100 * errors.ap50,
                **{f"dap_{kind}": 100 * errors.gains[kind] if errors.gains else None for kind in NAMES},
                **{f"count_{kind}": errors.counts[kind] for kind in NAMES},
            }
            for part, name, errors in parts
        )


def analyze(
    run: str | Path | RunDirectory,
    *,
    nms: float | str | None = None,
    conf: float | None = None,
    data: str | Path | None = None,
    split: str | None = None,
    names: str | Path | None = None,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Analysis:
    """What each type of error costs a detector in AP50 (`cspbench.detection.analysis.tide`), and its confusion matrix.

    `run` is a complete run's directory, or a folder with one: its errors at one NMS threshold, by default its preset's,
    are stored with its metrics. Or it is a file of detections in COCO's format on `data`, with `split` and `names` as
    in `score_file`. `conf` is the least score in the confusion matrix. Raises `UsageError` for a classifier's run, for
    several thresholds and for images without annotated objects.
    """
    conf = CONFIDENCE if conf is None else conf
    if not 0 <= conf <= 1:
        raise UsageError(
            "usage.out-of-range",
            "--conf is out of range",
            expected="0 to 1",
            found=f"{conf:g}",
            remedy="Correct --conf",
        )
    if not isinstance(run, RunDirectory):
        path = argument_path("run", run)
        if path.is_file():
            return _of_file(path, nms, conf, data, split, names, listener)
        run = runs.load_one(path)
    if split is not None:
        raise UsageError(
            "usage.split-of-run", "--split applies only to files of detections", found=split, remedy="Leave it out"
        )
    return _of_run(run, nms, conf, data, names, execution or Execution(), listener)


def _of_file(
    path: Path,
    nms: float | str | None,
    conf: float,
    data: str | Path | None,
    split: str | None,
    names: str | Path | None,
    listener: Listener,
) -> Analysis:
    if nms is not None:
        raise unfit_options(path, "a file, with --data, --split, --names and --conf", "--nms")
    if data is None:
        raise no_data(path)
    result = score_file(path, data, split=split, names=names, listener=listener)
    assert result.measured.matches is not None  # of the engine cspbench
    record = _record(ground_truth(result.source), result.detections, result.measured.matches, conf)
    return Analysis(path.name, record, result.source, result.detections)


def _of_run(
    run: RunDirectory,
    nms: float | str | None,
    conf: float,
    data: str | Path | None,
    names: str | Path | None,
    execution: Execution,
    listener: Listener,
) -> Analysis:
    if not isinstance(run.identity, CocoIdentity):
        raise UsageError(
            "usage.analysis-of-classifier",
            "errors are analysed of detectors",
            where=str(run.path),
            expected="a detector's run, or a file of detections",
            found=f"the run of {run.identity.model}, a classifier",
            remedy="Name another run; `cspbench compare` shows the images that only one of two classifiers gets right",
        )
    options = at_one_threshold(run, nms)
    source = data_of(run, None if data is None else data_path(data))
    truth = ground_truth(source)
    metrics = None if names is not None else runs.readable_metrics(run)
    if isinstance(metrics, DetectionMetrics):
        _, (at,) = detect(run, source, options, listener)
    else:
        about: dict[str, Any] = {"data": data, "names": names, "execution": execution, "listener": listener}
        scored = score(run, nms=None if run.identity.quoted else options.thresholds, **about)
        assert isinstance(scored, DetectionResult)
        run, metrics, source, (at,) = scored.run, scored.metrics, scored.source, scored.at
    assert at.measured is not None  # there is ground truth
    assert at.measured.matches is not None  # of the engine cspbench
    record = structs.replace(
        _record(truth, at.detections, at.measured.matches, conf),
        nms=at.nms,
        kind=server.kind_of(run, options.nms_kind),
    )
    run = store_metrics(run, structs.replace(metrics, analysis=record), execution, listener, [record.number])
    return Analysis(run.identity.model, record, source, at.detections, run)


def _record(truth: GroundTruth, detections: Detections, matches: Matches, conf: float) -> AnalysisRecord:
    areas = analysed(truth, detections, matches)
    categories = [truth.categories[number] for number in matches.category_ids.tolist()]
    mistakes = confusion(truth, detections, matches, conf).tolist()
    return AnalysisRecord(
        nms=None,
        kind=None,
        conf=conf,
        areas={name: _errors(area) for name, area in areas.items()},
        classes=[_class_errors(areas["all"], at, name) for at, name in enumerate(categories)],
        confusion=[Mistake(*values) for values in mistakes],
    )


def _errors(area: Area) -> Errors:
    defined = bool(area.defined.any())
    return Errors(
        objects=int(area.totals.sum()),
        ap50=area.mean_ap if defined else None,
        gains={name: gain for name, (gain, _) in area.gains.items()} if defined else {},
        counts={name: int(counts.sum()) for name, counts in area.counts.items()},
    )


def _class_errors(area: Area, at: int, name: str) -> ClassErrors:
    defined = bool(area.defined[at])
    return ClassErrors(
        name=name,
        objects=int(area.totals[at]),
        ap50=float(area.ap[at]) if defined else None,
        gains={kind: float(gains[at]) for kind, (_, gains) in area.gains.items()} if defined else {},
        counts={kind: int(counts[at]) for kind, counts in area.counts.items()},
    )
