"""What a module says of itself: its input, the names of its classes, its preset, its definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cspbench.classification.classifiers import class_order, preset_of
from cspbench.data.detection_presets import detection_preset
from cspbench.inference.description import Description
from cspbench.models.class_names import of_classifier, of_detector
from cspbench.models.features import levels, stride_of
from cspbench.models.heads import classes_of
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import RoiBox
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.zoo import registry
from cspbench.zoo.model import Model

if TYPE_CHECKING:
    from torch import fx

    class Module(fx.GraphModule):
        """A module from `create_model`, with what is set on it."""

        meta: Meta
        description: Description
        """What an evaluation needs; not of feature maps."""
        preset: str
        definition: str
        strides: list[int]
        channels: list[int]
        """Of feature maps alone."""


class Meta(dict[str, Any]):
    """The attribute `meta` of a module from `create_model`; a dictionary, whose entries are attributes as well.

    torch's graph modules keep a dictionary under this name.
    """

    name: str
    input_size: tuple[int, int, int]
    """Channels, height, width."""
    class_names: tuple[str, ...]
    """In the order of the outputs; empty if they are not known."""
    preset: str
    """How an image becomes the input: a preset of `eval-imagenet` or `eval-coco`, or "own" for a quoted detector."""
    strides: tuple[int, ...]
    """Of a detector's outputs (none for proposals), else of a backbone's maps; of those that `out_indices` chose."""
    definition: str
    """Where the definition comes from, with its confidence unless certain: "paper, high"."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def meta_of(network: Architecture, entry: Model | None, own_classes: bool) -> Meta:
    """The description of a network; `entry` is the catalogue's, `own_classes` says that its head was replaced."""
    name = entry.name if entry else network.name
    if isinstance(network, ModuleNetwork):
        strides = network.design.strides
        preset = network.preset or preset_of(name).name
    elif (network := layered(network)).detections:
        maps = [index for index in network.detections if not isinstance(network.layers[index], RoiBox)]
        strides = tuple(stride_of(network, index) for index in maps)
        preset = "own" if entry and entry.detector_protocol else "readme"
    else:
        strides = tuple(level.stride for level in levels(network))
        preset = preset_of(name, file=entry is None).name
    return Meta(
        name=network.name,
        input_size=network.input,
        class_names=() if own_classes else class_names(network, entry),
        preset=preset,
        strides=strides,
        definition=registry.provenance(entry.name) if entry else "file",
    )


def class_names(network: Architecture, entry: Model | None) -> tuple[str, ...]:
    """The names of a network's classes in the order of its outputs, if there are as many as in the data set."""
    classes = network.design.classes if isinstance(network, ModuleNetwork) else classes_of(layered(network))
    name = entry.name if entry else None
    if network.detects:
        labels = of_detector(name, classes)
    else:
        labels = of_classifier(class_order(name) if name else "darknet", classes)
    return labels.names if labels else ()


def own_epsilon(network: Architecture, entry: Model | None) -> Epsilon:
    """The epsilon of batch normalisation under which the network is evaluated."""
    if entry is not None and entry.detector_protocol is not None:
        return entry.detector_protocol.epsilon
    if isinstance(network, ModuleNetwork):
        return Epsilon.INSIDE_1E3
    if network.detects:
        return detection_preset("readme").epsilon
    return preset_of(entry.name if entry else network.name, file=entry is None).epsilon
