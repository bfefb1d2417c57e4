"""Everything between an ImageNet file and a network's input that changes the accuracy, named after who does it so.

Sources: spec section a for Darknet's; timm's `transforms_imagenet_eval` with the values of its model card (crop 0.887,
bilinear, 256x256); mmpretrain's configs/cspnet (ResizeEdge and CenterCrop: 288 to 256 and 256 to 224 pixels, Pillow's
bicubic, OpenCV's decoder, which turns images as EXIF says).
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cspbench.data import resize
from cspbench.data.decode import PIXEL_LIMIT, Decoder, decode, decoder_named
from cspbench.errors import BadImageError, UsageError

Order = Literal["resize-crop", "crop-resize"]
Interpolation = Literal["darknet", "bilinear", "bicubic"]
Rounding = Literal["down", "nearest"]
Epsilon = Literal["inside-1e-5", "inside-1e-6", "outside-1e-6"]

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ClassificationPreset:
    """How an image becomes a network's input, and how the network's batch norm divides."""

    name: str
    decoder: Decoder = "stb"
    interpolation: Interpolation = "darknet"
    """`darknet`: two taps, corners aligned, in float. The others are Pillow's: antialiased, rounded to 8 bits."""
    crop_pct: float = 1.0
    crop_padding: int = 0
    """The shorter side becomes floor(size / crop_pct) + crop_padding before `size` is cropped."""
    crop_rounding: Rounding = "down"
    """Where the centre lies between two pixels: `down`, or `nearest` as Python's round() has it, half to even."""
    order: Order = "resize-crop"
    """`crop-resize` cuts the same share out of the centre first."""
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Of values in [0, 1], red first: (value - mean) / std."""
    epsilon: Epsilon = "inside-1e-5"
    """Batch norm's divisor: sqrt(variance + 1e-5), or sqrt(variance) + 1e-6 (`outside`)."""

    def resized_side(self, size: int) -> int:
        """The shorter side's pixels before the crop to `size`."""
        return math.floor(size / self.crop_pct) + self.crop_padding

    def load(
        self, data: bytes, size: int | tuple[int, int], name: str, out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The network's input, float32 (3, height, width), from an image file's bytes; `name` is for errors."""
        image = decode(data, name, self.decoder)
        try:
            return self.prepare(image, size, out)
        except BadImageError as error:
            raise error.at(name) from error

    def prepare(
        self, image: NDArray[np.uint8], size: int | tuple[int, int], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The network's input, float32 (3, height, width), from pixels, uint8 (H, W, 3); written to `out` if given.

        As in Darknet, the shorter side of the image is fitted to the input's width, also where its height differs.
        """
        height, width = (size, size) if isinstance(size, int) else size
        if out is None:
            out = np.empty((3, height, width), np.float32)
        if self.order == "crop-resize":
            image = self._center(image, width)
            scaled = (width, height)
        else:
            scaled = resize.shorter_side_to(self.resized_side(width), *resize.extent(image))
        corner = self._corner(scaled, (width, height))
        if self.interpolation == "darknet":
            resize.resized_window(image, *scaled, corner, width, height, out)
        else:
            self._pillow(image, scaled, corner, out)
        for channel, mean, std in zip(out, self.mean, self.std, strict=True):
            if mean or std != 1:
                channel -= np.float32(mean)
                channel /= np.float32(std)
        return out

    def overridden(self, decoder: str | None = None) -> ClassificationPreset:
        """The preset with what a user asked for instead; it keeps its name. Raises `UsageError`."""
        return self if decoder is None else replace(self, decoder=decoder_named(decoder))

    def as_json(self) -> dict[str, Any]:
        """Every field, for the result's provenance."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    def _center(self, image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """The centred square that becomes the input: the whole shorter side, less what the crop would cut off."""
        width, height = resize.extent(image)
        side = max(1, min(width, height) * size // self.resized_side(size))
        left, top = self._corner((width, height), (side, side))
        return image[top : top + side, left : left + side]

    def _corner(self, outer: tuple[int, int], inner: tuple[int, int]) -> tuple[int, int]:
        if self.crop_rounding == "down":
            return resize.center_offset(*outer, *inner)
        return round((outer[0] - inner[0]) / 2), round((outer[1] - inner[1]) / 2)

    def _pillow(
        self, image: NDArray[np.uint8], scaled: tuple[int, int], corner: tuple[int, int], out: NDArray[np.float32]
    ) -> None:
        from PIL import Image

        _, height, width = out.shape
        if height != width:
            raise UsageError(
                "usage.square-preset",
                f"preset {self.name} is for square inputs",
                found=f"{height}x{width}",
                remedy="Use preset readme",
            )
        if scaled[0] * scaled[1] > PIXEL_LIMIT:
            raise BadImageError(
                "image.too-long",
                "is too long for its width",
                found=f"{scaled[0]}x{scaled[1]} pixels once resized",
                remedy="Replace the file by an intact copy",
            )
        resampling = Image.Resampling.BICUBIC if self.interpolation == "bicubic" else Image.Resampling.BILINEAR
        resized = np.asarray(Image.fromarray(image).resize(scaled, resampling))
        left, top = corner
        crop = resized[top : top + height, left : left + width]
        np.divide(crop.transpose(2, 0, 1), np.float32(255), out=out)


PRESETS = {
    preset.name: preset
    for preset in (
        # The authors' build most likely had OpenCV.
        ClassificationPreset("readme", decoder="opencv"),
        ClassificationPreset("head"),
        ClassificationPreset("pjreddie", order="crop-resize", epsilon="outside-1e-6"),
        ClassificationPreset(
            "timm",
            decoder="pillow",
            interpolation="bilinear",
            crop_pct=0.887,
            crop_rounding="nearest",
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
        ),
        ClassificationPreset(
            "mmpretrain",
            decoder="opencv",
            interpolation="bicubic",
            crop_padding=32,
            crop_rounding="nearest",
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
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
"""The fields by the question they answer, in the order in which an image meets them."""


def preset(name: str) -> ClassificationPreset:
    """The preset of that name."""
    if name not in PRESETS:
        raise UsageError(
            "usage.unknown-preset",
            f"no preset {name!r}",
            expected=f"one of {', '.join(PRESETS)}",
            remedy="Correct --preset",
        )
    return PRESETS[name]


def steps(base: ClassificationPreset, other: ClassificationPreset) -> list[tuple[str, ClassificationPreset]]:
    """The way from one preset to another, one step of STEPS after the other; each preset keeps the changes before it.

    Steps that change nothing are left out; the last preset equals `other` but for its name.
    """
    way = []
    current = base
    for label, names in STEPS.items():
        changes = {name: getattr(other, name) for name in names if getattr(other, name) != getattr(current, name)}
        if changes:
            current = replace(current, name=f"{current.name}+{label}", **changes)
            way.append((label, current))
    return way
