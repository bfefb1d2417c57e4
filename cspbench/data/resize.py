"""Darknet's resize, crop and letterbox in its own float arithmetic (spec: Darknet image.c, sections a.4, a.5 and b.1).

An image is uint8 (H, W, C), whose values become v / 255, or float32 (C, H, W). What comes out is float32 (C, H, W).
Darknet resizes the whole image and then crops; here only the pixels of the crop are computed, from the same taps, so
that the result is the same bit for bit.
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8] | NDArray[np.float32]
Planes = NDArray[np.float32]

LETTERBOX_FILL = 0.5


class Taps(NamedTuple):
    """The two source places of each output place along one axis, with their weights; four arrays of one length."""

    low: NDArray[np.intp]
    high: NDArray[np.intp]
    low_weight: NDArray[np.float32]
    high_weight: NDArray[np.float32]


def resize_image(image: Image, width: int, height: int, out: Planes | None = None) -> Planes:
    """The image stretched to (C, height, width): aligned corners, two taps, no antialiasing."""
    return resized_window(image, width, height, (0, 0), width, height, out)


def resize_min(image: Image, side: int) -> Planes:
    """The image with its shorter side resized to `side`, the aspect ratio kept."""
    return resize_image(image, *shorter_side_to(side, *extent(image)))


def crop_image(image: Image, corner: tuple[int, int], width: int, height: int) -> Planes:
    """A window of the image at `corner` (left, top); beyond the image its edge is repeated."""
    return resized_window(image, *extent(image), corner, width, height)


def resized_center(image: Image, side: int, width: int, height: int, out: Planes | None = None) -> Planes:
    """The centre (C, height, width) of the image with its shorter side resized to `side`: Darknet's classifier."""
    size = shorter_side_to(side, *extent(image))
    return resized_window(image, *size, center_offset(*size, width, height), width, height, out)


def letterbox(image: Image, width: int, height: int, out: Planes | None = None) -> Planes:
    """The image resized to fit into (C, height, width), centred on grey 0.5."""
    source_width, source_height = extent(image)
    if np.float32(width) / np.float32(source_width) < np.float32(height) / np.float32(source_height):
        fitted_width, fitted_height = width, source_height * width // source_width
    else:
        fitted_width, fitted_height = source_width * height // source_height, height
    canvas = np.empty((_channels(image), height, width), np.float32) if out is None else out
    canvas.fill(LETTERBOX_FILL)
    if fitted_width and fitted_height:
        left, top = (width - fitted_width) // 2, (height - fitted_height) // 2
        inside = canvas[:, top : top + fitted_height, left : left + fitted_width]
        resize_image(image, fitted_width, fitted_height, inside)
    return canvas


def extent(image: Image) -> tuple[int, int]:
    """Width and height of a uint8 (H, W, C) or float32 (C, H, W) image."""
    if image.dtype == np.uint8:
        return image.shape[1], image.shape[0]
    return image.shape[2], image.shape[1]


def shorter_side_to(side: int, width: int, height: int) -> tuple[int, int]:
    """Width and height after the shorter side became `side`; the longer one is cut to a whole number."""
    if width < height:
        return side, height * side // width
    return width * side // height, side


def center_offset(width: int, height: int, window_width: int, window_height: int) -> tuple[int, int]:
    """Left and top of a centred window, as C divides: an odd rest is cut toward zero, also when it is negative."""
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
    """The window at `corner` (left, top) of the image resized to width x height; nothing outside of it is computed.

    A window that leaves the resized image repeats its edge. `out`, (C, window_height, window_width), takes the result.
    """
    source_width, source_height = extent(image)
    # An image that has its size already is copied: then the last row keeps its value.
    copied = (width, height) == (source_width, source_height)
    columns = _taps(source_width, width, corner[0], window_width, exact=True)
    rows = _taps(source_height, height, corner[1], window_height, exact=copied)
    image, columns, rows = _needed(image, columns, rows)
    channels = _channels(image)
    if out is None:
        out = np.empty((channels, window_height, window_width), np.float32)
    # One channel at a time, so that its arrays stay in the processor's cache.
    for channel in range(channels):
        plane = _plane(image, channel)
        part = _blend(plane, columns, 1, _scratch.array("part", len(plane), window_width))
        _blend(part, rows, 0, out[channel])
    return out


