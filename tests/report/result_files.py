"""Result files written by hand: a counted row, a classifier's and a detector's evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cspbench.data import presets
from cspbench.data.detection_presets import detection_preset
from cspbench.network.network import digest
from cspbench.zoo.registry import model

WHO = {"schema": 2, "command": ["cspbench", "by", "hand"], "cspbench": "0.1.0", "commit": "0" * 40}


def counted(table: str, row: str, name: str, **counts: tuple[int, str]) -> dict[str, Any]:
    """A line of params.json; `counts` are (count, counting) by metric."""
    absent = {"count": None, "counting": "weights"}
    cells = {each: {"count": pair[0], "counting": pair[1]} for each, pair in counts.items()}
    return {"table": table, "id": row, "model": name, "note": None, "params": absent, "bflops": absent, **cells}


def counts(*lines: Mapping[str, Any]) -> bytes:
    """A params.json."""
    return json.dumps({**WHO, "rows": lines}).encode()


def _document(run: Mapping[str, Any], metrics: Mapping[str, Any] | None) -> bytes:
    whole = metrics and {"identity": run["identity"], **metrics}
    return json.dumps({"run": run, "metrics": whole}).encode()


def classifier(
    name: str = "csdarknet53",
    top1: int = 38_600,
    when: str = "2026-01-01T00:00:00Z",
    images: int = 50_000,
    finished: bool = True,
    **changes: Any,
) -> bytes:
    """A kept evaluation on `images` of ImageNet; `changes` replace parts of its identity."""
    network = model(name).build()
    identity = {
        "task": "imagenet",
        "model": name,
        "definition": digest(network),
        "weights": "a" * 64,
        "data": {"kind": "folders", "images": images, "sha256": "b" * 64},
        "preset": presets.preset("readme").as_json(),
        "size": list(network.input[1:]),
        "precision": "fp32",
        "file": False,
        **changes,
    }
    metrics = {
        "top1": {"correct": top1, "total": images},
        "top5": {"correct": images * 936 // 1000, "total": images},
    }
    return _document({**WHO, "when": when, "identity": identity}, metrics if finished else None)


def detector(
    nms: float = 0.45,
    ap: float = 38.04,
    split: str = "test-dev2017",
    when: str = "2026-01-01T00:00:00Z",
    preset: str = "readme",
    limit: int | None = None,
    kind: str = "default",
    own: Mapping[str, Any] | None = None,
    finished: bool = True,
    **changes: Any,
) -> bytes:
    """A kept evaluation of csresnext50-panet-spp at 512x512 and one NMS threshold; `own` replaces preset fields."""
    network = model("csresnext50-panet-spp").build().resized(512, 512)
    forward = detection_preset(preset).forward_json()
    identity = {
        "task": "coco",
        "model": "csresnext50-panet-spp",
        "definition": digest(network),
        "weights": "c" * 64,
        "data": {"kind": "coco", "split": split, "images": 20_288, "sha256": "d" * 64},
        "preset": {**forward, **{field: value for field, value in (own or {}).items() if field in forward}},
        "size": [512, 512],
        "precision": "fp32",
        "quoted": False,
        "file": False,
        **changes,
    }
    whole = {**detection_preset(preset).as_json(), **(own or {})}
    run = {**WHO, "when": when, "identity": identity, "preset": whole, "data": {"limit": limit}}
    at = {"nms": nms, "kind": kind, "asked": kind, "ap": {"ap": ap, "ap50": 60.0}, "intervals": None}
    metrics = {"images": identity["data"]["images"], "pixels": "f" * 64, "thresholds": [at]}
    return _document(run, metrics if finished else None)
