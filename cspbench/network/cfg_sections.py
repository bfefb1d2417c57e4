"""Reads cfg sections: keys become a layer, with Darknet's defaults (spec: Darknet parser.c)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cspbench.errors import DefinitionError, brief
from cspbench.network import layers
from cspbench.network.cfg_parser import Section
from cspbench.network.layers.heads import Anchor

Reader = Callable[[Section, int], layers.Layer]


@dataclass(frozen=True)
class Key:
    """A key that is one field of a layer, read and written alike."""

    name: str
    default: bool | int | float | str
    """Darknet's; its type is that of the value."""
    field: str = ""
    """The field's name, if not the key's."""
    always: bool = True
    """Whether it is written even at its default."""

    def read(self, section: Section) -> bool | int | float | str:
        """The value in a section."""
        match self.default:
            case bool():
                return section.flag(self.name)
            case int():
                return section.integer(self.name, self.default)
            case float():
                return section.real(self.name, self.default)
            case str():
                return section.text(self.name, self.default)


_ACTIVATION = Key("activation", "linear")
_YOLO = (
    Key("scale_x_y", 1.0, always=False),
    Key("new_coords", False, always=False),
    Key("nms_kind", "default", always=False),
    Key("beta_nms", 0.6, always=False),
)
KEYS: dict[type[layers.Layer], tuple[Key, ...]] = {
    layers.Activation: (_ACTIVATION,),
    layers.Connected: (
        Key("batch_normalize", False, always=False),
        Key("output", 1, "outputs"),
        Key("activation", "logistic"),
    ),
    layers.Crop: (Key("crop_height", 1, "height"), Key("crop_width", 1, "width"), Key("noadjust", False, always=False)),
    layers.Dropout: (Key("probability", 0.5),),
    layers.GaussianYolo: (*_YOLO, Key("yolo_point", "center", always=False)),
    layers.Implicit: (Key("filters", 128), Key("atoms", 1)),
    layers.Region: (Key("softmax", False, always=False),),
    layers.Reorg: (Key("stride", 1),),
    layers.Sam: (_ACTIVATION,),
    layers.ScaleChannels: (Key("scale_wh", False, "per_pixel", always=False), _ACTIVATION),
    layers.Shortcut: (_ACTIVATION,),
    layers.Softmax: (Key("groups", 1), Key("temperature", 1.0, always=False)),
    layers.Upsample: (Key("scale", 1.0, always=False),),
    layers.Yolo: _YOLO,
}
"""The keys of each layer that need no rule of their own, in the order in which they are written."""


def _layer(kind: type[layers.Layer], section: Section, index: int, *others: int, **fields: Any) -> layers.Layer:
    """A layer that reads the previous one and `others`, from its keys and other fields."""
    plain = {key.field or key.name: key.read(section) for key in KEYS.get(kind, ())}
    return kind(sources=(index - 1, *others), **plain, **fields)


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


_UNSUPPORTED = frozenset("xnor binary flipped rotate sway stretch stretch_sway deform dot coordconv reverse".split())
"""Switches that turn a convolution into another operation."""


def _unsupported(section: Section, key: str, expected: str) -> DefinitionError:
    value = brief(section.keys[key][0])
    return DefinitionError(
        "cfg.unsupported",
        f"{section.title} {key}={value} is not supported",
        where=section.at(key),
        expected=expected,
        found=f"{key}={value}",
        remedy="Remove the key; no published network uses it",
    )


def _convolutional(section: Section, index: int) -> layers.Layer:
    for key in () if _UNSUPPORTED.isdisjoint(section.keys) else sorted(_UNSUPPORTED):
        if section.flag(key):
            raise _unsupported(section, key, "an ordinary convolution")
    for key, default in (("filters", "1"), ("activation", "logistic")):
        if key not in section.keys:
            section.note(key, f"[convolutional] has no {key}=; using {key}={default}, as Darknet does")
    size = section.integer("size", 1)
    stride = section.integer("stride", 1)
    pad = section.flag("pad")
    padding = section.integer("padding", 0)
    dilation = section.integer("dilation", 1)
    share = _relative(section, "share_index", index)[0] if "share_index" in section.keys else None
    return layers.Convolution(
        sources=(index - 1,),
        filters=section.integer("filters", 1),
        size=size,
        stride=(section.integer("stride_y", stride), section.integer("stride_x", stride)),
        padding=size // 2 if pad else padding,
        groups=section.integer("groups", 1),
        dilation=1 if size == 1 else dilation,
        batch_normalize=section.flag("batch_normalize"),
        activation=section.text("activation", "logistic"),
        antialiasing=section.integer("antialiasing", 0),
        share=share,
    )


