"""Decodes image files to pixels, uint8 (H, W, 3) RGB, as the decoder of the original framework does.

Every decoder gives three channels, or one of grey, and uses the samples alone: grey is repeated, alpha is dropped
without blending, palettes are looked up, 16-bit samples lose their low byte, CMYK becomes (255 - C)(255 - K) / 255,
colour profiles are ignored, and the first frame of an animation is used. The one channel of a network of grey images
is the luma that a JPEG file stores, and of any other file (77 R + 150 G + 29 B) >> 8, as in stb_image. Decoders differ
in the rounding of JPEG (by a level or two), and in whether EXIF rotates the image: see `Decoder`.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from cspbench.claims.model import unknown
from cspbench.data import jpeg_header
from cspbench.errors import BadImageError, brief
from cspbench.io import read_file

if TYPE_CHECKING:
    from PIL import Image
    from PIL.ImageFile import ImageFile

Decoder = Literal["opencv", "stb", "pillow"]
"""`opencv`: libjpeg, rotated according to EXIF, as in Darknet built with OpenCV and in mmpretrain. `stb`: stb_image,
never rotated, as in Darknet built without OpenCV. `pillow`: libjpeg, never rotated, as in timm.

Pillow decodes all other formats for all three: they are lossless, and equal in stb_image except for GIF with
transparency.
"""
DECODERS: tuple[Decoder, ...] = get_args(Decoder)

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "WEBP")
"""Pillow's names of the formats that Darknet reads, and WebP. Formats that run other programs (EPS), open other files
or can claim any amount of memory before their pixels (TIFF) are excluded.
"""
PIXEL_LIMIT = 1 << 26
"""Pixels of an image; decoding that many takes at most 2 GB."""
SCAN_LIMIT = 25 * PIXEL_LIMIT
"""Pixels of a progressive JPEG times its scans: a hundred bytes can add another pass over all pixels."""
FILE_LIMIT = 1 << 29
"""Bytes of an image file."""
UNREAD = ("bmp_rle", "ppm", "ppm_plain")
"""Slow decoders of Pillow, written in Python: run-length BMP, plain-text PPM, and binary PPM whose largest value is not
255 (65535 is read in grey). stb_image rejects these too, except binary PPM with a smaller largest value.
"""
LARGE = 1 << 23
"""Pixels above which images are decoded one at a time, to bound the memory of all threads together."""

NAME_LENGTH = 200
"""Characters of an image's name in a message."""


def decoder_named(name: str) -> Decoder:
    """The decoder with this name. Raises `UsageError`."""
    if name not in DECODERS:
        raise unknown("usage.unknown-decoder", "unknown decoder", name, DECODERS)
    return name


def decode(
    source: bytes | Path, name: str | None = None, decoder: Decoder = "pillow", channels: int = 3
) -> NDArray[np.uint8]:
    """The pixels of an image file, uint8 (H, W, 3), or (H, W, 1) in grey if `channels` is 1.

    Raises `BadImageError`, which calls the image `name`.
    """
    name = name or (str(source) if isinstance(source, Path) else f"{len(source)} bytes")
    with opened(source, name) as image:
        if any(tile[0] in UNREAD for tile in image.tile):
            raise ValueError(f"unsupported kind of {image.format}")
        with _large if image.width * image.height > LARGE else nullcontext():
            if decoder == "stb" and image.format == "JPEG":
                return _stb(cast("io.BytesIO", image.fp).getvalue(), channels)
            if channels == 1 and image.format == "JPEG":
                image.draft("L", None)  # libjpeg then converts nothing to RGB
            image.load()
            pixels = _rgb(_upright(image) if decoder == "opencv" else image)
            return pixels if channels == 3 else grey_of(pixels)


