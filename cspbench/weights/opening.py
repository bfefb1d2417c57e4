"""Weight files of any format, detected from their contents."""

from __future__ import annotations

from pathlib import Path

from cspbench.errors import WeightsError
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network
from cspbench.weights import darknet, states
from cspbench.weights.arrays import Weights
from cspbench.weights.filekind import Kind, examine

CARDS = ("timm/cspdarknet53", "timm/cspresnet50", "timm/cspresnext50")
"""timm's networks that have a namesake of Darknet's."""


def open_weights(path: Path, network: Architecture, partial: bool = False, ema: bool | None = None) -> Weights:
    """Read a Darknet, safetensors or checkpoint file for `network`; only the latter two for a torch module of its own.

    `partial` accepts a Darknet file that ends after any layer, and a checkpoint without its classifier. `ema` chooses
    among the sets of weights of a checkpoint, timm's choice by default. Raises `WeightsError`.
    """
    file = examine(path)
    kind = file.kind
    if isinstance(network, ModuleNetwork):
        from cspbench.weights import module_state

        if kind not in (Kind.ZIP, Kind.PICKLE, Kind.SAFETENSORS):
            raise file.refused(Kind.ZIP)
        return module_state.read(path, network, ema)
    network = layered(network)
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
        return _of_own_framework(safetensors_file.read(path, network), network)
    states.single(path, ema)
    return _of_own_framework(darknet.read(path, network, partial), network)


def _of_own_framework(weights: Weights, network: Network) -> Weights:
    """Refuse weights that Darknet trained for a network of timm's.

    csdarknet53 stores the same arrays as timm/cspdarknet53, but its activations leak more. A file that was converted
    from a checkpoint has seen no images.
    """
    if network.name in CARDS and weights.header is not None and weights.header.seen:
        raise WeightsError(
            "weights.trained-by-darknet",
            f"Darknet trained these weights, and {network.name} is timm's network",
            where=str(weights.path),
            expected="a checkpoint of timm or mmpretrain, or a file converted from one",
            found=f"a header of {weights.header.seen:,} images seen in training",
            remedy="Name the README's network: csdarknet53, csresnet50 or csresnext50",
        )
    return weights