def _maxpool(section: Section, index: int) -> layers.Layer:
    if section.flag("maxpool_depth"):
        section.used |= {section.keys[key][1] for key in ("size", "stride") if key in section.keys}
        return layers.MaxPoolDepth(sources=(index - 1,), channels=section.integer("out_channels", 1))
    if section.flag("antialiasing"):
        raise _unsupported(section, "antialiasing", "a pool without antialiasing")
    return layers.MaxPool(sources=(index - 1,), **_window(section))


def _window(section: Section) -> dict[str, int]:
    stride = section.integer("stride", 1)
    for axis in ("stride_x", "stride_y"):
        if section.integer(axis, stride) != stride:
            raise DefinitionError(
                "cfg.unsupported",
                f"[{section.name}] with different strides is not supported",
                where=section.at(axis),
                expected=f"{axis}={stride}",
                found=str(section.integer(axis, stride)),
                remedy="Use one stride",
            )
    size = section.integer("size", stride)
    return {"size": size, "stride": stride, "padding": section.integer("padding", size - 1)}


def _shortcut(section: Section, index: int) -> layers.Layer:
    kind = section.text("weights_type", "none")
    key = "weights_normalization" if "weights_normalization" in section.keys else "weights_normalizion"
    normalization = section.text(key, "none")
    return _layer(
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
    return lambda section, index: _layer(kind, section, index, _relative(section, "from", index)[0])


def _upsample(section: Section, index: int) -> layers.Layer:
    stride = section.integer("stride", 2)
    return _layer(layers.Upsample, section, index, stride=abs(stride), reverse=stride < 0)


def _anchors(section: Section) -> tuple[Anchor, ...]:
    """The first `num` anchor pairs (width, height); by default one of .5, .5, as in Darknet."""
    count = section.integer("num", 1)
    if not 1 <= count <= 1024:
        raise DefinitionError(
            "cfg.out-of-range",
            "num is out of range",
            where=section.at("num"),
            expected="1 to 1024",
            found=str(count),
            remedy="Correct num=",
        )
    if "anchors" not in section.keys:
        return ((0.5, 0.5),) * count
    values = section.reals("anchors", "w,h, w,h, ...")
    if len(values) < 2 * count:
        raise DefinitionError(
            "cfg.too-few-anchors",
            f"[{section.name}] has fewer anchors than num=",
            where=section.at("anchors"),
            expected=f"{2 * count} numbers",
            found=str(len(values)),
            remedy="Correct anchors= or num=",
        )
    return tuple((values[2 * index], values[2 * index + 1]) for index in range(count))


def _yolo(section: Section, index: int) -> layers.Layer:
    anchors = _anchors(section)
    kind = layers.GaussianYolo if section.name == "Gaussian_yolo" else layers.Yolo
    mask = section.integers("mask", "indices of anchors") if "mask" in section.keys else range(len(anchors))
    return _layer(kind, section, index, classes=section.integer("classes", 20), anchors=anchors, mask=tuple(mask))


def _no_tree(section: Section) -> None:
    """Reject a class hierarchy, which changes the softmax."""
    if "tree" in section.keys:
        raise _unsupported(section, "tree", "no class hierarchy")


def _region(section: Section, index: int) -> layers.Layer:
    _no_tree(section)
    return _layer(layers.Region, section, index, classes=section.integer("classes", 20), anchors=_anchors(section))


def _softmax(section: Section, index: int) -> layers.Layer:
    _no_tree(section)
    return _layer(layers.Softmax, section, index)


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
    "reorg": lambda section, index: _layer(layers.Reorg, section, index, legacy=True),
    "reorg3d": layers.Reorg,
    "crop": layers.Crop,
    "dropout": layers.Dropout,
    "softmax": _softmax,
    "cost": layers.Loss,
    "contrastive": layers.Loss,
    "implicit": layers.Implicit,
    "yolo": _yolo,
    "Gaussian_yolo": _yolo,
    "region": _region,
}
"""By section name, the layer whose KEYS say all, or the reader of a section and the layer's index."""


def read(section: Section, index: int) -> layers.Layer:
    """The layer `index` of a network, of a section named in READERS. Raises `DefinitionError`."""
    reader = READERS[section.name]
    return _layer(reader, section, index) if isinstance(reader, type) else reader(section, index)


SHORT = {
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "local_avg": "local_avgpool",
    "avg": "avgpool",
    "soft": "softmax",
}
"""Darknet's aliases of section names."""
