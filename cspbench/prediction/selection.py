"""Which model predicts: one of the catalogue, a cfg file with weights, weights of a known model, or a bundled one."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cspbench.errors import UsageError, WeightsError
from cspbench.evaluation import selection
from cspbench.network import cfg as cfg_files
from cspbench.network.modular.architecture import Architecture
from cspbench.sample.place import Kind
from cspbench.weights.catalogue import VARIABLE, file_names, find, folder_of_weights, model_of, shipped
from cspbench.zoo import registry

NAMED = 3
"""Models that a message names."""
SAMPLE = "sample-csp-detector"


@dataclass(frozen=True)
class Chosen:
    """A network with its weight file."""

    network: Architecture
    weights: Path
    beside: tuple[Path, ...] = ()
    """The user's files, beside which the names of the classes may be."""

    @property
    def sample(self) -> Kind | None:
        """The kind of picture that a bundled net is for; None for any other network."""
        if self.network.places or shipped(self.network.name) is None:
            return None
        return "detection" if self.network.detects else "classification"


def chosen(model: str | None, network: Architecture | None, cfg: Path | None, weights: Path | None) -> Chosen:
    """The network to predict with: the `network` of the file `cfg`, or a model by its name, or that of its weights.

    Raises `UsageError` where none is named or one has no weights.
    """
    if network is not None:
        of_file = selection.of_file(network, weights, [model] if model else [], _task(network)).models[0]
        return Chosen(network, of_file.file, tuple(path for path in (cfg, weights) if path is not None))
    if model is not None:
        entry = registry.model(model)
        file = weights or find(entry)
        if file is None:
            raise selection.no_weights([entry.name], "`cspbench predict` alone shows a bundled net")
        return Chosen(entry.architecture(), file)
    if weights is None:
        raise _no_model()
    return _of_weights(weights)


def sample() -> Chosen:
    """The bundled detector."""
    return chosen(SAMPLE, None, None, None)


def _of_weights(weights: Path) -> Chosen:
    """The model that a file's size or name identifies, else the network of the .cfg beside it."""
    try:
        return Chosen(model_of(weights)[0].architecture(), weights)
    except WeightsError:
        beside = weights.with_suffix(".cfg")
        if not beside.is_file():
            raise
        return Chosen(cfg_files.read(beside).network, weights, (beside, weights))


def _task(network: Architecture) -> selection.Task:
    return "coco" if network.detects else "imagenet"


def _no_model() -> UsageError:
    folder = folder_of_weights()
    there = (
        [name for name in registry.MODELS if any((folder / file).is_file() for file in file_names(name))]
        if folder
        else []
    )
    found = f"weights of {', '.join(there[:NAMED])}{', ...' if len(there) > NAMED else ''}" if there else None
    return UsageError(
        "usage.needs-model",
        "no model named",
        expected="-m MODEL, --cfg FILE with --weights FILE, or the --weights of a known model",
        found=found or os.environ.get(VARIABLE) or f"${VARIABLE} not set",
        remedy=f"Try -m {there[0] if there else 'csresnext50 --weights csresnext50.weights'}",
    )
