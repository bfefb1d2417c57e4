"""Documents of schema 1, as its versions wrote them, with digests that they had."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

CLASSIFIER = "a1b2c34a28ac107ff53aae8015451ee75ce1cbd24f5e1542f41fe4feecf3f045"
DETECTOR = "843f7a7c074ef55bf90cbf072686b2a1e7fcab3e372dd6bfec53175735da1a27"
"""sha256 of the sample's layers as schema 1 wrote them down, from results that were stored then."""
CLASSIFIER_FILE = "061bf2f23087234cdfd4978f91a2da95989f9e35c4cb486811223cf9691cf8dc"
DETECTOR_FILE = "f409576ae2da6995daeb7aefc0177469d917537df315fe8167ee707a59159b80"
"""sha256 of the sample's weight files."""

WHO: dict[str, Any] = {
    "schema": 1,
    "command": ["cspbench", "x"],
    "cspbench": "0.1.0",
    "commit": "0" * 40,
    "python": "3.11.7",
    "platform": "linux x86_64",
    "packages": {"torch": "2.13.0+cpu", "faster-coco-eval": None},
}


def row(**changes: Any) -> dict[str, Any]:
    """A line of params.json."""

    def cell(count: int, unit: str, counting: str, rounding: str) -> dict[str, Any]:
        known = {"published": None, "printed": "-", "unit": unit, "counting": counting, "rounding": rounding}
        return {**known, "measured": count, "count": count, "verdict": "unpublished"}

    return {
        "table": "sample-classification",
        "row": "CSP classifier",
        "id": "sample-csp-classifier",
        "settings": {},
        "model": "sample-csp-classifier",
        "definition": "paper",
        "confidence": "certain",
        "unknown": None,
        "size": [64, 64],
        "network": CLASSIFIER,
        "params": cell(1, "M", "weights", "printed"),
        "bflops": cell(2, "G", "conv+maxpool", "darknet"),
        "note": "a note of the file",
        **changes,
    }


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
        "data": {"kind": "folders", "images": 2, "labels": None, "sha256": "b" * 64},
        "preset": {"name": "readme", "crop_pct": 1.0},
        "size": [64, 64],
        "precision": "fp32",
        "classes": "sample",
        "file": False,
        **changes,
    }
    samples = identity["data"].get("limit", identity["data"]["images"])
    about = {"when": "2026-01-01T00:00:00Z", "device": "cpu", "files": "cba0049db9061e6a"}
    return {**WHO, **about, "samples": samples, "shard": 256, "identity": identity}


def metrics(of: dict[str, Any]) -> dict[str, Any]:
    """The metrics.json of a classifier's run."""
    images = of["samples"]
    share = {"correct": 1, "total": images, "percent": 50.0, "interval": [9.4531, 90.5469]}
    order = {"verdict": "as declared", "hits": {"sample": 1}, "words": "in the sample order"}
    numbers = {"top1": share, "top5": share, "bad": [], "pixels": "e" * 64, "class_order": order}
    return {"identity": of["identity"], "images": images, **numbers}


PRESET = {"conf": 0.005, "decoder": "opencv", "letterbox": False, "epsilon": "inside-1e-5", "resize": "darknet"}


def detection_run(limit: int | None = None, place: str = "/home/me/coco", **changes: Any) -> dict[str, Any]:
    """A run.json of the sample's detector; `changes` are of its identity."""
    images = 160 if limit is None else limit
    identity = {
        "task": "coco",
        "model": "sample-csp-detector",
        "definition": DETECTOR,
        "weights": DETECTOR_FILE,
        "data": {
            "kind": "coco",
            "split": "custom",
            "images": images,
            "objects": 893,
            "annotations": "instances_val2017.json",
            "sha256": "7" * 64,
        },
        "preset": PRESET,
        "size": [224, 224],
        "precision": "fp32",
        "quoted": False,
        "file": False,
        "last": {"classes": 10, "nms_kind": "default", "beta_nms": 0.6},
        **changes,
    }
    preset = {"name": "readme", "nms": 0.45, "nms_kind": "default", "image_id": "underscore", **PRESET}
    about = {"when": "2026-01-01T00:00:00Z", "device": "cpu", "files": None, "preset": preset}
    data = {"place": place, "split": None, "limit": limit}
    return {**WHO, **about, "data": data, "samples": images, "shard": 256, "identity": identity}


def detection_metrics(of: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The metrics.json of a detector's run: one threshold."""
    claim = {"table": "sample-detection", "id": "sample-csp-detector", "metric": "ap", "verdict": "exact"}
    threshold = {
        "nms": 0.45,
        "kind": "default",
        "asked": "default",
        "intervals": {"ap": [62.6, 66.8], "apl": None},
        "claims": [claim],
        "detections": 8563,
        "engine": "cspbench",
        "ap": {"ap": 64.5907, "ap50": 88.2225, "apl": None},
        "per_class": {"disc": {"ap": 71.25}},
        **changes,
    }
    about = {"cspbench": "0.1.0", "preset": "readme", "images": of["samples"], "bad": [], "pixels": "d" * 64}
    return {**about, "identity": of["identity"], "thresholds": [threshold]}


def write(place: Path, document: dict[str, Any]) -> Path:
    """A file of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps(document))
    return place
