"""A checkpoint's tensors as views of the mapped file: shapes and types are known, numbers are read when asked for."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numpy as np

from cspbench.weights.arrays import Array

FLOATS = {"float32": "f4", "float64": "f8", "float16": "f2", "bfloat16": "u2"}
"""Types of numbers that are read, and NumPy's names for them; bfloat16 is the upper half of a float32."""
ITEM_SIZES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int64": 8,
    "int32": 4,
    "int16": 2,
    "int8": 1,
    "uint8": 1,
    "bool": 1,
    "complex64": 8,
    "complex128": 16,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
}
"""Bytes of a number of each type that a storage may have."""
MOST_AXES = 16


@dataclass(slots=True, eq=False)
class Storage:
    """A checkpoint's block of `count` numbers; `data` is the mapped file once it is known where in it they begin."""

    dtype: str
    key: str
    count: int
    data: mmap | None = None
    start: int = 0
    order: str = "<"

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.count * ITEM_SIZES[self.dtype]


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """Numbers of a storage from `offset` on, `strides` apart along each axis, all counted in numbers."""

    storage: Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @classmethod
    def checked(cls, storage: Any, offset: Any, shape: Any, strides: Any) -> StoredTensor:
        """The tensor of a pickle's arguments; `ValueError` unless all its numbers lie within the storage."""
        if not type(shape) is type(strides) is tuple or len(shape) != len(strides) or len(shape) > MOST_AXES:
            raise ValueError("a tensor whose shape is damaged")
        if type(storage) is not Storage or not all(
            type(number) is int and 0 <= number < 2**63 for number in (offset, *shape, *strides)
        ):
            raise ValueError("a tensor whose description is damaged")
        last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
        if 0 not in shape and last >= storage.count:
            raise ValueError(f"a tensor that ends at number {last + 1:,} of {storage.count:,}")
        return cls(storage, offset, shape, strides)

    @property
    def dtype(self) -> str:
        """Torch's name of the type of its numbers."""
        return f"torch.{self.storage.dtype}"

    def numbers(self) -> Array | None:
        """The values as float32, without a copy if they are; None for other than floating-point numbers.

        The array has the whole shape: compare it first, for a tensor may repeat a single number.
        """
        storage = self.storage
        if storage.dtype not in FLOATS or storage.data is None:
            return None
        kind = np.dtype(storage.order + FLOATS[storage.dtype])
        if 0 in self.shape:
            return np.zeros(self.shape, np.float32)
        start = storage.start + self.offset * kind.itemsize
        strides = tuple(stride * kind.itemsize for stride in self.strides)
        values: np.ndarray[Any, Any] = np.ndarray(self.shape, kind, storage.data, start, strides)
        if storage.dtype == "bfloat16":
            return (values.astype(np.uint32) << 16).view(np.float32)
        with np.errstate(over="ignore"):  # becomes infinity, which no network may have
            return values.astype(np.float32, copy=False)
