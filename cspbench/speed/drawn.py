"""Modules with published weights where they are there, else with drawn ones that take as long as trained ones.

Times hardly depend on the values of weights, with two exceptions: numbers that overflow or vanish are slow or refused,
and suppression takes as long as there are boxes. So batch norms take the statistics of a picture, and a detector's
scores are moved until as many boxes pass the threshold as of a trained one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from cspbench.detection.decode_yolox import OBJECTNESS
from cspbench.inference.footprint import enough_memory
from cspbench.models.initialisation import initialise
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import Detection, MultiBox, RefineBox, Region, RoiBox, Yolo
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.weights.catalogue import find
from cspbench.weights.loading import load
from cspbench.weights.opening import open_weights
from cspbench.zoo import registry
from cspbench.zoo.yolox.heads import CoupledHead

DRAWN = "drawn"
CANDIDATES = 500
"""Boxes before suppression: yolo-fastest with its trained weights finds 460 an image of COCO."""
SPREAD = 2.0
"""Standard deviation of scores before softmax."""
FARTHEST, STEPS = 32.0, 16
"""How far scores are moved, and in how many halvings."""

Outputs = tuple[Tensor, ...]
Counter = Callable[[Outputs], int]
"""The number of candidates in the outputs of one image."""


def module_of(network: Architecture, epsilon: str, pixels: Tensor, candidates: Counter) -> tuple[nn.Module, str]:
    """The module, and its weights: the digest of the published arrays, or `drawn`.

    `pixels` (2, C, H, W) are what drawn batch norms take their statistics from; `candidates` is asked of a detector.
    Raises `WeightsError` for a published file that is there and does not fit.
    """
    entry = registry.entry_of(network)
    file = find(entry) if entry else None
    with enough_memory(f"the weights of {network.name}"):
        if file is not None:
            weights = open_weights(file, network)
            return load(_built(network), network, weights, Epsilon(epsilon)).eval(), f"arrays:{weights.digest}"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            module = _built(network)
            if not isinstance(network, ModuleNetwork):
                initialise(module)
        outputs = _settled(module, pixels)
        if isinstance(network, ModuleNetwork):
            if network.detects:
                _move_objectness(module, _distance(_lower_objectness, outputs, candidates))
        elif (of_layers := layered(network)).detections:
            _spread_scores(module, of_layers, outputs)
            _move_scores(module, of_layers, _distance(partial(_lower, of_layers), outputs, candidates))
    return module.eval(), DRAWN


def _built(network: Architecture) -> nn.Module:
    return network.design.module() if isinstance(network, ModuleNetwork) else to_module(layered(network))


@torch.no_grad()
def _settled(module: nn.Module, pixels: Tensor) -> Outputs:
    """Give every batch norm the statistics of these pixels; returns the outputs of the first image."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    outputs = module(pixels)
    for norm in norms:
        norm.momentum = 0.1
        norm.eval()
    return tuple(output[:1].clone() for output in (outputs if isinstance(outputs, tuple) else (outputs,)))


@torch.no_grad()
def _spread_scores(module: nn.Module, network: Network, outputs: Outputs) -> None:
    """Give the scores of proposals, whose features no batch norm scales, a spread of `SPREAD`, in `outputs` as well."""
    for output, index in zip(outputs, network.detections, strict=True):
        head = network.layers[index]
        if isinstance(head, RoiBox):
            scores = output[:, : head.classes + 1]
            factor = SPREAD / max(float(scores.std()), 1e-12)
            scores *= factor
            for parameter in _of_scores(module, network.layers[head.sources[0]].sources, head.classes + 1):
                parameter.mul_(factor)


def _distance(lower: Callable[[Outputs, float], None], outputs: Outputs, candidates: Counter) -> float:
    """How far `lower` must move scores so that at most `CANDIDATES` boxes are left, as a difference of logits."""
    low, high = -FARTHEST, FARTHEST
    for _ in range(STEPS):
        middle = (low + high) / 2
        moved = tuple(output.clone() for output in outputs)
        lower(moved, middle)
        low, high = (middle, high) if candidates(moved) > CANDIDATES else (low, middle)
    return high


def _lower(network: Network, outputs: Outputs, distance: float) -> None:
    """Lower the scores in the outputs of a network of layers."""
    for output, index in zip(outputs, network.detections, strict=True):
        channels, sign = _scores(network.layers[index])
        output[:, channels] += sign * distance


def _lower_objectness(outputs: Outputs, distance: float) -> None:
    """Lower the objectness in the outputs of a YOLOX."""
    outputs[0][..., OBJECTNESS] -= distance


@torch.no_grad()
def _move_objectness(module: nn.Module, distance: float) -> None:
    """Move the objectness of a YOLOX, which a coupled head may compute with all numbers of its anchors."""
    biases = {name: parameter for name, parameter in module.named_parameters() if name.endswith(".bias")}
    own = [parameter for name, parameter in biases.items() if ".obj_preds." in name]
    for parameter in own:
        parameter.sub_(distance)
    if not own:
        head = module.get_submodule("head")
        assert isinstance(head, CoupledHead)
        for prediction in head.preds:
            assert isinstance(prediction.bias, Tensor)
            prediction.bias.view(head.anchors, -1)[:, OBJECTNESS] -= distance


def _scores(head: object) -> tuple[list[int], int]:
    """The channels of a box layer that say whether there is an object, and -1, or 1 where they are the background's."""
    assert isinstance(head, Detection)
    match head:
        case RefineBox() | MultiBox():
            first = (10 if isinstance(head, RefineBox) else 4) * head.used
            return [first + anchor * (1 + head.classes) for anchor in range(head.used)], 1
        case RoiBox():
            return [head.classes], 1
        case _:
            return [anchor * (head.values + head.classes) + head.values - 1 for anchor in range(head.used)], -1


@torch.no_grad()
def _move_scores(module: nn.Module, network: Network, distance: float) -> None:
    """Move the biases of scores in the convolutions that box layers read, as far as those have biases."""
    for index in network.detections:
        head = network.layers[index]
        read = head.sources[0]
        sources = (read, *network.layers[read].sources)  # the scores may be joined with the offsets
        match head:
            case Yolo() | Region():
                values = head.values + head.classes
                for bias in _of_scores(module, sources[:1], head.used * values, "bias"):
                    bias.view(-1, values)[:, head.values - 1] -= distance
            case MultiBox():
                for bias in _of_scores(module, sources, head.used * (1 + head.classes), "bias"):
                    bias.view(-1, 1 + head.classes)[:, 0] += distance
            case RoiBox():
                for bias in _of_scores(module, sources, head.classes + 1, "bias"):
                    bias[-1] += distance


def _of_scores(module: nn.Module, layers: Sequence[int], outputs: int, role: str = "") -> Iterator[nn.Parameter]:
    """The parameters of those of the layers that have so many outputs; `role` "bias" for those alone."""
    for index in layers:
        for name, parameter in module.named_parameters():
            if name.startswith(f"layers.{index}.") and name.endswith(role) and len(parameter) == outputs:
                yield parameter
