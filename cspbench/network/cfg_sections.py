"""One reader per type of cfg section: keys become a layer, with Darknet's defaults (spec: Darknet parser.c)."""

from __future__ import annotations

from collections.abc import Callable

from cspbench.errors import DefinitionError, brief
from cspbench.network.cfg_parser import Section
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
from cspbench.network.layers.heads import Anchor


def _relative(section: Section, key: str, index: int, default: list[int] | None = None) -> tuple[int, ...]:
    """The layers that `key` references, as absolute indices; negative references count back from layer `index`."""
    if default is not None and key not in section.keys:
        return tuple(default)
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


def _convolutional(section: Section, index: int) -> Layer:
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
    return Convolution(
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


def _connected(section: Section, index: int) -> Layer:
    return Connected(
        sources=(index - 1,),
        outputs=section.integer("output", 1),
        batch_normalize=section.flag("batch_normalize"),
        activation=section.text("activation", "logistic"),
    )


def _maxpool(section: Section, index: int) -> Layer:
    if section.flag("maxpool_depth"):
        section.used |= {section.keys[key][1] for key in ("size", "stride") if key in section.keys}
        return MaxPoolDepth(sources=(index - 1,), channels=section.integer("out_channels", 1))
    if section.flag("antialiasing"):
        raise _unsupported(section, "antialiasing", "a pool without antialiasing")
    return MaxPool(sources=(index - 1,), **_window(section))


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


def _shortcut(section: Section, index: int) -> Layer:
    kind = section.text("weights_type", "none")
    key = "weights_normalization" if "weights_normalization" in section.keys else "weights_normalizion"
    normalization = section.text(key, "none")
    return Shortcut(
        sources=(index - 1, *_relative(section, "from", index)),
        activation=section.text("activation", "linear"),
        weighting="per_feature" if kind == "per_layer" else kind,
        # without weights there is nothing to normalise
        normalization="none" if kind == "none" else {"avg_relu": "relu"}.get(normalization, normalization),
    )


def _route(section: Section, index: int) -> Layer:
    return Route(
        sources=_relative(section, "layers", index),
        groups=section.integer("groups", 1),
        group_id=section.integer("group_id", 0),
    )


def _scale_channels(section: Section, index: int) -> Layer:
    return ScaleChannels(
        sources=(index - 1, _relative(section, "from", index)[0]),
        activation=section.text("activation", "linear"),
        per_pixel=section.flag("scale_wh"),
    )


def _sam(section: Section, index: int) -> Layer:
    return Sam(
        sources=(index - 1, _relative(section, "from", index)[0]), activation=section.text("activation", "linear")
    )


def _upsample(section: Section, index: int) -> Layer:
    stride = section.integer("stride", 2)
    return Upsample(sources=(index - 1,), stride=abs(stride), scale=section.real("scale", 1.0), reverse=stride < 0)


def _reorg(section: Section, index: int) -> Layer:
    return Reorg(sources=(index - 1,), stride=section.integer("stride", 1), legacy=section.name == "reorg")


def _crop(section: Section, index: int) -> Layer:
    return Crop(
        sources=(index - 1,),
        height=section.integer("crop_height", 1),
        width=section.integer("crop_width", 1),
        noadjust=section.flag("noadjust"),
    )


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


def _yolo(section: Section, index: int) -> Layer:
    anchors = _anchors(section)
    kind, extra = Yolo, {}
    if section.name == "Gaussian_yolo":
        kind, extra = GaussianYolo, {"yolo_point": section.text("yolo_point", "center")}
    mask = section.integers("mask", "indices of anchors") if "mask" in section.keys else list(range(len(anchors)))
    return kind(
        sources=(index - 1,),
        classes=section.integer("classes", 20),
        anchors=anchors,
        mask=tuple(mask),
        scale_x_y=section.real("scale_x_y", 1.0),
        new_coords=section.flag("new_coords"),
        nms_kind=section.text("nms_kind", "default"),
        beta_nms=section.real("beta_nms", 0.6),
        **extra,
    )


def _no_tree(section: Section) -> None:
    """Reject a class hierarchy, which changes the softmax."""
    if "tree" in section.keys:
        raise _unsupported(section, "tree", "no class hierarchy")


def _region(section: Section, index: int) -> Layer:
    _no_tree(section)
    return Region(
        sources=(index - 1,),
        classes=section.integer("classes", 20),
        anchors=_anchors(section),
        softmax=section.flag("softmax"),
    )


def _softmax(section: Section, index: int) -> Layer:
    _no_tree(section)
    return Softmax(
        sources=(index - 1,), groups=section.integer("groups", 1), temperature=section.real("temperature", 1.0)
    )


def _implicit(section: Section, index: int) -> Layer:
    return Implicit(sources=(index - 1,), filters=section.integer("filters", 128), atoms=section.integer("atoms", 1))


READERS: dict[str, Callable[[Section, int], Layer]] = {
    "convolutional": _convolutional,
    "connected": _connected,
    "batchnorm": lambda _, index: BatchNorm(sources=(index - 1,)),
    "activation": lambda section, index: Activation(
        sources=(index - 1,), activation=section.text("activation", "linear")
    ),
    "maxpool": _maxpool,
    "local_avgpool": lambda section, index: LocalAvgPool(sources=(index - 1,), **_window(section)),
    "avgpool": lambda _, index: AvgPool(sources=(index - 1,)),
    "route": _route,
    "shortcut": _shortcut,
    "scale_channels": _scale_channels,
    "sam": _sam,
    "upsample": _upsample,
    "reorg": _reorg,
    "reorg3d": _reorg,
    "crop": _crop,
    "dropout": lambda section, index: Dropout(sources=(index - 1,), probability=section.real("probability", 0.5)),
    "softmax": _softmax,
    "cost": lambda _, index: Loss(sources=(index - 1,)),
    "contrastive": lambda _, index: Loss(sources=(index - 1,)),
    "implicit": _implicit,
    "yolo": _yolo,
    "Gaussian_yolo": _yolo,
    "region": _region,
}
"""Readers by section name; arguments: the section and the layer's index."""
SHORT = {
    "conv": "convolutional",
    "conn": "connected",
    "max": "maxpool",
    "local_avg": "local_avgpool",
    "avg": "avgpool",
    "soft": "softmax",
}
"""Darknet's aliases of section names."""
