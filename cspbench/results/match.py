"""The published rows that an evaluation stands against, from its record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from cspbench.claims import tables
from cspbench.claims.model import Row
from cspbench.claims.verdict import Deviation
from cspbench.results.schema import CocoIdentity, ImagenetIdentity
from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import WeightFile, known_names, shipped, weight_files
from cspbench.zoo.catalogue import MODELS

IMAGENET = ("imagenet-big", "imagenet-small", "imagenet-activation", "imagenet-augmentation", "imagenet-smoothing")
"""Tables of accuracies that Darknet's networks reach on Darknet's pixels."""
CARDS = ("timm", "mmpretrain")
"""Tables whose accuracies belong to the preset of that name."""
DARKNET = ("readme", "head")
"""Presets under which the accuracies of `IMAGENET` are claimed."""
COCO = ("coco-headline", "coco-gpu", "coco-cpu", "coco-nms", "coco-activation", "coco-loss")


@cache
def of_sample(dataset: str) -> tuple[str, ...]:
    """The sample's tables of accuracies ("imagenet") or of AP ("coco"), named after whose layout the images have."""
    return tuple(table.name for table in tables.load_all(kind="sample") if table.dataset == dataset)


@cache
def _files(names: tuple[str, ...]) -> tuple[WeightFile, ...]:
    return tuple(weight_files(list(names)))


@cache
def _input(model: str) -> tuple[int, int]:
    return MODELS[model].build().input[1:]


@cache
def _by_row(table: str) -> Mapping[str, WeightFile]:
    return {file.id: file for file in _files((table,))}


@dataclass(frozen=True)
class PublishedWeights:
    """What a row's published weights are known by: their arrays' digest, and what their files' sha256 begin with."""

    arrays: str | None = None
    files: tuple[str, ...] = ()

    def are(self, weights: str, file: str | None = None) -> bool | None:
        """Whether a run's weights are these; None where there is nothing to tell it by.

        `weights` is what its identity says ("arrays:..." or, in a run of schema 1, "file:..."), `file` the sha256 of
        the file that they came in. Equal arrays are equal weights, and so are those out of an equal file.
        """
        kind, _, digest = weights.partition(":")
        files = [each for each in (digest if kind == "file" else None, file) if each]
        arrays = self.arrays if kind == "arrays" else None
        if any(each.startswith(known) for each in files for known in self.files) or arrays == digest:
            return True
        return False if arrays is not None or (files and self.files) else None


def published_weights(row: Row) -> PublishedWeights:
    """How to tell a row's published weights; nothing where that is not known."""
    file = _by_row(row.table)[row.id]
    if file.model is None:
        return PublishedWeights()
    # a card's weights were published under several names, each of which ends with its digest's beginning
    cards = _beginnings(file.model) if row.table in CARDS else ()
    known = (*((file.sha256,) if file.sha256 else ()), *cards, *_of_shipped(file.model))
    return PublishedWeights(file.arrays, tuple(dict.fromkeys(known)))


def _beginnings(model: str) -> tuple[str, ...]:
    found = (re.search(r"-([0-9a-f]{8})\.pth$", name) for name in known_names(model))
    return tuple(each[1] for each in found if each)


@cache
def _of_shipped(model: str) -> tuple[str, ...]:
    path = shipped(model)
    return () if path is None else (digest(path),)


def of_classifier(identity: ImagenetIdentity) -> list[Row]:
    """The rows that a classifier's run stands against: its model's, with their own weights, size and preprocessing.

    A card's accuracy belongs to that card's preset, the README's to Darknet's. A user's own file has none.
    """
    model, preset = identity.model, str(identity.preset["name"])
    if identity.user_file or preset not in (*CARDS, *DARKNET) or model not in MODELS:
        return []
    if identity.size != _input(model):
        return []
    wanted = (preset,) if preset in CARDS else (*IMAGENET, *of_sample("imagenet"))
    return [
        tables.load(file.table).row(file.id)
        for file in _files(wanted)
        if file.model == model and file.status == "published"
    ]


def of_model(identity: ImagenetIdentity) -> list[Row]:
    """All rows that claim an accuracy of a classifier, under whatever preset; those with published weights if any."""
    if identity.user_file or identity.model not in MODELS:
        return []
    return claims_of(identity.model)


def claims_of(model: str) -> list[Row]:
    """All rows that claim an accuracy of a catalogue's classifier; those with published weights if any."""
    files = [file for file in _files((*IMAGENET, *of_sample("imagenet"), *CARDS)) if file.model == model]
    published = [file for file in files if file.status == "published"]
    return [tables.load(file.table).row(file.id) for file in published or files]


def otherwise(row: Row, identity: ImagenetIdentity) -> list[Deviation]:
    """In what a classifier's run is another than the one that a row is of: preset, size, weights nobody released."""
    wanted = row.table if row.table in CARDS else "readme"
    preset, own = str(identity.preset["name"]), _input(identity.model)
    deviations = [] if preset == wanted else [Deviation(f"preset {preset}, not {wanted}")]
    if identity.size != own:
        deviations.append(Deviation(f"size {'x'.join(map(str, identity.size))}, not {'x'.join(map(str, own))}"))
    if _by_row(row.table)[row.id].status != "published":
        deviations.append(Deviation("weights that the row's authors never released"))
    return deviations


def of_detector(identity: CocoIdentity, nms: float) -> list[Row]:
    """The rows that a detector's own weights are claimed to reach at its size and NMS threshold.

    The rows of the NMS tables hold at their threshold alone; "aware" is no threshold of Darknet's. A user's own file
    has none.
    """
    rows = []
    for file in () if identity.user_file else _files((*COCO, *of_sample("coco"))):
        if file.model != identity.model or file.status == "never released":
            continue
        row = tables.load(file.table).row(file.id)
        threshold = row.settings.get("Threshold")
        at = threshold is None or (threshold != "aware" and Decimal(threshold) == Decimal(str(nms)))
        if row.size == identity.size and at:
            rows.append(row)
    return rows
