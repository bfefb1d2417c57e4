"""The published rows that an evaluation is compared with, found from its record."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import cache

from cspbench.claims import tables
from cspbench.claims.model import Row, Table
from cspbench.claims.models import PublishedFile
from cspbench.claims.verdict import Deviation
from cspbench.results.schema import CocoIdentity, ImagenetIdentity
from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import shipped
from cspbench.zoo.registry import MODELS


def _rows(dataset: str, model: str) -> list[tuple[Table, Row]]:
    """The rows of a model with their tables, the published ones first."""
    candidates = [table for kind in ("published", "sample") for table in tables.load_all(kind=kind)]
    return [
        (table, row) for table in candidates if table.dataset == dataset for row in table.rows if row.model == model
    ]


@cache
def _input(model: str) -> tuple[int, int]:
    return MODELS[model].build().input[1:]


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
    """The digests of a row's published weights, as far as they are known."""
    if row.model is None:
        return PublishedWeights()
    published = _published_files(row)
    arrays = [file.arrays for file in published if file.arrays]
    files = [sha256 for sha256 in (*(file.sha256 for file in published), shipped_digest(row.model)) if sha256]
    return PublishedWeights(tuple(dict.fromkeys(arrays)), tuple(dict.fromkeys(files)))


def _published_files(row: Row) -> list[PublishedFile]:
    """The weight file of a row, and files that have the same arrays under another name."""
    if row.model is None or row.weights is None:
        return []
    first = row.weights.same_as or row.weights.file
    equal = [file for file in MODELS[row.model].weights if first in (file.file, file.same_as)]
    return [row.weights, *(file for file in equal if file != row.weights)]


@cache
def shipped_digest(model: str) -> str | None:
    """The sha256 of the weight file that this package contains for a model of the sample."""
    path = shipped(model)
    return None if path is None else digest(path)


def of_classifier(identity: ImagenetIdentity) -> list[Row]:
    """The rows that a classifier's run measures: its model's, with published weights, at their size and preset.

    An accuracy belongs to the presets of its table. A user's cfg file has no rows.
    """
    model, preset = identity.model, str(identity.preset["name"])
    if identity.user_file or model not in MODELS or identity.size != _input(model):
        return []
    rows = _rows("imagenet", model)
    return [row for table, row in rows if preset in table.presets and row.weights_status == "released"]


def of_model(identity: ImagenetIdentity) -> list[Row]:
    """All rows that claim an accuracy of a run's model, under any preset; a user's cfg file has none."""
    return [] if identity.user_file or identity.model not in MODELS else claims_of(identity.model)


def claims_of(model: str) -> list[Row]:
    """All rows that claim an accuracy of a catalogue's classifier; only those with released weights, if any have."""
    rows = [row for _, row in _rows("imagenet", model)]
    return [row for row in rows if row.weights_status == "released"] or rows


def classifier_deviations(row: Row, identity: ImagenetIdentity) -> list[Deviation]:
    """A classifier's deviations from a row's preset, from the model's input size, and from released weights."""
    claimed = tables.load(row.table).presets[0]
    preset, size = str(identity.preset["name"]), _input(identity.model)
    deviations = [] if preset == claimed else [Deviation(f"preset {preset}, not {claimed}")]
    if identity.size != size:
        deviations.append(Deviation(f"size {'x'.join(map(str, identity.size))}, not {'x'.join(map(str, size))}"))
    if row.weights_status != "released":
        deviations.append(Deviation("weights that the row's authors never released"))
    return deviations


def of_detector(identity: CocoIdentity, nms: float) -> list[Row]:
    """The rows that claim an AP of a detector's published weights at its size and NMS threshold.

    The rows of a sweep hold only at their own threshold; "aware" is not one of Darknet's. A user's cfg file has
    no rows.
    """
    rows = []
    for table, row in [] if identity.user_file else _rows("coco", identity.model):
        threshold = row.settings[table.sweep] if table.sweep else None
        same_nms = threshold is None or (threshold != "aware" and Decimal(threshold) == Decimal(str(nms)))
        if row.weights is not None and row.size == identity.size and same_nms:
            rows.append(row)
    return rows
