"""Recognises the published weights of a model by their arrays, under any name and any network."""

from __future__ import annotations

from cspbench.network.modular.architecture import Architecture
from cspbench.network.network import Network, difference, digest
from cspbench.zoo.registry import MODELS


def remark(network: Architecture, arrays: str) -> str | None:
    """A sentence on a network that reads a model's published weights: it is that model's network, or it is another.

    `arrays` is the digest of the weights that were read (`arrays_digest`). None for weights that are no model's, and
    for the model itself.

    Another network may read the same file without an error, since masks, anchors or activations store nothing. Its
    accuracy is not the model's then.
    """
    owners = [model for model in MODELS.values() if any(file.arrays == arrays for file in model.weights)]
    differing = {model.name: _difference(network, model.architecture()) for model in owners}
    same = [name for name, text in differing.items() if text is None]
    if same:
        if network.name in same and not network.places:
            return None
        return (
            f"{network.name} is {same[0]} as published, network and weights: -m {same[0]} compares it with the claims"
        )
    if not differing:
        return None
    name, text = next(iter(differing.items()))
    return (
        f"warning: {network.name} has the published weights of {name}, but another network ({text}): expect other "
        f"numbers than the published; see `cspbench show {name} --why`"
    )


def _difference(network: Architecture, published: Architecture) -> str | None:
    """The first difference from a published network whatever the input size; None if there is none."""
    if digest(network.resized(*published.input[1:])) == digest(published):
        return None
    if not isinstance(network, Network) or not isinstance(published, Network):
        return "one is a torch module of its own"
    return difference(network, published, ("this one", "the published one"))
