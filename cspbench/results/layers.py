"""The layers of counted networks as texts in params.json, from which a later comparison says what changed in a network.

`Counts.layers` holds every different text once, `Counts.networks` the numbers of a model's layers in their order; the
first describes [net]. Indices of layers are relative, so that an added layer leaves the texts of later ones unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import MISSING
from typing import Any

from cspbench.network import canonical
from cspbench.network.layers import Layer
from cspbench.network.modular.architecture import Architecture
from cspbench.network.modular.network import Design, ModuleNetwork
from cspbench.network.network import Network
from cspbench.results.counts import CountedRow, Counts
from cspbench.zoo.registry import MODELS

_READS = ("sources", "share")
"""Fields that are indices of layers."""


def texts(network: Architecture) -> list[str]:
    """A line for [net] and one for each layer: "convolutional filters=32 size=3", without fields that are off.

    A module has a single further line, its settings.
    """
    net = f"net channels={network.input[0]}"
    if isinstance(network, ModuleNetwork):
        return [net, _text(network.design, 0)]
    assert isinstance(network, Network)
    net += " letter_box=1" if network.letter_box else ""
    return [net, *(_text(layer, index) for index, layer in enumerate(network.layers))]


def _text(layer: Layer | Design, index: int) -> str:
    words = [str(canonical.kind(layer))]
    for field in canonical.digested(type(layer)):
        value = getattr(layer, field.name)
        if not value and not (field.default if field.default is not MISSING else True):
            continue
        if field.name in _READS:
            value = tuple(at - index for at in value) if isinstance(value, tuple) else value - index
        words.append(f"{field.name}={_plain(value)}")
    return " ".join(words)


def _plain(value: Any) -> str:
    """A value without spaces: numbers and words bare, joined by commas, anything else in canonical form."""
    if isinstance(value, tuple):
        return ",".join(map(_plain, value)) or "none"
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        return f"{value:g}" if isinstance(value, float) else str(value)
    text = str(value) if isinstance(value, str) else json.loads(canonical.text({"": value}))[""]
    return "".join((text if isinstance(text, str) else json.dumps(text, separators=(",", ":"))).split())


def of_rows(rows: Iterable[CountedRow]) -> tuple[list[str], dict[str, str]]:
    """The fields `layers` and `networks` for the models of these rows; those of users' files are left out."""
    numbers: dict[str, int] = {}
    networks = {}
    for model in dict.fromkeys(row.model for row in rows if row.model in MODELS and row.network):
        lines = texts(MODELS[str(model)].architecture())
        networks[str(model)] = " ".join(str(numbers.setdefault(line, len(numbers))) for line in lines)
    return list(numbers), networks


def of_model(counts: Counts, model: str | None) -> list[str] | None:
    """The texts of a model's layers; None if they are not recorded."""
    numbers = counts.networks.get(model or "")
    return None if numbers is None else [counts.layers[int(number)] for number in numbers.split(" ")]
