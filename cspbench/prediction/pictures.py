"""The pictures to predict on: files, folders, patterns, bytes, images of Pillow and arrays."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cspbench.data.decode import NAME_LENGTH, Decoder, decode, grey_of, pixels_of
from cspbench.data.source import Entry, ImageFiles, Region, is_image
from cspbench.errors import BadImageError, UsageError, brief
from cspbench.io import argument_path, utf8_name

if TYPE_CHECKING:
    from PIL.Image import Image

Pixels = NDArray[np.uint8]
FORMATS = "JPEG, PNG, BMP, GIF, PPM or WebP files"


@dataclass(frozen=True)
class Picture:
    """One picture; its pixels, uint8 (H, W, channels), are read each time that they are asked for."""

    name: str
    """Its path as the user gave it, or a number for one without a path."""
    read: Callable[[Decoder, int], Pixels]

    def pixels(self, decoder: Decoder, channels: int = 3) -> Pixels:
        """The pixels as a decoder gives them, RGB or grey. Raises `BadImageError`."""
        return self.read(decoder, channels)


def from_bytes(data: bytes, name: str) -> Picture:
    """The picture of an image file's bytes."""
    return Picture(name, lambda decoder, channels: decode(data, name, decoder, channels))


def from_file(path: Path, name: str | None = None) -> Picture:
    """The picture of a file, which is read later."""
    name = utf8_name(name or str(path))
    files = ImageFiles([Entry(name, None)], [Region(str(path))])
    return Picture(name, lambda decoder, channels: decode(files.sample(0).data, name, decoder, channels))


def from_image(image: Image, name: str) -> Picture:
    """The picture of an image of Pillow; a JPEG file that Pillow opened is decoded by libjpeg under every decoder."""

    def read(decoder: Decoder, channels: int) -> Pixels:
        try:
            return pixels_of(image, decoder, channels)
        except (OSError, ValueError, SyntaxError) as error:
            raise BadImageError(
                "image.unusable",
                "not a picture that can be used",
                where=brief(name, NAME_LENGTH),
                expected="an image of Pillow with pixels",
                found=f"mode {image.mode}, {brief(str(error), 80)}",
                remedy='Convert it with image.convert("RGB")',
            ) from error

    return Picture(name, read)


def from_array(array: NDArray[Any], name: str) -> Picture:
    """The picture of an array, uint8 (H, W, 3) in RGB, or (H, W) in grey. Raises `UsageError` for any other."""
    shape = array.shape
    if array.dtype != np.uint8 or not (len(shape) == 2 or (len(shape) == 3 and shape[2] in (1, 3))) or 0 in shape:
        raise UsageError(
            "usage.not-pixels",
            "the array is not a picture",
            where=name,
            expected="uint8 (height, width, 3) in RGB, or (height, width) in grey",
            found=f"{array.dtype} {shape}",
            remedy="Convert it, or pass the path of the file",
        )
    planes = array if array.ndim == 3 else array[:, :, None]
    rgb: Pixels = planes if planes.shape[2] == 3 else np.repeat(planes, 3, axis=2)
    return Picture(name, lambda decoder, channels: rgb if channels == 3 else grey_of(rgb))


def pictures_of(images: Any) -> list[Picture]:
    """The pictures of a path, folder, pattern, image of Pillow or array, or of a sequence of them.

    Pictures without a path are called by their number, from 0. Raises `UsageError` where there are none.
    """
    several = isinstance(images, (list, tuple))
    pictures: list[Picture] = []
    for number, image in enumerate(images if several else [images]):
        if isinstance(image, (str, Path)):
            pictures += at_place(image)
        elif isinstance(image, Picture):
            pictures.append(image)
        elif isinstance(image, np.ndarray):
            pictures.append(from_array(image, str(number)))
        elif hasattr(image, "getexif"):  # Pillow is not imported for this question
            pictures.append(from_image(image, str(number)))
        else:
            raise UsageError(
                "usage.not-a-picture",
                "not a picture",
                where=f"images[{number}]" if several else "images",
                expected="a path, an image of Pillow, an array, or a list of them",
                found=type(image).__name__,
                remedy="Pass one of these",
            )
    if not pictures:
        raise _none(None, "an empty list")
    return pictures


def at_place(text: str | Path) -> list[Picture]:
    """The pictures of a file, a folder or a pattern (*, ?, [..], **), sorted by name.

    A folder gives its image files, not those of its subfolders. Raises `UsageError`.
    """
    path = argument_path("images", text)
    if os.path.isdir(path):
        return [from_file(path / name) for name in _images_in(path)]
    if os.path.exists(path) or not any(sign in str(text) for sign in "*?["):
        if not os.path.lexists(path):
            raise UsageError(
                "usage.no-such-picture",
                "no such file or folder",
                where=brief(str(text), NAME_LENGTH),
                expected="an image file, a folder of them, a pattern such as 'photos/*.jpg', or - for stdin",
                remedy="Correct the path",
            )
        return [from_file(path)]
    names = [name for name in sorted(glob.glob(str(path), recursive=True)) if is_image(Path(name).name)]
    files = [name for name in names if os.path.isfile(name)]
    if not files:
        raise _none(str(text), "no match")
    return [from_file(Path(name)) for name in files]


def _images_in(folder: Path) -> Sequence[str]:
    try:
        with os.scandir(folder) as entries:
            every = sorted((entry.name, entry.is_dir()) for entry in entries)
    except OSError as error:
        raise _none(str(folder), error.strerror or str(error)) from error
    names = [name for name, is_folder in every if is_image(name) and not is_folder]
    if names:
        return names
    folders = sum(is_folder for _, is_folder in every)
    others = len(every) - folders
    raise _none(str(folder), f"{others} other files and {folders} folders" if every else "an empty folder", folders)


def _none(where: str | None, found: str, folders: int = 0) -> UsageError:
    deeper = f"'{where}/**' also searches the folders in it" if folders else "Name an image file or its folder"
    return UsageError(
        "usage.no-pictures",
        "no pictures",
        where=None if where is None else brief(where, NAME_LENGTH),
        expected=FORMATS,
        found=found,
        remedy=deeper,
    )
