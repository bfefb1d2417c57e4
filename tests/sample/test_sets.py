"""The sample's two sets: the same on every machine, and read without complaint."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cspbench.data.coco.check import check
from cspbench.data.coco.source import CocoSource, open_coco, scan_coco
from cspbench.data.imagenet import scan
from cspbench.sample import classification, detection
from cspbench.sample.place import VERSIONS
from cspbench.sample.seeds import HELD_OUT, generator

SMALL, LARGE = 32**2, 96**2
"""Areas in pixels that part COCO's small, medium and large."""
SCENES = 36


@pytest.fixture(scope="module")
def scenes() -> list[tuple[Any, list[detection.Object]]]:
    """The first pictures of the detection set."""
    return [detection.draw(HELD_OUT + at) for at in range(SCENES)]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures as files."""
    folder = tmp_path_factory.mktemp("coco")
    detection.write(folder, SCENES)
    return folder


@pytest.fixture(scope="module")
def annotated(written: Path) -> dict[str, Any]:
    """The annotation file as JSON."""
    data: dict[str, Any] = json.loads((written / "annotations" / "instances_val2017.json").read_bytes())
    return data


def test_drawn_pixels_are_pinned(scenes: list[tuple[Any, list[detection.Object]]]) -> None:
    """A change of the drawing is a change of the sample: its place, its networks and its claims change, too."""
    digest = hashlib.sha256()
    for at in range(16):
        digest.update(classification.draw(HELD_OUT + at, at).tobytes())
    assert digest.hexdigest()[:12] == VERSIONS["classification"]
    digest = hashlib.sha256()
    for pixels, objects in scenes[:16]:
        digest.update(pixels.tobytes())
        for each in objects:
            digest.update(repr((each.category, each.box, each.area, each.crowd)).encode())
    assert digest.hexdigest()[:12] == VERSIONS["detection"]


def test_annotations_are_pinned(written: Path) -> None:
    data = (written / "annotations" / "instances_val2017.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == "61e71c657be8ea57e0837a896e2661d2447c1f4a963a039e8cba96f90cc1faf2"


@pytest.mark.parametrize("kind", [classification, detection])
def test_the_same_seed_gives_the_same_files(kind: Any, tmp_path: Path) -> None:
    steps: list[int] = []
    for name, seed in (("one", 77), ("again", 77), ("other", 78)):
        kind.write(tmp_path / name, 3, seed, steps.append)
    assert steps == [1, 2, 3] * 3
    files = [
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "again", "other")
    ]
    assert len(files[0]) >= 3
    assert files[0] == files[1]
    assert set(files[0]) == set(files[2])
    assert all(data != files[2][path] for path, data in files[0].items())


@pytest.mark.parametrize("kind", [classification, detection])
def test_held_out_pictures_have_other_seeds_than_those_to_train_on(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[int] = []

    def noted(seed: int) -> np.random.Generator:
        seeds.append(seed)
        return generator(seed)

    monkeypatch.setattr(kind, "generator", noted)
    kind.write(tmp_path, 5)
    held_out = set(seeds)
    seeds.clear()
    for last in range(HELD_OUT - 5, HELD_OUT):
        kind.draw(last, 15) if kind is classification else kind.draw(last)
    assert len(held_out) >= 5
    assert max(seeds) < min(held_out)


def test_classes() -> None:
    ids, names = zip(*classification.CLASSES, strict=True)
    assert len(set(ids)) == len(set(names)) == 16
    assert list(ids) == sorted(ids)
    assert (ids[0], names[0], names[-1]) == ("n90000001", "plain disc", "dotted star")
    assert len(detection.CATEGORIES) == 10


def test_imagenets_layout(tmp_path: Path) -> None:
    classification.write(tmp_path, 32)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [wnid for wnid, _ in classification.CLASSES]
    source = scan(tmp_path)
    assert (source.kind, len(source), source.ignored) == ("folders", 32, 0)
    assert (tmp_path / "n90000003" / "ILSVRC2012_val_00000019.JPEG").is_file()


def test_cocos_layout(written: Path) -> None:
    source = open_coco(written)
    assert isinstance(source, CocoSource)
    report = check(scan_coco(written))
    assert report.usable
    assert (report.images, report.other_images, report.images_without_objects) == (SCENES, 0, 0)
    assert (report.objects_without_extent, report.objects_outside) == (0, 0)
    assert source.split == "custom"


def test_sizes_and_crowds(written: Path) -> None:
    truth = open_coco(written).ground_truth
    assert truth is not None
    areas = truth.areas[~truth.crowd]
    assert (areas < SMALL).sum() > 60
    assert ((areas >= SMALL) & (areas <= LARGE)).sum() > 50
    assert (areas > LARGE).sum() > 10
    assert truth.crowd.sum() > 3
    assert set(truth.category_ids.tolist()) == set(detection.CATEGORIES)


def test_boxes_are_of_visible_masks(
    annotated: dict[str, Any], scenes: list[tuple[Any, list[detection.Object]]]
) -> None:
    """Each segment, decoded here, gives its box and area; no pixel shows two things."""
    shown: dict[int, Any] = {}
    for each in annotated["annotations"]:
        lengths, (height, width) = each["segmentation"]["counts"], each["segmentation"]["size"]
        mask = np.repeat(np.arange(len(lengths)) % 2, lengths).reshape(width, height).T
        rows, columns = np.nonzero(mask)
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        assert (each["bbox"], each["area"]) == (box, mask.sum())
        shown[each["image_id"]] = shown.get(each["image_id"], 0) + mask
    assert max(total.max() for total in shown.values()) == 1
    assert len(annotated["annotations"]) == sum(len(objects) for _, objects in scenes)


def test_what_is_hidden_for_the_most_part_is_left_out(scenes: list[tuple[Any, list[detection.Object]]]) -> None:
    """Of all that was drawn on a canvas, just what still shows two fifths of itself is an object."""
    left_out = covered = 0
    for at, (_, objects) in enumerate(scenes):
        canvas, items = detection.arrange(generator(HELD_OUT + at))
        shares = [(canvas.objects == number).sum() / max(1, pixels) for number, (_, pixels, _) in enumerate(items, 1)]
        visible = [category for (category, _, _), share in zip(items, shares, strict=True) if share >= 0.4]
        assert [item.category for item in objects] == visible
        left_out += len(items) - len(visible)
        covered += sum(0.4 <= share < 0.9 for share in shares)
    assert left_out > 2
    assert covered > 5
