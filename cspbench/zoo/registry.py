"""The registry: all models by name, combined from the builders of this package and `models.toml`."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from cspbench import zoo
from cspbench.claims import models, own, tables
from cspbench.claims.model import Row
from cspbench.errors import TableError, UsageError
from cspbench.network.network import Network
from cspbench.zoo.model import BUILDERS, PROTOCOLS, Model
from cspbench.zoo.own import own_models, values

LIST_MODELS = "See `cspbench list --models`"


def _models() -> dict[str, Model]:
    """All models in the order of `models.toml`; raises `TableError` if a builder or an entry is missing."""
    for module in pkgutil.iter_modules(zoo.__path__):
        if module.name != "registry":
            importlib.import_module(f"{zoo.__name__}.{module.name}")
    entries = tables.entries()
    if different := entries.keys() ^ BUILDERS.keys():
        raise TableError(
            "models.unregistered",
            "models without a builder or an entry",
            where=models.FILE,
            expected="one section for each model registered in cspbench/zoo",
            found=", ".join(sorted(different)),
            remedy="Register the model, or add or remove its section",
        )
    published = {
        name: Model(name, BUILDERS[name], detector_protocol=PROTOCOLS.get(name), **values(entry))
        for name, entry in entries.items()
    }
    return {**published, **own_models()}


MODELS = _models()
"""All models by name: the catalogue's, then those of one's own tables."""


def use_tables(folder: Path) -> None:
    """Use the tables in this folder instead of the published ones, and add its networks to the models."""
    own.use(folder)
    MODELS.update(own_models())


def model(name: str) -> Model:
    """A model by name; raises `UsageError`, which proposes similar names, if it is unknown."""
    if name not in MODELS:
        similar = difflib.get_close_matches(name.lower(), MODELS, n=3, cutoff=0.4)
        raise UsageError(
            "usage.unknown-model",
            f"unknown model {name!r}",
            remedy=f"Did you mean {', '.join(similar)}?" if similar else LIST_MODELS,
        )
    return MODELS[name]


def entry_of(network: Network) -> Model | None:
    """The catalogue's entry of a network; None for a network of a user's file, whatever its name."""
    return None if network.places else MODELS.get(network.name)


def provenance(name: str) -> str:
    """The source of a model's definition, with its confidence unless certain: "paper, high".

    "file" for a name outside the catalogue.
    """
    if name not in MODELS:
        return "file"
    entry = MODELS[name]
    return entry.definition if entry.confidence == "certain" else f"{entry.definition}, {entry.confidence}"


def remarks(row: Row) -> str | None:
    """A row's note, and what is unknown about its model."""
    unknown = MODELS[row.model].unknown if row.model else None
    return "; ".join(text.removesuffix(".") for text in (row.note, unknown) if text) or None


def matching(patterns: Iterable[str]) -> list[Model]:
    """The models that match any of the patterns (*, ?, [..]), in catalogue order; every pattern must match a model."""
    names: set[str] = set()
    for pattern in patterns:
        matches = [name for name in MODELS if fnmatchcase(name, pattern)]
        if not matches and any(sign in pattern for sign in "*?["):
            raise UsageError("usage.unknown-model", f"no model matches {pattern!r}", remedy=LIST_MODELS)
        names.update(matches or [model(pattern).name])
    return [MODELS[name] for name in MODELS if name in names]
