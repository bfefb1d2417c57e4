"""Complete runs written without a network, and what holds for whatever is made of them."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.classification.predict import COLUMNS
from cspbench.data.classes import order
from cspbench.detection.candidates import Candidates, pack, shards
from cspbench.errors import CspbenchError
from cspbench.evaluation import imagenet
from cspbench.inference.run import Run, find_runs, load_run, record

SAMPLES = 300

IMAGENET = {
    "task": "imagenet",
    "model": "small",
    "definition": "0" * 64,
    "weights": "1" * 64,
    "data": {"kind": "folders", "images": SAMPLES, "labels": None, "sha256": "2" * 64},
    "preset": {"name": "readme"},
    "size": [8, 8],
    "precision": "fp32",
    "classes": "darknet",
    "file": True,
}
COCO = {
    **{key: value for key, value in IMAGENET.items() if key != "classes"},
    "task": "coco",
    "data": {"kind": "coco", "split": "custom", "images": SAMPLES, "objects": 0, "sha256": "2" * 64},
    "preset": {"conf": 0.005},
    "quoted": False,
    "last": {"classes": 80, "nms_kind": "default", "beta_nms": 0.6},
}
MADE = {
    "command": ["cspbench"],
    "preset": {"name": "readme", "conf": 0.005, "nms_kind": "default"},
    "data": {"place": "somewhere", "split": None, "limit": None},
}


def classified(run: Run) -> None:
    wnids = np.array(order("darknet"))
    for shard in range(run.shards):
        index = np.array(run.block(shard))
        columns: dict[str, Any] = {
            "index": index,
            "classes": (index[:, None] // 2 * 2 + np.arange(5)) % 1000,
            "probability": np.full((len(index), 5), 0.2),
            "key": [f"{at:04d} é.png" for at in index],
            "wnid": wnids[index],
            "checksum": index,
            "ok": np.ones(len(index)),
        }
        run.write(shard, {name: np.array(columns[name], kind) for name, kind in COLUMNS.items()})


def detected(run: Run) -> None:
    for shard in range(run.shards):
        index = np.array(run.block(shard))
        one = Candidates(
            np.ones((2, 4), np.float32), np.array([0, 1], np.int32), np.zeros(2, np.int16), np.ones(2, np.float32)
        )
        about = {
            "index": index,
            "key": np.array([f"{at}.jpg" for at in index]),
            "extent": np.full((len(index), 2), 9, np.int32),
            "checksum": index.astype(np.uint32),
            "ok": np.ones(len(index), np.bool_),
        }
        run.write(shard, {**about, **pack([one] * len(index))})


@contextmanager
def copied(whole: Path, name: str) -> Iterator[Path]:
    """A copy of a run, in a folder where nothing else may appear."""
    place = whole / "sandbox"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole / name, place / "run")
    yield place / "run"
    assert [path.name for path in place.iterdir()] == ["run"]


def numbers(path: Path) -> Any:
    """All that a command reads from a run, down to its metrics; the metrics."""
    assert find_runs([path]) == [path]
    run = load_run(path)
    assert record(path)["identity"] == run.identity
    run.missing()
    if run.identity["task"] == "imagenet":
        result = imagenet.result(run)
        json.dumps(result, ensure_ascii=False).encode()
        return run.identity["classes"], result["top1"], result["top5"], result["bad"], result["pixels"]
    return [
        (arrays["key"].tolist(), arrays["extent"].tolist(), [len(image) for image in images])
        for arrays, images in shards(run)
    ]


def well_told(error: CspbenchError) -> None:
    """What, where and what to do, on one line that can be printed."""
    assert error.exit_code in (2, 3, 4)
    assert error.what
    assert error.remedy
    assert error.where or error.exit_code == 2
    assert len(str(error)) < 2000
    assert "\n" not in str(error)
    str(error).encode()


def obeys(path: Path, expected: Any) -> None:
    """The right numbers or an error with all its parts, without much memory."""
    tracemalloc.start()
    try:
        found = numbers(path)
    except CspbenchError as error:
        well_told(error)
    else:
        assert found == expected
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 100e6
