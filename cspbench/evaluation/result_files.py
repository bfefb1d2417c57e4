"""AP of a file of detections from another program; it has no claims, since its protocol is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cspbench.data.coco.source import CocoSource
from cspbench.data.darknet.names import read_names
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE, AveragePrecision, average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.detection.collect import AtThreshold
from cspbench.detection.result_checks import doubts
from cspbench.detection.result_file import read
from cspbench.errors import CspbenchError, UsageError
from cspbench.evaluation.coco import threshold_of
from cspbench.evaluation.detection_data import ground_truth, opened
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.evaluation.scoring import ScoringOptions
from cspbench.io import argument_path
from cspbench.results.schema import Threshold


@dataclass(frozen=True, eq=False)
class FileResult:
    """AP of a result file, with the file's sha256; its NMS is unknown, whatever `threshold` says of it."""

    file: Path
    sha256: str
    source: CocoSource
    detections: Detections
    threshold: Threshold
    measured: AveragePrecision


def score_file(
    file: str | Path,
    data: str | Path | CocoSource,
    *,
    split: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool = False,
    per_class: bool = False,
    names: str | Path | None = None,
    listener: Listener = SILENT,
) -> FileResult:
    """AP of a COCO result file, as `darknet detector valid` writes it, on a data set of either form.

    `names` is the file with the names of a list's classes.

    Neither images nor their sizes are needed. `listener` is told what looks wrong with the detections. Raises
    `DatasetError` for detections of unknown images or categories, and for values that are not numbers.
    """
    options = ScoringOptions((), "", engine, bootstrap, per_class)
    path = argument_path("file", file)
    source = data if isinstance(data, CocoSource) else open_objects(data, split, names, listener)
    truth = ground_truth(source)
    detections, digest, notes = read(path, source.annotations)
    for note in notes:
        listener.note(f"note: {path}: {note}")
    try:
        measured = average_precision(truth, detections, engine)
    except CspbenchError as error:
        raise (error if isinstance(error, UsageError) else error.at(str(path))) from None
    sizes = {image.id: (image.width, image.height) for image in source.images}
    for doubt in doubts(truth, detections, sizes):
        listener.note(f"warning: {path}: {doubt}")
    numbers = threshold_of(AtThreshold(0.0, detections, measured), "", options, listener)
    return FileResult(path, digest, source, detections, numbers, measured)


def open_objects(
    data: str | Path, split: str | None = None, names: str | Path | None = None, listener: Listener = SILENT
) -> CocoSource:
    """A data set for scoring, in COCO's form or in Darknet's; in COCO's, no images are needed.

    `names` is the file with the names of a list's classes. `listener` is told what the annotations lack.
    """
    texts = None if names is None else read_names(argument_path("names", names))
    source = opened(data, split, listener, names=texts, allowed=None, images=False)
    if texts is not None and source.kind != "darknet":
        raise UsageError(
            "usage.names-of-annotations",
            "--names is for data sets in Darknet's form",
            where=str(source.annotations.path),
            expected="annotations name their categories themselves",
            remedy="Leave out --names",
        )
    return source


def unfit_options(file: Path, expected: str, found: str) -> UsageError:
    """The error for options of runs with a file of detections."""
    return UsageError(
        "usage.file-options",
        "a file of detections is taken as it is",
        where=str(file),
        expected=expected,
        found=found,
        remedy="Leave out the others",
    )


def no_data(file: Path) -> UsageError:
    """The error for a file of detections without a data set."""
    return UsageError(
        "usage.detections-without-data",
        "detections of unknown data",
        where=str(file),
        remedy="Name the data set with --data, or set $CSPBENCH_COCO",
    )
