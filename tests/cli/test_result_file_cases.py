"""Files of detections and annotations of other programs against pycocotools' numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from coco_runs import command

CASES = "cases/score-third-party"
RIGHT = {"ap": 22.240, "ap50": 43.465, "ap75": 15.046, "aps": 1.122, "apm": 32.007, "apl": 51.333}


@pytest.mark.reference(CASES, "cases/own-detector")
@pytest.mark.parametrize(
    ("results", "data"),
    [
        ("results.json", "annotations.json"),
        ("results_float_ids.json", "annotations_float_ids.json"),
        ("results_float_ids.json", "annotations.json"),
        ("results.json", "../own-detector/_annotations.coco.json"),
    ],
)
def test_no_images_and_whole_floats(results: str, data: str, shared: Path) -> None:
    done = command("score", shared / CASES / results, "--data", shared / CASES / data, "--format", "json")
    assert done.exit_code == 0, done.exception
    (result,) = json.loads(done.stdout)
    assert {name: result["thresholds"][0]["ap"][name] for name in RIGHT} == pytest.approx(RIGHT, abs=5e-4)
    assert "warning" not in done.stderr
