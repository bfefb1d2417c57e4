"""Layers with several inputs: route, shortcut, scale_channels, sam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from cspbench.errors import DefinitionError
from cspbench.network.layers.base import (
    ACTIVATIONS,
    Layer,
    Shape,
    Weight,
    check_choice,
    check_groups,
    check_present,
    check_range,
    sizes,
)
from cspbench.network.operations import Operations

NOT_OF_GATES = ("swish", "mish")
"""Activations that Darknet loads in [scale_channels] and [sam], with the notice that it does not support them."""


@dataclass(frozen=True, kw_only=True)
class Route(Layer):
    """[route]: concatenates its sources along channels; with `groups`, slice `group_id` of each source."""

    section: ClassVar[str] = "route"
    groups: int = 1
    group_id: int = 0

    def __post_init__(self) -> None:
        check_range("groups", self.groups)
        check_present(self.sources, "network.no-sources", "a route has no sources", "layers=...")
        check_range("group_id", self.group_id, self.groups - 1, lowest=0)

    def output(self, inputs: Sequence[Shape]) -> Shape:
        if len({shape[1:] for shape in inputs}) > 1:
            sources = ", ".join(
                f"layer {source}: {shape[1]}x{shape[2]}" for source, shape in zip(self.sources, inputs, strict=True)
            )
            raise DefinitionError(
                "network.route-sizes",
                "a route concatenates maps of different sizes",
                expected="equal heights and widths",
                found=sources,
                remedy="Choose a network input that all strides divide, or correct layers=",
            )
        for source, shape in zip(self.sources, inputs, strict=True):
            check_groups(self.groups, shape[0], f"channels of layer {source}")
        return sum(shape[0] // self.groups for shape in inputs), inputs[0][1], inputs[0][2]

    def describe(self) -> str:
        return f"slice {self.group_id + 1}/{self.groups}" if self.groups > 1 else ""


@dataclass(frozen=True, kw_only=True)
class Shortcut(Layer):
    """[shortcut]: adds earlier layers to the previous one (`sources[0]`), whose shape it keeps.

    Only the first min(C_from, C) channels are added. If the sizes differ, as in networks of the original engine, every
    stride-th pixel of a larger source is read, and a smaller source is added to every sample-th pixel. `weighting`
    multiplies each summand by one stored factor (`per_feature`) or one per channel (`per_channel`), normalised by
    `normalization` (`relu` or `softmax`).
    """

    section: ClassVar[str] = "shortcut"
    activation: str = "linear"
    weighting: str = "none"
    normalization: str = "none"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)
        check_present(self.sources[1:], "network.no-sources", "a shortcut has no layer to add", "from=...")
        check_choice("weights_type", self.weighting, ("none", "per_feature", "per_channel"))
        check_choice("weights_normalization", self.normalization, ("none", "relu", "softmax"))

    @staticmethod
    def steps(source: Shape, current: Shape) -> tuple[int, int]:
        """(stride, sample): every stride-th pixel of `source` is added to every sample-th pixel of `current`."""
        strides = (max(1, source[1] // current[1]), max(1, source[2] // current[2]))
        samples = (max(1, current[1] // source[1]), max(1, current[2] // source[2]))
        if strides[0] != strides[1] or samples[0] != samples[1]:
            raise DefinitionError(
                "network.shortcut-sizes",
                "a shortcut adds maps whose sizes do not fit",
                expected="equal ratios of heights and of widths",
                found=f"{source[1]}x{source[2]} to {current[1]}x{current[2]}",
                remedy="Correct from=",
            )
        return strides[0], samples[0]

    def output(self, inputs: Sequence[Shape]) -> Shape:
        for shape in inputs[1:]:
            self.steps(shape, inputs[0])
            if self.weighting != "none" and shape[1:] != inputs[0][1:]:
                raise DefinitionError(
                    "network.shortcut-sizes",
                    "a weighted shortcut adds maps of different sizes",
                    expected=f"{inputs[0][1]}x{inputs[0][2]}",
                    found=f"{shape[1]}x{shape[2]}",
                    remedy="Correct from=",
                )
        return inputs[0]

    def weights(self, inputs: Sequence[Shape]) -> tuple[Weight, ...]:
        if self.weighting == "none":
            return ()
        factors = inputs[0][0] if self.weighting == "per_channel" else 1
        return (Weight("fusion", (len(inputs), factors)),)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        elements = prod(output)
        return Operations(
            shortcut=elements * (len(inputs) - 1) * (1 if self.weighting == "none" else 2),
            activation=elements if self.activation != "linear" else 0,
        )

    def describe(self) -> str:
        return (
            self.activation if self.weighting == "none" else f"{self.weighting} {self.normalization} {self.activation}"
        )


@dataclass(frozen=True, kw_only=True)
class _Gated(Layer):
    """A product of two maps and an activation."""

    activation: str = "linear"

    def __post_init__(self) -> None:
        check_choice("activation", self.activation, ACTIVATIONS)

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(activation=prod(output) if self.activation != "linear" else 0)

    def describe(self) -> str:
        return self.activation

    def unevaluated(self) -> str:
        return f"activation={self.activation}" if self.activation in NOT_OF_GATES else ""


@dataclass(frozen=True, kw_only=True)
class ScaleChannels(_Gated):
    """[scale_channels]: `sources[1]` times the previous layer, a gate per channel or (`per_pixel`) per pixel."""

    section: ClassVar[str] = "scale_channels"
    per_pixel: bool = False

    def output(self, inputs: Sequence[Shape]) -> Shape:
        gate, scaled = inputs
        expected = (1, *scaled[1:]) if self.per_pixel else (scaled[0], 1, 1)
        if gate != expected:
            raise DefinitionError(
                "network.gate-shape",
                "the gate does not fit the map that it scales",
                expected=sizes(expected),
                found=sizes(gate),
                remedy="Correct from= or the layer before",
            )
        return scaled


@dataclass(frozen=True, kw_only=True)
class Sam(_Gated):
    """[sam]: elementwise product of the previous layer and `sources[1]`."""

    section: ClassVar[str] = "sam"

    def output(self, inputs: Sequence[Shape]) -> Shape:
        if inputs[0] != inputs[1]:
            raise DefinitionError(
                "network.sam-shapes",
                "a [sam] layer multiplies maps of different shapes",
                expected=sizes(inputs[0]),
                found=sizes(inputs[1]),
                remedy="Correct from=",
            )
        return inputs[0]
