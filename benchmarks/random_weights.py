"""Weight files of networks that nobody trained: as much to compute, and about as many candidates, as trained ones."""

from __future__ import annotations

from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from cspbench.network.layers import Detection
from cspbench.network.network import Network

OBJECTNESS, CLASSES = -4.4, -4.5
"""Biases of a detector's last convolutions, so that most scores are low, as a trained detector's are, and some hundred
candidates of an image pass the preset `readme`: yolo-fastest finds 460 an image of COCO."""


def weights(name: str, folder: Path) -> Path:
    """A model's weight file that comes with the package; without one, random weights written to `folder`."""
    from cspbench.weights.catalogue import shipped
    from cspbench.zoo.registry import model

    return shipped(name) or write(folder / f"{name}.weights", model(name).build())


def write(path: Path, network: Network, seed: int = 0) -> Path:
    """Write a `.weights` file for the network: kernels that keep the maps' variance, batch norm as training begins."""
    from cspbench.weights import darknet

    generator = np.random.default_rng(seed)
    heads = {layer.sources[0]: layer for layer in network.layers if isinstance(layer, Detection)}
    arrays = [
        {
            weight.role: _drawn(weight.role, weight.shape, heads.get(index), generator)
            for weight in network.weights(index)
        }
        for index in range(len(network.layers))
    ]
    darknet.write(path, network, arrays)
    return path


def _drawn(
    role: str, shape: tuple[int, ...], head: Detection | None, generator: np.random.Generator
) -> NDArray[np.float32]:
    if role == "weight":
        return generator.normal(0, (2 / max(1, prod(shape[1:]))) ** 0.5, shape).astype(np.float32)
    values: NDArray[np.float32] = np.full(shape, 1 if role in ("scale", "variance") else 0, np.float32)
    if role == "bias" and head is not None:
        of_anchors = values.reshape(head.used, -1)
        of_anchors[:, head.per_anchor - 1], of_anchors[:, head.per_anchor :] = OBJECTNESS, CLASSES
    return values
