"""Weights as safetensors: the state dict of the network's module; network and Darknet header as metadata.

Earlier versions called each array `layers.{i}.{role}`, and such files are read, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from cspbench.errors import WeightsError, brief
from cspbench.io import open_file, read_part, replacing
from cspbench.network.modular.architecture import Architecture
from cspbench.weights.arrays import Array, Arrays, Weights, check, first_names
from cspbench.weights.header import Header
from cspbench.weights.state_names import counters, state_names

MOST_HEADER = 2**24
"""Bytes of names, types and shapes; those of a thousand tensors have a hundred thousand."""


@contextmanager
def opened(path: Path, framework: str = "numpy") -> Iterator[Any]:
    """An open safetensors file, whose tensors are NumPy's or torch's ("pt"); its errors become `WeightsError`."""
    try:
        with open_file(path) as stream:
            header = int.from_bytes(read_part(stream, 0, 8), "little")
        if header > MOST_HEADER:
            raise SafetensorError(f"a header of {header:,} bytes")
        with safe_open(path, framework=framework) as file:
            yield file
    except (SafetensorError, OSError) as error:
        code, what = "weights.safetensors-unreadable", "the safetensors file cannot be read"
        found, remedy = brief(str(error), 120), "Download it again"
        raise WeightsError(code, what, where=str(path), found=found, remedy=remedy) from error


@dataclass(frozen=True)
class SafeTensor:
    """A tensor of a safetensors file; its numbers are read when asked for."""

    path: Path
    name: str
    dtype: str
    shape: tuple[int, ...]

    @classmethod
    def all_of(cls, path: Path) -> dict[str, SafeTensor]:
        """The tensors of a file by name; `WeightsError` if it cannot be read."""
        with opened(path) as file:
            parts = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (no iterator)
            return {name: cls(path, name, part.get_dtype(), tuple(part.get_shape())) for name, part in parts.items()}

    def numbers(self) -> Array | None:
        """The values as float32; None for other than floating-point numbers."""
        if self.dtype == "BF16":  # which NumPy does not have
            import torch

            with opened(self.path, "pt") as file:
                values: Array = file.get_tensor(self.name).to(torch.float32).numpy()
            return values
        if self.dtype not in ("F32", "F16", "F64"):
            return None
        with opened(self.path) as file, np.errstate(over="ignore"):  # becomes infinity, which no network may have
            array: Array = file.get_tensor(self.name).astype(np.float32, copy=False)
        return array


def read(path: Path, network: Architecture) -> Weights:
    """The arrays of a file in cspbench's form; `WeightsError` unless every tensor fits and none is left over.

    Half-precision and double numbers become float32, which is said.
    """
    with opened(path) as file:
        header = _header(file.metadata() or {})
    return replace(of_state(path, network, SafeTensor.all_of(path)), header=header)


def of_state(path: Path, network: Architecture, tensors: Mapping[str, Any]) -> Weights:
    """The arrays of a state dict of the network's module, or of tensors called `layers.{i}.{role}`.

    Raises `WeightsError` unless every tensor fits and none is left over; counters of training steps are ignored.
    """
    rest = dict(tensors)
    by_role = any(re.fullmatch(r"layers\.\d+\.\w+", name) for name in rest)
    for name in counters(network):
        rest.pop(name, None)
    arrays: list[dict[str, Array]] = [{} for _ in network.layers]
    types: set[str] = set()
    for index in range(len(network.layers)):
        names = state_names(network, index)
        for weight in network.weights(index):
            name = f"layers.{index}.{weight.role}" if by_role else names[weight.role]
            if name not in rest:
                raise _unfit(path, network, f"a tensor {name}", "none")
            tensor = rest.pop(name)
            array = tensor.numbers() if tuple(tensor.shape) == weight.shape else None
            if array is None:
                found = f"{tensor.dtype} of {tuple(tensor.shape)}"
                raise _unfit(path, network, f"{name} as F32 of {weight.shape}", found)
            types.add(tensor.dtype)
            arrays[index][weight.role] = array
    if rest:
        raise _unfit(path, network, "no more tensors", first_names(list(rest)))
    check(network, arrays, str(path))
    return Weights(path, tuple(arrays), len(arrays), said=said_of(types))


def said_of(types: set[str]) -> dict[str, str]:
    """What has to be said of numbers that are not stored as float32."""
    others = types - {"F32", "torch.float32"}
    return {"stored as": f"{', '.join(sorted(types))}, read as float32"} if others else {}


def write(
    path: Path, network: Architecture, arrays: Arrays, header: Header | None = None, *, named: bool = True
) -> None:
    """Write a safetensors file, whole or not at all; a link is followed where the user `named` it."""
    check(network, arrays, f"arrays for {path}")
    tensors: dict[str, NDArray[Any]] = dict(state(network, arrays))
    tensors |= {name: np.zeros((), np.int64) for name in counters(network)}
    metadata = {"network": network.name}
    if header is not None:
        metadata |= {"darknet_version": header.version, "images_seen": str(header.seen)}
    save(path, tensors, metadata, named=named)


def save(path: Path, tensors: Mapping[str, NDArray[Any]], metadata: dict[str, str], *, named: bool = True) -> None:
    """Write tensors by name as a safetensors file, whole or not at all; `named` as for `write`."""
    with replacing(path, named=named) as temporary:
        try:
            save_file(dict(tensors), temporary, metadata)
        except SafetensorError as error:
            raise OSError(str(error)) from error


def state(network: Architecture, arrays: Arrays) -> dict[str, Array]:
    """The arrays under their names in the module's state dict, contiguous, in the order of a Darknet file."""
    return {
        state_names(network, index)[role]: np.ascontiguousarray(array)
        for index, layer in enumerate(arrays)
        for role, array in layer.items()
    }


def _header(metadata: dict[str, str]) -> Header | None:
    version = re.fullmatch(r"(\d{1,9})\.(\d{1,9})\.(\d{1,9})", metadata.get("darknet_version", ""))
    seen = re.fullmatch(r"\d{1,19}", metadata.get("images_seen", ""))
    if not version or not seen:
        return None
    header = Header(int(version[1]), int(version[2]), int(version[3]), int(seen[0]))
    return header if header.plausible else None


def _unfit(path: Path, network: Architecture, expected: str, found: str) -> WeightsError:
    what, remedy = f"the tensors are not those of {network.name}", "Name the network of the file with --model"
    return WeightsError("weights.other-tensors", what, where=str(path), expected=expected, found=found, remedy=remedy)
