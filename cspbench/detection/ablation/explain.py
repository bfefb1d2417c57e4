"""AP under a detector's preset and under each change of it, on the same images.

One forward pass serves all variants with the same input and epsilon.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from cspbench.data.coco.annotations import GroundTruth
from cspbench.data.coco.source import CocoSource
from cspbench.detection.ablation.detector import ChangedDetector
from cspbench.detection.ablation.pixels import Input
from cspbench.detection.ablation.variants import Parts, Variant
from cspbench.detection.ap import bootstrap
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.detection.candidates import Candidates, no_candidates
from cspbench.detection.decode_yolox import limit
from cspbench.detection.detections import detections
from cspbench.detection.detector import PresetDetector
from cspbench.detection.nms import nms_many
from cspbench.detection.predict import PreparedImages
from cspbench.inference.engine import Engine, Precision, prepare
from cspbench.inference.memory import give_back
from cspbench.inference.predict_shards import Timing
from cspbench.inference.shards import SHARD
from cspbench.inference.workers import died
from cspbench.network.epsilon import Epsilon

MOST_IMAGES = 1000
"""Maximum number of images, each of which goes through the network once for every input."""
Progress = Callable[[int, str], None]


@dataclass(frozen=True)
class Change:
    """APs in percent under one change.

    `delta` is AP less the preset's in percentage points, None for the preset itself, and `interval` its 95 % interval.
    """

    part: str
    to: str
    of: str
    ap: float
    ap50: float
    ap75: float
    delta: float | None = None
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Subject:
    """A detector under its preset, and the execution of its predictions."""

    build: Callable[[str], nn.Module]
    """Builds its module with an epsilon."""
    detector: PresetDetector
    categories: Sequence[int]
    """The ids of the categories of its classes."""
    device: torch.device
    precision: Precision = "fp32"
    batch: int = 8
    """Images per forward pass."""
    workers: int = 1
    """Data-loading workers."""


def passes(variants: Sequence[Variant]) -> int:
    """The number of forward passes over the images."""
    return len({_forward(variant.parts) for variant in variants})


def measure(
    subject: Subject,
    source: CocoSource,
    truth: GroundTruth,
    variants: Sequence[Variant],
    engine: str,
    progress: Progress = lambda done, name: None,
) -> tuple[list[AveragePrecision], tuple[str, ...]]:
    """The AP of each variant on all images of the source, and the keys of those that some decoder could not read.

    An unreadable image has no detections. `progress` receives the number of images done, of all passes together.
    """
    by_pass: dict[tuple[Input, Epsilon], list[Variant]] = defaultdict(list)
    for variant in variants:
        by_pass[_forward(variant.parts)].append(variant)
    engines: dict[Epsilon, Engine] = {}
    measured: dict[Variant, AveragePrecision] = {}
    bad: dict[str, None] = {}
    for number, ((_, epsilon), group) in enumerate(by_pass.items()):
        if epsilon not in engines:
            engines[epsilon] = prepare(subject.build(epsilon), subject.device, subject.precision)
        detected, unread = _predict(subject, source, group, engines[epsilon], number * len(source), progress)
        bad.update(dict.fromkeys(unread))
        for variant, of_variant in zip(group, detected, strict=True):
            measured[variant] = average_precision(truth, of_variant, engine, variant.parts.most)
        give_back()
    return [measured[variant] for variant in variants], tuple(bad)


def changes(
    variants: Sequence[Variant], measured: Sequence[AveragePrecision], progress: Callable[[int], None] | None = None
) -> tuple[Change, ...]:
    """The changes against the first variant, the preset.

    `progress` receives the number of bootstrap draws done; without it there are no intervals.
    """
    base, *others = measured
    intervals: list[tuple[float, float] | None] = [None] * len(others)
    if progress is not None:
        intervals = bootstrap.ap_differences(base, others, step=progress)
    rest = zip(variants[1:], others, intervals, strict=True)
    return (_change(variants[0], base), *(_change(each, result, base, interval) for each, result, interval in rest))


def _forward(parts: Parts) -> tuple[Input, Epsilon]:
    return parts.input, parts.epsilon


def _change(
    variant: Variant,
    measured: AveragePrecision,
    base: AveragePrecision | None = None,
    interval: tuple[float, float] | None = None,
) -> Change:
    ap, ap50, ap75 = (100 * float(value) for value in measured.stats[:3])
    delta = None if base is None else ap - 100 * float(base.stats[0])
    return Change(variant.part, variant.to, variant.of, ap, ap50, ap75, delta, interval)


def _predict(
    subject: Subject, source: CocoSource, group: Sequence[Variant], engine: Engine, before: int, progress: Progress
) -> tuple[list[Detections], list[str]]:
    """The detections of variants that share a forward pass, and the keys of the images that could not be read."""
    thresholds = list(dict.fromkeys(variant.parts.conf for variant in group))
    of_conf = {conf: ChangedDetector.of(subject.detector, group[0].parts.input, conf) for conf in thresholds}
    images = PreparedImages(source, of_conf[thresholds[0]])
    workers = subject.workers if source.random_access else 0
    detected: list[list[Detections]] = [[] for _ in group]
    bad: list[str] = []
    done = 0
    try:
        blocks = _blocks(len(source), subject.batch)
        with closing(images.computed(engine, blocks, workers, Timing())) as computed:
            for batch, of_batch in computed:
                outputs = [output.numpy() for output in of_batch]
                columns = batch.columns
                pictures = [source.images[index] for index in columns["index"]]
                ids = [picture.id for picture in pictures]
                candidates = {
                    conf: _readable(detector.candidates(outputs, columns["extent"], columns["key"]), columns["ok"])
                    for conf, detector in of_conf.items()
                }
                for variant, of_variant in zip(group, detected, strict=True):
                    kept = candidates[variant.parts.conf]
                    exact = subject.detector.rules.exact
                    masks = _suppress(kept, variant.parts, exact)
                    of_variant.append(detections(kept, masks, columns["extent"], ids, subject.categories, exact=exact))
                bad += [key for key, ok in zip(columns["key"], columns["ok"], strict=True) if not ok]
                done += len(batch)
                progress(before + done, f"{group[0].part}: {group[0].to}")
    except RuntimeError as error:
        if (death := died(error)) is error:
            raise
        raise death from error
    return [Detections(*map(np.concatenate, zip(*parts, strict=True))) for parts in detected], bad


def _blocks(images: int, batch: int) -> list[list[int]]:
    """The batches of an evaluation, none of which spans two shards: another batch may change the last bit."""
    shards = [range(start, min(start + SHARD, images)) for start in range(0, images, SHARD)]
    return [list(shard[at : at + batch]) for shard in shards for at in range(0, len(shard), batch)]


def _readable(images: Sequence[Candidates], readable: Sequence[bool]) -> list[Candidates]:
    return [image if ok else no_candidates() for image, ok in zip(images, readable, strict=True)]


def _suppress(images: Sequence[Candidates], parts: Parts, exact: bool) -> list[NDArray[np.bool_]]:
    """Masks of the candidates that remain."""
    if parts.across:
        images = [Candidates(image.boxes, image.box, np.zeros_like(image.category), image.score) for image in images]
    (masks,) = nms_many(images, [limit(parts.nms) if exact else parts.nms], parts.by)
    return masks
