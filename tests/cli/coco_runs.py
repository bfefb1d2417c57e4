"""A detector's run made by hand, so that scoring it needs no network and no process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from typer.testing import CliRunner, Result

from cspbench.cli.app import app
from cspbench.data.coco import open_coco
from cspbench.data.coco_annotations import COCO_CATEGORIES
from cspbench.data.detection_presets import detection_preset
from cspbench.detection.candidates import Candidates, pack
from cspbench.inference.run import open_run

SIDE = 64
"""Pixels of an image's sides."""


def command(*arguments: object) -> Result:
    """The command line in this process; an error that it would print on one line is `result.exception`."""
    return CliRunner().invoke(app, [*map(str, arguments)])


def data_set(root: Path, count: int = 6, stem: str = "instances_val2017") -> Path:
    """A COCO data set with one object an image, of the first three categories in turn; its images are empty files."""
    folder = root / ("test2017" if "test" in stem else "val2017")
    folder.mkdir(parents=True)
    (root / "annotations").mkdir()
    images, objects = [], []
    for number in range(1, count + 1):
        name = f"{number:012d}.jpg"
        (folder / name).touch()
        images.append({"id": number, "file_name": name, "width": SIDE, "height": SIDE})
        about = {"id": number, "image_id": number, "category_id": 1 + number % 3, "iscrowd": 0}
        objects.append({**about, "bbox": [8, 8, 40, 40], "area": 1600})
    data: dict[str, Any] = {
        "images": images,
        "categories": [{"id": key, "name": name} for key, name in COCO_CATEGORIES.items()],
    }
    if "test" not in stem:
        data["annotations"] = objects
    (root / "annotations" / f"{stem}.json").write_text(json.dumps(data))
    return root


def made(
    root: Path,
    data: Path,
    preset: str = "readme",
    shift: float = 4.0,
    split: str | None = None,
    limit: int | None = None,
    extent: tuple[int, int] = (SIDE, SIDE),
    **changes: Any,
) -> Path:
    """A complete run in `root`: on each image the object, `shift` pixels aside, and a second box close to it.

    `split` and `limit` are what the run says of its data; `changes` are fields of its preset.
    """
    from cspbench.evaluation.coco import limited

    source = open_coco(data)
    if limit is not None:
        source = limited(source, limit)
    about = source.as_json() | ({"split": split} if split else {})
    own = {**detection_preset(preset).as_json(), **changes}
    identity = {
        "task": "coco",
        "model": "small",
        "weights": "ab" * 32,
        "data": about,
        "preset": {name: value for name, value in own.items() if name not in ("name", "nms", "nms_kind", "image_id")},
        "size": [SIDE, SIDE],
        "precision": "fp32",
        "quoted": False,
        "file": True,
        "last": {"classes": 80, "nms_kind": "greedynms", "beta_nms": 0.6},
    }
    kept = {"place": str(data), "split": None, "limit": limit}
    run = open_run(root, identity, len(source), {"command": [], "preset": own, "data": kept, "device": "cpu"})
    boxes = np.array([[28 + shift, 28, 40, 40], [28 + shift, 34, 40, 40]], np.float32)
    images = [
        Candidates(
            boxes, np.array([0, 1], np.int32), np.full(2, image.id % 3, np.int16), np.array([0.9, 0.5], np.float32)
        )
        for image in source.images
    ]
    arrays = {
        "index": np.arange(len(source), dtype=np.int64),
        "key": np.array([image.file_name for image in source.images], np.str_),
        "extent": np.array([extent] * len(source), np.int32),
        "checksum": np.zeros(len(source), np.uint32),
        "ok": np.ones(len(source), np.bool_),
    }
    run.write(0, {**arrays, **pack(images)})
    return root
