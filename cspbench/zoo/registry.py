"""The registry: all models by name, combined from the builders of this package and `models.toml`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from cspbench import zoo
from cspbench.claims import models, own, tables
from cspbench.claims.model import Row
from cspbench.errors import TableError
from cspbench.network import cfg
from cspbench.network.modular.architecture import Architecture
from cspbench.zoo import names
from cspbench.zoo.model import BUILDERS, PROTOCOLS, Model
from cspbench.zoo.own import own_models, values


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
    """The model that a name means: of the catalogue, a row, a card (see `names`), or the path of a .cfg file.

    Raises `UsageError`, which proposes names, for an unknown or an ambiguous one, `DefinitionError` for an unusable
    file.
    """
    return of_file(name) if is_file(name) else names.resolve(name, MODELS)


def is_file(name: str) -> bool:
    """Whether the name of a model is the path of a cfg file."""
    return name.casefold().endswith(".cfg")


def of_file(path: str | Path) -> Model:
    """A user's cfg file as a model, named after the file; it belongs to no row."""
    reading = cfg.read(path)
    return Model(reading.network.name, lambda: reading.network, "file", str(path), warnings=reading.warnings)


def entry_of(network: Architecture) -> Model | None:
    """The catalogue's entry of a network; None for a network of a user's file, whatever its name."""
    return None if network.places else MODELS.get(network.name)


def names_of_layered() -> list[str]:
    """The names of the models that are lists of Darknet's layers."""
    return [name for name, model in MODELS.items() if model.of_layers]


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
    """The models that names, .cfg files and patterns (*, ?, [..]) mean: the catalogue's in its order, then the files.

    Raises the errors of `model`; every pattern must match a model.
    """
    patterns = list(patterns)
    catalogue = names.matching([pattern for pattern in patterns if not is_file(pattern)], MODELS)
    return [*catalogue, *(of_file(path) for path in dict.fromkeys(filter(is_file, patterns)))]
