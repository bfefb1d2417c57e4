"""The registry: every model by name, its layers from the families here, and what `models.toml` says of it."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from fnmatch import fnmatchcase

from cspbench import zoo
from cspbench.claims import models, tables
from cspbench.claims.model import Row
from cspbench.errors import TableError, UsageError
from cspbench.zoo.model import BUILDERS, Model


def _models() -> dict[str, Model]:
    """Every registered model, in the order of `models.toml`; raises `TableError` where one is not in both."""
    for module in pkgutil.iter_modules(zoo.__path__):
        if module.name != "registry":
            importlib.import_module(f"{zoo.__name__}.{module.name}")
    entries = tables.entries()
    if different := entries.keys() ^ BUILDERS.keys():
        raise TableError(
            "models.unregistered",
            "models without layers, or layers without a model",
            where=models.FILE,
            expected="a section for each model that a family of cspbench/zoo registers",
            found=", ".join(sorted(different)),
            remedy="Register the model, or add or remove its section",
        )
    return {
        name: Model(build=BUILDERS[name].build, recipe=BUILDERS[name].recipe, **vars(entry))
        for name, entry in entries.items()
    }


MODELS = _models()
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


def remarks(row: Row) -> str | None:
    """What a reader must know of a row: its note, and what is unknown of its model."""
    unknown = MODELS[row.model].unknown if row.model else None
    return "; ".join(text.removesuffix(".") for text in (row.note, unknown) if text) or None


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
