"""A detector's input in parts that can be exchanged one by one; a preset has them in fixed combinations.

Sources: the specification's b.1 for Darknet, its section c of yolox for YOLOX and mmdetection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cspbench.data import opencv, resize
from cspbench.data.decode import Decoder
from cspbench.data.detection_presets import DetectionPreset, Resize

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

DARKNET_GREY = 255 * resize.LETTERBOX_FILL


class Placing(NamedTuple):
    """Where the resized image is in the input, and the grey beside it, 0 to 255.

    `stretched` leaves nothing beside it; the others keep the aspect ratio. Grey None are zeros, after normalisation.
    """

    where: Literal["stretched", "centred", "corner"]
    grey: float | None = None


class Place(NamedTuple):
    """The resized image in the input: pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Input:
    """How an image file becomes a network's input."""

    decoder: Decoder
    order: Literal["rgb", "bgr"]
    values: Literal["shares", "levels", "imagenet"]
    """Of 0 to 1, of 0 to 255, or shares less ImageNet's mean, divided by its deviation.

    Mean and deviation go by the place of a channel: red's are the first one's, whichever it is.
    """
    resize: Resize | Literal["pillow"]
    """`darknet`, `yolox` and `mmdet` as in a preset, `pillow` is Pillow's antialiased bilinear with rounded sides."""
    placing: Placing

    def place(self, size: tuple[int, int], extent: tuple[int, int]) -> Place:
        """Where an image of `extent` (width, height) is in an input of `size` (height, width); sides may be 0."""
        height, width = size
        if self.placing.where == "stretched":
            return Place(0, 0, width, height)
        if self.resize == "darknet":
            inner = resize.letterbox_extent(size, extent)
        else:
            inner = opencv.letterbox_extent(size, extent, rounded=self.resize != "yolox")
        if self.placing.where == "corner":
            return Place(0, 0, *inner)
        return Place((width - inner[0]) // 2, (height - inner[1]) // 2, *inner)

    def prepare(self, image: Pixels, size: tuple[int, int], out: Floats | None = None) -> Floats:
        """The network's input, float32 (C, height, width), from pixels, uint8 (H, W, C), red first, or grey.

        `size` is (height, width). The result is written to `out`, if given.
        """
        if out is None:
            out = np.empty((image.shape[2], *size), np.float32)
        left, top, width, height = self.place(size, resize.extent(image))
        inside = out[:, top : top + height, left : left + width]
        out.fill(0)
        if self.placing.grey is not None:
            out.fill(self.placing.grey)
            self._normalise(out, shares=False)
        if width and height:
            shares = self.resize == "darknet"
            planes = resize.resize_image(image, width, height) if shares else self._levels(image, width, height)
            inside[...] = planes[::-1] if self.order == "bgr" else planes
            self._normalise(inside, shares)
        return out

    def _levels(self, image: Pixels, width: int, height: int) -> Floats:
        """The resized image, (C, height, width), whole numbers from 0 to 255."""
        channels = image.shape[2]
        coloured = image if channels == 3 else np.repeat(image, 3, axis=2)
        if self.resize == "pillow":
            from PIL import Image

            resized = np.asarray(Image.fromarray(coloured).resize((width, height), Image.Resampling.BILINEAR))
        else:
            resized = opencv.resize(coloured, width, height)
        return resized[..., :channels].transpose(2, 0, 1).astype(np.float32)

    def _normalise(self, planes: Floats, shares: bool) -> None:
        """Turn shares, or else levels, into the values, in place."""
        if self.values == "levels":
            if shares:
                planes *= np.float32(255)
            return
        if not shares:
            planes /= np.float32(255)
        if self.values == "imagenet":
            for plane, mean, deviation in zip(planes, opencv.MEAN, opencv.DEVIATION, strict=False):
                plane -= np.float32(mean)
                plane /= np.float32(deviation)


def input_of(preset: DetectionPreset) -> Input:
    """The parts of a preset's input."""
    if preset.resize == "darknet":
        placing = Placing("centred", DARKNET_GREY) if preset.letterbox else Placing("stretched")
        return Input(preset.decoder, "rgb", "shares", "darknet", placing)
    order: Literal["rgb", "bgr"] = "rgb" if preset.normalised else "bgr"
    values: Literal["imagenet", "levels"] = "imagenet" if preset.normalised else "levels"
    return Input(preset.decoder, order, values, preset.resize, Placing("corner", opencv.FILL))
