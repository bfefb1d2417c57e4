"""The record that a training begins with, and what differs between two."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import msgspec
from msgspec import Struct

from cspbench.data.augment.images import ClassifierImages
from cspbench.network.network import digest as network_digest
from cspbench.network.recipe import NetRecipe
from cspbench.network.recipe import digest as recipe_digest
from cspbench.results.schema import Session
from cspbench.retrained.record import MiniBatch, Start, Training, TrainingData
from cspbench.training.recipes.chosen import Chosen, Images, shown

NOT_COMPARED = ("sessions", "schema", "row", "recipe_iterations", "changed", "mini_batch")
"""Fields that do not change the weights, or that others say too."""


def record(
    chosen: Chosen,
    images: Images,
    start: Start,
    *,
    exact: bool,
    seed: int,
    precision: str,
    session: Session,
    compiled: bool = False,
    recipe: NetRecipe | None = None,
) -> Training:
    """The record of a new training; `recipe` is the one before it was fitted to the device."""
    row, present = chosen.row, chosen.recipe.net.mini_batch
    other = recipe is not None and recipe.mini_batch != present
    return Training(
        model=chosen.network.name,
        row=f"{row.table}:{row.id}" if row else None,
        network=network_digest(chosen.network),
        recipe=recipe_digest(chosen.network, chosen.recipe),
        settings=[line["setting"] for line in shown(chosen)],
        era=chosen.era.value,
        gradients="exact" if exact else "darknet",
        seed=seed,
        data=TrainingData(len(images.images), len(images.names), data_digest(images)),
        start=start,
        precision=precision,
        compiled=compiled,
        mini_batch=MiniBatch(present, recipe.mini_batch) if recipe and other else None,
        sessions=[session],
        recipe_iterations=chosen.iterations,
        changed=[*chosen.changed],
    )


def data_digest(images: Images) -> str:
    """The sha256 of the images' file names, and of their classes or objects."""
    sha256 = hashlib.sha256()
    for name in images.names:
        sha256.update(f"{name}\0".encode("utf-8", "backslashreplace"))
    for index in range(len(images.images)):
        name = images.images.path(index).replace("\\", "/").rpartition("/")[2]
        sha256.update(f"{name}\0".encode("utf-8", "backslashreplace"))
        if isinstance(images, ClassifierImages):
            sha256.update(repr(images.of(index)).encode())
    if not isinstance(images, ClassifierImages):
        sha256.update(images.starts.astype("<i8").tobytes())
        sha256.update(images.boxes.astype("<f4").tobytes())
    return f"images:{sha256.hexdigest()}"


def differences(stored: Training, wanted: Training) -> list[str]:
    """What differs between a record and the training that is asked for, in words; those of `NOT_COMPARED` aside."""
    return list(_differences(stored, wanted))


def _differences(stored: Training, wanted: Training) -> Iterator[str]:
    for item in msgspec.structs.fields(Training):
        one, other = getattr(stored, item.name), getattr(wanted, item.name)
        if item.name in NOT_COMPARED or one == other:
            continue
        if item.name == "settings":
            gone, new = [text for text in one if text not in other], [text for text in other if text not in one]
            yield f"{', '.join(new) or 'nothing'} in place of {', '.join(gone) or 'nothing'}"
        elif item.name == "recipe":
            if stored.settings == wanted.settings:
                yield "other settings of layers"
        elif isinstance(one, Struct):
            before, now = msgspec.structs.asdict(one), msgspec.structs.asdict(other)
            changed = [key for key in before if before[key] != now[key]]
            yield from (f"{item.name}.{key} {_text(now[key])} in place of {_text(before[key])}" for key in changed)
        else:
            yield f"{item.name} {_text(other)} in place of {_text(one)}"


def _text(value: Any) -> str:
    text = str(value)
    return f"{text[:20]}..." if len(text) > 40 else text
