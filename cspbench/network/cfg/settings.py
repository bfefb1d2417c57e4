"""Changes to a recipe as key=value, of keys as in a cfg."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence
from dataclasses import Field, fields, replace
from typing import Any

from cspbench.errors import DefinitionError, UsageError
from cspbench.network.cfg.parser import Section
from cspbench.network.cfg.recipe import value
from cspbench.network.network import Network
from cspbench.network.recipe import NAMES, LayerRecipe, NetRecipe, Recipe

SIZES = ("width", "height")
"""Keys of [net] that change the network itself."""


def changed(
    network: Network, recipe: Recipe, settings: Sequence[str], origin: str = "--set"
) -> tuple[Network, Recipe, tuple[str, ...]]:
    """The network and its recipe with settings, and warnings about values that are read differently.

    `key=value` changes [net] where that has the key, else every layer that has it; `yolo.key=value` changes layers
    alone. Several keys of [net] are read together, so that steps and scales may both be given. Raises `UsageError` for
    an unknown key, `DefinitionError` for a value that cannot be read.
    """
    notes: list[str] = []
    net: dict[str, Any] = {}
    layers = list(recipe.layers)
    size = list(network.input[1:])
    for setting in settings:
        key, text = split(setting, origin)
        kind, _, name = key.rpartition(".")
        section = Section(kind or "net", origin, 1, notes, set(), {name: ("".join(text.split()), 1)})
        try:
            if key in SIZES:
                size[key == "width"] = section.integer(key)
                continue
            known = _fields(recipe.net)
            if kind in ("", "net") and name in known:
                net[known[name].name] = value(section, known[name])
                continue
            having = [
                index for index, layer in enumerate(layers) if kind in ("", layer.kind) and name in _fields(layer)
            ]
            if kind == "net" or not having:
                raise unknown(key, _keys(recipe), origin)
            for index in having:
                item = _fields(layers[index])[name]
                layers[index] = replace(layers[index], **{item.name: value(section, item)})
        except DefinitionError as error:
            error.where = f"{origin} {setting}"
            raise
    try:
        whole = replace(recipe.net, **net)
    except DefinitionError as error:
        raise error.at(origin) from None
    if tuple(size) != network.input[1:]:
        network = network.resized(*size)
    return network, Recipe(whole, tuple(layers)), tuple(notes)


def split(setting: str, origin: str) -> tuple[str, str]:
    """Key and text of a setting. Raises `UsageError`."""
    key, equals, text = setting.partition("=")
    if not (key and equals and text.strip()):
        raise UsageError(
            "usage.setting",
            "not a setting",
            where=origin,
            expected="key=value, as learning_rate=0.01 or yolo.iou_loss=ciou",
            found=repr(setting),
            remedy=f"Correct {origin}",
        )
    return key.strip(), text


def _fields(part: NetRecipe | LayerRecipe) -> dict[str, Field[Any]]:
    """The fields of a recipe by their keys in a cfg."""
    return {NAMES.get(item.name, item.name): item for item in fields(part) if item.name != "unsupported"}


def _keys(recipe: Recipe) -> set[str]:
    known = {*_fields(recipe.net), *SIZES}
    for layer in recipe.layers:
        known |= _fields(layer).keys()
    return known


def unknown(key: str, known: Collection[str], origin: str) -> UsageError:
    """The error for a key that is none of the `known` ones."""
    near = difflib.get_close_matches(key.rpartition(".")[2], sorted(known), 3)
    return UsageError(
        "usage.unknown-setting",
        "no such setting in this network's training",
        where=origin,
        found=key,
        remedy=f"Did you mean {', '.join(near)}?" if near else "docs/train.md lists the keys",
    )
