"""Results by hand: counts of two rows that the published tables have, and an evaluation that has not ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cspbench.network.network import digest
from cspbench.zoo.catalogue import model


def _cell(count: int | None, printed: str, unit: str, counting: str, verdict: str = "exact") -> dict[str, Any]:
    return {"printed": printed, "unit": unit, "counting": counting, "count": count, "verdict": verdict}


def rows() -> list[dict[str, Any]]:
    """DarkNet-53 of imagenet-big, whose counts are claimed, and a detector's of a table that prints only AP."""
    common: dict[str, Any] = {"settings": {}, "definition": "cfg", "note": None}
    return [
        {
            **common,
            "table": "imagenet-big",
            "id": "darknet-53",
            "row": "DarkNet-53",
            "model": "darknet53",
            "size": [256, 256],
            "network": digest(model("darknet53").build()),
            "params": _cell(41_573_216, "41.57M", "M", "weights"),
            "bflops": _cell(18_570_231_808, "18.57", "G", "conv+maxpool"),
        },
        {
            **common,
            "table": "coco-headline",
            "id": "cspresnext50-panet-spp-sam-512",
            "row": "CSPResNeXt50-PANet-SPP(SAM)",
            "model": "csresnext50-panet-spp-sam",
            "size": [512, 512],
            "network": digest(model("csresnext50-panet-spp-sam").build().resized(512, 512)),
            "params": _cell(58_229_696, "-", "M", "weights", "unpublished"),
            "bflops": _cell(72_941_961_216, "-", "G", "conv+maxpool", "unpublished"),
        },
    ]


def document(*lines: dict[str, Any]) -> dict[str, Any]:
    """A params.json's content of those rows, of `rows()` if none are given."""
    who = {"schema": 1, "command": ["cspbench", "params"], "cspbench": "0.1.0", "commit": None}
    return {**who, "rows": list(lines) or rows()}


def write(folder: Path, *lines: dict[str, Any]) -> Path:
    """Write a results directory of those rows."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.json").write_text(json.dumps(document(*lines)), encoding="utf-8")
    return folder


def unfinished_run(folder: Path, **changes: Any) -> Path:
    """Write the directory of an evaluation of CSPDarkNet-53 that has not ended; `changes` replace parts of it."""
    network = model("csdarknet53").build()
    identity = {
        "task": "imagenet",
        "model": "csdarknet53",
        "definition": digest(network),
        "weights": "a" * 64,
        "data": {"kind": "folders", "images": 50_000, "sha256": "b" * 64},
        "preset": {"name": "readme"},
        "size": list(network.input[1:]),
        "precision": "fp32",
        "file": False,
        **changes,
    }
    folder.mkdir()
    who = {
        "command": ["cspbench", "eval-imagenet"],
        "cspbench": "0.1.0",
        "commit": None,
        "when": "2026-01-01T00:00:00Z",
    }
    (folder / "run.json").write_text(json.dumps({**who, "identity": identity}))
    return folder