class _Scratch(threading.local):
    """Arrays that each thread keeps from image to image: new ones of this size would be paged in every time."""

    def __init__(self) -> None:
        self.stores: dict[str, NDArray[np.float32]] = {}

    def array(self, name: str, height: int, width: int) -> NDArray[np.float32]:
        """A float32 (height, width) array of undefined content, valid until the same name is asked for again."""
        size = height * width
        if size > _SCRATCH_LIMIT:
            return np.empty((height, width), np.float32)
        if name not in self.stores or self.stores[name].size < size:
            self.stores[name] = np.empty(size, np.float32)
        return self.stores[name][:size].reshape(height, width)


_SCRATCH_LIMIT = 1 << 22
"""Elements. A thread keeps at most three such arrays; a larger image pays for its own."""
_scratch = _Scratch()


def _taps(source: int, target: int, first: int, count: int, *, exact: bool) -> Taps:
    """Taps of the outputs first .. first + count - 1 of an axis resized from `source` to `target` places.

    The last column reads the last source column, exactly. The last row only loses its second tap: where its place
    rounds below the last source row it comes out nearly black, as Darknet's does. For a single row Darknet divides by
    zero; here it is the first.
    """
    place = np.arange(first, first + count).clip(0, target - 1)
    scale = np.float32(source - 1) / np.float32(target - 1) if target > 1 else np.float32(0)
    at = place.astype(np.float32) * scale
    low = at.astype(np.intp)
    high_weight = at - low.astype(np.float32)
    low_weight = np.float32(1) - high_weight
    last = place == target - 1 if source > 1 else np.ones(count, np.bool_)
    high_weight[last] = 0
    if exact:
        low[last], low_weight[last] = source - 1, 1
    return Taps(low, np.minimum(low + 1, source - 1), low_weight, high_weight)


def _needed(image: Image, columns: Taps, rows: Taps) -> tuple[Image, Taps, Taps]:
    """The part of the image that the taps read, with the taps moved into it."""
    interleaved = image.dtype == np.uint8
    image, rows = _needed_of(image, rows, 0 if interleaved else 1)
    image, columns = _needed_of(image, columns, 1 if interleaved else 2)
    return image, columns, rows


def _needed_of(image: Image, taps: Taps, axis: int) -> tuple[Image, Taps]:
    count = len(taps.low)
    first, end = int(taps.low.min()), int(taps.high.max()) + 1
    if end - first > 2 * count:
        # The taps skip most of the image: fetch them alone.
        image = image.take(np.concatenate((taps.low, taps.high)), axis)
        low = np.arange(count)
        return image, taps._replace(low=low, high=low + count)
    window = (slice(None),) * axis + (slice(first, end),)
    return image[window], taps._replace(low=taps.low - first, high=taps.high - first)


def _plane(image: Image, channel: int) -> NDArray[np.float32]:
    """One channel as float32 (H, W); bytes become v / 255, correctly rounded."""
    if image.dtype == np.uint8:
        plane = image[:, :, channel]
        return np.divide(plane, np.float32(255), out=_scratch.array("plane", *plane.shape))
    floats: NDArray[np.float32] = image[channel]
    return floats


def _blend(plane: NDArray[np.float32], taps: Taps, axis: int, out: NDArray[np.float32]) -> NDArray[np.float32]:
    """low_weight * plane[low] + high_weight * plane[high] along an axis, each step rounded to float32."""
    shape = (-1, 1) if axis == 0 else (1, -1)
    np.take(plane, taps.low, axis=axis, out=out, mode="clip")
    out *= taps.low_weight.reshape(shape)
    second = np.take(plane, taps.high, axis=axis, out=_scratch.array("second", *out.shape), mode="clip")
    second *= taps.high_weight.reshape(shape)
    out += second
    return out


def _channels(image: Image) -> int:
    return int(image.shape[2] if image.dtype == np.uint8 else image.shape[0])
