"""The class order and the preset of each classifier of the catalogue.

Imports no torch: reports use this module, too.
"""

from __future__ import annotations

from dataclasses import replace

from cspbench.data import presets
from cspbench.data.classes import ORDERS, SAMPLE, order
from cspbench.data.presets import ClassificationPreset
from cspbench.errors import DatasetError
from cspbench.network.epsilon import Epsilon
from cspbench.zoo.registry import MODELS


def class_order(model: str) -> str:
    """The order in which a catalogue model numbers the classes; Darknet's for other models."""
    return MODELS[model].classes if model in MODELS else "darknet"


def other_outputs(model: str, outputs: int, classes: str) -> DatasetError:
    """The error for a network whose number of outputs is not that of the classes in an order."""
    kind = {SAMPLE: "the bundled sample"}.get(classes, "ImageNet" if classes in ORDERS else "the data set")
    return DatasetError(
        "imagenet.other-outputs",
        f"{model} has other classes than the data set",
        expected=f"{len(order(classes)):,} outputs, one for each class of {kind}",
        found=f"{outputs:,} outputs",
        remedy="Name data of its own classes: a .data file with valid= and labels=, as Darknet has it",
    )


def preset_of(model: str, name: str | None = None, file: bool = False) -> ClassificationPreset:
    """The preset with this name, by default that of the model's framework, with the model's epsilon.

    Under `readme` models of the original engine use that engine's epsilon. `file`: the network is a user's file that
    only has the model's name.
    """
    own = presets.preset(name or ("timm" if class_order(model) == "sorted" else "readme"))
    original = own.name == "readme" and model in MODELS and MODELS[model].engine == "original" and not file
    return replace(own, epsilon=Epsilon.OUTSIDE_1E6) if original else own
