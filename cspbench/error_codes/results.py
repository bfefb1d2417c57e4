"""Codes of results and detections, and of what they are compared with."""

from __future__ import annotations

CODES = {
    "baseline.git-failed": "Git cannot read a file of the baseline's commit.",
    "baseline.no-checkout": "The results are not in a git checkout, so no commit can be their baseline.",
    "baseline.no-commit": "The baseline names a commit that this clone does not have.",
    "baseline.no-results": "The baseline's commit holds no results.",
    "baseline.not-a-baseline": "The baseline file or folder holds no report, counts or results.",
    "baseline.unreadable-tables": "The published tables of the baseline's commit cannot be read by this version.",
    "detections.different-images": "Two results to be compared are not of the same images and objects.",
    "detections.no-matches": "The engine of the results does not keep the matches that a bootstrap needs.",
    "detections.not-a-result-file": "The file is not a list of detections in COCO's result format.",
    "detections.unknown-category": "A detection has a category that the dataset lacks.",
    "detections.unknown-image": "A detection belongs to an image that the dataset lacks.",
    "detections.unusable-box": "A detection's box has numbers that are not finite.",
    "detections.unusable-score": "A detection's score is not a finite number.",
    "results.name-taken": "The name of a migrated result is taken.",
    "results.none-there": "The folder contains no results.",
    "results.not-a-report": "The file is not a report.json of this version.",
    "results.not-results": "The file contains no results that this version can read.",
    "results.old-schema": "The file has an earlier schema; `cspbench report --migrate` rewrites it.",
    "results.other-run": "Another run is stored in a results directory under a run's name.",
    "results.unknown-network": "A result of an earlier version belongs to an unknown network.",
    "results.unknown-schema": "The file has a schema that cannot be migrated.",
    "server.not-an-answer": "The file is not a COCO evaluation server result.",
}
