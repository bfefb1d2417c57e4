"""What `score` computes from a file of detections that another program wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from cspbench import __version__
from cspbench.errors import CspbenchError, UsageError

DATA = "CSPBENCH_COCO"


def scored(
    file: Path, data: Path | None, split: str | None, engine: str, bootstrap: bool, per_class: bool
) -> dict[str, Any]:
    """AP of a COCO result file on a data set; no claims, as nobody knows how the file was made.

    Raises `DatasetError` for detections of unknown images or categories, and for what is no number.
    """
    from cspbench.cli.coco_asked import Asked
    from cspbench.cli.coco_results import intervals
    from cspbench.data.coco import open_coco
    from cspbench.data.detection_presets import detection_preset
    from cspbench.detection.ap.average_precision import average_precision
    from cspbench.detection.result_file import read
    from cspbench.evaluation.coco import Thresholded

    Asked(detection_preset("readme"), [], engine, bootstrap)  # says what does not go together
    place = data or (Path(os.environ[DATA]) if os.environ.get(DATA) else None)
    if place is None:
        raise UsageError(
            "usage.detections-without-data",
            "a file of detections does not say what it is of",
            where=str(file),
            expected=f"--data COCO, or ${DATA}",
            remedy="Give the data set with the annotations",
        )
    source = open_coco(place, split)
    if source.ground_truth is None:
        raise UsageError(
            "usage.no-ground-truth",
            "there is no ground truth",
            where=str(place),
            remedy="Score the file on a set with annotations",
        )
    detections, digest = read(file)
    try:
        measured = average_precision(source.ground_truth, detections, engine)
    except CspbenchError as error:
        raise (error if isinstance(error, UsageError) else error.at(str(file))) from None
    bounds = intervals(Thresholded(0.0, detections, measured)) if bootstrap else None
    numbers = measured.as_json(per_class)
    return {
        "cspbench": __version__,
        "file": str(file),
        "identity": {
            "task": "coco",
            "model": file.name,
            "weights": digest,
            "data": source.as_json(),
            "size": [],
            "precision": "unknown",
            "quoted": False,
            "file": True,
        },
        "preset": "-",
        "images": len(source),
        "bad": [],
        "thresholds": [
            {
                "nms": None,
                "kind": None,
                "intervals": bounds,
                "claims": [],
                "detections": len(detections.scores),
                "engine": numbers.pop("engine"),
                "per_class": numbers.pop("per_class", None),
                "ap": numbers,
            }
        ],
    }
