"""Writes everything here from the folder of references: `python -m golden.make ../../shared` in tests/."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.network import cfg
from cspbench.network.cfg import writer
from golden import documents, layer_lists, rule

HERE = Path(__file__).parent
MADE = (".x", ".out", ".crop", "bilateral17", "gauss15", "gauss17")
"""Ends of the names of what is computed from the rest of the arrays."""
TRAINING, YOLOX = HERE / "training", HERE / "yolox"
SAMPLES = 48
"""Of an array of training that are kept."""


def forward(path: Path) -> dict[str, Any]:
    """The arrays of a case with its large maps thinned out; what they lose is kept as the sum of every plane."""
    kept: dict[str, Any] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            step = rule.GRIDS.get(key, 1)
            kept[key] = arrays[key][:, ::step, ::step] if key in rule.GRIDS else arrays[key]
            if step > 1:
                kept[f"{key}_sums"] = arrays[key].sum((1, 2), dtype=np.float64)
    return kept


def pictures(path: Path, stride: int = 16) -> dict[str, Any]:
    """The arrays of recorded training pictures, of the pictures that came out every `stride`th value only."""
    with np.load(path) as arrays:
        kept = {
            key: arrays[key].ravel()[::stride] if key.endswith(MADE) else arrays[key]
            for key in arrays.files
            if key not in ("input", "truncated", "opencv")
        }
    return {**kept, "stride": np.int64(stride)}


def training(path: Path, loss_layers: Collection[int]) -> dict[str, Any]:
    """The arrays of a case in training, thinned out: whole are only the gradients at its loss layers, and small ones.

    Only what was computed with the repaired program is kept.
    """
    kept: dict[str, Any] = {}
    with np.load(path) as arrays:
        for key in arrays.files:
            if key.startswith("stock"):
                continue
            array = arrays[key]
            whole = ".rand." in key or not key.startswith("gpu.it")
            if key.startswith("gpu.it1.") and ".delta." in key:
                whole = int(key.rsplit(".", 1)[1]) in loss_layers
            kept[key] = array if whole else thinned(array)
    return kept


def thinned(array: Any) -> Any:
    """At most 48 values of an array, the first and each n-th after it."""
    return array.ravel()[:: -(-array.size // SAMPLES)]


def yolox(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """The cases of SimOTA, without the boxes that follow from raw outputs, and of postprocessing, by file name."""
    for path in [*sorted(folder.glob("simota-*.npz")), folder / "postprocess.npz"]:
        with np.load(path) as arrays:
            yield path.name, {key: arrays[key] for key in arrays.files if key != "decoded"}


def layers(reference: Path) -> dict[str, str]:
    """Every published network file's digests, by its stem."""
    files = [*reference.glob("cfg/*.cfg"), reference / "more" / "yolov4.cfg"]
    return {
        path.stem: layer_lists.digests(path.read_text("utf-8")) for path in sorted(files, key=lambda each: each.name)
    }


def sizes(appendix: str) -> dict[str, int]:
    """How many numbers the weight file of a published network holds, by the stem of its cfg."""
    rows = re.findall(r"^\| (?:cfg|prn/cfg|ab/cfg)/(\S+)\.cfg \|.*\| (\d+) \| (\d+) \|$", appendix, re.MULTILINE)
    assert all(int(size) == 20 + 4 * int(numbers) for _, numbers, size in rows)
    return {name: int(numbers) for name, numbers, _ in rows}


def classes(order: str, predictions: str) -> dict[str, Any]:
    """The digest of Darknet's order of the 1000 classes; and classes and best guesses of a trained net's 200 images."""
    rows = list(csv.DictReader(predictions.splitlines()))
    return {
        "order_sha256": hashlib.sha256("\n".join(order.split()).encode()).hexdigest(),
        "labels": [int(row["darknet_index"]) for row in rows],
        "best": [int(row["top1"]) for row in rows],
    }


def yolox_keys(folder: Path) -> dict[str, Any]:
    """By network the number of its state dict's entries, and the sha256 of their names and shapes, a line each."""
    keys = {}
    for path in sorted(folder.glob("keys-*.json")):
        name, listed = path.stem.removeprefix("keys-"), json.loads(path.read_text("utf-8"))
        if name.startswith("mmdet-"):
            name, listed = f"mmdetection/{name.removeprefix('mmdet-')}, sorted", sorted(listed)
        lines = "".join(f"{key} {'x'.join(map(str, shape))}\n" for key, shape in listed)
        keys[name] = {"entries": len(listed), "sha256": hashlib.sha256(lines.encode()).hexdigest()}
    return keys


def everything(shared: Path) -> dict[str, Any]:
    """Name and content of every JSON file here."""
    order = (shared / "reference" / "imagenet-darknet-order.txt").read_text("utf-8")
    predictions = (shared / "golden" / "eval" / "tiny.imagenet-mini.csv").read_text("utf-8")
    return {
        "layer_lists.json": layers(shared / "reference"),
        "documents.json": asdict(documents.read(shared / "seeds").digests()),
        "sizes.json": sizes((shared / "spec" / "models.md").read_text("utf-8")),
        "classes.json": classes(order, predictions),
        "yolox_keys.json": yolox_keys(shared / "golden" / "yolox"),
    }


def training_cases(folder: Path) -> Iterator[tuple[Path, dict[str, Any]]]:
    """The path from the folder and the arrays of all training cases of small networks, with their common arrays."""
    with np.load(folder / "common.npz") as arrays:
        yield Path("common.npz"), {key: arrays[key] for key in arrays.files if key != "x_r"}
    for path in sorted(folder.glob("[tde]*.npz")):
        text = (folder / "cfg" / f"{path.stem}.cfg").read_text("utf-8")
        sections = re.findall(r"^\[(\w+)\]", text, re.MULTILINE)[1:]
        losses = [index for index, name in enumerate(sections) if name in ("yolo", "softmax")]
        yield Path(path.name), training(path, losses)


def write_training(folder: Path) -> None:
    (TRAINING / "cfg").mkdir(parents=True, exist_ok=True)
    for name, content in training_cases(folder):
        np.savez_compressed(TRAINING / name, **content)
        path = folder / "cfg" / f"{name.stem}.cfg"
        if path.is_file():
            (TRAINING / "cfg" / path.name).write_text(training_cfg(path), encoding="utf-8")
    rates = json.loads((folder / "learning_rates.json").read_text("utf-8"))
    (TRAINING / "learning_rates.json").write_text(json.dumps(rates) + "\n", encoding="utf-8")


def training_cfg(path: Path) -> str:
    """The network of a case with its training settings, as the package writes it."""
    reading = cfg.read(path)
    return writer.write(reading.network, reading.training.recipe)


if __name__ == "__main__":
    shared = Path(sys.argv[1])
    write_training(shared / "golden" / "training")
    YOLOX.mkdir(exist_ok=True)
    for name, content in yolox(shared / "golden" / "yolox"):
        np.savez_compressed(YOLOX / name, **content)
    schedule = json.loads((shared / "golden" / "yolox" / "schedule.json").read_text("utf-8"))
    (YOLOX / "schedule.json").write_text(json.dumps(schedule) + "\n", encoding="utf-8")
    rule.FORWARD.mkdir(exist_ok=True)
    for case in sorted((shared / "golden" / "forward").glob("*.npz")):
        np.savez_compressed(rule.FORWARD / case.name, **forward(case))
    for name in ("augment.npz", "blur.npz"):
        np.savez_compressed(TRAINING / name, **pictures(shared / "golden" / "training" / name))
    for name, content in everything(shared).items():
        (HERE / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
