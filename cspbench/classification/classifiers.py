"""How a catalogue's classifier is used: the order in which it numbers the classes, and the preset it is fed with.

Works without torch, as reports look here, too.
"""

from __future__ import annotations

from dataclasses import replace

from cspbench.data import presets
from cspbench.data.presets import ClassificationPreset
from cspbench.zoo.registry import MODELS


def class_order(model: str) -> str:
    """The order in which a catalogue model numbers the classes; Darknet's for any other."""
    return MODELS[model].classes if model in MODELS else "darknet"


def preset_of(model: str, name: str | None = None, file: bool = False) -> ClassificationPreset:
    """The preset of that name, by default the one that a model's framework had, with the model's own epsilon rule.

    Under `readme` the original engine's models divide as that engine did. A `file` of the user's only bears the name.
    """
    own = presets.preset(name or ("timm" if class_order(model) == "sorted" else "readme"))
    original = own.name == "readme" and model in MODELS and MODELS[model].engine == "original" and not file
    return replace(own, epsilon="outside-1e-6") if original else own
