"""Keys of a cfg section that are one field of a layer each, read and written alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cspbench.errors import brief
from cspbench.network import layers
from cspbench.network.cfg.parser import Section


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
    words: tuple[str, ...] = ()
    """The other words that Darknet knows here, if there are few; it takes any further one for the default."""

    def read(self, section: Section) -> bool | int | float | str:
        """The value in a section."""
        match self.default:
            case bool():
                return section.flag(self.name)
            case int():
                return section.integer(self.name, self.default)
            case float():
                return section.real(self.name, self.default)
            case str() if self.name == "activation":
                return activation(section, self.default)
            case str():
                word = section.text(self.name, self.default)
                if word in (self.default, *self.words):
                    return word
                known = ", ".join(self.words)
                section.note(
                    self.name,
                    f"{self.name}={brief(word)} is read as {self.default}, as in Darknet, which knows {known} here",
                )
                return self.default


_ACTIVATION = Key("activation", "linear")
_YOLO = (
    Key("scale_x_y", 1.0, always=False),
    Key("beta_nms", 0.6, always=False),
)
_NMS = ("greedynms", "diounms")
KEYS: dict[type[layers.Layer], tuple[Key, ...]] = {
    layers.Activation: (_ACTIVATION,),
    layers.Connected: (
        Key("batch_normalize", False, always=False),
        Key("output", 1, "outputs"),
        Key("activation", "logistic"),
    ),
    layers.Crop: (Key("crop_height", 1, "height"), Key("crop_width", 1, "width"), Key("noadjust", False, always=False)),
    layers.Dropout: (Key("probability", 0.5),),
    layers.GaussianYolo: (
        *_YOLO,
        Key("nms_kind", "default", always=False, words=(*_NMS, "cornersnms")),
        Key("yolo_point", "center", always=False, words=("left_top", "right_bottom")),
    ),
    layers.Implicit: (Key("filters", 128), Key("atoms", 1)),
    layers.Local: (
        Key("filters", 1),
        Key("size", 1),
        Key("stride", 1),
        Key("pad", 0, "padding"),
        Key("activation", "logistic"),
    ),
    layers.Region: (Key("softmax", False, always=False), Key("coords", 4, always=False)),
    layers.Reorg: (Key("stride", 1), Key("reverse", False, always=False)),
    layers.ResponseNorm: (Key("size", 5), Key("alpha", 0.0001), Key("beta", 0.75), Key("kappa", 1.0)),
    layers.Sam: (_ACTIVATION,),
    layers.ScaleChannels: (Key("scale_wh", False, "per_pixel", always=False), _ACTIVATION),
    layers.Shortcut: (_ACTIVATION,),
    layers.Softmax: (Key("groups", 1), Key("temperature", 1.0, always=False)),
    layers.Upsample: (Key("scale", 1.0, always=False),),
    layers.Yolo: (
        *_YOLO,
        Key("nms_kind", "default", always=False, words=_NMS),
        Key("new_coords", False, always=False),
    ),
    layers.YoloV1: (
        Key("classes", 1),
        Key("coords", 1),
        Key("num", 1),
        Key("side", 7),
        Key("softmax", False, always=False),
        Key("sqrt", False, always=False),
    ),
}
"""The keys of each layer that need no rule of their own, in the order in which they are written."""


def layer(kind: type[layers.Layer], section: Section, index: int, *others: int, **fields: Any) -> layers.Layer:
    """A layer that reads the previous one and `others`, from its keys and other fields."""
    plain: dict[str, Any] = {key.field or key.name: key.read(section) for key in KEYS.get(kind, ())}
    return kind(sources=(index - 1, *others), **plain, **fields)


def activation(section: Section, default: str) -> str:
    """The name of an activation; `silu` is PyTorch's name of swish."""
    name = section.text("activation", default)
    if name != "silu":
        return name
    section.note("activation", "activation=silu is read as swish, its name in Darknet, which takes it for relu")
    return "swish"


def count_only(section: Section, *keys: str) -> tuple[str, ...]:
    """The switches among `keys` that are on, as `Layer.count_only` lists them."""
    return tuple(f"{key}=1" for key in keys if key in section.keys and section.real(key, 0) != 0)
