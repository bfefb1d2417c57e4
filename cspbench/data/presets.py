"""Everything between an ImageNet file and a network's input that changes the accuracy, named after the framework.

Sources: spec section a for Darknet's presets; timm's `transforms_imagenet_eval` with the values of its model card (crop
0.887, bilinear, 256x256); mmpretrain's configs/cspnet (ResizeEdge and CenterCrop: 288 to 256 and 256 to 224 pixels,
Pillow's bicubic, OpenCV's decoder, which rotates images according to EXIF); mmcls 0.23's imagenet_bs32 (256 to 224
pixels, OpenCV's bilinear, which has no antialiasing).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cspbench.claims.model import unknown
from cspbench.data import resize
from cspbench.data.decode import PIXEL_LIMIT, Decoder, decode, decoder_named
from cspbench.data.levels import Table, table
from cspbench.errors import BadImageError, UsageError
from cspbench.network.canonical import without_new_defaults
from cspbench.network.epsilon import Epsilon
from cspbench.zoo.detector_protocol import IMAGENET_DEVIATION, IMAGENET_MEAN

Order = Literal["resize-crop", "crop-resize"]
Interpolation = Literal["darknet", "bilinear", "bicubic", "opencv"]
Rounding = Literal["down", "nearest"]

_RECORDED = frozenset(
    ("name", "decoder", "interpolation", "crop_pct", "crop_padding", "crop_rounding", "order", "mean", "std", "epsilon")
)
"""The fields that records always have; later ones only where they are not at their defaults. Names of run directories
depend on it, so that it must not change.
"""


@dataclass(frozen=True)
class ClassificationPreset:
    """How an image becomes a network's input, and the epsilon of its batch normalisation."""

    name: str
    decoder: Decoder = "stb"
    interpolation: Interpolation = "darknet"
    """`darknet`: two taps, aligned corners, float. `opencv`: two taps, rounded to 8 bits. The others are Pillow's:
    antialiased, rounded to 8 bits.
    """
    crop_pct: float = 1.0
    crop_padding: int = 0
    """The shorter side becomes floor(size / crop_pct) + crop_padding before `size` is cropped."""
    crop_rounding: Rounding = "down"
    """The offset of a crop whose centre is between two pixels: `down`, or `nearest` as in Python's round()."""
    order: Order = "resize-crop"
    """`crop-resize` first crops the same share from the centre."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of values in [0, 1], red first: (value - mean) / std."""
    epsilon: Epsilon = Epsilon.INSIDE_1E5
    """The epsilon of batch normalisation."""

    def resized_side(self, size: int) -> int:
        """Pixels of the shorter side before the crop to `size`."""
        return math.floor(size / self.crop_pct) + self.crop_padding

    def load(
        self, data: bytes, size: int | tuple[int, int], name: str, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The network's input, float32 (3, height, width), from an image file's bytes.

        Raises `BadImageError`, which calls the image `name`.
        """
        image = decode(data, name, self.decoder)
        try:
            return self.prepare(image, size, out)
        except BadImageError as error:
            raise error.at(name) from error

    def load_levels(self, data: bytes, size: tuple[int, int], name: str, out: NDArray[np.uint8]) -> None:
        """The same in 8 bits, (height, width, 3), for `levels`."""
        image = decode(data, name, self.decoder)
        try:
            image, scaled, corner = self._geometry(image, *size)
            out[...] = self._rounded(image, scaled, corner, size)
        except BadImageError as error:
            raise error.at(name) from error

    @property
    def levels(self) -> Table | None:
        """The table of 8 bits to the network's input; None where that is interpolated in floats."""
        if self.interpolation == "darknet":
            return None
        return table(lambda pixels: self._normalised(pixels, np.empty((3, *pixels.shape[:2]), np.float32)))

    def prepare(
        self, image: NDArray[np.uint8], size: int | tuple[int, int], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The network's input, float32 (3, height, width), from pixels, uint8 (H, W, 3); written to `out`, if given.

        As in Darknet, the shorter side of the image is resized to the input's width, even if its height differs.
        """
        height, width = (size, size) if isinstance(size, int) else size
        if out is None:
            out = np.empty((3, height, width), np.float32)
        image, scaled, corner = self._geometry(image, height, width)
        if self.interpolation == "darknet":
            resize.resized_window(image, *scaled, corner, width, height, out)
            return self._shifted(out)
        return self._normalised(self._rounded(image, scaled, corner, (height, width)), out)

    def _geometry(
        self, image: NDArray[np.uint8], height: int, width: int
    ) -> tuple[NDArray[np.uint8], tuple[int, int], tuple[int, int]]:
        """The part of the image to resize, the (width, height) to resize it to, and the crop's left and top there."""
        if self.order == "crop-resize":
            image = self._center(image, width)
            scaled = (width, height)
        else:
            scaled = resize.shorter_side_to(self.resized_side(width), *resize.extent(image))
        return image, scaled, self._corner(scaled, (width, height))

    def _normalised(self, pixels: NDArray[np.uint8], out: NDArray[np.float32]) -> NDArray[np.float32]:
        """uint8 (H, W, 3) as shares of 255, shifted and scaled, (3, H, W)."""
        np.divide(pixels.transpose(2, 0, 1), np.float32(255), out=out)
        return self._shifted(out)

    def _shifted(self, out: NDArray[np.float32]) -> NDArray[np.float32]:
        for channel, mean, std in zip(out, self.mean, self.std, strict=True):
            if mean or std != 1:
                channel -= np.float32(mean)
                channel /= np.float32(std)
        return out

    def overridden(self, decoder: str | None = None) -> ClassificationPreset:
        """The preset with another decoder; it keeps its name. Raises `UsageError`."""
        return self if decoder is None else replace(self, decoder=decoder_named(decoder))

    def check_size(self, size: tuple[int, int]) -> None:
        """Raise `UsageError` where the preset has no crop for an input of (height, width)."""
        if self.interpolation != "darknet" and size[0] != size[1]:
            raise UsageError(
                "usage.square-preset",
                f"preset {self.name} requires a square input",
                expected="equal height and width",
                found=f"{size[0]}x{size[1]}",
                remedy="Use preset readme, or a square --size",
            )

    def as_json(self) -> dict[str, Any]:
        """The fields that identify a run: all, but for those newer than `_RECORDED` at their defaults."""
        return {**without_new_defaults(self, _RECORDED), "mean": list(self.mean), "std": list(self.std)}

    def _center(self, image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """The centred square that becomes the input: the shorter side, less the share that the crop removes."""
        width, height = resize.extent(image)
        side = max(1, min(width, height) * size // self.resized_side(size))
        left, top = self._corner((width, height), (side, side))
        return image[top : top + side, left : left + side]

    def _corner(self, outer: tuple[int, int], inner: tuple[int, int]) -> tuple[int, int]:
        if self.crop_rounding == "down":
            return resize.center_offset(*outer, *inner)
        return round((outer[0] - inner[0]) / 2), round((outer[1] - inner[1]) / 2)

    def _rounded(
        self, image: NDArray[np.uint8], scaled: tuple[int, int], corner: tuple[int, int], size: tuple[int, int]
    ) -> NDArray[np.uint8]:
        """The crop of `size` (height, width), uint8 (height, width, 3)."""
        height, width = size
        self.check_size(size)
        if scaled[0] * scaled[1] > PIXEL_LIMIT:
            raise BadImageError(
                "image.too-long",
                "aspect ratio too extreme",
                found=f"{scaled[0]}x{scaled[1]} pixels after resizing",
                remedy="Replace the file with an intact copy",
            )
        if self.interpolation == "opencv":
            from cspbench.data import opencv  # imports torch

            resized = opencv.resize(image, *scaled)
        else:
            from PIL import Image

            resampling = Image.Resampling.BICUBIC if self.interpolation == "bicubic" else Image.Resampling.BILINEAR
            resized = np.asarray(Image.fromarray(image).resize(scaled, resampling))
        left, top = corner
        return resized[top : top + height, left : left + width]


_TIMM = ClassificationPreset(
    "timm",
    decoder="pillow",
    interpolation="bilinear",
    crop_pct=0.887,
    crop_rounding="nearest",
    mean=IMAGENET_MEAN,
    std=IMAGENET_DEVIATION,
)
PRESETS = {
    preset.name: preset
    for preset in (
        # The authors' build most likely had OpenCV.
        ClassificationPreset("readme", decoder="opencv"),
        ClassificationPreset("head"),
        ClassificationPreset("pjreddie", order="crop-resize", epsilon=Epsilon.OUTSIDE_1E6),
        _TIMM,
        replace(_TIMM, name="mmpretrain", decoder="opencv", interpolation="bicubic", crop_pct=1.0, crop_padding=32),
        replace(
            _TIMM,
            name="mmcls",
            decoder="opencv",
            interpolation="opencv",
            crop_pct=0.875,
            epsilon=Epsilon.INSIDE_1E3,
        ),
    )
}

STEPS = {
    "decoder": ("decoder",),
    "resize": ("interpolation",),
    "crop": ("crop_pct", "crop_padding", "crop_rounding"),
    "order": ("order",),
    "normalisation": ("mean", "std"),
    "epsilon": ("epsilon",),
}
"""The fields by processing step, in the order in which they are applied."""


def preset(name: str) -> ClassificationPreset:
    """The preset with this name. Raises `UsageError`."""
    if name not in PRESETS:
        raise unknown("usage.unknown-preset", "unknown preset", name, tuple(PRESETS))
    return PRESETS[name]
