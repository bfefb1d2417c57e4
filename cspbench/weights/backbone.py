"""The backbone of a CSPDarknet classifier: out of its file, and under the names that detectors have for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import UsageError, WeightsError
from cspbench.network.modular.architecture import Architecture
from cspbench.network.modular.network import ModuleNetwork
from cspbench.weights.arrays import Weights, first_names
from cspbench.weights.filekind import Kind, examine
from cspbench.weights.module_state import by_our_names
from cspbench.weights.safetensors_file import of_state, save, state
from cspbench.weights.state_names import counters
from cspbench.weights.writing import SUFFIXES, save_checkpoint
from cspbench.zoo.yolox import SIZES
from cspbench.zoo.yolox.designs import EPSILON, CspClassifierDesign, YoloxDesign
from cspbench.zoo.yolox.keys import from_mmdetection, to_mmdetection
from cspbench.zoo.yolox.pixels import Pixels, folded

Program = Literal["mmdet", "yolox"]
PREFIXES: dict[Program, str] = {"mmdet": "backbone.", "yolox": "backbone.backbone."}
"""Of the names within the whole detector."""
CLASSIFIER, HEAD = "backbone.", "head."
"""Of the names within a classifier."""
BEGINNINGS = (PREFIXES["yolox"], CLASSIFIER, "")
"""What files have before a backbone's own names."""
STEM = "stem.conv.conv.weight"
SMALLEST = (3, 64, 64)


def backbone_of(network: Architecture) -> ModuleNetwork:
    """The network of a CSPDarknet classifier's or a YOLOX's backbone alone; `UsageError` for any other network."""
    if isinstance(network, ModuleNetwork) and isinstance(network.design, CspClassifierDesign | YoloxDesign):
        return ModuleNetwork(f"{network.name}'s backbone", SMALLEST, network.design.backbone(), network.preset)
    raise UsageError(
        "usage.no-csp-backbone",
        "the network has no CSPDarknet of YOLOX",
        expected="cspdarknet-nano, -tiny, -s, -m, -l or -x, or the YOLOX of that size",
        found=network.name,
        remedy="Name the classifier whose weights these are, or the detector that they are for",
    )


def read(path: Path, network: ModuleNetwork, ema: bool | None = None) -> Weights:
    """The arrays of a backbone (`backbone_of`) from a classifier's file, whatever the number of its classes, or from
    one that `write` has written.

    The names are ours, mmpretrain's or mmdetection's. Raises `WeightsError` for another file, for another width with
    both numbers, and unless every array before the classifier fits and none is left over.
    """
    file = examine(path)
    if file.kind not in (Kind.ZIP, Kind.PICKLE, Kind.SAFETENSORS):
        raise file.refused(Kind.ZIP)
    named, said = by_our_names(path, ema, detects=False)
    own, others = _parted(named)
    if STEM not in own or others or any(name.startswith(f"{HEAD}cls_") for name in named):
        raise WeightsError(
            "weights.no-backbone",
            "the file is not of a CSPDarknet classifier or its backbone",
            where=str(path),
            expected=f"{CLASSIFIER}{STEM} and the stages after it, and beside them at most {HEAD}fc",
            found=first_names(others or sorted(named)),
            remedy="Name the checkpoint of a classifier; a YOLOX's is renamed by `cspbench weights convert`",
        )
    _check_width(path, network, tuple(own[STEM].shape))
    weights = of_state(path, network, own)
    return replace(weights, said=said | dict(weights.said))


def _parted(named: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The backbone's tensors by our names within it, and the names of those that are neither its nor a classifier's."""
    beginning = next((each for each in BEGINNINGS if f"{each}{STEM}" in named), CLASSIFIER)
    heads = [] if beginning == PREFIXES["yolox"] else [name for name in named if name.startswith(HEAD)]
    own = {
        from_mmdetection(f"{CLASSIFIER}{name.removeprefix(beginning)}", detects=False).removeprefix(CLASSIFIER): each
        for name, each in named.items()
        if name.startswith(beginning) and name not in heads
    }
    return own, [name for name in named if not name.startswith(beginning) and name not in heads]


def _check_width(path: Path, network: ModuleNetwork, shape: tuple[int, ...]) -> None:
    (expected,) = (weight.shape[0] for weight in network.weights(0))
    if len(shape) != 4 or shape[0] == expected:
        return  # what else does not fit will be named with its array
    size = next((size for size, design in SIZES.items() if design.channels == shape[0]), None)
    raise WeightsError(
        "weights.other-width",
        "the classifier has another width than the detector",
        where=str(path),
        expected=f"{expected} channels after the stem, as {network.name} has",
        found=f"{shape[0]}" + (f", as cspdarknet-{size} has" if size else ""),
        remedy=f"Name cspdarknet-{size} or yolox-{size}" if size else "Name the classifier that was trained",
    )


def refolded(network: ModuleNetwork, weights: Weights, source: Pixels, target: Pixels) -> Weights:
    """The same backbone for other pixels; see `cspbench.zoo.yolox.pixels.folded`.

    The filters stay as large as they were, and the norm's statistics grow instead. What precedes a norm learns at the
    rate divided by the square of its size: filters 58 times smaller would be lost in the warm-up.
    """
    convolution, norm, *rest = weights.arrays
    weight, mean = folded(convolution["weight"], norm["mean"], source, target)
    size = float(np.mean(source.deviation) / np.mean(target.deviation))
    variance = norm["variance"].astype(np.float64)
    deviations = np.sqrt(variance + EPSILON), np.sqrt(variance * size**2 + EPSILON)
    changed = {
        "scale": norm["scale"] * (deviations[1] / (deviations[0] * size)),
        "mean": mean * size,
        "variance": variance * size**2,
    }
    own = {role: values.astype(np.float32) for role, values in changed.items()}
    first = {**convolution, "weight": (weight * size).astype(np.float32)}
    return replace(weights, arrays=(first, {**norm, **own}, *rest))


def named_for(program: Program, network: ModuleNetwork, weights: Weights, prefix: bool) -> dict[str, NDArray[Any]]:
    """A backbone's state dict, its counters of steps included: a program's names in the detector, or without prefix."""
    tensors: dict[str, NDArray[Any]] = dict(state(network, weights.arrays))
    tensors |= {name: np.zeros((), np.int64) for name in counters(network)}
    if program == "mmdet":
        tensors = {
            to_mmdetection(f"{CLASSIFIER}{name}", detects=False).removeprefix(CLASSIFIER): array
            for name, array in tensors.items()
        }
    return {f"{PREFIXES[program] if prefix else ''}{name}": array for name, array in tensors.items()}


def write(path: Path, program: Program, network: ModuleNetwork, weights: Weights, prefix: bool = True) -> None:
    """Write a backbone, whole or not at all: as safetensors if the path has that suffix, else as a .pth file.

    With the prefix, a .pth file for Megvii's code has the names under the key that its training looks for.
    """
    tensors: Mapping[str, NDArray[Any]] = named_for(program, network, weights, prefix)
    if path.suffix == SUFFIXES["safetensors"]:
        save(path, tensors, {"network": network.name})
    else:
        save_checkpoint(path, tensors, "model" if program == "yolox" and prefix else None)
