"""The arrays of a network, a dictionary from role to values for each layer, and what is checked about them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import WeightsError, brief
from cspbench.io import open_file
from cspbench.network.network import Network
from cspbench.weights.header import Header

Array = NDArray[np.float32]
Arrays = Sequence[Mapping[str, Array]]
"""For each layer of a network its arrays by role, in the shapes of `Network.weights`; empty for most layers."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The arrays of a weight file.

    `layers` counts the leading layers that are complete: all of them, except for a file read as partial. `header` is
    None for a checkpoint that has none.
    """

    path: Path
    arrays: tuple[dict[str, Array], ...]
    layers: int
    header: Header | None = None

    @property
    def complete(self) -> bool:
        """Whether every layer has its arrays."""
        return self.layers == len(self.arrays)

    @cached_property
    def sha256(self) -> str:
        """Digest of the file's bytes; read when asked for."""
        return digest(self.path)


def some(names: Sequence[str], most: int = 5) -> str:
    """The first few names out of a file, for a message."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(brief(name, 80) for name in names[:most]) + more


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def numbers_after(network: Network) -> list[int]:
    """How many numbers the layers up to and including each one store."""
    return list(
        accumulate(sum(weight.size for weight in network.weights(index)) for index in range(len(network.layers)))
    )


def layout(network: Network) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Role and shape of every stored array in file order: networks alike in this can read each other's files."""
    return tuple(
        (weight.role, weight.shape) for index in range(len(network.layers)) for weight in network.weights(index)
    )


def check(network: Network, arrays: Arrays, where: str, layers: int | None = None) -> None:
    """Refuse arrays that are missing, surplus, of the wrong shape or type, not finite, or negative variances.

    Only the first `layers` layers are checked, all by default. Errors name the layer and the array.
    """
    if len(arrays) != len(network.layers):
        raise WeightsError(
            "weights.layer-count",
            f"the arrays are not those of {network.name}",
            where=where,
            expected=f"{len(network.layers)} layers",
            found=str(len(arrays)),
            remedy="Name the network that they belong to",
        )
    for index in range(len(network.layers) if layers is None else layers):
        expected = {weight.role: weight.shape for weight in network.weights(index)}
        for role in (*expected, *(role for role in arrays[index] if role not in expected)):
            place = f"{where}, {network.place(index)}, {role}"
            _check_form(arrays[index].get(role), expected.get(role), place)
            _check_values(arrays[index][role], role, place)


def _check_form(array: Array | None, shape: tuple[int, ...] | None, place: str) -> None:
    form = None if array is None else f"{array.dtype} of {array.shape}"
    wanted = None if shape is None else f"float32 of {shape}"
    if form != wanted:
        raise WeightsError(
            "weights.array-shape",
            "the array does not fit the layer",
            where=place,
            expected=wanted or "no such array",
            found=form or "none",
            remedy="Name the network that the file belongs to",
        )


def _check_values(array: Array, role: str, place: str) -> None:
    # The extremes carry NaN and infinity along, and need no array of booleans as large as the file.
    with np.errstate(invalid="ignore"):
        low, high = float(array.min()), float(array.max())
    if not np.isfinite(low + high) and not np.isfinite([low, high]).all():
        code, bad, what, expected = (
            "weights.not-finite",
            ~np.isfinite(array),
            "not a finite number",
            "finite numbers only",
        )
    elif role == "variance" and low < 0:
        code, bad, what, expected = (
            "weights.negative-variance",
            array < 0,
            "a negative variance",
            "variances of at least 0",
        )
    else:
        return
    at = tuple(int(axis) for axis in np.argwhere(bad)[0])
    raise WeightsError(
        code,
        what,
        where=place,
        expected=expected,
        found=f"{int(bad.sum())} of {bad.size} wrong, the first at {at}: {array[at]}",
        remedy="The file is damaged, or belongs to another network: download it again, or name its network",
    )
