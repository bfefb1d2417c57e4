"""Image files to pixels: uint8 (H, W, 3) RGB, as Darknet's loader gives them to its resize.

Darknet built without OpenCV (stb_image) forces three channels and looks at nothing but the samples: grey is repeated,
alpha is dropped without blending, a palette is looked up, 16-bit samples lose their low byte, CMYK becomes
(255 - C)(255 - K) / 255, colour profiles and EXIF are ignored, of an animation the first frame is taken. So does
`decode`. Darknet built with OpenCV turns the image as EXIF says: `exif=True`. JPEG decoders differ by a level or two.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import CspbenchError, brief

if TYPE_CHECKING:
    from PIL import Image

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")
"""Pillow's names. Formats that run other programs (EPS) or fetch other files stay out."""
PIXEL_LIMIT = 89_478_485
"""Pixels; Pillow's own limit against decompression bombs."""


NAME_LENGTH = 200
"""Characters of an image's name in a message."""


class BadImageError(CspbenchError):
    """An image file cannot be read or decoded."""


def decode(source: bytes | Path, name: str | None = None, *, exif: bool = False) -> NDArray[np.uint8]:
    """The pixels of an image file, uint8 (H, W, 3); `name` is what an error calls the image."""
    name = name or (str(source) if isinstance(source, Path) else f"{len(source)} bytes")
    with opened(source, name) as image:
        image.load()
        return _rgb(_upright(image) if exif else image)


@contextmanager
def opened(source: bytes | Path, name: str) -> Iterator[Image.Image]:
    """The image with only its header read; whatever Pillow raises inside the `with` becomes a BadImageError."""
    from PIL import Image

    try:
        data = source if isinstance(source, bytes) else source.read_bytes()
        if not data:
            raise ValueError("the file is empty")
        with _quiet:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > PIXEL_LIMIT:
                raise ValueError(f"{image.width}x{image.height} pixels, the limit is {PIXEL_LIMIT:,}")
            yield image
    except Exception as error:
        # Hostile bytes make Pillow's readers raise nearly anything: OSError, SyntaxError, struct.error, KeyError.
        raise BadImageError(
            "cannot be decoded",
            where=brief(name, NAME_LENGTH),
            found=_reason(error),
            remedy="Replace the file by an intact copy",
        ) from error


class _Quiet:
    """Silences Pillow in a `with`, which any number of threads may be in.

    Pillow warns of odd EXIF blocks, which do not matter here, and of large images, which are refused. The filters of
    `warnings` belong to the process: the first thread to enter sets them and the last to leave restores them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"(PIL|cspbench\.data)\b")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_quiet = _Quiet()


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _upright(image: Image.Image) -> Image.Image:
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "RGB":
        return np.asarray(image)
    if image.mode.startswith("I"):
        return _high_byte(image)
    if image.mode == "F":
        raise ValueError("samples are floating point")
    # Pillow would blend some images with their transparency when it converts them.
    image.info.pop("transparency", None)
    return np.asarray(image.convert("RGB"))


def _high_byte(image: Image.Image) -> NDArray[np.uint8]:
    """16-bit grey (Pillow's I;16 and I) as its high byte, three times."""
    grey = (np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
