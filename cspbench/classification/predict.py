"""Top-5 predictions of a classifier, and their accuracies."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.classification.accuracy import Accuracy, Array, accuracies, top_k
from cspbench.classification.classifiers import other_outputs
from cspbench.data.classes import order
from cspbench.data.presets import ClassificationPreset
from cspbench.data.source import Sample, Source
from cspbench.errors import BadImageError
from cspbench.inference.finite import check_finite
from cspbench.inference.npz import Arrays
from cspbench.inference.predict_shards import Batch, Columns, Predictor
from cspbench.inference.shards import Shards

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


class PreparedImages(Predictor):
    """Images of a source, decoded and prepared by a preset for an input of (height, width).

    `probabilities`: the network's outputs are probabilities, not logits. The five most probable classes are stored.
    `classes` is the order of the classes, by its name; a network with another number of outputs is refused.
    """

    def __init__(
        self,
        source: Source,
        preset: ClassificationPreset,
        size: tuple[int, int],
        probabilities: bool = False,
        classes: str | None = None,
    ) -> None:
        super().__init__(source, size, levels=preset.levels)
        self.preset, self.probabilities, self.classes = preset, probabilities, classes

    def unread(self, index: int) -> dict[str, Any]:
        return {"wnid": ""}

    def prepare(self, sample: Sample, out: NDArray[np.float32], about: dict[str, Any]) -> None:
        about["wnid"] = sample.wnid or ""
        self.preset.load(sample.data, self.size, sample.key, out)

    def prepare_levels(self, sample: Sample, out: NDArray[np.uint8], about: dict[str, Any]) -> None:
        about["wnid"] = sample.wnid or ""
        self.preset.load_levels(sample.data, self.size, sample.key, out)

    def interpret(self, batch: Batch, outputs: tuple[Tensor, ...]) -> Columns:
        probability = probabilities_of(outputs, batch.columns["key"], self.probabilities)
        if self.classes is not None and probability.shape[1] != len(order(self.classes)):
            raise other_outputs("the network", probability.shape[1], self.classes)
        classes = top_k(probability, TOP)
        return {"classes": list(classes), "probability": list(np.take_along_axis(probability, classes, 1))}

    def arrays(self, columns: Columns) -> Arrays:
        return {name: np.array(columns[name], kind) for name, kind in COLUMNS.items()}


def probabilities_of(outputs: tuple[Tensor, ...], keys: Sequence[str], probabilities: bool) -> Array:
    """(N, classes) the probabilities of a classifier's outputs, which are `probabilities` or logits.

    `keys` are the names of the images. Raises `OutputError` for numbers that are not finite.
    """
    flat = outputs[0].flatten(1)
    result = (flat if probabilities else torch.softmax(flat, 1)).numpy()
    check_finite(np.isfinite(result).all(1), keys, "probabilities")
    return result


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
