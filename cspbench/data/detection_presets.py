"""Everything between a COCO image and its detections that changes AP, named after the version of the original program.

Source: the specification's section 0 (history), b.1 (resizing), b.3 (NMS), b.4 (image ids), b.7 (the original engine).
`readme` is Darknet from November 2019 to April 2020, `head` is today's Darknet. Of YOLOX (spec yolox 0, c): `yolox` is
what its weights since August 2021 were trained and evaluated with, `yolox-legacy` the same for the first weights,
`yolox-nms-free` that without suppression, for networks that were trained to do without, and `mmdet` is mmdetection,
which computes AP50, AP75 and the APs by area from up to 1000 detections of an image and class.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cspbench.claims.model import unknown
from cspbench.data import resize
from cspbench.data.decode import Decoder, decoder_named
from cspbench.data.levels import Table, table
from cspbench.errors import UsageError
from cspbench.network.canonical import without_new_defaults
from cspbench.network.epsilon import Epsilon

NmsKind = Literal["default", "greedy", "diou"]
Resize = Literal["darknet", "yolox", "mmdet"]
IdRule = Literal["basename", "underscore"]

NMS_KINDS: tuple[NmsKind, ...] = ("default", "greedy", "diou")
CFG_NAMES = {"greedynms": "greedy", "diounms": "diou"}
"""Their names in a cfg, where these differ."""
_RECORDED = frozenset(("name", "conf", "nms", "nms_kind", "decoder", "letterbox", "image_id", "epsilon", "resize"))
"""The fields that records always have, as in `cspbench.data.presets`; must not change."""


def check_share(option: str, value: float) -> None:
    """Raise `UsageError` for the value of an option that is not from 0 to 1."""
    if not 0 <= value <= 1:  # also false for NaN
        raise UsageError(
            "usage.out-of-range",
            f"{option} is out of range",
            expected="0 to 1",
            found=f"{value:g}",
            remedy=f"Correct {option}",
        )


@dataclass(frozen=True)
class DetectionPreset:
    """How an image becomes a network's input, and how the network's outputs become detections."""

    name: str
    conf: float
    """Objectness, and objectness times class probability, must exceed this threshold (float32, strictly); with YOLOX's
    resizes the product must reach it.
    """
    nms: float
    """A box is suppressed if its overlap with a better box of its class exceeds this threshold, strictly; in float32,
    but with YOLOX's resizes the threshold is the double, and 1 suppresses nothing.
    """
    nms_kind: NmsKind | Literal["cfg"]
    """The measure of overlap: `default` IoU, `greedy` IoU - (d2/c2)^0.6, `diou` IoU - (d2/c2)^beta_nms, `cfg` that of
    the nms_kind= of the network's last detection layer.
    """
    decoder: Decoder = "stb"
    letterbox: bool = False
    """Keep the aspect ratio and pad with grey, instead of stretching."""
    cfg_letterbox: bool = False
    """Do so where the cfg has [net] letter_box=1, which Darknet has heeded since 2020-05-08. Records name the outcome
    alone, in `letterbox`.
    """
    image_id: IdRule | None = "underscore"
    """How Darknet reads a COCO id from a file name: the number at its start (`basename`), or after the last underscore
    of the path, if any (`underscore`). cspbench takes ids from the annotations; an evaluation reports images for which
    the rule gives another id. None: the original takes ids from the annotations, too.
    """
    epsilon: Epsilon = Epsilon.INSIDE_1E5
    """The epsilon of batch normalisation."""
    resize: Resize = "darknet"
    """`darknet`: floats from 0 to 1, red first. `yolox`: 8-bit pixels as OpenCV resizes them, in the top left corner of
    grey 114, as floats from 0 to 255, blue first; `mmdet`: so with sides that are rounded, not cut, to whole pixels.
    """
    normalised: bool = False
    """Values of `yolox` are instead shares of 255, red first, minus ImageNet's mean, divided by its deviation."""
    most: int = 100
    """Detections of an image and class that all APs but AP itself are of, which is of 100."""

    def __post_init__(self) -> None:
        check_share("--conf", self.conf)
        check_share("--nms", self.nms)
        if self.nms_kind not in (*NMS_KINDS, "cfg"):
            raise unknown("usage.unknown-nms-kind", "unknown NMS kind", self.nms_kind, (*NMS_KINDS, *CFG_NAMES, "cfg"))

    def prepare(
        self, image: NDArray[np.uint8], size: tuple[int, int], out: NDArray[np.float32] | None = None
    ) -> NDArray[np.float32]:
        """The network's input, float32 (C, height, width), from pixels, uint8 (H, W, C), red first.

        `size` is (height, width). The result is written to `out`, if given.
        """
        height, width = size
        if self.resize == "darknet":
            return (resize.letterbox if self.letterbox else resize.resize_image)(image, width, height, out)
        from cspbench.data import opencv

        pixels = opencv.letterbox(image, width, height, self.resize == "mmdet")
        return opencv.planes(pixels, self.normalised, out)

    def in_levels(self, image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
        """The same in 8 bits, (height, width, 3), for `levels`."""
        from cspbench.data import opencv

        pixels = opencv.letterbox(image, size[1], size[0], self.resize == "mmdet")
        return pixels if self.normalised else pixels[:, :, ::-1]

    @property
    def levels(self) -> Table | None:
        """The table of 8 bits to the network's input; None where that is interpolated in floats."""
        if self.resize == "darknet":
            return None
        from cspbench.data import opencv

        return table(lambda pixels: opencv.planes(pixels, self.normalised))

    @property
    def exact(self) -> bool:
        """Whether it is YOLOX's: thresholds are compared as doubles, and nothing is rounded or clipped for a file."""
        return self.resize != "darknet"

    def for_network(self, letter_box: bool) -> DetectionPreset:
        """The preset for a network whose cfg has `letter_box`."""
        return replace(self, letterbox=True) if letter_box and self.cfg_letterbox else self

    def letter_box_warning(self, model: str, letter_box: bool) -> str | None:
        """A warning for a model whose cfg has a `letter_box` that this preset does not heed."""
        if not letter_box or self.letterbox or self.cfg_letterbox:
            return None
        return (
            f"warning: {model}: [net] letter_box=1 has no effect under preset {self.name}, which stretches "
            "images as Darknet did until 2020-05-08; preset head keeps their aspect ratio"
        )

    def overridden(
        self,
        conf: float | None = None,
        nms: float | None = None,
        nms_kind: str | None = None,
        decoder: str | None = None,
    ) -> DetectionPreset:
        """The preset with some values replaced; it keeps its name. Raises `UsageError`.

        Names of NMS kinds in a cfg are accepted: greedynms, diounms.
        """
        kind = CFG_NAMES.get(nms_kind or "", nms_kind)
        given = {"conf": conf, "nms": nms, "nms_kind": kind, "decoder": decoder and decoder_named(decoder)}
        changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """The fields that identify a run: all but `cfg_letterbox`, and those newer than `_RECORDED` at a default."""
        return without_new_defaults(replace(self, cfg_letterbox=False), _RECORDED)

    def forward_json(self) -> dict[str, Any]:
        """The fields that change the stored candidates: all but NMS, image ids and AP's limit, which come later."""
        after = ("name", "nms", "nms_kind", "image_id", "most")
        return {name: value for name, value in self.as_json().items() if name not in after}


_YOLOX = DetectionPreset(
    "yolox",
    conf=0.001,
    nms=0.65,
    nms_kind="default",
    decoder="opencv",
    letterbox=True,
    image_id=None,
    epsilon=Epsilon.INSIDE_1E3,
    resize="yolox",
)
PRESETS = {
    preset.name: preset
    for preset in (
        # At that time greedynms, like every other kind that the networks of the tables name, compared plain IoU. The
        # authors' build most likely had OpenCV; the other presets are builds without it.
        DetectionPreset("readme", conf=0.005, nms=0.45, nms_kind="default", decoder="opencv"),
        DetectionPreset("head", conf=0.001, nms=0.6, nms_kind="cfg", cfg_letterbox=True, image_id="basename"),
        DetectionPreset("letterbox", conf=0.005, nms=0.45, nms_kind="default", letterbox=True),
        DetectionPreset(
            "pjreddie", conf=0.005, nms=0.45, nms_kind="default", letterbox=True, epsilon=Epsilon.OUTSIDE_1E6
        ),
        _YOLOX,
        replace(_YOLOX, name="yolox-legacy", normalised=True),
        replace(_YOLOX, name="yolox-nms-free", normalised=True, nms=1.0),
        replace(_YOLOX, name="mmdet", resize="mmdet", most=1000),
    )
}


def detection_preset(name: str) -> DetectionPreset:
    """The preset with this name. Raises `UsageError`."""
    if name not in PRESETS:
        raise unknown("usage.unknown-preset", "unknown preset", name, tuple(PRESETS))
    return PRESETS[name]
