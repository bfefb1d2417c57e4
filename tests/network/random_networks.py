"""Random valid networks of every layer type, small enough to run thousands of; and arrays for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from math import gcd, prod
from typing import Any

import torch
from hypothesis import strategies as st
from torch import nn

from cspbench.errors import DefinitionError
from cspbench.network.layers import (
    ACTIVATIONS,
    Activation,
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Crop,
    Dropout,
    Empty,
    GaussianYolo,
    Implicit,
    Layer,
    Local,
    LocalAvgPool,
    Loss,
    MaxPool,
    MaxPoolDepth,
    Region,
    Reorg,
    ResponseNorm,
    Route,
    Sam,
    ScaleChannels,
    Shape,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
    YoloV1,
)
from cspbench.network.layers.joining import NOT_OF_GATES
from cspbench.network.network import Network

Draw = st.DrawFn
LARGEST_SIDE = 24
GATE_ACTIVATIONS = tuple(name for name in ACTIVATIONS if name not in NOT_OF_GATES)


class Sketch:
    """A network being drawn: the layers so far and the shape that each of them writes.

    `foreign` draws what no cfg can say as well.
    """

    def __init__(self, draw: Draw, shape: Shape, foreign: bool) -> None:
        self.draw = draw
        self.foreign = foreign
        self.input = shape
        self.layers: list[Layer] = []
        self.shapes: list[Shape] = []

    @property
    def last(self) -> int:
        return len(self.layers) - 1

    @property
    def shape(self) -> Shape:
        return self.shapes[-1] if self.shapes else self.input

    def add(self, layer: Layer) -> int:
        inputs = [self.shapes[source] if source >= 0 else self.input for source in layer.sources]
        self.shapes.append(layer.output(inputs))
        self.layers.append(layer)
        return self.last

    def whole(self, low: int, high: int) -> int:
        return self.draw(st.integers(low, high))

    def one_of(self, values: tuple[str, ...]) -> str:
        return self.draw(st.sampled_from(values))

    def switch(self) -> bool:
        return self.draw(st.booleans())

    def divisor(self, value: int) -> int:
        return self.draw(st.sampled_from([each for each in range(1, value + 1) if value % each == 0]))

    def pointwise(self, filters: int) -> int:
        """A convolution that fits any map."""
        return self.add(Convolution(sources=(self.last,), filters=filters, activation="linear"))


def _convolution(s: Sketch) -> None:
    filters = s.whole(1, 6)
    size = s.whole(1, 5)
    dilation = s.whole(1, 3) if size % 2 and size > 1 else 1
    normalized = s.switch()
    layer = Convolution(
        sources=(s.last,),
        filters=filters,
        size=size,
        stride=(s.whole(1, 3), s.whole(1, 3)) if s.switch() else (1, 1),
        padding=size // 2 if dilation > 1 else s.whole(0, 3),
        groups=s.divisor(gcd(s.shape[0], filters)),
        dilation=dilation,
        batch_normalize=normalized,
        bias=normalized or not s.foreign or s.switch(),
        activation=s.one_of(ACTIVATIONS),
        antialiasing=s.draw(st.sampled_from([0, 0, 0, 1, 2])),
        count_only=s.draw(st.sampled_from([(), (), (), ("xnor=1",), ("binary=1",), ("xnor=1", "flipped=1")])),
    )
    try:
        s.add(layer)
    except DefinitionError:  # the kernel does not fit the map
        s.pointwise(filters)


def _shared(s: Sketch) -> None:
    channels = s.shape[0]
    normalized = s.switch()
    own = s.add(
        Convolution(sources=(s.last,), filters=channels, size=3, padding=1, batch_normalize=normalized, groups=channels)
    )
    s.add(
        Convolution(
            sources=(s.last,),
            filters=channels,
            size=3,
            padding=1,
            stride=(s.whole(1, 2), 1),
            groups=channels,
            dilation=s.whole(1, 2),
            batch_normalize=normalized,
            activation=s.one_of(ACTIVATIONS),
            share=own,
        )
    )


def _repeated(s: Sketch) -> None:
    """A residual block that occurs twice, and a convolution that shares one of its equal layers."""
    channels = s.shape[0]
    s.pointwise(channels)
    owns = []
    for _ in range(2):
        start = s.last
        owns.append(s.add(Convolution(sources=(s.last,), filters=channels, size=3, padding=1)))
        s.add(Shortcut(sources=(s.last, start)))
    s.add(Convolution(sources=(s.last,), filters=channels, size=3, padding=1, share=owns[s.whole(0, 1)]))


def _local(s: Sketch) -> None:
    size = s.whole(1, min(3, *s.shape[1:]))
    s.add(
        Local(
            sources=(s.last,),
            filters=s.whole(1, 3),
            size=size,
            stride=s.whole(1, 2),
            padding=size // 2 if size == 3 and s.switch() else 0,
            activation=s.one_of(ACTIVATIONS),
        )
    )


def _response(s: Sketch) -> None:
    s.add(
        ResponseNorm(
            sources=(s.last,),
            size=s.whole(1, 2 * s.shape[0] + 1),
            alpha=s.draw(st.sampled_from([0.0001, 0.1])),
            beta=s.draw(st.sampled_from([0.75, 0.5])),
            kappa=s.draw(st.sampled_from([1.0, 2.0])),
        )
    )


def _first(s: Sketch) -> None:
    side, num, coords, classes = s.whole(1, 3), s.whole(1, 2), s.whole(0, 4), s.whole(1, 3)
    s.add(Connected(sources=(s.last,), outputs=side**2 * (num * (1 + coords) + classes)))
    head = YoloV1(
        sources=(s.last,), side=side, num=num, coords=coords, classes=classes, softmax=s.switch(), sqrt=s.switch()
    )
    s.add(head)


def _window(kind: type[MaxPool] | type[LocalAvgPool]) -> Callable[[Sketch], None]:
    def window(s: Sketch) -> None:
        size = s.whole(1, 5)
        padding = s.whole(0, 2 * (size - 1))
        if min(s.shape[1:]) + padding < size:
            padding = size - 1
        across = s.draw(st.sampled_from([None, None, 1, 2, 3]))
        stride = s.draw(st.sampled_from([value for value in (1, 2, 3) if value != across]))
        layer = kind(sources=(s.last,), size=size, stride=stride, padding=padding, horizontal=across)
        if isinstance(layer, MaxPool) and s.switch():
            with suppress(DefinitionError):  # the blur does not fit the map
                s.add(replace(layer, antialiasing=s.whole(1, 2)))
                return
        s.add(layer)

    return window


def _route(s: Sketch) -> None:
    s.pointwise(2 * s.whole(1, 3))
    fitting = [at for at, shape in enumerate(s.shapes) if shape[1:] == s.shape[1:]]
    sources = tuple(s.draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3)))
    groups = s.divisor(gcd(*(s.shapes[at][0] for at in sources)))
    s.add(Route(sources=sources, groups=groups, group_id=s.whole(0, groups - 1)))


def _shortcut(s: Sketch) -> None:
    s.pointwise(s.whole(1, 6))
    s.pointwise(s.whole(1, 6))
    weighting = s.one_of(("none", "per_feature", "per_channel"))
    fitting = []
    for at, shape in enumerate(s.shapes[:-1]):
        try:
            Shortcut.steps(shape, s.shape)
        except DefinitionError:
            continue
        if weighting == "none" or shape[1:] == s.shape[1:]:
            fitting.append(at)
    s.add(
        Shortcut(
            sources=(s.last, *s.draw(st.lists(st.sampled_from(fitting), min_size=1, max_size=3))),
            weighting=weighting,
            normalization="none" if weighting == "none" else s.one_of(("none", "relu", "softmax")),
            activation=s.one_of(ACTIVATIONS),
        )
    )


def _scale_channels(s: Sketch) -> None:
    scaled = s.pointwise(s.whole(1, 4))
    activation = s.one_of(GATE_ACTIVATIONS)
    if s.switch():
        s.pointwise(1)
        s.add(ScaleChannels(sources=(s.last, scaled), activation=activation, per_pixel=True))
    else:
        s.add(AvgPool(sources=(s.last,)))
        s.add(ScaleChannels(sources=(s.last, scaled), activation=activation))


def _sam(s: Sketch) -> None:
    filters = s.whole(1, 4)
    scaled = s.pointwise(filters)
    s.pointwise(filters)
    s.add(Sam(sources=(s.last, scaled), activation=s.one_of(GATE_ACTIVATIONS)))


def _upsample(s: Sketch) -> None:
    scale = s.draw(st.sampled_from([1.0, 0.5, 0.1, 3.0]))
    if s.switch():
        s.add(Upsample(sources=(s.last,), stride=s.divisor(gcd(*s.shape[1:])), scale=scale, reverse=True))
    else:
        largest = max(1, min(3, LARGEST_SIDE // max(s.shape[1:])))
        bilinear = s.foreign and s.switch()
        s.add(Upsample(sources=(s.last,), stride=s.whole(1, largest), scale=scale, bilinear=bilinear))


def _reorg(s: Sketch) -> None:
    stride = s.draw(st.sampled_from([each for each in (1, 2, 3) if gcd(*s.shape[1:]) % each == 0]))
    s.pointwise(stride**2)
    reverse = max(s.shape[1:]) * stride <= LARGEST_SIDE and s.switch()
    s.add(Reorg(sources=(s.last,), stride=stride, legacy=s.switch(), reverse=reverse))


def _crop(s: Sketch) -> None:
    height, width = s.whole(1, s.shape[1]), s.whole(1, s.shape[2])
    s.add(Crop(sources=(s.last,), height=height, width=width, noadjust=s.switch()))


def _connected(s: Sketch) -> None:
    s.add(
        Connected(
            sources=(s.last,),
            outputs=s.whole(1, 6),
            batch_normalize=s.switch(),
            activation=s.one_of(ACTIVATIONS),
        )
    )


def _softmax(s: Sketch) -> None:
    s.add(
        Softmax(
            sources=(s.last,),
            groups=s.divisor(prod(s.shape)),
            temperature=s.draw(st.sampled_from([1.0, 0.7, 4])),
            count_only=s.draw(st.sampled_from([(), (), ("tree=any.tree",), ("spatial=1",)])),
        )
    )


def _detection(kind: type[Yolo] | type[Region]) -> Callable[[Sketch], None]:
    def detection(s: Sketch) -> None:
        side = st.floats(0.125, 600, allow_nan=False)
        anchors = tuple(s.draw(st.lists(st.tuples(side, side), min_size=1, max_size=4)))
        classes = s.whole(1, 3)
        if issubclass(kind, Region):
            coords = s.draw(st.sampled_from([4, 4, 4, 5]))
            s.pointwise(len(anchors) * (coords + 1 + classes))
            tree = s.draw(st.sampled_from([(), (), ("tree=any.tree",)]))
            head: dict[str, Any] = {"anchors": anchors, "softmax": s.switch(), "coords": coords, "count_only": tree}
            s.add(kind(sources=(s.last,), classes=classes, **head))
            return
        mask = tuple(s.draw(st.lists(st.integers(0, len(anchors) - 1), min_size=1, max_size=3)))
        s.pointwise(len(mask) * (kind.per_anchor + classes))
        gaussian = kind is GaussianYolo
        extra: dict[str, Any] = {"yolo_point": s.one_of(("center", "left_top", "right_bottom"))} if gaussian else {}
        s.add(
            kind(
                sources=(s.last,),
                classes=classes,
                anchors=anchors,
                mask=mask,
                scale_x_y=s.draw(st.sampled_from([1.0, 1.05, 1.2])),
                new_coords=not gaussian and s.switch(),
                nms_kind=s.one_of(("default", "greedynms", "diounms")),
                beta_nms=s.draw(st.sampled_from([0.6, 0.45])),
                **extra,
            )
        )

    return detection


def _plain(make: Callable[[Sketch], Layer]) -> Callable[[Sketch], None]:
    def add(s: Sketch) -> None:
        s.add(make(s))

    return add


KINDS: dict[str, Callable[[Sketch], None]] = {
    "Convolution": _convolution,
    "share": _shared,
    "repeated": _repeated,
    "Local": _local,
    "ResponseNorm": _response,
    "Empty": _plain(lambda s: Empty(sources=(s.last,))),
    "YoloV1": _first,
    "Connected": _connected,
    "Activation": _plain(lambda s: Activation(sources=(s.last,), activation=s.one_of(ACTIVATIONS))),
    "BatchNorm": _plain(lambda s: BatchNorm(sources=(s.last,))),
    "MaxPool": _window(MaxPool),
    "LocalAvgPool": _window(LocalAvgPool),
    "MaxPoolDepth": _plain(lambda s: MaxPoolDepth(sources=(s.last,), channels=s.divisor(s.shape[0]))),
    "AvgPool": _plain(lambda s: AvgPool(sources=(s.last,))),
    "Route": _route,
    "Shortcut": _shortcut,
    "ScaleChannels": _scale_channels,
    "Sam": _sam,
    "Upsample": _upsample,
    "Reorg": _reorg,
    "Crop": _crop,
    "Dropout": _plain(lambda s: Dropout(sources=(s.last,), probability=s.draw(st.sampled_from([0.0, 0.2, 0.5])))),
    "Softmax": _softmax,
    "Loss": _plain(lambda s: Loss(sources=(s.last,))),
    "Implicit": _plain(lambda s: Implicit(sources=(s.last,), filters=s.whole(1, 4), atoms=s.whole(1, 2))),
    "Yolo": _detection(Yolo),
    "GaussianYolo": _detection(GaussianYolo),
    "Region": _detection(Region),
}
"""Every layer type by its class name, and convolutions that share another's arrays."""


@st.composite
def networks(draw: Draw, kind: str | None = None, most: int = 8, *, foreign: bool = False) -> Network:
    """A valid network of up to `most` random steps, with a layer of `kind` between two of them."""
    sketch = Sketch(draw, (draw(st.integers(1, 4)), draw(st.integers(3, 12)), draw(st.integers(3, 12))), foreign)
    steps = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=0 if kind else 1, max_size=most))
    if kind:
        steps.insert(draw(st.integers(0, len(steps))), kind)
    for step in steps:
        KINDS[step](sketch)
    return Network("random", sketch.input, tuple(sketch.layers), letter_box=draw(st.booleans()))


@torch.no_grad()
def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random arrays and batch-norm statistics for a module, small enough that nothing overflows."""
    generator = torch.Generator().manual_seed(seed)
    for name, value in sorted(module.state_dict().items()):
        if name.endswith("num_batches_tracked"):
            continue
        drawn = torch.rand(value.shape, generator=generator)
        fan = prod(value.shape[1:])
        if name.endswith("running_var"):
            value.copy_(0.5 + drawn)
        else:
            value.copy_((2 * drawn - 1) / fan**0.5)
    return module
