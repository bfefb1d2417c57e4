"""Weights in any format that holds arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cspbench.io import replacing
from cspbench.network.network import Network
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.arrays import Weights, check
from cspbench.weights.state_names import counters
from cspbench.weights.timm_state import framework_state

Form = Literal["safetensors", "darknet", "state-dict", "timm", "mmpretrain"]
SUFFIXES: dict[Form, str] = {
    "safetensors": ".safetensors",
    "darknet": ".weights",
    "state-dict": ".pth",
    "timm": ".pth",
    "mmpretrain": ".pth",
}
"""Of the files."""


def write(path: Path, form: Form, network: Network, weights: Weights) -> None:
    """Write a network's weights, whole or not at all.

    `safetensors` and `state-dict` (.pth) have the names of the network's module, `timm` and `mmpretrain` those of these
    frameworks, in a .pth file, or in safetensors if the path has that suffix. Raises `UsageError` for a network that
    the framework does not have, `WeightsError` for arrays that do not fit.
    """
    if form == "darknet":
        darknet.write(path, network, weights.arrays, weights.header)
    elif form == "safetensors":
        safetensors_file.write(path, network, weights.arrays, weights.header)
    else:
        check(network, weights.arrays, f"arrays for {path}")
        if form == "state-dict":
            tensors: dict[str, NDArray[Any]] = dict(safetensors_file.state(network, weights.arrays))
            tensors |= {name: np.zeros((), np.int64) for name in counters(network)}
        else:
            tensors = framework_state(network, weights.arrays, form)
        if path.suffix == SUFFIXES["safetensors"]:
            safetensors_file.save(path, tensors, {"network": network.name})
        else:
            _save(path, tensors)


def _save(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """A .pth file of tensors alone, which `torch.load(weights_only=True)` reads."""
    import torch

    state = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    with replacing(path, named=True) as temporary, temporary.open("wb") as stream:
        torch.save(state, stream)  # to a stream: the archive would contain the temporary name
