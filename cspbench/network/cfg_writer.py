"""Writes Darknet .cfg files, which Darknet loads and `cfg.parse` reads back unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cspbench.errors import DefinitionError
from cspbench.network.layers import (
    Activation,
    AvgPool,
    BatchNorm,
    Connected,
    Convolution,
    Crop,
    Dropout,
    GaussianYolo,
    Implicit,
    Layer,
    LocalAvgPool,
    Loss,
    MaxPool,
    MaxPoolDepth,
    Region,
    Reorg,
    Route,
    Sam,
    ScaleChannels,
    Shortcut,
    Softmax,
    Upsample,
    Yolo,
)
from cspbench.network.network import Network
from cspbench.network.shortcut_checks import old_only

Pairs = Iterable[tuple[str, object]]


def _joined(values: Iterable[object]) -> str:
    return ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def _back(sources: Iterable[int], index: int) -> str:
    """Relative references: -1 is the previous layer."""
    return _joined(source - index for source in sources)


def _convolution(layer: Convolution, index: int) -> Pairs:
    if layer.batch_normalize:
        yield "batch_normalize", 1
    yield "filters", layer.filters
    yield "size", layer.size
    if layer.stride[0] == layer.stride[1]:
        yield "stride", layer.stride[0]
    else:
        yield from (("stride_y", layer.stride[0]), ("stride_x", layer.stride[1]))
    if layer.padding == layer.size // 2:
        yield "pad", 1
    elif layer.padding:
        yield "padding", layer.padding
    for key in ("groups", "dilation"):
        if getattr(layer, key) > 1:
            yield key, getattr(layer, key)
    if layer.antialiasing:
        yield "antialiasing", layer.antialiasing
    if layer.share is not None:
        yield "share_index", layer.share
    yield "activation", layer.activation


def _connected(layer: Connected, index: int) -> Pairs:
    if layer.batch_normalize:
        yield "batch_normalize", 1
    yield from (("output", layer.outputs), ("activation", layer.activation))


def _window(layer: MaxPool | LocalAvgPool, index: int) -> Pairs:
    yield from (("size", layer.size), ("stride", layer.stride))
    if layer.padding != layer.size - 1:
        yield "padding", layer.padding


def _depth(layer: MaxPoolDepth, index: int) -> Pairs:
    yield from (("maxpool_depth", 1), ("out_channels", layer.channels), ("size", 1), ("stride", 1))


def _route(layer: Route, index: int) -> Pairs:
    yield "layers", _back(layer.sources, index)
    if layer.groups > 1:
        yield from (("groups", layer.groups), ("group_id", layer.group_id))


def _shortcut(layer: Shortcut, index: int) -> Pairs:
    yield "from", _back(layer.sources[1:], index)
    if layer.weighting != "none":
        yield "weights_type", layer.weighting
        if layer.normalization != "none":
            yield "weights_normalization", layer.normalization
    yield "activation", layer.activation


def _scale_channels(layer: ScaleChannels, index: int) -> Pairs:
    yield "from", _back(layer.sources[1:], index)
    if layer.per_pixel:
        yield "scale_wh", 1
    yield "activation", layer.activation


def _sam(layer: Sam, index: int) -> Pairs:
    yield from (("from", _back(layer.sources[1:], index)), ("activation", layer.activation))


def _upsample(layer: Upsample, index: int) -> Pairs:
    yield "stride", -layer.stride if layer.reverse else layer.stride
    if layer.scale != 1:
        yield "scale", repr(layer.scale)


def _crop(layer: Crop, index: int) -> Pairs:
    yield from (("crop_height", layer.height), ("crop_width", layer.width))
    if layer.noadjust:
        yield "noadjust", 1


def _softmax(layer: Softmax, index: int) -> Pairs:
    yield "groups", layer.groups
    if layer.temperature != 1:
        yield "temperature", repr(layer.temperature)


def _anchors(layer: Yolo | Region) -> Pairs:
    yield "anchors", ",".join(repr(value).removesuffix(".0") for pair in layer.anchors for value in pair)
    yield from (("classes", layer.classes), ("num", len(layer.anchors)))


def _yolo(layer: Yolo, index: int) -> Pairs:
    yield "mask", _joined(layer.mask)
    yield from _anchors(layer)
    if layer.scale_x_y != 1:
        yield "scale_x_y", repr(layer.scale_x_y)
    if layer.new_coords:
        yield "new_coords", 1
    if layer.nms_kind != "default":
        yield "nms_kind", layer.nms_kind
    if layer.beta_nms != 0.6:
        yield "beta_nms", repr(layer.beta_nms)
    if isinstance(layer, GaussianYolo) and layer.yolo_point != "center":
        yield "yolo_point", layer.yolo_point


def _region(layer: Region, index: int) -> Pairs:
    yield from _anchors(layer)
    if layer.softmax:
        yield "softmax", 1


_WRITERS: dict[type[Layer], Callable[[Any, int], Pairs]] = {
    Activation: lambda layer, _: [("activation", layer.activation)],
    AvgPool: lambda *_: (),
    BatchNorm: lambda *_: (),
    Connected: _connected,
    Convolution: _convolution,
    Crop: _crop,
    Dropout: lambda layer, _: [("probability", repr(layer.probability))],
    GaussianYolo: _yolo,
    Implicit: lambda layer, _: [("filters", layer.filters), ("atoms", layer.atoms)],
    LocalAvgPool: _window,
    Loss: lambda *_: (),
    MaxPool: _window,
    MaxPoolDepth: _depth,
    Region: _region,
    Reorg: lambda layer, _: [("stride", layer.stride)],
    Route: _route,
    Sam: _sam,
    ScaleChannels: _scale_channels,
    Shortcut: _shortcut,
    Softmax: _softmax,
    Upsample: _upsample,
    Yolo: _yolo,
}


def _inexpressible(layer: Layer) -> str:
    """The feature of this layer that Darknet has no key for; empty if there is none."""
    if type(layer) not in _WRITERS:
        return f"[{layer.section}]"
    if isinstance(layer, Convolution) and not layer.shifts:
        return "no bias and no batch norm"
    if isinstance(layer, Upsample) and layer.bilinear:
        return "bilinear interpolation"
    return ""


def write(network: Network) -> str:
    """The network as cfg text for inference, without training settings.

    Comments at the top name the layers that only the Darknet of 2019 loads.

    Raises `DefinitionError` for what the format cannot express: a layer other than [route] that does not read the
    previous layer, a reference to the network input, which has no index, a convolution with neither batch norm nor
    bias, bilinear upsampling, and layers that Darknet does not have.
    """
    channels, height, width = network.input
    net = [("batch", 1), ("subdivisions", 1), ("width", width), ("height", height), ("channels", channels)]
    if network.letter_box:
        net.append(("letter_box", 1))
    title = f"{' '.join(network.name.split())}, written by cspbench"
    blocks = ["\n".join(f"# {line}" for line in [title, *old_only(network)]), _block("net", net)]
    for index, layer in enumerate(network.layers):
        if feature := _inexpressible(layer):
            raise DefinitionError(
                "cfg.not-expressible",
                "this layer cannot be written as a cfg",
                where=network.place(index),
                expected="a layer of Darknet",
                found=feature,
                remedy="`cspbench show MODEL` prints the layers instead",
            )
        if not isinstance(layer, Route) and layer.sources[0] != index - 1:
            raise DefinitionError(
                "cfg.not-expressible",
                "this layer cannot be written as a cfg",
                where=network.place(index),
                expected=f"a layer that reads layer {index - 1}, the previous one",
                found=f"layer {layer.sources[0]}",
                remedy="Insert a [route] to that layer",
            )
        if -1 in (layer.sources if isinstance(layer, Route) else layer.sources[1:]):
            raise DefinitionError(
                "cfg.not-expressible",
                "this layer cannot be written as a cfg",
                where=network.place(index),
                expected="an earlier layer",
                found="the network input",
                remedy="Insert a layer that passes the input on, such as [dropout], at the start",
            )
        section = "reorg" if isinstance(layer, Reorg) and layer.legacy else layer.section
        blocks.append(_block(section, _WRITERS[type(layer)](layer, index)))
    return "\n".join(blocks)


def _block(section: str, pairs: Pairs) -> str:
    return "".join([f"[{section}]\n", *(f"{key}={value}\n" for key, value in pairs)])
