"""Darknet `.weights` files, read and written strictly: a file with a missing or a surplus byte is refused.

Darknet itself checks nothing: it ignores surplus bytes, and layers that a file lacks keep random numbers.
"""

from __future__ import annotations

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
    if file.kind not in (Kind.DARKNET, Kind.UNKNOWN):
        raise file.refused()
    where = str(file.path)
    if file.size >= SHORTEST:
        header = Header.unpack(file.head)
        if not header.plausible:
            what = "the weight file has an unknown format: the version in its first bytes is not one of Darknet's"
            remedy = file.kind.value[1] or "Name the .weights file itself"
            raise WeightsError("weights.not-darknet", what, where=where, found=header.version, remedy=remedy)
        if file.size >= header.size:
            return header
    what, remedy = "the file ends within its header", "Download it again"
    raise WeightsError("weights.too-short", what, where=where, found=f"{file.size} bytes", remedy=remedy)


def write(path: Path, network: Network, arrays: Arrays, header: Header | None = None, *, named: bool = True) -> None:
    """Write a `.weights` file, whole or not at all; raises `WeightsError` for arrays that `check` refuses.

    `named`: by the user, so that a link is followed (`cspbench.io.replacing`).
    """
    header = header or Header()
    check(network, arrays, f"arrays for {path}")
    with replacing(path, named=named) as temporary, temporary.open("wb") as stream:
        stream.write(header.pack())
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
    from cspbench.weights.catalogue import fitting

    ends = [STORED.itemsize * numbers for numbers in numbers_after(network)]
    body = file.size - header.size
    layers = bisect_right(ends, body)  # those that end at or before the file's end
    boundary = body > 0 and body in ends
    if body == ends[-1] or (partial and boundary):
        return layers
    if body > ends[-1]:
        code, what = "weights.too-long", f"{body - ends[-1]} surplus bytes after the last layer"
    else:
        code, what = "weights.too-short", f"the file ends in {network.place(layers)}"
    models = [match.model for match in fitting(file.size, header) if match.complete and match.model != network.name]
    remedy = "No known model has this size: download the file again, or pass its cfg with --cfg"
    if boundary:
        remedy = f"It ends exactly after layer {layers - 1}: --partial reads its {layers} layers"
    elif models:
        remedy = f"Pass one of the models of this size with --model: {', '.join(models)}"
    expected = f"{header.size + ends[-1]} bytes for {network.name}"
    raise WeightsError(code, what, where=str(file.path), expected=expected, found=str(file.size), remedy=remedy)
