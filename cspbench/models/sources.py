"""Where the weights of a new module come from: a file, the published ones, or timm."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cspbench.errors import WeightsError, brief
from cspbench.io import argument_path
from cspbench.network.modular.architecture import Architecture
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network
from cspbench.weights.arrays import Weights
from cspbench.weights.catalogue import VARIABLE, find, folder_of_weights, wanted
from cspbench.weights.checkpoint import BLOCK_CONVOLUTIONS
from cspbench.weights.opening import open_weights
from cspbench.zoo.model import Model
from cspbench.zoo.timm_import import import_timm

PUBLISHED = "published"
"""The value of `weights` for the authors' own file."""


@dataclass(frozen=True)
class Source:
    """The arrays to load, and the indices of the layers whose arrays it does not have."""

    weights: Weights
    missing: tuple[int, ...] = ()

    def warning(self, network: Architecture) -> str:
        """What a user has to know of the missing layers."""
        first, more = self.missing[0], len(self.missing) - 1
        others = f" and {more} more" if more else ""
        return f"{self.weights.path}: not loaded, but initialised: {network.place(first)}{others}"


def opened(
    weights: str | Path, network: Architecture, original: Architecture, entry: Model | None, ema: bool | None
) -> Source:
    """The weights of a network; `original` is the same with its own head, whose weights are taken without the head.

    Raises `WeightsError` for a file that is missing or fits neither.
    """
    if weights == PUBLISHED and entry is not None and entry.name in BLOCK_CONVOLUTIONS and find(entry) is None:
        with tempfile.TemporaryDirectory() as folder:
            return _fitting(_from_timm(entry.name, Path(folder)), network, original, ema)
    file = _published(original, entry) if weights == PUBLISHED else argument_path("weights", weights)
    return _fitting(file, network, original, ema)


def _fitting(file: Path, network: Architecture, original: Architecture, ema: bool | None) -> Source:
    if network == original:
        return Source(open_weights(file, network, ema=ema))
    with suppress(WeightsError):  # of the original head
        return Source(open_weights(file, _renamed(network, original.name), ema=ema))
    changed = _changed(network, original)
    try:
        return Source(open_weights(file, original, ema=ema), changed)
    except WeightsError as error:
        try:
            start = open_weights(file, original, partial=True, ema=ema)
        except WeightsError:
            raise error from None
    rest = range(start.layers, len(original.layers))
    return Source(start, tuple(sorted({*changed, *(index for index in rest if original.weights(index))})))


def _renamed(network: Architecture, name: str) -> Architecture:
    assert isinstance(network, Network | ModuleNetwork)
    return replace(network, name=name)


def _changed(network: Architecture, original: Architecture) -> tuple[int, ...]:
    """The layers whose arrays have other shapes."""
    return tuple(index for index in range(len(network.layers)) if network.weights(index) != original.weights(index))


def _published(network: Architecture, entry: Model | None) -> Path:
    """The published file of a catalogue model; raises `WeightsError`, which says where it was looked for."""
    file = find(entry) if entry else None
    if file is not None:
        return file
    folder = folder_of_weights()
    name, size, status = wanted(entry.name) if entry else (f"{network.name}.weights", None, None)
    about = ", ".join([*([f"{size:,} bytes"] if size else []), status or "of no published row"])
    remedy = "Put it there, or name a file with weights="
    if status == "released":
        remedy += f"; `cspbench weights fetch {network.name}` gets it"
    raise WeightsError(
        "weights.not-there",
        f"the weights of {network.name} are not there",
        where=str(folder) if folder else f"${VARIABLE}, which is not set",
        expected=f"{name} ({about})",
        remedy=remedy,
    )


def _from_timm(model: str, folder: Path) -> Path:
    """The state dict of timm's pretrained network, in a file; raises `WeightsError` if timm cannot get it."""
    from safetensors.torch import save_file

    name = model.removeprefix("timm/")
    try:
        module = import_timm().create_model(name, pretrained=True)
    except Exception as error:  # of the network, the hub's client or timm, which have no common class
        raise WeightsError(
            "weights.timm-download",
            f"timm cannot get its weights of {name}",
            where=os.environ.get(VARIABLE) or f"${VARIABLE} not set",
            expected=f"a network connection, or {wanted(model)[0]} in ${VARIABLE}",
            found=brief(f"{type(error).__name__}: {error}", 160),
            remedy="Connect, or name a file with weights=",
        ) from error
    file = folder / f"timm-{name}.safetensors"
    save_file({key: tensor.contiguous() for key, tensor in module.state_dict().items()}, file)
    return file
