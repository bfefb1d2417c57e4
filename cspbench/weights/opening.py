"""Weight files of any format, detected from their contents."""

from __future__ import annotations

from pathlib import Path

from cspbench.network.network import Network
from cspbench.weights import darknet, states
from cspbench.weights.arrays import Weights
from cspbench.weights.filekind import Kind, examine


def open_weights(path: Path, network: Network, partial: bool = False, ema: bool | None = None) -> Weights:
    """Read a Darknet, safetensors or checkpoint file for `network`.

    `partial` accepts a Darknet file that ends after any layer, and a checkpoint without its classifier. `ema` chooses
    among the sets of weights of a checkpoint, timm's choice by default. Raises `WeightsError`.
    """
    kind = examine(path).kind
    if kind in (Kind.ZIP, Kind.PICKLE):
        from cspbench.weights import checkpoint

        return checkpoint.read(path, network, partial, ema)
    if kind is Kind.SAFETENSORS:
        from cspbench.weights import checkpoint, safetensors_file

        with safetensors_file.opened(path) as file:
            ours = any(name.startswith("layers.") for name in file.keys())  # noqa: SIM118 (no iterator)
        if not ours:
            return checkpoint.read(path, network, partial, ema)
        states.single(path, ema)
        return safetensors_file.read(path, network)
    states.single(path, ema)
    return darknet.read(path, network, partial)
