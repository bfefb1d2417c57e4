"""Weights of networks that are torch modules: state dicts in safetensors files and checkpoints, by their keys.

A checkpoint of Megvii's YOLOX has our names, one of mmdetection's is renamed. Numbers are read without running code.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cspbench.errors import WeightsError
from cspbench.network.modular.network import Design, ModuleNetwork
from cspbench.weights import states
from cspbench.weights.arrays import Weights
from cspbench.weights.checkpoint import content, tensors_of
from cspbench.weights.filekind import Kind, examine
from cspbench.weights.safetensors_file import of_state
from cspbench.zoo.registry import MODELS
from cspbench.zoo.yolox import NORMALISED
from cspbench.zoo.yolox.generations import normalised
from cspbench.zoo.yolox.keys import WORDS, from_mmdetection, mmdetections

AVERAGED_BUFFERS = "ema_"
"""Beginning of the flat names under which old mmdetection checkpoints have all arrays a second time."""
LAST = "head.fc.bias"
"""Our name of a classifier's last array, which is mmpretrain's, too."""
Shapes = Mapping[str, tuple[int, ...]]


def read(path: Path, network: ModuleNetwork, ema: bool | None = None) -> Weights:
    """The arrays of a state dict, alone or in a checkpoint; `ema` chooses as in `states.choose`.

    Raises `WeightsError` unless every array fits and none is left over; for those of another network it says which.
    """
    named, said = by_our_names(path, ema, network.design.detects)
    _check_network(path, network, {name: tuple(tensor.shape) for name, tensor in named.items()})
    weights = of_state(path, network, named)
    return replace(weights, said=said | dict(weights.said) | _generation(network, weights))


def models_of(path: Path) -> list[str]:
    """The models of the catalogue whose arrays a file has, those of its generation first; empty if there is none.

    Raises `WeightsError`.
    """
    for detects in (True, False):
        named, _ = by_our_names(path, None, detects)
        shapes = {name: tuple(tensor.shape) for name, tensor in named.items()}
        if found := [name for name, own in _shapes().items() if own == shapes]:
            return sorted(found, key=lambda name: bool(_generation_of(path, name)))
    return []


def _generation_of(path: Path, model: str) -> str | None:
    """What is said where a file's weights are of another generation than a model's."""
    network = MODELS[model].architecture()
    assert isinstance(network, ModuleNetwork)
    return read(path, network).said.get("warning:")


def by_our_names(path: Path, ema: bool | None, detects: bool) -> tuple[dict[str, Any], dict[str, str]]:
    """The tensors of a file by our names, and what has to be said of the choice among several sets."""
    state, said = states.choose(path, content(path), ema, WORDS)
    named = dict(tensors_of(path, state))
    if any("." in name for name in named):
        named = {name: tensor for name, tensor in named.items() if "." in name or not _doubled(name)}
    if mmdetections(named):
        named = {from_mmdetection(name, detects): tensor for name, tensor in named.items()}
        said["names"] = "mmdetection's"
    return named, said


def classes_in(path: Path, ema: bool | None = None) -> int | None:
    """The number of classes of a classifier's file; None for any other file. Raises `WeightsError`."""
    if examine(path).kind not in (Kind.ZIP, Kind.PICKLE, Kind.SAFETENSORS):
        return None
    last = by_our_names(path, ema, detects=False)[0].get(LAST)
    return int(last.shape[0]) or None if last is not None and len(last.shape) == 1 else None


def _doubled(name: str) -> bool:
    return name.startswith(AVERAGED_BUFFERS)


def _check_network(path: Path, network: ModuleNetwork, shapes: Shapes) -> None:
    """Raise `WeightsError` for the arrays of another model, with the first in which the two differ."""
    own = _shapes_of(network.design)
    first = next(iter(own))
    if own.keys() == shapes.keys() and own[first] == shapes[first]:
        return  # the same network, if with another number of classes
    others = [name for name, theirs in _shapes().items() if theirs == shapes]
    if not others:
        return  # of no model: the first misfit will be named
    first = next(name for name in (*own, *shapes) if own.get(name) != shapes.get(name))
    raise WeightsError(
        "weights.other-model",
        "the file has the arrays of another model",
        where=str(path),
        expected=f"{network.name}, {first} {_text(own.get(first))}",
        found=f"{others[0]}, {_text(shapes.get(first))}",
        remedy=f"Name {others[0]} with --model",
    )


def _text(shape: tuple[int, ...] | None) -> str:
    return "not there" if shape is None else f"of {shape}"


def _shapes_of(design: Design) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays of a module in the order of its state dict, without its counters of steps."""
    import torch

    with torch.device("meta"):
        state = design.module().state_dict()
    return {name: tuple(array.shape) for name, array in state.items() if array.is_floating_point()}


def _shapes() -> dict[str, Shapes]:
    """Names and shapes of the arrays of every module of the catalogue, by model."""
    of_designs: dict[Design, Shapes] = {}
    shapes = {}
    for name, model in MODELS.items():
        network = model.architecture()
        if isinstance(network, ModuleNetwork):
            if network.design not in of_designs:
                of_designs[network.design] = _shapes_of(network.design)
            shapes[name] = of_designs[network.design]
    return shapes


def _generation(network: ModuleNetwork, weights: Weights) -> dict[str, str]:
    """A warning where YOLOX weights are of another generation than the model's."""
    if network.preset is None or network.design.kind not in ("yolox", "yolox-darknet53"):
        return {}
    convolution, norm = weights.arrays[:2]
    old = normalised(convolution["weight"], norm["scale"], norm["variance"])
    if old == (network.preset in NORMALISED):
        return {}
    base = network.name.removesuffix("-legacy")
    other, wants = (f"{base}-legacy", "normalised pixels") if old else (base, "pixels from 0 to 255")
    return {
        "warning:": f"the first convolution is of weights for {wants}, as of {other}; as {network.name} they would be "
        "given others and detect next to nothing"
    }
