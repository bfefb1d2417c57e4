"""The module that a graph format holds: the network with named outputs, decoded and suppressed on request."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from cspbench.data.detection_presets import DetectionPreset
from cspbench.errors import UsageError
from cspbench.evaluation.subject import Subject
from cspbench.export.boxes import Boxes, check_decodable, corners
from cspbench.export.points import PointBoxes
from cspbench.export.sizes import step, strides
from cspbench.export.suppression import Suppressed, check_kind
from cspbench.network.layers import Proposals, Yolox
from cspbench.network.module import fold_batch_norm
from cspbench.network.network import Network

IMAGES = "images"
"""The name of the input."""


@dataclass(frozen=True)
class Graph:
    """A module ready for export: input (N, C, H, W) to its outputs, a tuple."""

    module: nn.Module
    outputs: Mapping[str, str]
    """The name of each output and what it is."""
    axes: Mapping[int, str]
    """Axes of the input that may have any length, by name; height and width in multiples of `step`."""
    step: int | None
    """Pixels; None where height and width are fixed."""
    alone: bool
    """Whether each image's outputs follow those of the image before; else all are in one list (after NMS)."""


class Plain(nn.Module):
    """A network's own outputs as a tuple; those of a classifier without its empty axes."""

    def __init__(self, network: nn.Module, flat: bool) -> None:
        super().__init__()
        self.network, self.flat = network, flat

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        outputs = self.network(images)
        several: tuple[Tensor, ...] = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.flatten(1) for output in several) if self.flat else several


class Decoded(nn.Module):
    """A detector with boxes and scores, before or after NMS, in the place of its outputs."""

    def __init__(self, plain: Plain, boxes: nn.Module, suppressed: Suppressed | None) -> None:
        super().__init__()
        self.plain, self.boxes, self.suppressed = plain, boxes, suppressed

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        boxes, scores = self.boxes(self.plain(images))
        if self.suppressed is None:
            return corners(boxes), scores
        result: tuple[Tensor, ...] = self.suppressed(boxes, scores)
        return result


def graph_of(
    subject: Subject, epsilon: str, *, decode: bool, nms: DetectionPreset | None, dynamic: bool, folded: bool = True
) -> Graph:
    """The graph of a subject; `nms` is the preset whose thresholds it has inside. Raises `UsageError`."""
    description, network = subject.description, _layered(subject)
    module = subject.build(epsilon)
    if network is None:
        module = copy.deepcopy(module).cpu()
    if folded and isinstance(module, fx.GraphModule):
        fold_batch_norm(module)
    module.eval().requires_grad_(False)
    with torch.inference_mode():
        first = module(torch.zeros(1, *description.input))
    several = first if isinstance(first, tuple) else (first,)
    classifier = not description.heads
    plain = Plain(module, classifier and all(output.shape[2:] in ((), (1, 1)) for output in several)).eval()
    pixels = step(network) if network is not None else None
    axes = {0: "batch"} | ({2: "height", 3: "width"} if pixels else {}) if dynamic else {}
    if not (decode or nms):
        return Graph(plain, _own(subject, len(several)), axes, pixels if dynamic else None, alone=True)
    last = description.heads[-1]
    boxes: nn.Module
    if isinstance(last, Yolox):
        boxes = PointBoxes(last, description.size, best=nms is not None)
    elif network is not None:
        steps = [strides(network, index) for index in network.detections]
        boxes = Boxes(description.heads, steps, None if nms is None else nms.conf)
    else:
        steps = [(description.size[0] / each.shape[2], description.size[1] / each.shape[3]) for each in several]
        boxes = Boxes(description.heads, steps, None if nms is None else nms.conf)
    names = {
        "boxes": "left, top, right, bottom in pixels of the input, not clipped",
        "scores": "objectness times class probability",
    }
    if nms is not None:
        names |= {"classes": "the class of each box, from 0", "image": "the image of each box in the batch, from 0"}
    suppressed = Suppressed(nms.nms, nms.conf) if nms is not None else None
    return Graph(Decoded(plain, boxes, suppressed).eval(), names, axes, pixels if dynamic else None, nms is None)


def check_graph(subject: Subject, *, decode: bool, nms: DetectionPreset | None) -> None:
    """Raise `UsageError` for a network that no graph can express, and for outputs that cannot be decoded in it."""
    network, heads = subject.network, subject.description.heads
    if isinstance(network, Network) and any(isinstance(layer, Proposals) for layer in network.layers):
        raise UsageError(
            "usage.not-a-graph",
            f"{subject.name} cannot be exported as a graph",
            expected="layers whose work does not depend on the values of a map",
            found="[proposals], which suppresses boxes within the network",
            remedy="Use --to cfg, safetensors or state-dict",
        )
    if decode or nms is not None:
        check_decodable(subject.name, heads)
    if nms is not None:
        check_kind(nms, heads[-1])


def _layered(subject: Subject) -> Network | None:
    """Its list of layers; None for a torch module, of the catalogue or a user's."""
    return subject.network if isinstance(subject.network, Network) else None


def _own(subject: Subject, count: int) -> dict[str, str]:
    """The names of a network's own outputs."""
    description, network = subject.description, _layered(subject)
    if description.heads:
        indices = network.detections if network is not None else range(count)
        return {
            f"{head.section.lower()}_{index}": "values of a box layer, not decoded"
            for head, index in zip(description.heads, indices, strict=True)
        }
    if description.probabilities:
        return {"probabilities": "of the classes"}
    return {"logits": "of the classes, before softmax"} if count == 1 else {f"output_{at}": "" for at in range(count)}
