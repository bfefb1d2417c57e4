"""The networks of one's own tables: Darknet's .cfg files, under the names of `models.toml`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import Any

from msgspec import structs

from cspbench.claims import own, tables
from cspbench.claims.models import FILE, Entry
from cspbench.errors import CspbenchError
from cspbench.network import cfg
from cspbench.network.network import Network
from cspbench.zoo.model import Model


def own_models() -> dict[str, Model]:
    """The networks of one's own tables by name, each read from its file when it is first built; {} without such."""
    folder = own.folder()
    entries = {} if folder is None else tables.own_entries(folder)
    return {
        name: Model(name, partial(network, name, Path(str(folder), str(entry.cfg))), **values(entry))
        for name, entry in entries.items()
    }


def values(entry: Entry) -> dict[str, Any]:
    """The fields of an entry that are a model's."""
    return {name: value for name, value in structs.asdict(entry).items() if name != "cfg"}


@cache
def network(name: str, file: Path) -> Network:
    """The network of a .cfg file under a model's name; raises `DefinitionError` naming the line for an invalid one."""
    return replace(cfg.read(file).network, name=name, origin=None, places=())


def faults(models: Iterable[Model]) -> list[CspbenchError]:
    """The errors of the files that cannot be read as networks."""
    found = []
    for model in models:
        try:
            model.build()
        except CspbenchError as error:
            found.append(error.at(f"{FILE}, model {model.name}"))
    return found
