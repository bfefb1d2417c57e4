"""What the original Darknet computed for networks with drawn weights, and the rule that draws these weights again.

A case is one of the zoo's networks. Its weights follow from its seed; only the statistics of the batch norms were
calibrated, and are stored. `README.md` beside this file describes the arrays.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FORWARD = Path(__file__).parent / "forward"
CASES = tuple(sorted(path.stem for path in FORWARD.glob("*.npz")))
HEADER = struct.pack("<3iQ", 0, 2, 5, 32_013_312)
"""Of a weight file of Darknet 0.2.5: major, minor, revision, images seen."""
INPUT_STREAM = 10**6
"""The input's place among the streams of random numbers, above every layer's index."""
GRIDS = {"yolo_115": 4, "yolo_126": 2, "yolo_137": 1}
"""The large maps are kept at every n-th row and column only."""

Array = NDArray[np.float32]
Case = Mapping[str, NDArray[Any]]


def load(name: str) -> Case:
    """The arrays of one case; see the README."""
    with np.load(FORWARD / f"{name}.npz") as arrays:
        return {key: arrays[key] for key in arrays.files}


def input_tensor(name: str) -> Array:
    """The network input, (1, 3, height, width) in [0, 1)."""
    case = load(name)
    return _stream(case, INPUT_STREAM).random((1, *case["input_shape"]), dtype=np.float32)


def weights(name: str) -> bytes:
    """The weight file that the original program read. AssertionError where its sha256 is another than at that time."""
    case = load(name)
    data = b"".join((HEADER, *(array.tobytes() for array in _arrays(case))))
    assert hashlib.sha256(data).hexdigest() == str(case["weights_sha256"]), (
        f"{name}: drawn otherwise than for the original program"
    )
    return data


def _stream(case: Case, number: int) -> np.random.Generator:
    return np.random.default_rng([int(case["seed"]), number])


def _arrays(case: Case) -> Iterator[Array]:
    """Every convolution's arrays in the order of the file: bias, (scale, mean, variance,) weights.

    Weights are normal with the deviation sqrt(2 / inputs of one sum), biases normal with 0.2, scales even in 0.6..1.4.
    A layer has a stream of its own, drawn in the order weights, bias, scale.
    """
    means, variances = case["mean"], case["var"]
    done = 0
    for index, filters, channels, side, normalized in case["conv_layers"].tolist():
        stream = _stream(case, index)
        shape = (filters, channels, side, side)
        deviation = np.float32((2.0 / (channels * side * side)) ** 0.5)
        kernel = stream.standard_normal(shape).astype(np.float32) * deviation
        yield stream.standard_normal(filters).astype(np.float32) * np.float32(0.2)
        if normalized:
            yield stream.uniform(0.6, 1.4, filters).astype(np.float32)
            yield from (means[done : done + filters], variances[done : done + filters])
            done += filters
        yield kernel
    assert done == len(means) == len(variances)
