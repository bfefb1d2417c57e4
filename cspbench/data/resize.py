"""Darknet's resize, crop and letterbox in its own float arithmetic (spec: Darknet image.c, sections a.4, a.5 and b.1).

An image is uint8 (H, W, C), whose values become v / 255. Results are float32 (C, H, W).
Darknet resizes the whole image and then crops; this module computes only the pixels of the crop, from the same taps,
so that the result is equal bit for bit.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Planes = NDArray[np.float32]

LETTERBOX_FILL = 0.5


class Taps(NamedTuple):
    """The two source indices of each output index along one axis, with their weights; four arrays of equal length."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    low_weight: NDArray[np.float32]
    high_weight: NDArray[np.float32]


def resize_image(image: Image, width: int, height: int, out: Planes | None = None) -> Planes:
    """The image stretched to (C, height, width): aligned corners, two taps, no antialiasing."""
    return resized_window(image, width, height, (0, 0), width, height, out)


def letterbox(image: Image, width: int, height: int, out: Planes | None = None) -> Planes:
    """The image resized to fit into (C, height, width), centred on grey 0.5."""
    inner_width, inner_height = letterbox_extent((height, width), extent(image))
    canvas = np.empty((image.shape[2], height, width), np.float32) if out is None else out
    canvas.fill(LETTERBOX_FILL)
    if inner_width and inner_height:
        left, top = (width - inner_width) // 2, (height - inner_height) // 2
        inside = canvas[:, top : top + inner_height, left : left + inner_width]
        resize_image(image, inner_width, inner_height, inside)
    return canvas


def letterbox_extent(size: tuple[int, int], extent: tuple[int, int]) -> tuple[int, int]:
    """Width and height of an image of `extent` (width, height) in a letterbox of `size` (height, width) (spec b.1)."""
    (height, width), (image_width, image_height) = size, extent
    if np.float32(width) / np.float32(image_width) < np.float32(height) / np.float32(image_height):
        return width, image_height * width // image_width
    return image_width * height // image_height, height


def extent(image: Image) -> tuple[int, int]:
    """Width and height."""
    return image.shape[1], image.shape[0]


def shorter_side_to(side: int, width: int, height: int) -> tuple[int, int]:
    """Width and height with the shorter side resized to `side`; the longer side is rounded down."""
    if width < height:
        return side, height * side // width
    return width * side // height, side


def center_offset(width: int, height: int, window_width: int, window_height: int) -> tuple[int, int]:
    """Left and top of a centred window, divided as in C: halves are rounded toward zero, for negative offsets too."""
    return int((width - window_width) / 2), int((height - window_height) / 2)


def resized_window(
    image: Image,
    width: int,
    height: int,
    corner: tuple[int, int],
    window_width: int,
    window_height: int,
    out: Planes | None = None,
) -> Planes:
    """The window at `corner` (left, top) of the image resized to width x height; only its pixels are computed.

    Beyond the resized image its edge is repeated. The result is written to `out`, (C, window_height, window_width), if
    given.
    """
    source_width, source_height = extent(image)
    # Darknet copies an image that already has the size, so its last row keeps its values.
    same_size = (width, height) == (source_width, source_height)
    columns = _taps(source_width, width, corner[0], window_width, exact=True)
    rows = _taps(source_height, height, corner[1], window_height, exact=same_size)
    image, rows = _needed(image, rows, 0)
    image, columns = _needed(image, columns, 1)
    channels = image.shape[2]
    if out is None:
        out = np.empty((channels, window_height, window_width), np.float32)
    # One channel at a time, so that its arrays stay in the processor's cache.
    for channel in range(channels):
        levels = image[:, :, channel]
        plane = np.divide(levels, np.float32(255), out=_scratch.array("plane", *levels.shape))  # correctly rounded
        part = _blend(plane, columns, 1, _scratch.array("part", len(plane), window_width))
        _blend(part, rows, 0, out[channel])
    return out


def resize_planes(planes: Planes, width: int, height: int) -> Planes:
    """float32 (C, H, W) stretched to (C, height, width) in the same way; returns `planes` if they have that size."""
    source_height, source_width = planes.shape[1:]
    if (source_width, source_height) == (width, height):
        return planes
    out = np.empty((len(planes), height, width), np.float32)
    columns = _taps(source_width, width, 0, width, exact=True)
    rows = _taps(source_height, height, 0, height, exact=False)
    for plane, result in zip(planes, out, strict=True):
        part = _blend(plane, columns, 1, _scratch.array("part", source_height, width))
        _blend(part, rows, 0, result)
    return out


class _Scratch(threading.local):
    """Arrays that each thread reuses for all images: new arrays of this size would be paged in every time."""

    def __init__(self) -> None:
        self.stores: dict[str, NDArray[np.float32]] = {}

    def array(self, name: str, height: int, width: int) -> NDArray[np.float32]:
        """A float32 (height, width) array of undefined content, valid until the next call with the same name."""
        size = height * width
        if size > _SCRATCH_LIMIT:
            return np.empty((height, width), np.float32)
        if name not in self.stores or self.stores[name].size < size:
            self.stores[name] = np.empty(size, np.float32)
        return self.stores[name][:size].reshape(height, width)


_SCRATCH_LIMIT = 1 << 22
"""Elements. A thread keeps at most three such arrays; larger arrays are allocated for each image."""
_scratch = _Scratch()


def _taps(source: int, target: int, first: int, count: int, *, exact: bool) -> Taps:
    """Taps of the outputs first .. first + count - 1 of an axis resized from `source` to `target` pixels.

    The last column is exactly the last source column. The last row only loses its second tap: if its position rounds
    to below the last source row, it is nearly black, as in Darknet. For a single row Darknet divides by zero; here it
    is the first source row.
    """
    index = np.arange(first, first + count).clip(0, target - 1)
    scale = np.float32(source - 1) / np.float32(target - 1) if target > 1 else np.float32(0)
    position = index.astype(np.float32) * scale
    low = position.astype(np.intp)
    high_weight = position - low.astype(np.float32)
    low_weight = np.float32(1) - high_weight
    last = index == target - 1 if source > 1 else np.ones(count, np.bool_)
    high_weight[last] = 0
    if exact:
        low[last], low_weight[last] = source - 1, 1
    return Taps(low, np.minimum(low + 1, source - 1), low_weight, high_weight)


def _needed(image: Image, taps: Taps, axis: int) -> tuple[Image, Taps]:
    """The part of the image that the taps along an axis read, and the taps relative to it."""
    count = len(taps.low)
    first, end = int(taps.low.min()), int(taps.high.max()) + 1
    if end - first > 2 * count:
        # The taps skip most of the image: copy only their rows or columns.
        image = image.take(np.concatenate((taps.low, taps.high)), axis)
        low = np.arange(count)
        return image, taps._replace(low=low, high=low + count)
    window = (slice(None),) * axis + (slice(first, end),)
    return image[window], taps._replace(low=taps.low - first, high=taps.high - first)


def _blend(plane: NDArray[np.float32], taps: Taps, axis: int, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """low_weight * plane[low] + high_weight * plane[high] along an axis, each step rounded to float32."""
    shape = (-1, 1) if axis == 0 else (1, -1)
    np.take(plane, taps.low, axis=axis, out=out, mode="clip")
    out *= taps.low_weight.reshape(shape)
    second = np.take(plane, taps.high, axis=axis, out=_scratch.array("second", *out.shape), mode="clip")
    second *= taps.high_weight.reshape(shape)
    out += second
    return out
