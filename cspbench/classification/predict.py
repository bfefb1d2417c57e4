"""Top-5 predictions of a classifier, and their accuracies."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from cspbench.classification.accuracy import Accuracy, Array, accuracies, top_k
from cspbench.data.presets import ClassificationPreset
from cspbench.data.source import Source
from cspbench.errors import BadImageError, OutputError
from cspbench.inference import predict_shards
from cspbench.inference.engine import Engine
from cspbench.inference.npz import Arrays
from cspbench.inference.predict_shards import Batch, Columns, Prepared, Timing
from cspbench.inference.shards import Shards

Predict = Callable[[Shards, list[int], Engine, int, int, Callable[[Timing], None]], Timing]
"""Computes shards: (shards, their numbers, engine, batch, workers, progress)."""
TOP = 5
"""Classes stored per image."""
COLUMNS = {
    "index": np.int64,
    "classes": np.int32,
    "probability": np.float32,
    "key": np.str_,
    "wnid": np.str_,
    "checksum": np.uint32,
    "ok": np.bool_,
}
"""The arrays of a shard; `classes` and `probability` have `TOP` entries per image, or fewer for a network with fewer
classes.
"""


class PreparedImages(Dataset[Prepared]):
    """Images of a source, decoded and prepared by a preset for an input of (height, width)."""

    def __init__(self, source: Source, preset: ClassificationPreset, size: tuple[int, int]) -> None:
        self.source, self.preset, self.size = source, preset, size

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Prepared:
        pixels = torch.zeros(3, *self.size)
        try:
            sample = self.source.sample(index)
        except BadImageError:
            return Prepared(index, pixels, False, {"key": self.source.key(index), "wnid": "", "checksum": 0})
        about = {"key": sample.key, "wnid": sample.wnid or "", "checksum": zlib.crc32(sample.data)}
        try:
            self.preset.load(sample.data, self.size, sample.key, pixels.numpy())
        except BadImageError:
            return Prepared(index, pixels.zero_(), False, about)
        return Prepared(index, pixels, True, about)


def faults(images: PreparedImages, keys: Sequence[str]) -> dict[str, str]:
    """The faults of unreadable images by key, from reading the files again; none for streams."""
    selected, causes = set(keys), {}
    for index in range(len(images) if selected and images.source.random_access else 0):
        key = images.source.key(index)
        if key in selected:
            try:
                images.preset.load(images.source.sample(index).data, images.size, key)
            except BadImageError as error:
                causes[key] = f"{error.what}, {error.found}" if error.found else error.what
    return causes


def predictor(images: PreparedImages, probabilities: bool, streams: bool = False) -> Predict:
    """The function that computes shards of the network's five most probable classes for each image.

    `probabilities`: the outputs are probabilities, not logits. `streams`: only one process can read the images. The
    function raises `OutputError` for a probability that is not finite.
    """

    def interpret(batch: Batch, outputs: tuple[Tensor, ...]) -> Columns:
        flat = outputs[0].flatten(1)
        probability = (flat if probabilities else torch.softmax(flat, 1)).numpy()
        finite = np.isfinite(probability).all(1)
        if not finite.all():
            raise OutputError(
                "network.not-finite",
                "the network's output is not finite",
                where=batch.columns["key"][int(np.flatnonzero(~finite)[0])],
                expected="probabilities",
                found="nan or inf",
                remedy="Check the weights with `cspbench weights verify`, or use --precision fp32",
            )
        classes = top_k(probability, TOP)
        return {"classes": list(classes), "probability": list(np.take_along_axis(probability, classes, 1))}

    def predict(
        run: Shards,
        shards: list[int],
        engine: Engine,
        batch: int,
        workers: int,
        progress: Callable[[Timing], None],
    ) -> Timing:
        return predict_shards.predict(
            run, shards, images, engine, batch, 0 if streams else workers, interpret, _arrays, progress
        )

    return predict


def _arrays(columns: Columns) -> Arrays:
    return {name: np.array(columns[name], kind) for name, kind in COLUMNS.items()}


@dataclass(frozen=True)
class Scored:
    """The accuracies of a run and, per image in sample order, whether top-1 is right, its key, class and prediction."""

    top: tuple[Accuracy, ...]
    """Top-1 to top-5, or fewer for a network with fewer classes."""
    bad: tuple[str, ...]
    """Keys of the images that could not be read."""
    hits: Array
    keys: tuple[str, ...]
    wnids: tuple[str, ...]
    predicted: Array
    images_digest: str
    """Digest of the checksums of the image files, in sample order."""

    @property
    def top1(self) -> Accuracy:
        return self.top[0]

    @property
    def top5(self) -> Accuracy:
        return self.top[-1]


def score(run: Shards, classes: tuple[str, ...]) -> Scored:
    """The accuracies of a complete run; `classes` are the network's class ids in its order.

    An image that could not be read or has another class counts as wrong, as in Darknet. Raises `RunError`,
    `IncompleteRunError`.
    """
    arrays = run.merged({name: (kind, ()) for name, kind in COLUMNS.items() if name not in ("classes", "probability")})
    top = arrays.get("classes")
    if top is None or top.dtype != COLUMNS["classes"] or top.ndim != 2 or not 0 < top.shape[1] <= TOP:
        raise run.foreign(0, ValueError("no classes"))
    numbers = {wnid: number for number, wnid in enumerate(classes)}
    wnids = tuple(arrays["wnid"].tolist())
    labels = np.array([numbers.get(wnid, -1) for wnid in wnids], np.int64)
    predicted = np.where(arrays["ok"][:, None], arrays["classes"], -2)
    shares = tuple(accuracies(predicted, labels))
    keys = tuple(arrays["key"].tolist())
    bad = tuple(key for key, ok in zip(keys, arrays["ok"], strict=True) if not ok)
    digest = hashlib.sha256(arrays["checksum"].astype("<u4").tobytes()).hexdigest()
    return Scored(shares, bad, predicted[:, 0] == labels, keys, wnids, predicted[:, 0], digest)
