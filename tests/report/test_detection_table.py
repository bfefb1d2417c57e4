"""Tables of AP: every claim in every format."""

from __future__ import annotations

import csv
from typing import Any

from cspbench.report.detection_table import text

CLAIM: dict[str, Any] = {
    "table": "coco-gpu",
    "id": "a",
    "row": "A",
    "metric": "ap50",
    "published": "60.0",
    "measured": "60.2",
    "delta": "+0.2",
    "verdict": "close",
    "reason": None,
    "why": [],
}
RESULT: dict[str, Any] = {
    "run": "runs/a",
    "identity": {
        "model": "yolov3-tiny",
        "file": False,
        "weights": "ab" * 32,
        "size": [416, 416],
        "precision": "fp32",
        "data": {"split": "custom", "sha256": "cd" * 32},
    },
    "preset": "readme",
    "images": 5,
    "thresholds": [
        {
            "nms": 0.45,
            "kind": "default",
            "engine": "cspbench",
            "ap": {"ap": 30.0, "ap50": 60.2, "ar100": 44.0},
            "intervals": None,
            "per_class": {"dog": {"ap": 31.0, "ar100": 45.5}},
            "claims": [CLAIM, {**CLAIM, "id": "b", "row": "B"}],
        }
    ],
}


def test_csv_has_a_line_for_each_claim_and_class() -> None:
    rows = list(csv.DictReader(text([RESULT], [], "csv").splitlines()))
    assert [(row["Class"], row["Row"], row["AP"], row["AR100"]) for row in rows] == [
        ("all", "coco-gpu: A", "30.000", "44.000"),
        ("all", "coco-gpu: B", "30.000", "44.000"),
        ("dog", "-", "31.000", "45.500"),
    ]
    assert [rows[0][f"AP50 {what}"] for what in ("claim", "delta", "verdict")] == ["60.0", "+0.2", "close"]
    assert rows[0]["AP claim"] == "-"


def test_latex_has_the_claims_in_signs_that_it_knows() -> None:
    made = text([RESULT], [], "latex")
    assert r"60.0 $\to$ 60.2 $\Delta$+0.2 within" in made
    assert made.isascii()


def test_markdown_says_what_was_otherwise() -> None:
    other = {
        **CLAIM,
        "verdict": "unmeasured",
        "reason": "protocol-mismatch",
        "delta": None,
        "why": ["NMS 0.9, not 0.45"],
    }
    made = text([{**RESULT, "thresholds": [{**RESULT["thresholds"][0], "claims": [other]}]}], [], "md")
    assert "| 60.0 → 60.2 unmeasured: protocol-mismatch |" in made
    assert made.endswith(
        "run runs/a; weights sha256 abababababab; data sha256 cdcdcdcdcdcd; engine cspbench; unknown device fp32; "
        "made another way than the claims: NMS 0.9, not 0.45\n"
    )