def pixels_of(image: Image.Image, decoder: Decoder = "pillow", channels: int = 3) -> NDArray[np.uint8]:
    """The same for an image that Pillow has opened, which also decodes it if it is not loaded yet; it stays as it is.

    Raises `ValueError` or `OSError` where it cannot be used.
    """
    image.load()
    pixels = _rgb(_upright(image.copy()) if decoder == "opencv" else image.copy())
    return pixels if channels == 3 else grey_of(pixels)


@contextmanager
def opened(source: bytes | Path, name: str) -> Iterator[ImageFile]:
    """The image with only its header read; errors of Pillow inside the `with` become `BadImageError`."""
    from PIL import Image

    try:
        data = source if isinstance(source, bytes) else read_file(source, FILE_LIMIT)
        if not data:
            raise ValueError("the file is empty")
        jpeg = jpeg_header.is_jpeg(data)
        needed, scans = jpeg_header.bare(data) if jpeg else (data, 1)
        image = Image.open(io.BytesIO(needed), formats=FORMATS)
        if image.width * image.height > PIXEL_LIMIT:
            raise ValueError(f"{image.width}x{image.height} pixels, the limit is {PIXEL_LIMIT:,}")
        if image.width * image.height * scans > SCAN_LIMIT:
            raise ValueError(f"{scans} scans of {image.width}x{image.height} pixels")
        if jpeg:
            image.info["exif"] = jpeg_header.exif(data)
        yield image
    except Exception as error:
        # Hostile files make Pillow's readers raise nearly anything: OSError, SyntaxError, struct.error, KeyError.
        raise BadImageError(
            "image.undecodable",
            "cannot be decoded",
            where=brief(name, NAME_LENGTH),
            found=_reason(error),
            remedy="Replace the file with an intact copy",
        ) from error


_large = threading.Lock()


def _reason(error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return f"not a {', '.join(FORMATS[:-1])} or {FORMATS[-1]} image"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _stb(data: bytes, channels: int) -> NDArray[np.uint8]:
    """The pixels of a JPEG file with a checked header.

    stb_image accepts truncated files, and fills the missing part with zeros.
    """
    import libstb

    if not jpeg_header.ends(data):
        raise ValueError("the file is truncated")
    pixels: NDArray[np.uint8] = libstb.imread(data, channels=channels, max_bytes=3 * PIXEL_LIMIT)
    return pixels


def turn(image: Image.Image) -> int:
    """The EXIF orientation of an image, 1 to 8; 1 is upright.

    Pillow would read all of the metadata, and hostile metadata can fill the memory.
    """
    block = image.info.get("exif", b"")
    return jpeg_header.orientation(block) if isinstance(block, bytes) else 1


def _upright(image: Image.Image) -> Image.Image:
    from PIL.Image import Transpose

    mirror, rotate = Transpose.FLIP_LEFT_RIGHT, Transpose.ROTATE_180
    flip, transpose = Transpose.FLIP_TOP_BOTTOM, Transpose.TRANSPOSE
    turns = (None, mirror, rotate, flip, transpose, Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90)
    operation = turns[turn(image) - 1]
    return image if operation is None else image.transpose(operation)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode == "RGB":
        return np.asarray(image)
    if image.mode.startswith("I"):
        return _high_byte(image)
    if image.mode == "F":
        raise ValueError("floating point samples")
    # Pillow would blend some images with their transparency when it converts them.
    image.info.pop("transparency", None)
    return np.asarray(image.convert("RGB"))


def grey_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB (H, W, 3) to grey (H, W, 1), as stb_image does."""
    red, green, blue = (pixels[:, :, channel].astype(np.uint16) for channel in range(3))
    grey: NDArray[np.uint8] = ((77 * red + 150 * green + 29 * blue) >> 8).astype(np.uint8)  # at most 65280
    return grey[:, :, None]


def _high_byte(image: Image.Image) -> NDArray[np.uint8]:
    """16-bit grey (Pillow's I;16 and I) as three channels of its high byte."""
    grey = (np.asarray(image).clip(0, 65535) >> 8).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)
