"""The harder pictures of studies: others than the sample's, pinned, with held-out ones apart."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cspbench.sample import classification, detection
from cspbench.sample.seeds import HELD_OUT
from cspbench.sample.training import draw_training_set

CLASSIFIED, DETECTED = "90df86be218a", "1ea60758e8ab"


def test_pixels_are_pinned() -> None:
    """A change of the drawing changes every stored study."""
    digest = hashlib.sha256()
    for at in range(16):
        digest.update(classification.draw(HELD_OUT + at, at, classification.STUDY).tobytes())
    assert digest.hexdigest()[:12] == CLASSIFIED
    digest = hashlib.sha256()
    for at in range(16):
        pixels, objects = detection.draw(HELD_OUT + at, detection.STUDY)
        digest.update(pixels.tobytes() + repr([(each.category, each.box) for each in objects]).encode())
    assert digest.hexdigest()[:12] == DETECTED


def test_pictures_are_small_and_have_few_categories() -> None:
    drawn = [detection.draw(at, detection.STUDY) for at in range(24)]
    assert {each.category for _, objects in drawn for each in objects} == {1, 3, 5, 6}
    assert max(len(objects) for _, objects in drawn) <= 3
    assert all(96 <= side <= 120 for pixels, _ in drawn for side in pixels.shape[:2])
    sides = [side for at in range(8) for side in classification.draw(at, at, classification.STUDY).shape[:2]]
    assert 72 <= min(sides) <= max(sides) <= 96


def test_sets_of_studies_have_their_own_pictures_and_numbers(tmp_path: Path) -> None:
    steps: list[int] = []
    draw_training_set("detection", tmp_path / "coco", 5, 1, steps.append, held=3, hard=True)
    assert steps == list(range(1, 9))
    parts = {
        part: {path.read_bytes() for path in (tmp_path / "coco" / part).iterdir()} for part in ("train2017", "val2017")
    }
    assert {part: len(files) for part, files in parts.items()} == {"train2017": 5, "val2017": 3}
    assert not parts["train2017"] & parts["val2017"]
    data = json.loads((tmp_path / "coco" / "annotations" / "instances_val2017.json").read_text())
    assert [category["name"] for category in data["categories"]] == ["disc", "square", "triangle", "star"]
    draw_training_set("classification", tmp_path / "hard", 2, held=1, hard=True)
    draw_training_set("classification", tmp_path / "usual", 2, held=1)
    one, other = ({path.read_bytes() for path in (tmp_path / name).rglob("*.JPEG")} for name in ("hard", "usual"))
    assert not one & other
