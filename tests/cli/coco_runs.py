"""A detector's run made by hand, so that scoring it needs no network and no process of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec import structs
from typer.testing import CliRunner, Result

from cspbench.cli.app import app
from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.coco.source import open_coco
from cspbench.data.detection_presets import detection_preset
from cspbench.detection.candidates import Candidates, pack
from cspbench.evaluation.part import part_of
from cspbench.inference.shards import SHARD
from cspbench.results.encoding import encode
from cspbench.results.runs import load_run, open_run
from cspbench.results.schema import CocoIdentity, Data, DetectionSettings, LastLayer, Run, Session, Weights

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

    `split` and `limit` (with the seed 0) are what the run says of its data; `changes` are fields of its preset.
    """
    source = part_of(open_coco(data), None if limit is None else str(limit))
    own = {**detection_preset(preset).as_json(), **changes}
    name, conf, nms, kind = (own.pop(field) for field in ("name", "conf", "nms", "nms_kind"))
    about = msgspec.convert(source.as_json(), Data)
    identity = CocoIdentity(
        model="small",
        network="v2:" + "cd" * 32,
        weights="arrays:" + "ab" * 32,
        data=structs.replace(about, split=split) if split else about,
        preset={"conf": conf, **{field: value for field, value in own.items() if field != "image_id"}},
        size=(SIDE, SIDE),
        precision="fp32",
        quoted=False,
        user_file=True,
        last=LastLayer(80, "greedynms", 0.6),
    )
    record = Run(
        samples=len(source),
        shard=SHARD,
        identity=identity,
        sessions=[Session(["cspbench"], "0.1.0", device="cpu")],
        weights=Weights(identity.weights),
        place=str(data),
        settings=DetectionSettings(name, conf, nms, kind, own),
    )
    run = open_run(root, record)
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
    run.shards.write(0, {**arrays, **pack(images)})
    return root


def as_model(run: Path, model: str, size: tuple[int, int]) -> Path:
    """The run with a record that says it is of a catalogue's model."""
    record = load_run(run).record
    identity = structs.replace(record.identity, model=model, user_file=False, size=size)
    (run / "run.json").write_bytes(encode(structs.replace(record, identity=identity)))
    return run
