"""Reads cfg sections: keys become a layer, with Darknet's defaults (spec: Darknet parser.c)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cspbench.errors import DefinitionError, brief
from cspbench.network import layers
from cspbench.network.cfg import heads
from cspbench.network.cfg.fields import activation, count_only, layer
from cspbench.network.cfg.keys import closest
from cspbench.network.cfg.parser import Section
from cspbench.network.layers.base import check_choice

Reader = Callable[[Section, int], layers.Layer]


def _relative(section: Section, key: str, index: int) -> tuple[int, ...]:
    """The layers that `key` references, as absolute indices; negative references count back from layer `index`."""
    targets = []
    for value in section.integers(key, "the index of an earlier layer, such as -1"):
        target = value + index if value < 0 else value
        if not 0 <= target < index:
            raise DefinitionError(
                "network.unknown-source",
                f"{key} references a layer that does not precede this one",
                where=section.at(key),
                expected=f"-{index} to -1, or 0 to {index - 1}" if index else "nothing: this is the first layer",
                found=str(value),
                remedy=f"Correct {key}=",
            )
        targets.append(target)
    return tuple(targets)


_SWITCHES = tuple("xnor binary flipped rotate sway stretch stretch_sway dot coordconv reverse".split())
"""Switches that turn a convolution into another operation."""


def _step(section: Section, key: str, stride: int) -> int:
    """The stride along one axis; below 1 it counts as absent."""
    step = section.integer(key, stride)
    return step if step >= 1 else stride


def _convolutional(section: Section, index: int) -> layers.Layer:
    for key, default in (("filters", "1"), ("activation", "logistic")):
        if key not in section.keys:
            section.note(key, f"[convolutional] has no {key}=; using {key}={default}, as Darknet does")
    size = section.integer("size", 1)
    stride = section.integer("stride", 1)
    pad = section.flag("pad")
    padding = section.integer("padding", 0)
    dilation = section.integer("dilation", 1)
    if pad and padding not in (0, size // 2):
        section.note("padding", f"padding={padding} is ignored, as in Darknet: pad=1 is a padding of {size // 2}")
    if size == 1 and dilation != 1:
        section.note("dilation", f"dilation={dilation} is ignored, as in Darknet, where size=1")
    share = _relative(section, "share_index", index)[0] if "share_index" in section.keys else None
    return layers.Convolution(
        sources=(index - 1,),
        filters=section.integer("filters", 1),
        size=size,
        stride=(_step(section, "stride_y", stride), _step(section, "stride_x", stride)),
        padding=size // 2 if pad else padding,
        groups=section.integer("groups", 1),
        dilation=1 if size == 1 else dilation,
        # cross-iteration normalisation differs in training alone; Darknet then normalises whatever batch_normalize says
        batch_normalize=section.flag("batch_normalize") or section.flag("cbn"),
        activation=activation(section, "logistic"),
        antialiasing=section.integer("antialiasing", 0),
        share=share,
        count_only=count_only(section, *_SWITCHES),
    )


def _maxpool(section: Section, index: int) -> layers.Layer:
    if section.flag("maxpool_depth"):
        section.used |= {section.keys[key][1] for key in ("size", "stride") if key in section.keys}
        check_choice("antialiasing with maxpool_depth=1", section.integer("antialiasing", 0), (0,))
        return layers.MaxPoolDepth(sources=(index - 1,), channels=section.integer("out_channels", 1))
    return layers.MaxPool(
        sources=(index - 1,),
        **_window(section),
        antialiasing=section.integer("antialiasing", 0),
        count_only=count_only(section, "maxpool_zero_nonmax"),
    )


def _window(section: Section) -> dict[str, Any]:
    stride = section.integer("stride", 1)
    size = section.integer("size", stride)
    down, across = section.integer("stride_y", stride), section.integer("stride_x", stride)
    horizontal = None if across == down else across
    return {"size": size, "stride": down, "horizontal": horizontal, "padding": section.integer("padding", size - 1)}


def _shortcut(section: Section, index: int) -> layers.Layer:
    kind = section.text("weights_type", "none")
    key = "weights_normalization" if "weights_normalization" in section.keys else "weights_normalizion"
    normalization = section.text(key, "none")
    if kind == "none" != normalization:
        section.note(key, f"{key}={brief(normalization)} is ignored, as in Darknet, without weights_type=")
    return layer(
        layers.Shortcut,
        section,
        index,
        *_relative(section, "from", index),
        weighting="per_feature" if kind == "per_layer" else kind,
        # without weights there is nothing to normalise
        normalization="none" if kind == "none" else {"avg_relu": "relu"}.get(normalization, normalization),
    )


def _route(section: Section, index: int) -> layers.Layer:
    sources = _relative(section, "layers", index)
    return layers.Route(sources=sources, groups=section.integer("groups", 1), group_id=section.integer("group_id", 0))


def _gated(kind: type[layers.Layer]) -> Reader:
    def read(section: Section, index: int) -> layers.Layer:
        gate = layer(kind, section, index, _relative(section, "from", index)[0])
        if reason := gate.unevaluated():
            section.note(
                "activation", f"{section.title} does not support {reason}, as Darknet warns; it is only counted"
            )
        return gate

    return read


def _upsample(section: Section, index: int) -> layers.Layer:
    stride = section.integer("stride", 2)
    return layer(layers.Upsample, section, index, stride=abs(stride), reverse=stride < 0)


READERS: dict[str, type[layers.Layer] | Reader] = {
    "convolutional": _convolutional,
    "connected": layers.Connected,
    "batchnorm": layers.BatchNorm,
    "activation": layers.Activation,
    "maxpool": _maxpool,
    "local_avgpool": lambda section, index: layers.LocalAvgPool(sources=(index - 1,), **_window(section)),
    "avgpool": layers.AvgPool,
    "route": _route,
    "shortcut": _shortcut,
    "scale_channels": _gated(layers.ScaleChannels),
    "sam": _gated(layers.Sam),
    "upsample": _upsample,
    "reorg": lambda section, index: layer(layers.Reorg, section, index, legacy=True),
    "reorg3d": layers.Reorg,
    "crop": layers.Crop,
    "dropout": layers.Dropout,
    "softmax": heads.softmax,
    "cost": layers.Loss,
    "contrastive": layers.Loss,
    "implicit": layers.Implicit,
    "yolo": heads.yolo,
    "Gaussian_yolo": heads.yolo,
    "region": heads.region,
    "detection": layers.YoloV1,
    "local": layers.Local,
    "normalization": layers.ResponseNorm,
    "empty": layers.Empty,
}
"""By section name, the layer whose KEYS say all, or the reader of a section and the layer's index."""


