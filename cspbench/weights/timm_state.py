"""The arrays of the `timm/*` models under timm's or mmpretrain's names: the reverse of `checkpoint`."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import UsageError
from cspbench.network.layers import Convolution
from cspbench.network.network import Network
from cspbench.weights.arrays import Arrays
from cspbench.weights.checkpoint import BLOCK_CONVOLUTIONS, NORMALIZED, units
from cspbench.weights.state_names import COUNTER

MMPRETRAIN = (
    (r"(stages\.\d+)\.conv_down\.", r"\1.downsample_conv."),
    (r"(stages\.\d+)\.conv_exp\.", r"\1.expand_conv."),
    (r"(stages\.\d+)\.conv_transition_b\.", r"\1.atfer_blocks_conv."),  # mmpretrain's spelling
    (r"(stages\.\d+)\.conv_transition\.", r"\1.final_conv."),
)
"""Patterns at the beginning of timm's names, and mmpretrain's names for them."""
DARK = ((r"stem\.conv1\.", "stem."),)
"""The same for CSPDarkNet only."""
RESIDUAL = (
    (r"stem\.conv1\.", "stem.0."),
    (r"(stages\.\d+\.blocks\.\d+)\.conv(\d)\.conv\.", r"\1.conv\2."),
    (r"(stages\.\d+\.blocks\.\d+)\.conv(\d)\.bn\.", r"\1.bn\2."),
)
"""The same for the other two, whose blocks are ResNet's."""


def check_card(network: Network, framework: str) -> None:
    """Raise `UsageError` unless the network is one of the three that timm and mmpretrain have, too."""
    if network.name not in BLOCK_CONVOLUTIONS:
        raise UsageError(
            "usage.not-a-card",
            f"{network.name} is not a network of {framework}",
            expected=", ".join(BLOCK_CONVOLUTIONS),
            remedy=f"Use --to state-dict: networks of the same name in {framework} have another graph (a leaky slope "
            "of 0.01, one convolution for both parts of a stage) and would give other outputs with these weights",
        )


def framework_state(network: Network, arrays: Arrays, framework: str) -> dict[str, NDArray[Any]]:
    """The state dict of a card's network in `timm` or `mmpretrain`, complete for a strict load; float32 and counters.

    Raises `UsageError` for any other network.
    """
    check_card(network, framework)
    state: dict[str, NDArray[Any]] = {}
    convolutions = [index for index, layer in enumerate(network.layers) if isinstance(layer, Convolution)]
    for index, unit in zip(convolutions, units(network.name), strict=True):
        normalized = "scale" in arrays[index]
        for role in (role for role in NORMALIZED if role in arrays[index]):
            name, array = f"{unit.name}.{NORMALIZED[role] if normalized else role}", arrays[index][role]
            if not normalized and role == "weight":
                array = array.reshape(array.shape[:2])  # of a linear layer
            if unit.swapped and array.ndim == 4:
                array = np.concatenate(np.split(array, 2, axis=1)[::-1], axis=1)
            state[name] = np.concatenate((state[name], array)) if unit.half == 1 else np.ascontiguousarray(array)
        if normalized:
            state[f"{unit.name}.bn.{COUNTER}"] = np.zeros((), np.int64)
    if framework == "timm":
        return state
    patterns = (*MMPRETRAIN, *(DARK if network.name == "timm/cspdarknet53" else RESIDUAL))
    return {_mmpretrains(name, patterns): array for name, array in state.items()}


def _mmpretrains(name: str, patterns: tuple[tuple[str, str], ...]) -> str:
    if name.startswith("head."):
        return name
    for timms, theirs in patterns:
        name = re.sub(f"^{timms}", theirs, name)
    return f"backbone.{name}"
