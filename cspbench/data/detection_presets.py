"""Everything between a COCO image and its detections that changes AP, named after the Darknet that does it so.

Source: the specification's section 0 (what changed and when), b.1 (resizing), b.3 (suppression), b.4 (image ids), b.7
(the original engine). `readme` is Darknet from November 2019 to April 2020, `head` Darknet of today.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cspbench.data import resize
from cspbench.data.decode import Decoder, decode, decoder_named
from cspbench.data.presets import Epsilon
from cspbench.errors import UsageError

NmsKind = Literal["default", "greedy", "diou"]
IdRule = Literal["basename", "underscore"]

NMS_KINDS: tuple[NmsKind, ...] = ("default", "greedy", "diou")
CFG_NAMES = {"greedynms": "greedy", "diounms": "diou"}
"""What a cfg calls them, where that differs."""


@dataclass(frozen=True)
class DetectionPreset:
    """How an image becomes a network's input, and how the network's outputs become detections."""

    name: str
    conf: float
    """Objectness, and objectness times class probability, must exceed it (float32, strictly)."""
    nms: float
    """A box goes when its overlap with a better one of its class exceeds this, strictly."""
    nms_kind: NmsKind | Literal["cfg"]
    """What counts as overlap: `default` IoU, `greedy` IoU - (d2/c2)^0.6, `diou` IoU - (d2/c2)^beta_nms. `cfg`: as the
    nms_kind= of the network's last detection layer says.
    """
    decoder: Decoder = "stb"
    letterbox: bool = False
    """Keep the aspect ratio and fill up with grey, instead of stretching."""
    image_id: IdRule = "underscore"
    """How Darknet reads a COCO id out of a file's name: the number it begins with (`basename`), or what follows the
    path's last underscore, if there is one (`underscore`). Here ids are the annotations'; where the rule would give
    another one, an evaluation says so.
    """
    epsilon: Epsilon = "inside-1e-5"
    """Batch norm's divisor: sqrt(variance + 1e-5), or sqrt(variance) + 1e-6 (`outside`)."""

    def __post_init__(self) -> None:
        _share("--conf", self.conf)
        _share("--nms", self.nms)
        if self.nms_kind not in (*NMS_KINDS, "cfg"):
            raise UsageError(
                "usage.unknown-nms-kind",
                f"no kind of suppression {self.nms_kind!r}",
                expected=f"one of {', '.join((*NMS_KINDS, *CFG_NAMES, 'cfg'))}",
                remedy="Correct --nms-kind",
            )

    def load(
        self, data: bytes, size: tuple[int, int], name: str, out: NDArray[np.float32] | None = None
    ) -> tuple[NDArray[np.float32], tuple[int, int]]:
        """The network's input, float32 (3, height, width), and the image's width and height, from a file's bytes.

        `size` is the network's (height, width), `name` is for errors. Raises `BadImageError`.
        """
        image = decode(data, name, self.decoder)
        return self.prepare(image, size, out), resize.extent(image)

    def prepare(
        self, image: NDArray[np.uint8], size: tuple[int, int], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The network's input, float32 (3, height, width) in [0, 1], from pixels, uint8 (H, W, 3).

        `size` is (height, width); the result is written to `out` if given.
        """
        height, width = size
        if self.letterbox:
            return resize.letterbox(image, width, height, out)
        return resize.resize_image(image, width, height, out)

    def overridden(
        self,
        conf: float | None = None,
        nms: float | None = None,
        nms_kind: str | None = None,
        decoder: str | None = None,
    ) -> DetectionPreset:
        """The preset with what a user asked for instead; it keeps its name. Raises `UsageError`.

        A kind of NMS may have the name that a cfg gives it: greedynms, diounms.
        """
        kind = None if nms_kind is None else CFG_NAMES.get(nms_kind, nms_kind)
        pixels = None if decoder is None else decoder_named(decoder)
        given = {"conf": conf, "nms": nms, "nms_kind": kind, "decoder": pixels}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """Every field, for the result's provenance."""
        return {**asdict(self), "resize": "darknet"}

    def forward_json(self) -> dict[str, Any]:
        """What decides the candidates that a run keeps: all but the suppression and the image ids, which come after."""
        after = ("name", "nms", "nms_kind", "image_id")
        return {name: value for name, value in self.as_json().items() if name not in after}


def _share(option: str, value: float) -> None:
    if not 0 <= value <= 1:  # also false for NaN
        raise UsageError(
            "usage.out-of-range",
            f"{option} is out of range",
            expected="0 to 1",
            found=f"{value:g}",
            remedy=f"Correct {option}",
        )


PRESETS = {
    preset.name: preset
    for preset in (
        # Then greedynms compared plain IoU, as every kind that the tables' networks name. The authors' build most
        # likely had OpenCV; the other presets are of builds without.
        DetectionPreset("readme", conf=0.005, nms=0.45, nms_kind="default", decoder="opencv"),
        DetectionPreset("head", conf=0.001, nms=0.6, nms_kind="cfg", image_id="basename"),
        DetectionPreset("letterbox", conf=0.005, nms=0.45, nms_kind="default", letterbox=True),
        DetectionPreset("pjreddie", conf=0.005, nms=0.45, nms_kind="default", letterbox=True, epsilon="outside-1e-6"),
    )
}


def detection_preset(name: str) -> DetectionPreset:
    """The preset of that name."""
    if name not in PRESETS:
        raise UsageError(
            "usage.unknown-preset",
            f"no preset {name!r}",
            expected=f"one of {', '.join(PRESETS)}",
            remedy="Correct --preset",
        )
    return PRESETS[name]
