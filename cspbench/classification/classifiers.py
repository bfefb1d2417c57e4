"""How a catalogue's classifier is used: the order in which it numbers the classes, and the preset it is fed with.

Works without torch, as reports look here, too.
"""

from __future__ import annotations

from dataclasses import replace

from cspbench.data import presets
from cspbench.data.classes import SAMPLE
from cspbench.data.presets import ClassificationPreset
from cspbench.zoo import sample

SAMPLE_CLASSIFIERS = frozenset(model.name for model in sample.CLASSIFIERS)
ORIGINAL_ENGINE = frozenset({"resnet10", "resnet50", "resnext50"})
"""Models whose shortcuts of unequal size only the original engine runs, which is where their numbers come from."""


def class_order(model: str) -> str:
    """The order in which a catalogue model numbers the classes: timm's sort the WordNet ids, Darknet's do not."""
    if model in SAMPLE_CLASSIFIERS:
        return SAMPLE
    return "sorted" if model.startswith("timm/") else "darknet"


def preset_of(model: str, name: str | None = None, file: bool = False) -> ClassificationPreset:
    """The preset of that name, by default the one that a model's framework had, with the model's own epsilon rule.

    Under `readme` the original engine's models divide as that engine did. A `file` of the user's only bears the name.
    """
    own = presets.preset(name or ("timm" if class_order(model) == "sorted" else "readme"))
    original = own.name == "readme" and model in ORIGINAL_ENGINE and not file
    return replace(own, epsilon="outside-1e-6") if original else own