SHORT = {
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "local_avg": "local_avgpool",
    "avg": "avgpool",
    "soft": "softmax",
    "lrn": "normalization",
    "silence": "empty",
}
"""Darknet's aliases of section names."""
RECURRENT = frozenset(("rnn", "gru", "lstm", "crnn", "conv_lstm", "history"))
"""Sections whose output depends on earlier images."""


def read(section: Section, index: int) -> layers.Layer:
    """The layer `index` of a network; replaces an alias in the section's name. Raises `DefinitionError`."""
    section.name = SHORT.get(section.name, section.name)
    if section.name not in READERS:
        raise _not_a_layer(section, index)
    try:
        reader = READERS[section.name]
        return layer(reader, section, index) if isinstance(reader, type) else reader(section, index)
    except DefinitionError as error:
        error.where = f"{error.where or section.place}, layer {index} {section.title}"
        raise


def refuse_recurrent(section: Section, index: int) -> None:
    """Raise `DefinitionError` for a recurrent layer, whatever its keys; its [net] need not have an image size."""
    if section.name in RECURRENT:
        raise DefinitionError(
            "cfg.recurrent",
            "recurrent networks are not supported: they read sequences, and no published table has one",
            where=f"{section.place}, layer {index} {section.title}",
            expected="layers that read one image",
            found=section.title,
            remedy="Count it with Darknet itself",
        )


def _not_a_layer(section: Section, index: int) -> DefinitionError:
    similar = closest(section.name, [*READERS, *SHORT, *RECURRENT])
    return DefinitionError(
        "cfg.unknown-layer",
        "unknown layer type",
        where=f"{section.place}, layer {index} {section.title}",
        expected=f"one of {', '.join(sorted(READERS))}",
        found=section.title,
        remedy=f"Did you mean [{similar}]?" if similar else "Remove the section, or use a network of supported layers",
    )
