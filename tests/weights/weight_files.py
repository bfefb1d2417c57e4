"""Weight files written byte by byte, and random arrays."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import numpy as np

from cspbench.network.modular.architecture import Architecture
from cspbench.weights.arrays import Array

# the networks that the tests of the layers draw
sys.path.append(str(Path(__file__).parents[1] / "network"))
from random_networks import networks

__all__ = ["V010", "V025", "count_up", "floats", "networks", "random_arrays", "same", "save"]

V010 = struct.pack("<iiiI", 0, 1, 0, 64_000)
V025 = struct.pack("<iiiQ", 0, 2, 5, 32_013_312)


def floats(*values: float) -> bytes:
    """Little-endian float32."""
    return struct.pack(f"<{len(values)}f", *values)


def count_up(numbers: int, start: int = 1) -> bytes:
    """That many different positive numbers."""
    return floats(*range(start, start + numbers))


def save(folder: Path, data: bytes, name: str = "net.weights") -> Path:
    """A file with these bytes."""
    path = folder / name
    path.write_bytes(data)
    return path


def random_arrays(network: Architecture, seed: int = 0) -> tuple[dict[str, Array], ...]:
    """Arrays that fit, with positive variances."""
    generator = np.random.default_rng(seed)
    arrays: list[dict[str, Array]] = []
    for index in range(len(network.layers)):
        arrays.append({})
        for weight in network.weights(index):
            drawn = generator.uniform(-1, 1, weight.shape).astype(np.float32)
            if weight.role == "variance":
                drawn = np.abs(drawn) + np.float32(0.25)
            arrays[index][weight.role] = drawn
    return tuple(arrays)


def same(one: tuple[dict[str, Array], ...], other: tuple[dict[str, Array], ...]) -> bool:
    """Whether two networks' arrays are the same to the last bit."""
    return [list(arrays) for arrays in one] == [list(arrays) for arrays in other] and all(
        mine[role].tobytes() == theirs[role].tobytes() for mine, theirs in zip(one, other, strict=True) for role in mine
    )
