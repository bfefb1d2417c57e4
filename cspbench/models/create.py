"""Models as torch modules by name, and the names of the catalogue's models."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cspbench.inference.description import describe
from cspbench.models.features import Level, chosen_levels, until
from cspbench.models.heads import classes_of, with_classes
from cspbench.models.meta import meta_of, own_epsilon
from cspbench.models.own_modules import check_levels, module_of
from cspbench.models.own_modules import with_classes as own_classes
from cspbench.models.sources import Source, opened
from cspbench.network.epsilon import Epsilon
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network
from cspbench.zoo import registry

if TYPE_CHECKING:
    from cspbench.models.meta import Module


def list_models(pattern: str | Sequence[str] = "*", *, task: str | None = None) -> list[str]:
    """Names of the catalogue's models that match a pattern (*, ?, [..]); `task` "imagenet" or "coco" for one kind."""
    patterns = [pattern] if isinstance(pattern, str) else list(pattern)
    names = [name for name in registry.MODELS if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if task is None:
        return names
    return [name for name in names if registry.MODELS[name].architecture().detects == (task == "coco")]


def create_model(
    name: str | Architecture,
    weights: str | Path | None = None,
    num_classes: int | None = None,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
    *,
    epsilon: str | None = None,
    ema: bool | None = None,
) -> Module:
    """A model as a torch module: (N, C, H, W) float to logits or probabilities, or to the maps of its box layers.

    A YOLOX gives the raw numbers of its boxes, (N, boxes, 5 + classes), and has no `description` and no feature maps.

    `name` is any name of a model (`CSPResNeXt-50`, `csresnext50`, `imagenet-big:cspresnext-50`, timm's `cspdarknet53`),
    the path of a .cfg file, or a network.

    `weights` is a file, "published", or None. None draws the arrays as Darknet does, after `torch.manual_seed`.
    "published" takes the authors' file from $CSPBENCH_WEIGHTS, the bundled one of a sample model, or for a network of
    timm's the weights that timm downloads. A module with weights is in evaluation mode, any other in training mode.

    `num_classes` replaces the head; weights of another head are then loaded without it, and a warning says so.
    `features_only` gives a list of feature maps instead, one of each stride, with `strides` and `channels` beside;
    `out_indices` chooses among them, as in timm. `epsilon` is the rule for batch norm, by default the model's own;
    `ema` takes averaged weights, or others, from a checkpoint that has both.

    The module has `meta` (`input_size`, `class_names`, `preset`, `strides`, `definition`; the last three are attributes
    of its own, too), and `description` for `evaluate_imagenet` and `evaluate_coco`. Raises `UsageError` for an unknown
    name, `WeightsError` for a file that is missing or does not fit, `DefinitionError` for a network that can only be
    counted.
    """
    if isinstance(name, str):
        entry = registry.model(name)
        for line in entry.warnings:
            warnings.warn(line, stacklevel=2)
        architecture = entry.architecture()
    else:
        architecture = name
    known = registry.entry_of(architecture)
    if isinstance(architecture, ModuleNetwork):
        check_levels(architecture, features_only)
        changed = architecture
        if num_classes is not None and num_classes != architecture.design.classes:
            changed = own_classes(architecture, num_classes)
        taken = None if weights is None else opened(weights, changed, architecture, known, ema)
        rule = Epsilon(epsilon) if epsilon else own_epsilon(architecture, known)
        return module_of(changed, taken, rule, known if changed is architecture else None)
    network = layered(architecture)
    network.check_evaluable()
    original = network
    heads: tuple[int, ...] = ()
    if num_classes is not None and num_classes != classes_of(network):
        network, heads = with_classes(network, num_classes)
    chosen = chosen_levels(network, out_indices) if features_only else None
    source = opened(weights, network, original, known, ema) if weights is not None else None
    if source is not None and source.missing and chosen is None:
        warnings.warn(source.warning(network), stacklevel=2)
    module = _module(network, chosen, source, Epsilon(epsilon) if epsilon else own_epsilon(original, known))
    module.meta = meta_of(network, known, own_classes=bool(heads))
    if chosen is None:
        module.description = describe(network)
        module.strides = list(module.meta.strides)
    else:
        module.meta["strides"] = tuple(module.strides)
    module.preset, module.definition = module.meta.preset, module.meta.definition
    return module.train(source is None)


def _module(network: Network, chosen: Sequence[Level] | None, source: Source | None, epsilon: Epsilon) -> Module:
    """The module with its arrays: initialised, and loaded from the source where it has them."""
    from cspbench.models.initialisation import initialise
    from cspbench.network.module import to_module
    from cspbench.weights.loading import extract, load

    if chosen is None:
        module = cast("Module", to_module(network))
    else:
        network = until(network, max(level.index for level in chosen))
        module = cast("Module", to_module(network, [level.index for level in chosen]))
        (output,) = (node for node in module.graph.nodes if node.op == "output")
        (maps,) = output.args
        output.args = (list(maps) if isinstance(maps, tuple) else [maps],)
        module.recompile()
        module.strides = [level.stride for level in chosen]
        module.channels = [level.channels for level in chosen]
    if source is None:
        initialise(module)
        return module
    arrays = source.weights.arrays[: len(network.layers)]
    missing = [index for index in source.missing if index < len(network.layers)]
    if missing:
        initialise(module)
        drawn = extract(module, network)
        arrays = tuple(drawn[index] if index in missing else layer for index, layer in enumerate(arrays))
    complete = replace(source.weights, arrays=arrays, layers=len(arrays))
    load(module, network, complete, epsilon)
    return module
