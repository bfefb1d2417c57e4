"""The catalogue: every model by name, and the model behind each published row."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase

from cspbench.errors import UsageError
from cspbench.zoo import published, quoted, sample, unpublished
from cspbench.zoo.model import Confidence, Definition, Model
from cspbench.zoo.rows import ROWS, RowModel, row_model

__all__ = [
    "MODELS",
    "ROWS",
    "Confidence",
    "Definition",
    "Model",
    "RowModel",
    "matching",
    "model",
    "provenance",
    "remarks",
    "row_model",
]

MODELS: dict[str, Model] = {
    entry.name: entry
    for entry in (
        *published.CLASSIFIERS,
        *unpublished.CLASSIFIERS,
        *published.DETECTORS,
        *unpublished.DETECTORS,
        *quoted.DETECTORS,
        *published.CARDS,
        *sample.CLASSIFIERS,
        *sample.DETECTORS,
    )
}
"""Every model by name: classifiers, detectors, the cards' models, the sample's; those with a published file first."""


def model(name: str) -> Model:
    """The model of that name; raises `UsageError` with the nearest names for another."""
    if name not in MODELS:
        near = difflib.get_close_matches(name.lower(), MODELS, n=3, cutoff=0.4)
        raise UsageError(
            "usage.unknown-model",
            f"unknown model {name!r}",
            remedy=f"Did you mean {', '.join(near)}?" if near else "`cspbench list --models` names every model",
        )
    return MODELS[name]


def provenance(name: str) -> str:
    """Where the definition of that name comes from, and how sure it is where it is not certain: "paper, high".

    "file" for a name that is not in the catalogue.
    """
    if name not in MODELS:
        return "file"
    entry = MODELS[name]
    return entry.definition if entry.confidence == "certain" else f"{entry.definition}, {entry.confidence}"


def remarks(entry: RowModel) -> str | None:
    """What a reader must know of a row: its note, and what is unknown of its model."""
    unknown = MODELS[entry.model].unknown if entry.model else None
    return "; ".join(text.removesuffix(".") for text in (entry.note, unknown) if text) or None


def matching(patterns: Iterable[str]) -> list[Model]:
    """The models whose names match any pattern (*, ?, [..]), in catalogue order; every pattern must match."""
    wanted: set[str] = set()
    for pattern in patterns:
        found = [name for name in MODELS if fnmatchcase(name, pattern)]
        if not found and any(sign in pattern for sign in "*?["):
            raise UsageError(
                "usage.unknown-model",
                f"no model matches {pattern!r}",
                remedy="`cspbench list --models` names every model",
            )
        wanted.update(found or [model(pattern).name])
    return [MODELS[name] for name in MODELS if name in wanted]
