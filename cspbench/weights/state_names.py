"""The names of a network's arrays in the state dict of its torch module; imports no torch."""

from __future__ import annotations

from cspbench.network.layers import Connected, Implicit
from cspbench.network.modular.architecture import Architecture
from cspbench.network.modular.part import Part

COUNTER = "num_batches_tracked"
"""Training steps of a batch norm, which only the module has."""
_NORM = {"bias": "bn.bias", "scale": "bn.weight", "mean": "bn.running_mean", "variance": "bn.running_var"}


def state_names(network: Architecture, index: int) -> dict[str, str]:
    """For each array of layer `index`, by role in file order, its name in the state dict of the network's module."""
    layer, roles = network.layers[index], [weight.role for weight in network.weights(index)]
    if isinstance(layer, Part):
        return {role: f"{layer.path}.{name}" for role, name in zip(roles, layer.names, strict=True)}
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


def counters(network: Architecture) -> list[str]:
    """The names of the batch norms' counters of training steps, integers that no weight file stores."""
    return [
        f"{layer.path if isinstance(layer, Part) else f'layers.{index}.bn'}.{COUNTER}"
        for index, layer in enumerate(network.layers)
        if any(weight.role == "scale" for weight in network.weights(index))
    ]
