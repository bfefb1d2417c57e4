"""The published rows that an evaluation stands against, and the verdict on each number they claim.

Works on what a run wrote about itself; torch is not needed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from cspbench.claims import tables
from cspbench.claims.model import Row
from cspbench.claims.verdict import Reason, Verdict
from cspbench.classification import accuracy
from cspbench.detection.ap import average_precision
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
ACCURACIES = ("top1", "top5")
PRECISIONS = average_precision.METRICS[:6]
"""AP, AP50, AP75, APS, APM, APL: what the tables print."""


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


def digests(row: Row) -> tuple[str, ...]:
    """What the sha256 of a row's published weight file begins with: any of these; empty where nobody has said it."""
    file = _by_row(row.table)[row.id]
    if file.model is None:
        return ()
    # a card's weights were published under several names, each of which ends with its digest's beginning
    cards = _beginnings(file.model) if row.table in CARDS else ()
    known = (*((file.sha256,) if file.sha256 else ()), *cards, *_of_shipped(file.model))
    return tuple(dict.fromkeys(known))


def _beginnings(model: str) -> tuple[str, ...]:
    found = (re.search(r"-([0-9a-f]{8})\.pth$", name) for name in known_names(model))
    return tuple(each[1] for each in found if each)


@cache
def _of_shipped(model: str) -> tuple[str, ...]:
    path = shipped(model)
    return () if path is None else (digest(path),)


def of_classifier(identity: Mapping[str, Any]) -> list[Row]:
    """The rows that a classifier's run stands against: its model's, with their own weights, size and preprocessing.

    A card's accuracy belongs to that card's preset, the README's to Darknet's. A user's own file has none.
    """
    model, preset = identity["model"], identity["preset"]["name"]
    if identity["file"] or preset not in (*CARDS, *DARKNET) or model not in MODELS:
        return []
    if tuple(identity["size"]) != _input(model):
        return []
    wanted = (preset,) if preset in CARDS else (*IMAGENET, *of_sample("imagenet"))
    return [
        tables.load(file.table).row(file.id)
        for file in _files(wanted)
        if file.model == model and file.status == "published"
    ]


def of_model(model: str) -> list[Row]:
    """All rows that claim an accuracy of a classifier, under whatever preset; those with published weights if any."""
    files = [file for file in _files((*IMAGENET, *of_sample("imagenet"), *CARDS)) if file.model == model]
    published = [file for file in files if file.status == "published"]
    return [tables.load(file.table).row(file.id) for file in published or files]


def otherwise(row: Row, identity: Mapping[str, Any]) -> list[str]:
    """In what a classifier's run is another than the one that a row is of: preset, size, weights nobody released."""
    presets = (row.table,) if row.table in CARDS else DARKNET
    preset, size, own = identity["preset"]["name"], tuple(identity["size"]), _input(identity["model"])
    found = [] if preset in presets else [f"preset {preset}, not {presets[0]}"]
    if size != own:
        found.append(f"size {'x'.join(map(str, size))}, not {'x'.join(map(str, own))}")
    if _by_row(row.table)[row.id].status != "published":
        found.append("weights that the row's authors never released")
    return found


def of_detector(identity: Mapping[str, Any], nms: float) -> list[Row]:
    """The rows that a detector's own weights are claimed to reach at its size and NMS threshold.

    The rows of the NMS tables hold at their threshold alone; "aware" is no threshold of Darknet's. A user's own file
    has none.
    """
    rows = []
    for file in _files((*COCO, *of_sample("coco"))):
        if file.model != identity["model"] or file.status == "never released":
            continue
        row = tables.load(file.table).row(file.id)
        threshold = row.settings.get("Threshold")
        at = threshold is None or (threshold != "aware" and Decimal(threshold) == Decimal(str(nms)))
        if row.size == tuple(identity["size"]) and at:
            rows.append(row)
    return [] if identity["file"] else rows


def on_claimed_data(row: Row, identity: Mapping[str, Any]) -> bool | None:
    """Whether a run's data is that of a sample's table, told by its digest; None for a published table."""
    digest = tables.load(row.table).data
    return None if digest is None else identity["data"].get("sha256") == digest


def accuracies(row: Row, result: Mapping[str, Any]) -> dict[str, Verdict]:
    """The verdict on each accuracy that a row claims, from a run's metrics."""
    identity = result["identity"]
    partial, whole = "limit" in identity["data"], on_claimed_data(row, identity)
    judged = {}
    for metric in ACCURACIES:
        measured = accuracy.Accuracy(result[metric]["correct"], result[metric]["total"])
        judged[metric] = accuracy.verdict(row.cells.get(metric), measured, partial, whole)
    return judged


def precisions(
    row: Row,
    identity: Mapping[str, Any],
    percent: Mapping[str, Decimal | None],
    intervals: Mapping[str, tuple[float, float] | None],
    partial: bool,
) -> dict[str, Verdict]:
    """The verdict on each AP that a row claims; `percent` and `intervals` are what was measured, by metric."""
    claimed, split = tables.load(row.table).split, identity["data"]["split"]
    if on_claimed_data(row, identity):
        split = claimed
    judged = {}
    for metric in PRECISIONS:
        cell = row.cells.get(metric)
        if cell is not None and cell.published:
            judged[metric] = average_precision.verdict(
                cell,
                percent.get(metric),
                intervals.get(metric),
                split,
                claimed,
                partial=partial,
                reason=None if split.startswith("test") else Reason.NO_DATA,
            )
    return judged
