"""AP of a file of detections from another program; it has no claims, since its protocol is unknown."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cspbench.data.coco import CocoSource
from cspbench.data.darknet.names import read_names
from cspbench.data.darknet.opening import open_detection_data
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE, average_precision
from cspbench.detection.collect import AtThreshold
from cspbench.detection.result_file import read
from cspbench.errors import CspbenchError, UsageError
from cspbench.evaluation.coco import threshold_of
from cspbench.evaluation.detection_data import ground_truth
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
    names: str | Path | None = None,
    listener: Listener = SILENT,
) -> FileResult:
    """AP of a COCO result file, as `darknet detector valid` writes it, on a data set of either form.

    `names` is the file with the names of a list's classes.

    Raises `DatasetError` for detections of unknown images or categories, and for values that are not numbers.
    """
    options = ScoringOptions((), "", engine, bootstrap, per_class)
    path = argument_path("file", file)
    if not isinstance(data, CocoSource):
        texts = None if names is None else read_names(argument_path("names", names))
        data = open_detection_data(data, split, names=texts, allowed=None)
    source = data
    truth = ground_truth(source)
    detections, digest = read(path)
    try:
        measured = average_precision(truth, detections, engine)
    except CspbenchError as error:
        raise (error if isinstance(error, UsageError) else error.at(str(path))) from None
    return FileResult(path, digest, source, threshold_of(AtThreshold(0.0, detections, measured), "", options, listener))
