"""RefineDetLite, as far as it is known: the authors published no code.

Sources: RefineDetLite (arXiv 1911.08855) and RefineDet (arXiv 1711.06897); res2netlite72.cfg of
WongKinYiu/CrossStagePartialNetworks for the trunk, which that paper introduced; DayBreak-u/RefinedetLite.pytorch, a
third-party port, for the structure. The port has another trunk, and its anchors do not fit its heads.
"""

from __future__ import annotations

from cspbench.network.builder import Builder
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import RefineBox, Resize
from cspbench.network.layers.heads import Anchor
from cspbench.zoo.detector_protocol import IMAGENET_MEAN, DetectorProtocol, HardNms, in_levels
from cspbench.zoo.model import register
from cspbench.zoo.pelee_ssd import elongated
from cspbench.zoo.res2net import CARDINALITY, SCALE, downsample, res2netlite72_trunk

EXTRA = 128
"""A quarter of the channels of the two extra maps."""

WIDTH = 256

STEPS = (16.0, 32.0, 64.0, 107.0)
SIZES = (32.0, 64.0, 128.0, 256.0)

CLASSES = 80

PROTOCOL = DetectorProtocol(
    bgr=False,
    mean=in_levels(IMAGENET_MEAN),
    deviation=(1.0, 1.0, 1.0),
    epsilon=Epsilon.INSIDE_1E5,
    conf=0.01,
    nms=HardNms(0.45, considered=1000, kept=500),
    objectness=0.01,
)
"""Thresholds of RefineDet and pixel values of the port; the authors' are unknown."""


def anchors(size: float) -> tuple[Anchor, ...]:
    """A square, and boxes of the same area with RATIOS and their inverses: five; the port's heads fit six."""
    return ((size, size), *elongated(size))


def light_head(b: Builder, entry: int, filters: int) -> int:
    """The sum of a 1x1 and a bottleneck, and a 1x1 that predicts."""
    b.route(entry)
    straight = b.conv(WIDTH, activation="relu")
    b.route(entry)
    b.conv(WIDTH // 2, activation="relu")
    b.conv(WIDTH // 2, 3, activation="relu")
    b.conv(WIDTH, activation="relu")
    b.shortcut(straight)
    return b.conv(filters, activation="linear", batch_normalize=False)


def transfer_connection(b: Builder, entry: int, deeper: int | None) -> int:
    """RefineDet's transfer connection: two 3x3, plus the resized output of the deeper connection, if any."""
    b.route(entry)
    b.conv(WIDTH, 3, activation="relu", batch_normalize=False)
    features = b.conv(WIDTH, 3, activation="linear" if deeper is not None else "relu", batch_normalize=False)
    if deeper is None:
        return features
    b.add(Resize(sources=(deeper, features), bilinear=True))
    return b.shortcut(features, activation="relu")


def refined_head(b: Builder, entry: int, refined: int, boxes: tuple[Anchor, ...], step: float) -> int:
    """Offsets and scores that refine anchors, from the trunk's map; then those of boxes, from the connection's map."""
    count = len(boxes)
    parts = [light_head(b, entry, 4 * count), light_head(b, entry, 2 * count)]
    parts += [light_head(b, refined, 4 * count), light_head(b, refined, (CLASSES + 1) * count)]
    joined = b.route(*parts)
    return b.add(RefineBox(sources=(joined,), classes=CLASSES, anchors=boxes, step=step, clip=True))


@register("refinedetlite", 320, detector_protocol=PROTOCOL)
def refinedetlite(b: Builder) -> None:
    """RefineDetLite at 320x320, with heads on maps of side 20, 10, 5 and 3."""
    _, *maps = res2netlite72_trunk(b)
    for _ in range(2):
        maps.append(downsample(b, EXTRA, scale=SCALE, cardinality=CARDINALITY))
    connections: list[int] = []
    for entry in reversed(maps):
        connections.append(transfer_connection(b, entry, connections[-1] if connections else None))
    for entry, refined, step, size in zip(maps, reversed(connections), STEPS, SIZES, strict=True):
        refined_head(b, entry, refined, anchors(size), step)
