"""The published rows that an evaluation stands against, and the verdict on each number they claim.

Works on what a run wrote about itself; torch is not needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from cspbench.claims import tables
from cspbench.claims.model import Row, Table
from cspbench.claims.models import PublishedFile
from cspbench.claims.verdict import Reason, Verdict
from cspbench.classification import accuracy
from cspbench.detection.ap import average_precision
from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import shipped
from cspbench.zoo.registry import MODELS

ACCURACIES = ("top1", "top5")
PRECISIONS = average_precision.METRICS[:6]
"""AP, AP50, AP75, APS, APM, APL: what the tables print."""


def of_dataset(dataset: str) -> tuple[str, ...]:
    """The published tables of accuracies ("imagenet") or of AP ("coco")."""
    return tuple(table.name for table in tables.load_all() if table.dataset == dataset)


def of_sample(dataset: str) -> tuple[str, ...]:
    """The sample's tables of accuracies ("imagenet") or of AP ("coco"), named after whose layout the images have."""
    return tuple(table.name for table in tables.load_all(kind="sample") if table.dataset == dataset)


def _rows(dataset: str, model: str) -> list[tuple[Table, Row]]:
    """The rows of a model with their tables, the published ones first."""
    every = [table for kind in ("published", "sample") for table in tables.load_all(kind=kind)]
    return [(table, row) for table in every if table.dataset == dataset for row in table.rows if row.model == model]


@cache
def _input(model: str) -> tuple[int, int]:
    return MODELS[model].build().input[1:]


def digests(row: Row) -> tuple[str, ...]:
    """What the sha256 of a row's published weight file begins with: any of these; empty where nobody has said it."""
    if row.model is None:
        return ()
    known = [file.sha256 for file in _alike(row) if file.sha256]
    return tuple(dict.fromkeys([*known, *_of_shipped(row.model)]))


def _alike(row: Row) -> list[PublishedFile]:
    """The weight file of a row, and those that have the same arrays under another name."""
    if row.model is None or row.weights is None:
        return []
    first = row.weights.same_as or row.weights.file
    others = [file for file in MODELS[row.model].weights if first in (file.file, file.same_as)]
    return [row.weights, *(file for file in others if file != row.weights)]


@cache
def _of_shipped(model: str) -> tuple[str, ...]:
    path = shipped(model)
    return () if path is None else (digest(path),)


def of_classifier(identity: Mapping[str, Any]) -> list[Row]:
    """The rows that a classifier's run stands against: its model's, with their own weights, size and preprocessing.

    An accuracy belongs to the presets of its table. A user's own file has none.
    """
    model, preset = identity["model"], identity["preset"]["name"]
    if identity["file"] or model not in MODELS or tuple(identity["size"]) != _input(model):
        return []
    rows = _rows("imagenet", model)
    return [row for table, row in rows if preset in table.presets and row.weights_status == "released"]


def of_model(model: str) -> list[Row]:
    """All rows that claim an accuracy of a classifier, under whatever preset; those with released weights if any."""
    rows = [row for _, row in _rows("imagenet", model)]
    return [row for row in rows if row.weights_status == "released"] or rows


def otherwise(row: Row, identity: Mapping[str, Any]) -> list[str]:
    """In what a classifier's run is another than the one that a row is of: preset, size, weights nobody released."""
    presets = tables.load(row.table).presets
    preset, size, own = identity["preset"]["name"], tuple(identity["size"]), _input(identity["model"])
    found = [] if preset in presets else [f"preset {preset}, not {presets[0]}"]
    if size != own:
        found.append(f"size {'x'.join(map(str, size))}, not {'x'.join(map(str, own))}")
    if row.weights_status != "released":
        found.append("weights that the row's authors never released")
    return found


def of_detector(identity: Mapping[str, Any], nms: float) -> list[Row]:
    """The rows that a detector's own weights are claimed to reach at its size and NMS threshold.

    The rows of the NMS tables hold at their threshold alone; "aware" is no threshold of Darknet's. A user's own file
    has none.
    """
    if identity["file"]:
        return []
    rows = []
    for table, row in _rows("coco", identity["model"]):
        threshold = row.settings[table.sweep] if table.sweep else None
        at = threshold is None or (threshold != "aware" and Decimal(threshold) == Decimal(str(nms)))
        if row.weights is not None and row.size == tuple(identity["size"]) and at:
            rows.append(row)
    return rows


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
