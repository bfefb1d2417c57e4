"""Documents of schema 1, as its versions wrote them, with digests that they had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CLASSIFIER = "a1b2c34a28ac107ff53aae8015451ee75ce1cbd24f5e1542f41fe4feecf3f045"
DETECTOR = "843f7a7c074ef55bf90cbf072686b2a1e7fcab3e372dd6bfec53175735da1a27"
"""sha256 of the sample's layers as schema 1 wrote them down, from results that were stored then."""
CLASSIFIER_FILE = "79fc0800d58f9e7dcd66976d064e80e450649a9800acece302cd639d9ba3f62c"
DETECTOR_FILE = "bfac2d5d6fdd262e68c3365ab42ae9f7e23bec260bcb0db6e681163fa23cd1ff"
"""sha256 of the sample's weight files."""

WHO = {"schema": 1, "command": ["cspbench", "x"], "cspbench": "0.1.0", "commit": "0" * 40}


def row(**changes: Any) -> dict[str, Any]:
    """A line of params.json."""
    cell = {"count": 1, "counting": "weights", "printed": "-", "verdict": "unpublished"}
    about = {"table": "sample-classification", "id": "sample-csp-classifier", "model": "sample-csp-classifier"}
    return {**about, "size": [64, 64], "network": CLASSIFIER, "params": cell, "bflops": cell, "note": None, **changes}


def counts(*rows: dict[str, Any]) -> dict[str, Any]:
    """A params.json."""
    return {**WHO, "rows": list(rows)}


def run(**changes: Any) -> dict[str, Any]:
    """A run.json of the sample's classifier; `changes` are of its identity."""
    identity = {
        "task": "imagenet",
        "model": "sample-csp-classifier",
        "definition": CLASSIFIER,
        "weights": CLASSIFIER_FILE,
        "data": {"kind": "folders", "images": 2, "sha256": "b" * 64},
        "preset": {"name": "readme", "crop_pct": 1.0},
        "size": [64, 64],
        "precision": "fp32",
        "classes": "sample",
        "file": False,
    }
    return {**WHO, "when": "2026-01-01T00:00:00Z", "samples": 2, "shard": 256, "identity": {**identity, **changes}}


def metrics(of: dict[str, Any]) -> dict[str, Any]:
    """The metrics.json of a run."""
    share = {"correct": 1, "total": 2}
    return {"identity": of["identity"], "images": 2, "top1": share, "top5": share, "bad": []}


def write(place: Path, document: dict[str, Any]) -> Path:
    """A file of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(document))
    return place
