"""The published rows that an evaluation stands against, from its record."""

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


def of_dataset(dataset: str, kind: str = "published") -> tuple[str, ...]:
    """The tables of accuracies ("imagenet") or of AP ("coco"): published ones, or those of the sample."""
    return tuple(table.name for table in tables.load_all(kind=kind) if table.dataset == dataset)


def _rows(dataset: str, model: str) -> list[tuple[Table, Row]]:
    """The rows of a model with their tables, the published ones first."""
    every = [table for kind in ("published", "sample") for table in tables.load_all(kind=kind)]
    return [(table, row) for table in every if table.dataset == dataset for row in table.rows if row.model == model]


@cache
def _input(model: str) -> tuple[int, int]:
    return MODELS[model].build().input[1:]


@dataclass(frozen=True)
class PublishedWeights:
    """What a row's published weights are known by: digests of their arrays, and what their files' sha256 begin with."""

    arrays: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def are(self, weights: str, file: str | None = None) -> bool | None:
        """Whether a run's weights are these; None where there is nothing to tell it by.

        `weights` is what its identity says ("arrays:..." or, in a run of schema 1, "file:..."), `file` the sha256 of
        the file that they came in. Equal arrays are equal weights, and so are those out of an equal file.
        """
        kind, _, own = weights.partition(":")
        files = [each for each in (own if kind == "file" else None, file) if each]
        arrays = self.arrays if kind == "arrays" else ()
        if own in arrays or any(each.startswith(known) for each in files for known in self.files):
            return True
        return False if arrays or (files and self.files) else None


def published_weights(row: Row) -> PublishedWeights:
    """How to tell a row's published weights; nothing where that is not known."""
    if row.model is None:
        return PublishedWeights()
    alike = _alike(row)
    files = [file.sha256 for file in alike if file.sha256]
    arrays = [file.arrays for file in alike if file.arrays]
    return PublishedWeights(tuple(dict.fromkeys(arrays)), tuple(dict.fromkeys([*files, *_of_shipped(row.model)])))


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


def of_classifier(identity: ImagenetIdentity) -> list[Row]:
    """The rows that a classifier's run stands against: its model's, with their own weights, size and preprocessing.

    An accuracy belongs to the presets of its table. A user's own file has none.
    """
    model, preset = identity.model, str(identity.preset["name"])
    if identity.user_file or model not in MODELS or identity.size != _input(model):
        return []
    rows = _rows("imagenet", model)
    return [row for table, row in rows if preset in table.presets and row.weights_status == "released"]


def of_model(identity: ImagenetIdentity) -> list[Row]:
    """All rows that claim an accuracy of a run's model, under whatever preset; a user's own file has none."""
    return [] if identity.user_file or identity.model not in MODELS else claims_of(identity.model)


def claims_of(model: str) -> list[Row]:
    """All rows that claim an accuracy of a catalogue's classifier; those with released weights if any."""
    rows = [row for _, row in _rows("imagenet", model)]
    return [row for row in rows if row.weights_status == "released"] or rows


def otherwise(row: Row, identity: ImagenetIdentity) -> list[Deviation]:
    """In what a classifier's run is another than the one that a row is of: preset, size, weights nobody released."""
    wanted = tables.load(row.table).presets[0]
    preset, own = str(identity.preset["name"]), _input(identity.model)
    deviations = [] if preset == wanted else [Deviation(f"preset {preset}, not {wanted}")]
    if identity.size != own:
        deviations.append(Deviation(f"size {'x'.join(map(str, identity.size))}, not {'x'.join(map(str, own))}"))
    if row.weights_status != "released":
        deviations.append(Deviation("weights that the row's authors never released"))
    return deviations


def of_detector(identity: CocoIdentity, nms: float) -> list[Row]:
    """The rows that a detector's own weights are claimed to reach at its size and NMS threshold.

    The rows of a sweep hold at their threshold alone; "aware" is not a threshold of Darknet's. A user's own file has
    none.
    """
    rows = []
    for table, row in [] if identity.user_file else _rows("coco", identity.model):
        threshold = row.settings[table.sweep] if table.sweep else None
        at = threshold is None or (threshold != "aware" and Decimal(threshold) == Decimal(str(nms)))
        if row.weights is not None and row.size == identity.size and at:
            rows.append(row)
    return rows
