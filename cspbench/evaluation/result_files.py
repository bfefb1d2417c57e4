"""AP of a file of detections from another program; it has no claims, since its protocol is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cspbench.data.coco import CocoSource, open_coco
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE, average_precision
from cspbench.detection.collect import AtThreshold
from cspbench.detection.result_file import read
from cspbench.errors import CspbenchError, UsageError
from cspbench.evaluation.coco import ground_truth, threshold_of
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
    threshold: Threshold


def score_file(
    file: str | Path,
    data: str | Path | CocoSource,
    *,
    split: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool = False,
    per_class: bool = False,
    listener: Listener = SILENT,
) -> FileResult:
    """AP of a COCO result file, as `darknet detector valid` writes it, on a data set.

    Raises `DatasetError` for detections of unknown images or categories, and for values that are not numbers.
    """
    options = ScoringOptions((), "", engine, bootstrap, per_class)
    path = argument_path("file", file)
    source = data if isinstance(data, CocoSource) else open_coco(data, split)
    truth = ground_truth(source)
    detections, digest = read(path)
    try:
        measured = average_precision(truth, detections, engine)
    except CspbenchError as error:
        raise (error if isinstance(error, UsageError) else error.at(str(path))) from None
    return FileResult(path, digest, source, threshold_of(AtThreshold(0.0, detections, measured), "", options, listener))
