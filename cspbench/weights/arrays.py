"""The arrays of a network: for each layer a dictionary from role to values. Their checks and digests."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import WeightsError, brief
from cspbench.io import open_file
from cspbench.network.modular.architecture import Architecture
from cspbench.weights.header import Header

Array = NDArray[np.float32]
Arrays = Sequence[Mapping[str, Array]]
"""For each layer of a network its arrays by role, in the order and shapes of `Network.weights`; mostly empty."""
STORED = np.dtype("<f4")
"""The type of a number in a weight file, on any machine."""


@dataclass(frozen=True, eq=False)
class Weights:
    """The arrays of a weight file.

    `layers` counts the leading layers that are complete: all of them, except for a file read as partial. `header` is
    None for a checkpoint that has none. `said` is what a user has to know of how they were read, by topic.
    """

    path: Path
    arrays: tuple[dict[str, Array], ...]
    layers: int
    header: Header | None = None
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        return self.layers == len(self.arrays)

    @cached_property
    def sha256(self) -> str:
        return digest(self.path)

    @cached_property
    def digest(self) -> str:
        """Identifies these weights whatever the format of their file; see `arrays_digest`."""
        return arrays_digest(self.arrays)


def first_names(names: Sequence[str], limit: int = 5) -> str:
    """The first few names in a file, for a message."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(brief(name, 80) for name in names[:limit]) + more


def digest(path: Path) -> str:
    """The sha256 of a file, in hexadecimal."""
    with open_file(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def arrays_digest(arrays: Arrays) -> str:
    """The sha256 of arrays, in hexadecimal: of their values as little-endian float32, in the order of a Darknet file.

    Each layer's mapping must be in the order of `Network.weights`, as all readers return it. Headers, names and batch
    counters are not included. So a Darknet file, the safetensors file converted from it and a checkpoint with the same
    arrays have the same digest: the sha256 of what follows the Darknet file's header (unless that file transposes its
    connected layers). A partial file has the digest of the layers it holds.
    """
    sha256 = hashlib.sha256()
    for layer in arrays:
        for array in layer.values():
            sha256.update(np.ascontiguousarray(array, STORED).data)  # copies only if the order in memory differs
    return sha256.hexdigest()


def numbers_after(network: Architecture) -> list[int]:
    """For each layer, how many numbers it and the layers before it store."""
    return list(
        accumulate(sum(weight.size for weight in network.weights(index)) for index in range(len(network.layers)))
    )


def layout(network: Architecture) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Role and shape of every stored array in file order: networks with equal layouts can read each other's files."""
    return tuple(
        (weight.role, weight.shape) for index in range(len(network.layers)) for weight in network.weights(index)
    )


def check(network: Architecture, arrays: Arrays, where: str, layers: int | None = None) -> None:
    """Raise `WeightsError` for missing or surplus arrays, wrong shapes or types, nan, inf and negative variances.

    Only the first `layers` layers are checked, all by default. Errors name the layer and the array.
    """
    assert len(arrays) == len(network.layers)
    for index in range(len(network.layers) if layers is None else layers):
        expected = {weight.role: weight.shape for weight in network.weights(index)}
        for role in (*expected, *(role for role in arrays[index] if role not in expected)):
            place = f"{where}, {network.place(index)}, {role}"
            _check_form(arrays[index].get(role), expected.get(role), place)
            _check_values(arrays[index][role], role, place)


def _check_form(array: Array | None, shape: tuple[int, ...] | None, place: str) -> None:
    actual = "none" if array is None else f"{array.dtype} of {array.shape}"
    expected = "no such array" if shape is None else f"float32 of {shape}"
    if actual != expected:
        what, remedy = "the array does not fit the layer", "Name the network that the file belongs to"
        raise WeightsError("weights.array-shape", what, where=place, expected=expected, found=actual, remedy=remedy)


def _check_values(array: Array, role: str, place: str) -> None:
    # NaN and infinity show in the extremes, without an array of booleans as large as the file.
    with np.errstate(invalid="ignore"):
        low, high = float(array.min()), float(array.max())
    if not np.isfinite(low + high) and not np.isfinite([low, high]).all():
        code, bad, what = "weights.not-finite", ~np.isfinite(array), "a number is not finite"
    elif role == "variance" and low < 0:
        code, bad, what = "weights.negative-variance", array < 0, "a variance is negative"
    else:
        return
    at = tuple(int(axis) for axis in np.argwhere(bad)[0])
    found = f"{int(bad.sum())} of {bad.size} numbers, the first at {at}: {array[at]}"
    remedy = "Download the file again if it is damaged, or name its network"
    raise WeightsError(code, what, where=place, found=found, remedy=remedy)
