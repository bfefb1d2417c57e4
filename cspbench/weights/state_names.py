"""The names of a network's arrays in the state dict of its torch module; imports no torch."""

from __future__ import annotations

from cspbench.network.layers import Connected, Implicit
from cspbench.network.network import Network

COUNTER = "num_batches_tracked"
"""Training steps of a batch norm, which only the module has."""
_NORM = {"bias": "bn.bias", "scale": "bn.weight", "mean": "bn.running_mean", "variance": "bn.running_var"}


def state_names(network: Network, index: int) -> dict[str, str]:
    """For each array of layer `index`, by role in file order, its name in the state dict of `to_module(network)`."""
    layer, roles = network.layers[index], [weight.role for weight in network.weights(index)]
    names = {}
    for role in roles:
        if role == "fusion":  # of an implicit layer or a weighted shortcut
            name = f"{'vector' if isinstance(layer, Implicit) else 'sum'}.weight"
        elif role in _NORM and "scale" in roles:
            name = _NORM[role]
        else:
            name = f"{'linear' if isinstance(layer, Connected) else 'conv'}.{role}"
        names[role] = f"layers.{index}.{name}"
    return names


def counters(network: Network) -> list[str]:
    """The names of the batch norms' counters of training steps, integers that no weight file stores."""
    return [
        f"layers.{index}.bn.{COUNTER}"
        for index in range(len(network.layers))
        if any(weight.role == "scale" for weight in network.weights(index))
    ]
