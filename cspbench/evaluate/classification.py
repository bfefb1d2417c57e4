"""Top-5 predictions of a classifier over a set of images, kept shard by shard."""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from cspbench.data.decode import BadImageError
from cspbench.data.presets import ClassificationPreset
from cspbench.data.source import Source
from cspbench.errors import CspbenchError
from cspbench.evaluate.accuracy import Accuracy, Array, accuracies, top_k
from cspbench.evaluate.engine import Engine
from cspbench.evaluate.run import Arrays, Run
from cspbench.network.layers import Softmax
from cspbench.network.network import Network

KEPT = 5
"""Classes kept per image."""


class OutputError(CspbenchError):
    """A network gives values that are no probabilities."""


@dataclass(frozen=True)
class Prepared:
    """One image ready for the network; `ok` is False, and the pixels zero, when it could not be decoded."""

    index: int
    pixels: Tensor
    key: str
    wnid: str
    checksum: int
    ok: bool


class PreparedImages(Dataset[Prepared]):
    """Images of a source, decoded and prepared under a preset for an input of (height, width)."""

    def __init__(self, source: Source, preset: ClassificationPreset, size: tuple[int, int]) -> None:
        self.source, self.preset, self.size = source, preset, size

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Prepared:
        pixels = torch.zeros(3, *self.size)
        try:
            sample = self.source.sample(index)
        except BadImageError as error:
            return Prepared(index, pixels, error.where or f"image {index}", "", 0, False)
        ok = True
        try:
            self.preset.load(sample.data, self.size, sample.key, pixels.numpy())
        except BadImageError:
            pixels.zero_()
            ok = False
        return Prepared(index, pixels, sample.key, sample.wnid or "", zlib.crc32(sample.data), ok)


@dataclass(frozen=True)
class Batch:
    """Prepared images together: indices, (N, 3, H, W) pixels, and what belongs to each."""

    index: list[int]
    pixels: Tensor
    key: list[str]
    wnid: list[str]
    checksum: list[int]
    ok: list[bool]


def _together(images: list[Prepared]) -> Batch:
    return Batch(
        index=[each.index for each in images],
        pixels=torch.stack([each.pixels for each in images]),
        key=[each.key for each in images],
        wnid=[each.wnid for each in images],
        checksum=[each.checksum for each in images],
        ok=[each.ok for each in images],
    )


@dataclass
class Timing:
    """Seconds by where they went, and images done."""

    images: int = 0
    waiting: float = 0.0
    """For images to be decoded and prepared."""
    forward: float = 0.0
    writing: float = 0.0
    began: float = field(default_factory=time.perf_counter)


def batches(run: Run, shards: list[int], size: int) -> list[list[int]]:
    """Sample indices of every batch; none spans two shards, so that batches do not depend on who makes them."""
    return [
        list(block[at : at + size])
        for block in (run.block(shard) for shard in shards)
        for at in range(0, len(block), size)
    ]


def load(images: PreparedImages, order: list[list[int]], workers: int) -> Iterator[Batch]:
    """Batches in that order, prepared by `workers` processes ahead of time, or in this one for 0."""
    loader: DataLoader[Prepared] = DataLoader(
        images,
        batch_sampler=order,
        num_workers=workers,
        collate_fn=_together,
        prefetch_factor=2 if workers else None,
        worker_init_fn=_one_thread,
        pin_memory=torch.cuda.is_available(),
    )
    try:
        yield from loader
    except RuntimeError as error:
        if "DataLoader worker" not in str(error):
            raise
        raise CspbenchError(
            "a process that prepares images died",
            found=str(error).splitlines()[0],
            remedy="Run the command again to resume, with fewer of them (-j) if memory is short",
        ) from error


def _one_thread(worker: int) -> None:
    torch.set_num_threads(1)


