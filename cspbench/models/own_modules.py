"""The catalogue's torch modules of their own, with arrays, and with what a module says of itself."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from cspbench.errors import UsageError
from cspbench.inference.description import describe
from cspbench.models.meta import meta_of
from cspbench.models.sources import Source
from cspbench.network.epsilon import Epsilon
from cspbench.network.modular.network import ModuleNetwork
from cspbench.zoo.model import Model

if TYPE_CHECKING:
    from cspbench.models.meta import Module


def with_classes(network: ModuleNetwork, classes: int) -> ModuleNetwork:
    """The network with another number of classes, called NAME-N-classes."""
    return replace(network, name=f"{network.name}-{classes}-classes", design=network.design.with_classes(classes))


def check_levels(network: ModuleNetwork, features_only: bool) -> None:
    """Raise `UsageError` where feature maps are asked for."""
    if features_only:
        raise UsageError(
            "usage.no-features",
            f"the feature maps of {network.name} cannot be told from its heads",
            expected="a network of Darknet's layers",
            remedy="Take its attribute `backbone`: a module that returns the maps at strides 8, 16 and 32",
        )


def module_of(network: ModuleNetwork, source: Source | None, epsilon: Epsilon, entry: Model | None) -> Module:
    """The module, its arrays drawn, or loaded from the source where it has them.

    `description` is that of its evaluation; a detector whose boxes have anchors has none.
    """
    from cspbench.weights.loading import extract, load

    module = cast("Module", network.design.module())
    if source is not None:
        arrays = source.weights.arrays
        if source.missing:
            warnings.warn(source.warning(network), stacklevel=3)
            drawn = extract(module, network)
            arrays = tuple(drawn[index] if index in source.missing else part for index, part in enumerate(arrays))
        load(module, network, replace(source.weights, arrays=arrays, layers=len(arrays)), epsilon)
    module.meta = meta_of(network, entry, own_classes=entry is None)
    module.strides = list(module.meta.strides)
    module.preset, module.definition = module.meta.preset, module.meta.definition
    if not network.detects:
        module.description = replace(describe(network), classes="sorted" if entry else None)
    elif network.design.one_box:
        module.description = describe(network)
    return module.train(source is None)
