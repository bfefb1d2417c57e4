"""Writes Darknet .cfg files, which Darknet loads and `cfg.parse` reads back unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from cspbench.errors import DefinitionError
from cspbench.network import layers
from cspbench.network.cfg import recipe as training
from cspbench.network.cfg.fields import KEYS
from cspbench.network.network import Network
from cspbench.network.recipe import Recipe
from cspbench.network.shortcut_checks import old_only

Pairs = Iterable[tuple[str, object]]


def _joined(values: Iterable[object]) -> str:
    return ",".join(f"{value:g}" if isinstance(value, float) else str(value) for value in values)


def _back(sources: Iterable[int], index: int) -> str:
    """Relative references: -1 is the previous layer."""
    return _joined(source - index for source in sources)


def _convolution(layer: layers.Convolution, index: int) -> Pairs:
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


def _window(layer: layers.MaxPool | layers.LocalAvgPool, index: int) -> Pairs:
    yield "size", layer.size
    if layer.horizontal is None:
        yield "stride", layer.stride
    else:
        yield from (("stride_y", layer.stride), ("stride_x", layer.horizontal))
    if layer.padding != layer.size - 1:
        yield "padding", layer.padding
    if isinstance(layer, layers.MaxPool) and layer.antialiasing:
        yield "antialiasing", layer.antialiasing


def _depth(layer: layers.MaxPoolDepth, index: int) -> Pairs:
    yield from (("maxpool_depth", 1), ("out_channels", layer.channels), ("size", 1), ("stride", 1))


def _route(layer: layers.Route, index: int) -> Pairs:
    yield "layers", _back(layer.sources, index)
    if layer.groups > 1:
        yield from (("groups", layer.groups), ("group_id", layer.group_id))


def _shortcut(layer: layers.Shortcut, index: int) -> Pairs:
    yield "from", _back(layer.sources[1:], index)
    if layer.weighting != "none":
        yield "weights_type", layer.weighting
        if layer.normalization != "none":
            yield "weights_normalization", layer.normalization


def _gated(layer: layers.Layer, index: int) -> Pairs:
    yield "from", _back(layer.sources[1:], index)


def _anchors(layer: layers.Yolo | layers.Region) -> Pairs:
    yield "anchors", ",".join(repr(value).removesuffix(".0") for pair in layer.anchors for value in pair)
    yield from (("classes", layer.classes), ("num", len(layer.anchors)))


def _yolo(layer: layers.Yolo, index: int) -> Pairs:
    yield "mask", _joined(layer.mask)
    yield from _anchors(layer)


_RULES: dict[type[layers.Layer], Callable[[Any, int], Pairs]] = {
    layers.Convolution: _convolution,
    layers.GaussianYolo: _yolo,
    layers.LocalAvgPool: _window,
    layers.MaxPool: _window,
    layers.MaxPoolDepth: _depth,
    layers.Region: lambda layer, _: _anchors(layer),
    layers.Route: _route,
    layers.Sam: _gated,
    layers.ScaleChannels: _gated,
    layers.Shortcut: _shortcut,
    layers.Upsample: lambda layer, _: [("stride", -layer.stride if layer.reverse else layer.stride)],
    layers.Yolo: _yolo,
}
"""Writers of what KEYS do not say."""
_WRITTEN = {*KEYS, *_RULES, layers.AvgPool, layers.BatchNorm, layers.Empty, layers.Loss}


def _pairs(layer: layers.Layer, index: int) -> Pairs:
    if type(layer) in _RULES:
        yield from _RULES[type(layer)](layer, index)
    for key in KEYS.get(type(layer), ()):
        value = getattr(layer, key.field or key.name)
        if key.always or value != key.default:
            yield key.name, int(value) if isinstance(value, bool) else value
    for switch in layer.count_only:
        name, _, value = switch.partition("=")
        yield name, value


def _inexpressible(layer: layers.Layer) -> str:
    """The feature of this layer that Darknet has no key for; empty if there is none."""
    if type(layer) not in _WRITTEN:
        return f"[{layer.section}]"
    if isinstance(layer, layers.Convolution) and not layer.shifts:
        return "no bias and no batch norm"
    if isinstance(layer, layers.Upsample) and layer.bilinear:
        return "bilinear interpolation"
    return ""


def _not_expressible(where: str, expected: str, found: str, remedy: str) -> DefinitionError:
    what = "this layer cannot be written as a cfg"
    return DefinitionError("cfg.not-expressible", what, where=where, expected=expected, found=found, remedy=remedy)


def write(network: Network, recipe: Recipe | None = None) -> str:
    """The network as cfg text for inference, or with the training settings of a recipe.

    Comments at the top name the layers that only the Darknet of 2019 loads.

    Raises `DefinitionError` for what the format cannot express: a layer other than [route] that does not read the
    previous layer, a reference to the network input, which has no index, a convolution with neither batch norm nor
    bias, bilinear upsampling, and layers that Darknet does not have.
    """
    channels, height, width = network.input
    sizes: Pairs = [("batch", 1), ("subdivisions", 1)] if recipe is None else training.pairs(recipe.net)
    net = [*sizes, ("width", width), ("height", height), ("channels", channels)]
    if network.letter_box:
        net.append(("letter_box", 1))
    title = f"{' '.join(network.name.split())}, written by cspbench"
    blocks = ["\n".join(f"# {line}" for line in [title, *old_only(network)]), _block("net", net)]
    for index, layer in enumerate(network.layers):
        if feature := _inexpressible(layer):
            raise _not_expressible(
                network.place(index), "a layer of Darknet", feature, "`cspbench show MODEL` prints the layers instead"
            )
        if not isinstance(layer, layers.Route) and layer.sources[0] != index - 1:
            expected = f"a layer that reads layer {index - 1}, the previous one"
            found = f"layer {layer.sources[0]}"
            raise _not_expressible(network.place(index), expected, found, "Insert a [route] to that layer")
        if -1 in (layer.sources if isinstance(layer, layers.Route) else layer.sources[1:]):
            remedy = "Insert a layer that passes the input on, such as [dropout], at the start"
            raise _not_expressible(network.place(index), "an earlier layer", "the network input", remedy)
        section = "reorg" if isinstance(layer, layers.Reorg) and layer.legacy else layer.section
        settings = training.pairs(recipe.layers[index]) if recipe is not None else ()
        blocks.append(_block(section, (*_pairs(layer, index), *settings)))
    return "\n".join(blocks)


def _block(section: str, pairs: Pairs) -> str:
    return "".join([f"[{section}]\n", *(f"{key}={value}\n" for key, value in pairs)])
