"""A classifier on ImageNet: its weights into its network, the network over the images, the result beside the claims."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cspbench.data.classes import SAMPLE, order, places
from cspbench.data.label_order import advice, known_images, probe_order
from cspbench.data.presets import ClassificationPreset
from cspbench.data.source import Sample, Source
from cspbench.errors import BadImageError, UsageError
from cspbench.inference.run import Run
from cspbench.network.network import Network
from cspbench.network.network import digest as network_digest


@dataclass(frozen=True)
class Subject:
    """A classifier to evaluate: a network, its weight file, and the order in which it numbers the classes."""

    name: str
    network: Network
    weights: Path
    classes: str
    """`darknet`, `sorted` or, of the bundled sample, `sample`."""


class Subset(Source):
    """`count` samples of a source, evenly spread, so that every part of it is there."""

    def __init__(self, source: Source, count: int) -> None:
        self.source, self.count = source, min(count, len(source))
        self.kind, self.random_access = source.kind, source.random_access

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int) -> Sample:
        return self.source.sample(index * len(self.source) // self.count)

    def key(self, index: int) -> str:
        return self.source.key(index * len(self.source) // self.count)

    def path(self, index: int) -> str | None:
        return self.source.path(index * len(self.source) // self.count)

    def as_json(self) -> dict[str, Any]:
        return {**self.source.as_json(), "limit": self.count}


def limit_of(text: str, total: int) -> int:
    """How many of `total` images "100" or "5%" asks for, one at least."""
    number = text.removesuffix("%")
    try:
        count = float(number)
        if not 0 < count < 1e9 or (text == number and count != int(count)) or (text != number and count > 100):
            raise ValueError
    except ValueError:
        raise UsageError(
            "usage.limit",
            "--limit cannot be read",
            expected="a number of images, or a percentage up to 100%",
            found=repr(text),
            remedy="Try 5%",
        ) from None
    return min(total, max(1, int(total * count / 100) if text.endswith("%") else int(count)))


def limited(source: Source, limit: str | None) -> Source:
    """The source, or the part of it that `limit` asks for."""
    return source if limit is None else Subset(source, limit_of(limit, len(source)))


def check_classes(subject: Subject, source: Source) -> None:
    """Raise `UsageError` where the images are of none of the network's classes: the sample's are not ImageNet's."""
    try:
        wnid = source.sample(0).wnid
    except BadImageError:  # which the evaluation will name
        return
    if wnid and wnid not in places(subject.classes):
        kinds = {True: "the bundled sample's classes", False: "ImageNet's classes"}
        raise UsageError(
            "usage.other-classes",
            f"{subject.name} does not know these classes",
            expected=f"images of {kinds[subject.classes == SAMPLE]}",
            found=f"images of {kinds[subject.classes != SAMPLE]}, the first of {wnid}",
            remedy="Evaluate the sample's classifiers with --sample, and all others on ImageNet",
        )


def check_size(preset: ClassificationPreset, size: tuple[int, int]) -> None:
    """Raise `UsageError` where a preset has no crop for that input of (height, width)."""
    if preset.interpolation != "darknet" and size[0] != size[1]:
        raise UsageError(
            "usage.square-preset",
            f"preset {preset.name} is for square inputs",
            expected="as many rows as columns",
            found=f"{size[0]}x{size[1]}",
            remedy="Use preset readme, or a square --size",
        )


def identity(
    subject: Subject, digest: str, source: Source, preset: ClassificationPreset, size: tuple[int, int], precision: str
) -> dict[str, Any]:
    """Everything that changes a prediction; what a run is told apart by."""
    return {
        "task": "imagenet",
        "model": subject.name,
        "definition": network_digest(subject.network),
        "weights": digest,
        "data": source.as_json(),
        "preset": preset.as_json(),
        "size": list(size),
        "precision": precision,
        "classes": subject.classes,
        "file": bool(subject.network.places),
    }


def directory(root: Path, subject: Mapping[str, Any]) -> Path:
    """Where a run of that identity is kept below `root`."""
    digest = hashlib.sha256(json.dumps(subject, sort_keys=True).encode()).hexdigest()[:8]
    return root / f"{subject['model'].replace('/', '-')}-{subject['preset']['name']}-{digest}"


def result(run: Run) -> dict[str, Any]:
    """The metrics of a complete run: computed from its predictions, the same bytes whoever made them."""
    from cspbench.classification.predict import score

    name = run.identity["classes"]
    scored = score(run, order(name))
    bad = set(scored.bad)
    readable = [index for index, key in enumerate(scored.keys) if key not in bad]
    probe = probe_order(
        [int(scored.predicted[index]) for index in readable], [scored.wnids[index] for index in readable], name
    )
    words = str(probe)
    if probe.verdict == "swapped":
        words += ". " + advice(name, probe.better, known_images(zip(scored.keys, scored.wnids, strict=True)))
    return {
        "identity": dict(run.identity),
        "images": run.samples,
        "top1": scored.top1.as_json(),
        "top5": scored.top5.as_json(),
        "bad": list(scored.bad),
        "pixels": scored.pixels,
        "class_order": {"verdict": probe.verdict, "hits": probe.hits, "words": words},
    }
