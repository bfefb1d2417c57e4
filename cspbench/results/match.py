"""The published rows that an evaluation is compared with, found from its record."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from cspbench.claims import tables
from cspbench.claims.model import Row, Table
from cspbench.claims.verdict import Deviation
from cspbench.results.schema import CocoIdentity, ImagenetIdentity
from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import shipped
from cspbench.zoo.registry import MODELS


def _rows(dataset: str, model: str) -> list[tuple[Table, Row]]:
    """The rows of a model with their tables."""
    of_dataset = [table for table in tables.load_all(kind=None) if table.dataset == dataset]
    return [(table, row) for table in of_dataset for row in table.rows if row.model == model]


@cache
def _input(model: str) -> tuple[int, int]:
    return MODELS[model].architecture().input[1:]


@dataclass(frozen=True)
class PublishedWeights:
    """What identifies a row's published weights: digests of their arrays, and prefixes of their files' sha256."""

    arrays: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def are(self, weights: str, file: str | None = None) -> bool | None:
        """Whether a run's weights are these; None where no digest decides it.

        `weights` is the identity's ("arrays:..." or, in a run of schema 1, "file:..."), `file` the sha256 of the weight
        file. Equal arrays or equal files mean equal weights.
        """
        kind, _, value = weights.partition(":")
        files = [sha256 for sha256 in (value if kind == "file" else None, file) if sha256]
        arrays = self.arrays if kind == "arrays" else ()
        if value in arrays or any(sha256.startswith(self.files) for sha256 in files):
            return True
        return False if arrays or (files and self.files) else None


def published_weights(row: Row) -> PublishedWeights:
    """The digests of a row's published weights, as far as they are known; also of files with the same arrays."""
    if row.model is None:
        return PublishedWeights()
    files = []
    if row.weights is not None:
        first = row.weights.same_as or row.weights.file
        files = [row.weights, *(file for file in MODELS[row.model].weights if first in (file.file, file.same_as))]
    hashes = [*(file.sha256 for file in files), shipped_digest(row.model)]
    return PublishedWeights(
        tuple(dict.fromkeys(file.arrays for file in files if file.arrays)), tuple(dict.fromkeys(filter(None, hashes)))
    )


@cache
def shipped_digest(model: str) -> str | None:
    """The sha256 of the weight file that this package contains for a model of the sample."""
    path = shipped(model)
    return None if path is None else digest(path)


def of_classifier(identity: ImagenetIdentity) -> list[tuple[Table, Row]]:
    """The rows that a classifier's run measures: its model's, with published weights, at their size and preset.

    An accuracy belongs to the presets of its table. Where there is none, all rows that claim an accuracy of the model.
    A user's cfg file has no rows.
    """
    model, preset = identity.model, str(identity.preset["name"])
    if identity.user_file or model not in MODELS:
        return []
    rows = claims_of(model)
    measured = [(table, row) for table, row in rows if preset in table.presets and row.weights_status == "released"]
    return measured if measured and identity.size == _input(model) else rows


def claims_of(model: str) -> list[tuple[Table, Row]]:
    """All rows that claim an accuracy of a catalogue's classifier; only those with released weights, if any have."""
    rows = _rows("imagenet", model)
    return [(table, row) for table, row in rows if row.weights_status == "released"] or rows


def classifier_deviations(table: Table, row: Row, identity: ImagenetIdentity) -> list[Deviation]:
    """A classifier's deviations from a row's preset, from the model's input size, and from released weights."""
    claimed = table.presets[0]
    preset, size = str(identity.preset["name"]), _input(identity.model)
    deviations = [] if preset == claimed else [Deviation(f"preset {preset}, not {claimed}")]
    if identity.size != size:
        deviations.append(Deviation(f"size {'x'.join(map(str, identity.size))}, not {'x'.join(map(str, size))}"))
    if row.weights_status != "released":
        deviations.append(Deviation("weights that the row's authors never released"))
    return deviations


def of_detector(identity: CocoIdentity, nms: float) -> list[tuple[Table, Row]]:
    """The rows that claim an AP of a detector's published weights at its size and NMS threshold.

    The rows of a sweep hold only at their own threshold; "aware" is not one of Darknet's. A user's cfg file has
    no rows.
    """
    rows = []
    for table, row in [] if identity.user_file else _rows("coco", identity.model):
        threshold = row.settings[table.sweep] if table.sweep else None
        same_nms = threshold is None or (threshold != "aware" and Decimal(threshold) == Decimal(str(nms)))
        if row.weights is not None and row.size == identity.size and same_nms:
            rows.append((table, row))
    return rows
