"""What a check reads from image files.

Only the ends of each file are read: the header gives size and colours, the last bytes show whether a JPEG or PNG was
cut off. `full` decodes every image.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from cspbench.data.decode import decode, opened, turn
from cspbench.data.source import ImageFiles
from cspbench.errors import BadImageError

HEAD, TAIL = 1 << 14, 1 << 12
"""Bytes read from each end of a file. If the header is longer, the whole file is read."""
AHEAD = 4096
"""Files queued for the threads at a time: a data set may have millions."""
END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND"}


class Facts(NamedTuple):
    """What was read from one image file."""

    size: int = 0
    """Bytes."""
    format: str = ""
    mode: str = ""
    shape: tuple[int, int] = (0, 0)
    """Width and height."""
    turned: bool = False
    """EXIF asks for a rotation, which Darknet without OpenCV ignores."""
    fault: str | None = None


def facts(
    images: ImageFiles, indices: Sequence[int], full: bool = False, workers: int | None = None
) -> Iterator[Facts]:
    """The facts of some images, in the order of the indices; `workers` threads, by default as many as suit the machine.

    Threads, because reading waits for the disk and Pillow decodes without the interpreter's lock.
    """
    with ThreadPoolExecutor(max(1, min(8, os.cpu_count() or 1) if workers is None else workers)) as pool:
        for begin in range(0, len(indices), AHEAD):
            yield from pool.map(lambda index: _facts(images, index, full), indices[begin : begin + AHEAD])


def _facts(images: ImageFiles, index: int, full: bool) -> Facts:
    key = images.key(index)
    try:
        size, head, tail = images.ends(index, None if full else HEAD, TAIL)
        if size == 0:
            return Facts()
        try:
            header = _header(head, key)
        except BadImageError:
            header = _header(images.sample(index).data, key)
        mark = END_MARKS.get(header["format"])
        if full or mark is None or mark not in tail:
            # Other data may follow the image in its file: only decoding shows whether the image is complete.
            decode(head if full else images.sample(index).data, key)
    except BadImageError as error:
        return Facts(fault=error.found or error.what)
    return Facts(size, **header)


def _header(data: bytes, key: str) -> dict[str, Any]:
    with opened(data, key) as image:
        return {"format": image.format or "", "mode": image.mode, "shape": image.size, "turned": turn(image) != 1}
