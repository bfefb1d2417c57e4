"""Feature maps by stride: where they are in a network, and the part of the network that computes them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cspbench.errors import UsageError
from cspbench.models.heads import classifying_layer, predicting_layers
from cspbench.network.layers import AvgPool, Dropout, Upsample
from cspbench.network.network import Network


@dataclass(frozen=True)
class Level:
    """A feature map: the output of layer `index`, with `channels` channels at a `stride` of the input's pixels."""

    index: int
    stride: int
    channels: int


def levels(network: Network) -> tuple[Level, ...]:
    """The last map of each stride on the way down, in order of strides: of a backbone, the ends of its stages.

    A classifier's way ends before its global pooling and classification; a detector's where it first enlarges a map
    or predicts boxes. Branches that go deeper and come back are no levels. Raises `UsageError` for a detector with
    other heads than [yolo] or [region].
    """
    last = _end(network)
    if last is None:
        raise UsageError(
            "usage.no-features",
            f"the feature maps of {network.name} cannot be told from its heads",
            expected="a classifier, or a detector with [yolo] or [region]",
            remedy="Take those of its backbone, or outputs of `cspbench.network.module.to_module` by layer",
        )
    deepest = stride_of(network, last)
    ends: dict[int, int] = {}
    for index in range(last + 1):
        ends[stride_of(network, index)] = index
    found: list[Level] = []
    for stride in sorted(stride for stride in ends if stride <= deepest):
        if not found or ends[stride] > found[-1].index:
            found.append(Level(ends[stride], stride, network.shape(ends[stride])[0]))
    return tuple(found)


def chosen_levels(network: Network, indices: Sequence[int] | None) -> tuple[Level, ...]:
    """The levels with these indices, as timm's out_indices: negative ones count from the deepest; all by default."""
    every = levels(network)
    if indices is None:
        return every
    wrong = [index for index in indices if not -len(every) <= index < len(every)]
    if wrong or not indices:
        raise UsageError(
            "usage.no-such-level",
            "out_indices names a feature map that is not there",
            where=network.name,
            expected=f"0 to {len(every) - 1}, of strides {', '.join(str(level.stride) for level in every)}",
            found=str(wrong[0]) if wrong else "none",
            remedy="Correct out_indices",
        )
    return tuple(every[index] for index in indices)


def until(network: Network, index: int) -> Network:
    """The network that ends with layer `index`."""
    return replace(network, layers=network.layers[: index + 1], places=network.places[: index + 1])


def _end(network: Network) -> int | None:
    """The last layer before the head."""
    if network.detections:
        before = predicting_layers(network)
        if before is None:
            return None
        stops = [index for index, layer in enumerate(network.layers) if isinstance(layer, Upsample)]
        return min([stop - 1 for stop in stops] + [network.layers[index].sources[0] for index in before])
    index = classifying_layer(network)
    if index is None:
        return len(network.layers) - 1
    index = network.layers[index].sources[0]
    while index > 0 and isinstance(network.layers[index], AvgPool | Dropout):
        index = network.layers[index].sources[0]
    return index


def stride_of(network: Network, index: int) -> int:
    """Pixels of the input a pixel of the layer's output, as a power of two: maps of odd sides are rounded up."""
    return 1 << max(0, round(math.log2(network.input[1] / network.shape(index)[1])))