def predict(
    run: Run,
    shards: list[int],
    images: PreparedImages,
    engine: Engine,
    network: Network,
    batch: int,
    workers: int,
    progress: Callable[[Timing], None],
) -> Timing:
    """Make the shards: the network's five most probable classes for each image of each shard.

    Raises `OutputError` when a probability is not finite. `progress` hears every batch.
    """
    timing = Timing()
    already = isinstance(network.layers[-1], Softmax)
    pending: dict[str, list[Any]] = {}
    shard = iter(shards)
    current = next(shard, None)
    clock = time.perf_counter()
    for ready in load(images, batches(run, shards, batch), workers):
        timing.waiting += (now := time.perf_counter()) - clock
        (scores,) = engine(ready.pixels)
        flat = scores.flatten(1)
        probability = (flat if already else torch.softmax(flat, 1)).numpy()
        if not np.isfinite(probability).all():
            raise OutputError(
                "the network gives values that are not finite",
                where=ready.key[int(np.flatnonzero(~np.isfinite(probability).all(1))[0])],
                expected="probabilities",
                found="nan or inf",
                remedy="Check the weights with `cspbench weights verify`, or use --precision fp32",
            )
        classes = top_k(probability, KEPT)
        _keep(pending, ready, classes, np.take_along_axis(probability, classes, 1))
        timing.forward += (clock := time.perf_counter()) - now
        timing.images += len(ready.index)
        assert current is not None
        if len(pending["index"]) == len(run.block(current)):
            run.write(current, _arrays(pending))
            pending, current = {}, next(shard, None)
            timing.writing += time.perf_counter() - clock
            clock = time.perf_counter()
        progress(timing)
    return timing


def _keep(pending: dict[str, list[Any]], ready: Batch, classes: Any, probability: Any) -> None:
    columns = {
        "index": ready.index,
        "classes": classes,
        "probability": probability,
        "key": ready.key,
        "wnid": ready.wnid,
        "checksum": ready.checksum,
        "ok": ready.ok,
    }
    for name, values in columns.items():
        pending.setdefault(name, []).extend(values)


def _arrays(pending: dict[str, list[Any]]) -> Arrays:
    return {
        "index": np.array(pending["index"], np.int64),
        "classes": np.array(pending["classes"], np.int32),
        "probability": np.array(pending["probability"], np.float32),
        "key": np.array(pending["key"], np.str_),
        "wnid": np.array(pending["wnid"], np.str_),
        "checksum": np.array(pending["checksum"], np.uint32),
        "ok": np.array(pending["ok"], np.bool_),
    }


@dataclass(frozen=True)
class Scored:
    """What a run's predictions say. Per image, in sample order: whether top-1 hits, its key, class and prediction."""

    top1: Accuracy
    top5: Accuracy
    bad: tuple[str, ...]
    """Keys of the images that could not be read."""
    hits: Array
    keys: tuple[str, ...]
    wnids: tuple[str, ...]
    predicted: Array
    pixels: str
    """Digest of the image files' checksums, in sample order."""


def score(run: Run, classes: tuple[str, ...]) -> Scored:
    """Accuracies from a complete run's predictions; `classes` are the network's class ids in its own order.

    An image that could not be read, or whose class is none of these, counts as wrong, as in Darknet.
    """
    arrays = run.merged()
    numbers = {wnid: number for number, wnid in enumerate(classes)}
    wnids = tuple(arrays["wnid"].tolist())
    labels = np.array([numbers.get(wnid, -1) for wnid in wnids], np.int64)
    predicted = np.where(arrays["ok"][:, None], arrays["classes"], -2)
    top1, top5 = accuracies(predicted, labels)
    keys = tuple(arrays["key"].tolist())
    bad = tuple(key for key, ok in zip(keys, arrays["ok"], strict=True) if not ok)
    digest = hashlib.sha256(arrays["checksum"].astype("<u4").tobytes()).hexdigest()
    return Scored(top1, top5, bad, predicted[:, 0] == labels, keys, wnids, predicted[:, 0], digest)
