"""Modules with published weights where they are there, else with drawn ones whose maps are as large as a trained net's.

Times hardly depend on the values of weights, with two exceptions: numbers that overflow or vanish are slow or refused,
and suppression takes as long as there are boxes. So batch norms take the statistics of a picture, and the biases of box
layers make most scores low.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from cspbench.inference.footprint import enough_memory
from cspbench.models.initialisation import initialise
from cspbench.network.epsilon import Epsilon
from cspbench.network.layers import MultiBox, Region, RoiBox, Yolo
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.weights.catalogue import find
from cspbench.weights.loading import load
from cspbench.weights.opening import open_weights
from cspbench.zoo import registry

DRAWN = "drawn"
OBJECTNESS, CLASSES = -4.4, -4.5
"""Biases of a detector's last convolutions, so that most scores are low, as a trained detector's are, and some hundred
candidates of an image pass the preset `readme`: yolo-fastest finds 460 an image of COCO."""
BACKGROUND = 9.0
"""The same for the score of the background in a head with softmax."""


def module_of(network: Network, epsilon: str, pixels: Tensor) -> tuple[nn.Module, str]:
    """The module, and its weights: the digest of the published arrays, or `drawn`.

    `pixels` (2, C, H, W) are what drawn batch norms take their statistics from. Raises `WeightsError` for a published
    file that is there and does not fit.
    """
    entry = registry.entry_of(network)
    file = find(entry) if entry else None
    with enough_memory(f"the weights of {network.name}"):
        module = to_module(network)
        if file is not None:
            weights = open_weights(file, network)
            return load(module, network, weights, Epsilon(epsilon)), f"arrays:{weights.digest}"
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            initialise(module)
        _settle(module, pixels)
        _lower_scores(module, network)
    return module.eval(), DRAWN


@torch.no_grad()
def _settle(module: nn.Module, pixels: Tensor) -> None:
    """Give every batch norm the statistics of these pixels."""
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = 1.0
        norm.train()
    module(pixels)
    for norm in norms:
        norm.momentum = 0.1
        norm.eval()


@torch.no_grad()
def _lower_scores(module: nn.Module, network: Network) -> None:
    """Set the biases of scores in the convolutions that box layers read, as far as those have biases."""
    for index in network.detections:
        head = network.layers[index]
        read = head.sources[0]
        sources = (read, *network.layers[read].sources)  # the scores may be joined with the offsets
        match head:
            case Yolo() | Region():
                for of_anchors in _biases(module, sources[:1], head.used, head.values + head.classes):
                    of_anchors[:, head.values - 1], of_anchors[:, head.values :] = OBJECTNESS, CLASSES
            case MultiBox():
                for of_anchors in _biases(module, sources, head.used, 1 + head.classes):
                    of_anchors[:, 0] = BACKGROUND
            case RoiBox():
                for of_anchors in _biases(module, sources, 1, head.classes + 1):
                    of_anchors[:, -1] = BACKGROUND


def _biases(module: nn.Module, layers: Sequence[int], anchors: int, values: int) -> Iterator[Tensor]:
    """The biases of those of the layers that have as many, as (anchors, values)."""
    for index in layers:
        for name, bias in module.named_parameters():
            if name.startswith(f"layers.{index}.") and name.endswith(".bias") and bias.numel() == anchors * values:
                yield bias.view(anchors, values)
