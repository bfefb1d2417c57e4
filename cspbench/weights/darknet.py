"""Darknet `.weights` files, read and written strictly: a file with a missing or a surplus byte is refused.

Darknet itself checks nothing: it ignores surplus bytes, and layers that a file lacks keep random numbers.
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
from cspbench.weights.arrays import STORED, Array, Arrays, Weights, check, numbers_after
from cspbench.weights.filekind import Examined, Kind, examine
from cspbench.weights.header import SHORTEST, Header


def read(path: Path, network: Network, partial: bool = False) -> Weights:
    """The arrays of a `.weights` file, as views of the memory-mapped file. Raises `WeightsError`.

    With `partial` the file may end after any layer (`*.conv.N`, which Darknet's `partial` command writes). Layers that
    store nothing count as present up to the first missing array.
    """
    file = examine(path)
    header = read_header(file)
    layers = _layer_count(file, header, network, partial)
    numbers = np.zeros(0, STORED)
    if file.size > header.size:  # an empty file cannot be mapped
        try:
            numbers = np.memmap(path, STORED, "r", header.size, ((file.size - header.size) // STORED.itemsize,))
        except (OSError, ValueError) as error:
            what, remedy = "the file changed while it was read", "Try again when it is complete"
            raise WeightsError("weights.changed", what, where=str(path), found=str(error), remedy=remedy) from error
    arrays = _arrays(numbers.view(np.ndarray), network, layers, header.transposed)
    check(network, arrays, str(path), layers)
    return Weights(path, arrays, layers, header)


def read_header(file: Examined) -> Header:
    """The header of a Darknet file; raises `WeightsError` if the file is another kind, or ends within its header."""
    if file.kind is not Kind.DARKNET:
        raise file.refused()
    where = str(file.path)
    if file.size >= SHORTEST:
        header = Header.unpack(file.head)
        if not header.plausible:
            raise WeightsError(
                "weights.not-darknet",
                "not a Darknet weight file",
                where=where,
                expected="a version such as 0.1.0 or 0.2.5 at the beginning",
                found=header.version,
                remedy="Name the .weights file itself",
            )
        if file.size >= header.size:
            return header
    what, remedy = "the file ends within its header", "Download it again"
    raise WeightsError("weights.too-short", what, where=where, found=f"{file.size} bytes", remedy=remedy)


def write(path: Path, network: Network, arrays: Arrays, header: Header | None = None) -> None:
    """Write a `.weights` file, whole or not at all; raises `WeightsError` for arrays that `check` refuses."""
    header = header or Header()
    check(network, arrays, f"arrays for {path}")
    try:
        packed = header.pack()
    except struct.error as error:
        what, remedy = "the header's numbers are out of range", "Correct the header"
        raise WeightsError("weights.header-numbers", what, where=str(path), found=str(error), remedy=remedy) from error
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


def _layer_count(file: Examined, header: Header, network: Network, partial: bool) -> int:
    """How many layers the file holds, by its size alone; raises `WeightsError` if that is not the expected one."""
    ends = [STORED.itemsize * numbers for numbers in numbers_after(network)]
    body = file.size - header.size
    if body == ends[-1]:
        return len(network.layers)
    boundary = body > 0 and body in ends
    layers = bisect_right(ends, body)  # those that end at or before the file's end
    if partial and boundary:
        return layers
    raise WeightsError(
        "weights.too-long" if body > ends[-1] else "weights.too-short",
        _misfit(network, ends, body),
        where=str(file.path),
        expected=f"{header.size + ends[-1]} bytes for {network.name}",
        found=str(file.size),
        remedy=_remedy(file, header, network, layers if boundary else None, ends[-1]),
    )


def _misfit(network: Network, ends: list[int], body: int) -> str:
    if body > ends[-1]:
        return f"{body - ends[-1]} surplus bytes after {network.place(len(network.layers) - 1)}"
    index = bisect_right(ends, body)
    at = ends[index - 1] if index else 0
    for weight in network.weights(index):
        size = STORED.itemsize * weight.size
        if at + size > body:
            missing = f"{at + size - body} of its {size} bytes are missing"
            return f"the file ends in {network.place(index)}, {weight.role}: {missing}"
        at += size
    raise AssertionError("the file ends within this layer, so within one of its arrays")


def _remedy(file: Examined, header: Header, network: Network, boundary: int | None, whole: int) -> str:
    from cspbench.weights.catalogue import fitting

    names = [match.model for match in fitting(file.size, header) if match.complete and match.model != network.name]
    advice = []
    if names:
        advice.append(f"Pass one of the models of this size with --model: {', '.join(names)}")
    if boundary is not None:
        advice.append(f"It ends exactly after layer {boundary - 1}: --partial reads its {boundary} layers")
    if not advice:
        advice.append("No known model has this size: download the file again, or pass its cfg with --cfg")
    for likely in (Header(0, 1, 0), Header(0, 2, 0)):
        if likely.size != header.size and file.size == likely.size + whole:
            advice.append(f"it would fit with a header of {likely.size} bytes, as in version {likely.version}")
    return "; ".join(advice)
