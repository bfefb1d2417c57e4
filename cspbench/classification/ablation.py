"""The effect of each preprocessing step on the accuracy: each step alone, and every preset as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from cspbench.classification.accuracy import Array, top_k
from cspbench.classification.predict import PreparedImages
from cspbench.data.classes import ORDERS, places
from cspbench.data.presets import PRESETS, STEPS, ClassificationPreset
from cspbench.data.source import Source
from cspbench.errors import DatasetError
from cspbench.inference.engine import Engine, Precision, prepare
from cspbench.inference.predict_shards import Timing

MOST = 1000
"""Maximum number of images, each of which is prepared once for every change."""


@dataclass(frozen=True)
class Step:
    """Top-1 in percent under one change, and the number of images gained and lost against `base` percent."""

    preset: str
    label: str
    top1: float
    base: float | None
    gained: int
    lost: int


@dataclass(frozen=True)
class Explained:
    """The steps, on the readable images; `bad` are the keys of images that some preset could not read."""

    steps: tuple[Step, ...]
    images: int
    bad: tuple[str, ...]


def variants(base: ClassificationPreset) -> list[tuple[str, str, ClassificationPreset]]:
    """(preset, step, base with that step of the preset) for every step in which another preset differs from the base.

    A step that two presets share appears once. Then every other preset as a whole.
    """
    unnamed = replace(base, name="")
    others = [other for other in PRESETS.values() if replace(other, name="") != unnamed]
    single: dict[ClassificationPreset, tuple[str, str]] = {}
    for other in others:
        for label, names in STEPS.items():
            changed = replace(unnamed, **{name: getattr(other, name) for name in names})
            if changed != unnamed:
                single.setdefault(changed, (other.name, label))
    alone = [(name, label, preset) for preset, (name, label) in single.items()]
    return alone + [(other.name, "everything", other) for other in others]


@dataclass(frozen=True)
class Classifier:
    """A classifier, and the execution of its predictions."""

    build: Callable[[str], nn.Module]
    """Builds its module with an epsilon."""
    size: tuple[int, int]
    """Input height and width in pixels."""
    classes: str
    """The order of its classes."""
    device: torch.device
    precision: Precision = "fp32"
    batch: int = 8
    """Images per forward pass."""
    workers: int = 1
    """Data-loading workers."""


def explain(
    classifier: Classifier,
    source: Source,
    own: ClassificationPreset,
    progress: Callable[[str], None] = lambda name: None,
) -> Explained:
    """Top-1 of a classifier on every readable image of the source under a preset, and under each change from it.

    Raises `DatasetError` if no image can be read.
    """
    engines: dict[str, Engine] = {}
    progress(own.name)
    first = _predict(classifier, source, own, engines)
    changes = []
    for name, label, preset in variants(own):
        progress(f"{name} {label}")
        changes.append((name, label, _predict(classifier, source, preset, engines).classes))
    predictions = (first.classes, *(classes for _, _, classes in changes))
    readable = np.logical_and.reduce([classes >= 0 for classes in predictions])
    if not readable.any():
        raise DatasetError(
            "image.none-readable",
            "none of the images can be read",
            found=f"{len(readable)} images",
            remedy="Check them: `cspbench data check`",
        )
    wnids = [wnid for wnid, ok in zip(first.wnids, readable, strict=True) if ok]
    predicted = first.classes[readable]
    base = _hits(predicted, wnids, classifier.classes)
    steps = [Step(own.name, "nothing", _percent(base), None, 0, 0)]
    for other in ORDERS:
        if other != classifier.classes and classifier.classes in ORDERS:
            steps.append(_step(own.name, f"class order {other}", _hits(predicted, wnids, other), base))
    for name, label, classes in changes:
        steps.append(_step(name, label, _hits(classes[readable], wnids, classifier.classes), base))
    bad = tuple(key for key, ok in zip(first.keys, readable, strict=True) if not ok)
    return Explained(tuple(steps), len(wnids), bad)


def _step(preset: str, label: str, hits: Array, base: Array) -> Step:
    return Step(preset, label, _percent(hits), _percent(base), int((hits & ~base).sum()), int((base & ~hits).sum()))


def _percent(hits: Array) -> float:
    return 100 * float(hits.mean())


def _hits(predicted: Array, wnids: list[str], classes: str) -> Array:
    hits: Array = predicted == np.array([places(classes).get(wnid, -1) for wnid in wnids])
    return hits


@dataclass(frozen=True)
class _Predicted:
    """The top-1 class of every image (-2 if it is unreadable), and the images' WordNet ids and keys."""

    classes: Array
    wnids: list[str]
    keys: list[str]


def _predict(
    classifier: Classifier, source: Source, preset: ClassificationPreset, engines: dict[str, Engine]
) -> _Predicted:
    if preset.epsilon not in engines:
        engines[preset.epsilon] = prepare(classifier.build(preset.epsilon), classifier.device, classifier.precision)
    images = PreparedImages(source, preset, classifier.size)
    starts = range(0, len(source), classifier.batch)
    blocks = [list(range(start, min(start + classifier.batch, len(source)))) for start in starts]
    classes: list[int] = []
    wnids: list[str] = []
    keys: list[str] = []
    workers = classifier.workers if source.random_access else 0
    for batch, (scores,) in images.computed(engines[preset.epsilon], blocks, workers, Timing()):
        best = top_k(torch.flatten(scores, 1).numpy(), 1)[:, 0]
        classes += [int(number) if ok else -2 for number, ok in zip(best, batch.columns["ok"], strict=True)]
        wnids += batch.columns["wnid"]
        keys += batch.columns["key"]
    return _Predicted(np.array(classes), wnids, keys)
