"""Darknet `.weights` files, read and written strictly: every byte has its place, or the file is refused.

Darknet itself checks nothing: it ignores what is left over and leaves random numbers where a file ends early.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from pathlib import Path

import numpy as np

from cspbench.errors import WeightsError
from cspbench.io import replacing
from cspbench.network.layers import Connected
from cspbench.network.network import Network
from cspbench.weights.arrays import Array, Arrays, Weights, check, numbers_after
from cspbench.weights.filekind import Examined, Kind, examine
from cspbench.weights.header import SHORTEST, Header

STORED = np.dtype("<f4")
"""What every number of the file is, on any machine."""


def read(path: Path, network: Network, partial: bool = False) -> Weights:
    """The arrays of a `.weights` file; they are views of the mapped file, which is not copied.

    With `partial` the file may end after any layer (`*.conv.N`, which Darknet's `partial` command writes); the layers
    it holds are counted up to the next one that would store something. Raises `WeightsError`.
    """
    file = examine(path)
    header = read_header(file)
    layers = _fitting(file, header, network, partial)
    numbers = np.zeros(0, STORED)
    if file.size > header.size:  # an empty file cannot be mapped
        try:
            numbers = np.memmap(path, STORED, "r", header.size, ((file.size - header.size) // STORED.itemsize,))
        except (OSError, ValueError) as error:
            raise WeightsError(
                "weights.changed",
                "the file has changed while it was read",
                where=str(path),
                expected=f"{file.size} bytes",
                found=str(error),
                remedy="Wait until it is complete, then try again",
            ) from error
    arrays = _arrays(numbers.view(np.ndarray), network, layers, header.transposed)
    check(network, arrays, str(path), layers)
    return Weights(path, arrays, layers, header)


def read_header(file: Examined) -> Header:
    """The header of a file that passes for Darknet's."""
    if file.kind is not Kind.DARKNET:
        raise file.refused()
    if file.size >= SHORTEST:
        header = Header.unpack(file.head)
        if not header.plausible:
            raise WeightsError(
                "weights.not-darknet",
                "not a Darknet weight file",
                where=str(file.path),
                expected="a version such as 0.1.0 or 0.2.5 in front",
                found=header.version,
                remedy="Give the .weights file itself",
            )
        if file.size >= header.size:
            return header
    raise WeightsError(
        "weights.too-short",
        "the file ends within its header",
        where=str(file.path),
        expected="16 or 20 bytes of header, then the first layer",
        found=f"{file.size} bytes",
        remedy="Download it again",
    )


def write(path: Path, network: Network, arrays: Arrays, header: Header | None = None) -> None:
    """Write a `.weights` file, whole or not at all; arrays that do not fit or are not finite are refused."""
    header = header or Header()
    check(network, arrays, f"arrays for {path}")
    try:
        packed = header.pack()
    except struct.error as error:
        raise WeightsError(
            "weights.header-numbers",
            "the header's numbers do not fit",
            where=str(path),
            found=str(error),
            remedy="Correct the header",
        ) from error
    with replacing(path, named=True) as temporary, temporary.open("wb") as stream:
        stream.write(packed)
        for index, layer in enumerate(network.layers):
            for weight in network.weights(index):
                array = arrays[index][weight.role]
                if header.transposed and isinstance(layer, Connected) and weight.role == "weight":
                    array = array.T
                stream.write(np.ascontiguousarray(array, STORED).data)


def _arrays(numbers: Array, network: Network, layers: int, transposed: bool) -> tuple[dict[str, Array], ...]:
    arrays: list[dict[str, Array]] = [{} for _ in network.layers]
    at = 0
    for index, layer in enumerate(network.layers[:layers]):
        for weight in network.weights(index):
            values = numbers[at : at + weight.size]
            at += weight.size
            if transposed and isinstance(layer, Connected) and weight.role == "weight":
                values = values.reshape(weight.shape[::-1]).T
            arrays[index][weight.role] = values.reshape(weight.shape).astype(np.float32, copy=False)
    assert at == len(numbers)
    return tuple(arrays)


def _fitting(file: Examined, header: Header, network: Network, partial: bool) -> int:
    """How many layers the file holds, by its size alone; raises when it ends elsewhere than it should."""
    ends = [STORED.itemsize * numbers for numbers in numbers_after(network)]
    body = file.size - header.size
    if body == ends[-1]:
        return len(network.layers)
    boundary = body > 0 and body in ends
    held = bisect_right(ends, body)  # layers that end at or before the file's end
    if partial and boundary:
        return held
    what = _misfit(network, ends, body)
    raise WeightsError(
        "weights.too-long" if body > ends[-1] else "weights.too-short",
        what,
        where=str(file.path),
        expected=f"{header.size + ends[-1]} bytes for {network.name}",
        found=str(file.size),
        remedy=_remedy(file, header, network, held if boundary else None, ends[-1]),
    )


def _misfit(network: Network, ends: list[int], body: int) -> str:
    if body > ends[-1]:
        return f"{body - ends[-1]} bytes are left over after {network.place(len(network.layers) - 1)}"
    index = bisect_right(ends, body)
    at = ends[index - 1] if index else 0
    for weight in network.weights(index):
        size = STORED.itemsize * weight.size
        if at + size > body:
            missing = f"{at + size - body} of its {size} bytes are missing"
            return f"the file ends in {network.place(index)}, {weight.role}: {missing}"
        at += size
    raise AssertionError("a layer that ends behind the file has an array that does")


def _remedy(file: Examined, header: Header, network: Network, boundary: int | None, whole: int) -> str:
    from cspbench.weights.catalogue import fitting

    names = [match.model for match in fitting(file.size, header) if match.complete and match.model != network.name]
    advice = []
    if names:
        advice.append(f"Exactly this size have {', '.join(names)}: choose with --model")
    if boundary is not None:
        advice.append(f"It ends exactly after layer {boundary - 1}: --partial reads its {boundary} layers")
    if not advice:
        advice.append("No model of the catalogue has this size: download it again, or name its cfg with --cfg")
    other = 36 - header.size
    if file.size == other + whole:
        likely = Header(0, 2, 0) if other == 20 else Header(0, 1, 0)
        advice.append(f"it would fit with a header of {other} bytes, as version {likely.version} has")
    return "; ".join(advice)
