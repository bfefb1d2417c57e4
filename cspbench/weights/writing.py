"""Weights in any format that holds arrays alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import UsageError
from cspbench.io import replacing
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.arrays import Weights, check
from cspbench.weights.state_names import counters
from cspbench.weights.timm_state import framework_state
from cspbench.zoo.yolox.keys import in_mmdetections_order, to_mmdetection

Form = Literal["safetensors", "darknet", "state-dict", "timm", "mmpretrain"]
Written = Form | Literal["mmdetection"]
"""What `cspbench weights convert` writes; a form of other programs needs a network of theirs."""
SUFFIXES: dict[Written, str] = {
    "safetensors": ".safetensors",
    "darknet": ".weights",
    "state-dict": ".pth",
    "timm": ".pth",
    "mmpretrain": ".pth",
    "mmdetection": ".pth",
}
"""Of the files."""


def write(path: Path, form: Written, network: Architecture, weights: Weights) -> None:
    """Write a network's weights, whole or not at all.

    `safetensors` and `state-dict` (.pth) have the names of the network's module, the others those of their frameworks,
    in a .pth file, or in safetensors if the path has that suffix. Raises `UsageError` for a network that the framework
    does not have, `WeightsError` for arrays that do not fit.
    """
    if form == "darknet":
        darknet.write(path, layered(network), weights.arrays, weights.header)
    elif form == "safetensors":
        safetensors_file.write(path, network, weights.arrays, weights.header)
    else:
        check(network, weights.arrays, f"arrays for {path}")
        if form == "state-dict":
            tensors: dict[str, NDArray[Any]] = dict(safetensors_file.state(network, weights.arrays))
            tensors |= {name: np.zeros((), np.int64) for name in counters(network)}
        elif form == "mmdetection":
            tensors = _mmdetections(network, weights)
        else:
            tensors = framework_state(layered(network), weights.arrays, form)
        if path.suffix == SUFFIXES["safetensors"]:
            safetensors_file.save(path, tensors, {"network": network.name})
        else:
            save_checkpoint(path, tensors)


def _mmdetections(network: Architecture, weights: Weights) -> dict[str, NDArray[Any]]:
    """A YOLOX's state dict in mmdetection; `UsageError` for any other network."""
    if not isinstance(network, ModuleNetwork):
        raise UsageError(
            "usage.not-mmdetections",
            "mmdetection's names are known of YOLOX alone",
            expected="a YOLOX or a cspdarknet",
            found=network.name,
            remedy="Use --to state-dict",
        )
    import torch

    named: dict[str, NDArray[Any]] = dict(safetensors_file.state(network, weights.arrays))
    named |= {name: np.zeros((), np.int64) for name in counters(network)}
    theirs = {to_mmdetection(name, network.detects): array for name, array in named.items()}
    with torch.device("meta"):  # for the order of its modules, which is not that of the computation
        modules = network.design.module().state_dict()
    order = in_mmdetections_order(to_mmdetection(key, network.detects) for key in modules)
    return {name: theirs[name] for name in order}


def save_checkpoint(path: Path, tensors: Mapping[str, NDArray[Any]], key: str | None = None) -> None:
    """A .pth file of tensors alone, or under a key, which `torch.load(weights_only=True)` reads."""
    import torch

    state = {name: torch.from_numpy(np.array(array)) for name, array in tensors.items()}
    with replacing(path, named=True) as temporary, temporary.open("wb") as stream:
        torch.save({key: state} if key else state, stream)  # to a stream: the archive would contain the temporary name
