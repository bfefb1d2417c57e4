"""Weight files of any format, detected from their contents."""

from __future__ import annotations

from pathlib import Path

from cspbench.network.network import Network
from cspbench.weights import darknet
from cspbench.weights.arrays import Weights
from cspbench.weights.filekind import Kind, examine


def open_weights(path: Path, network: Network, partial: bool = False) -> Weights:
    """Read a Darknet, safetensors or checkpoint file for `network`; only a checkpoint imports torch.

    `partial` applies to Darknet files only. Raises `WeightsError`.
    """
    kind = examine(path).kind
    if kind in (Kind.ZIP, Kind.PICKLE):
        from cspbench.weights import checkpoint

        return checkpoint.read(path, network)
    if kind is Kind.SAFETENSORS:
        from cspbench.weights import checkpoint, safetensors_file

        with safetensors_file.opened(path) as file:
            ours = any(name.startswith("layers.") for name in file.keys())  # noqa: SIM118 (no iterator)
        return safetensors_file.read(path, network) if ours else checkpoint.read(path, network)
    return darknet.read(path, network, partial)
