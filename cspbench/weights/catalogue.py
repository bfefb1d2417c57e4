"""The weight file of each published row: its name, its exact size, and whether it is available."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from cspbench.claims import tables
from cspbench.claims.model import Row
from cspbench.claims.models import Status
from cspbench.errors import WeightsError
from cspbench.io import user_path
from cspbench.weights.arrays import layout, numbers_after
from cspbench.weights.darknet import read_header
from cspbench.weights.filekind import Examined, Kind, examine
from cspbench.weights.header import SHORTEST, Header
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS, names_of_layered

VARIABLE = "CSPBENCH_WEIGHTS"
"""Environment variable with the folder of weight files."""

SHIPPED = Path(__file__).parents[1] / "sample"


@dataclass(frozen=True)
class WeightFile:
    """The weight file of a published row.

    `size` and `short_size` are computed from the definition, with the 20-byte and the 16-byte header; the size of a
    checkpoint is the one that its card prints, if any. `sha256` may be a prefix of the digest.
    """

    table: str
    row: str
    id: str
    model: str | None
    file: str | None
    url: str | None
    size: int | None
    short_size: int | None
    sha256: str | None
    status: Status
    note: str | None


@dataclass(frozen=True)
class Match:
    """A model whose first `layers` layers, of `total`, fill a file exactly."""

    model: str
    layers: int
    total: int

    @property
    def complete(self) -> bool:
        return self.layers == self.total


def weight_files(names: list[str] | None = None) -> list[WeightFile]:
    """The weight files of all rows of these tables, by default of all tables."""
    loaded = [tables.load(name) for name in tables.matching(names)] if names else tables.load_all()
    return [of_row(row) for table in loaded for row in table.rows]


def of_row(row: Row) -> WeightFile:
    """The weight file of a row; if it was never released, only its size, provided that the model is known."""
    file, model = row.weights, row.model
    size = short = None
    if model is not None and MODELS[model].of_layers and (file is None or file.file.endswith(".weights")):
        size, short = _sizes(model)
    return WeightFile(
        table=row.table,
        row=row.label,
        id=row.id,
        model=model,
        file=file.file if file else None,
        url=file.url if file else None,
        size=file.size if file and file.size else size,
        short_size=short,
        sha256=file.sha256 if file else None,
        status=row.weights_status or "never-released",
        note=file.note if file else None,
    )


def published(model: str) -> tuple[str | None, str | None]:
    """The whole sha256 of the file that a model's authors published, and of its arrays (`arrays_digest`), if known."""
    files = MODELS[model].weights if model in MODELS else ()
    return (
        next((file.sha256 for file in files if file.sha256 and len(file.sha256) == 64), None),
        next((file.arrays for file in files if file.arrays), None),
    )


def _sizes(model: str) -> tuple[int, int]:
    stored = _layer_ends(model)[-1]
    return Header().size + stored, SHORTEST + stored


def file_names(model: str) -> list[str]:
    """File names that `find` tries for a model, the authors' first."""
    stem = model.rpartition("/")[2]
    authors = [file.file for file in MODELS[model].weights]
    usual = [f"{stem}.weights", f"{stem}_final.weights", f"{stem}.safetensors", f"{stem}.pth"]
    return list(dict.fromkeys([*authors, *usual]))


def wanted(model: str) -> tuple[str, int | None, Status | None]:
    """The weight file that a model needs: the name that `find` tries first, its exact size and its availability.

    From the row whose file is easiest to get; no availability for a model that belongs to no row.
    """
    files = [of_row(row) for table in tables.load_all() for row in table.rows if row.model == model]
    order = get_args(Status)
    best = min(files, key=lambda file: order.index(file.status), default=None)
    if best is None:
        return file_names(model)[0], _sizes(model)[0] if MODELS[model].of_layers else None, None
    return best.file or file_names(model)[0], best.size, best.status


def looked_for(model: str | None) -> str | None:
    """The first file name that `find` tries for a model whose file was never released, None for other models."""
    name, _, status = wanted(model) if model else (None, None, None)
    return name if status == "never-released" else None


def folder_of_weights() -> Path | None:
    """The folder that `$CSPBENCH_WEIGHTS` names, None if it is not set; `WeightsError` if it does not exist."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    with suppress(RuntimeError):  # ~ and an unknown user
        path = user_path(folder)
        if path.is_dir():
            return path
    what, remedy = f"${VARIABLE} is not a folder", "Correct or unset it"
    raise WeightsError("weights.not-a-folder", what, found=folder, remedy=remedy)


def shipped(model: str) -> Path | None:
    """The weight file that comes with this package, for the sample's models."""
    path = SHIPPED / f"{model}.weights"
    return path if path.is_file() else None


def find(model: Model, folder: Path | None = None) -> Path | None:
    """The weight file of a model in a folder, by default `$CSPBENCH_WEIGHTS`: by name, else by its exact size.

    A file that comes with this package takes precedence. The size does not count for a file with another model's name.
    Raises `WeightsError` if several files, or several models, have the size.
    """
    own = shipped(model.name)
    if own is not None:
        return own
    folder = folder or folder_of_weights()
    if folder is None:
        return None
    for name in file_names(model.name):
        if (folder / name).is_file():
            return folder / name
    if not model.of_layers:
        return None
    foreign = {name for other in MODELS if other != model.name for name in file_names(other)}
    fits: dict[Path, list[str]] = {}
    for path in sorted(folder.glob("*.weights")):
        if path.name not in foreign and path.is_file() and path.stat().st_size in _sizes(model.name):
            models = _complete(examine(path))
            if model.name in models:  # else it has the other header, and this size by coincidence
                fits[path] = models
    if not fits:
        return None
    if list(fits.values()) == [[model.name]]:
        return next(iter(fits))
    raise WeightsError(
        "weights.ambiguous-file",
        f"the size alone does not identify the weight file of {model.name}",
        where=str(folder),
        expected=f"one file named {model.name.rpartition('/')[2]}.weights",
        found=", ".join(path.name for path in fits) + f", with the size of {', '.join(next(iter(fits.values())))}",
        remedy="Rename the file, or pass it with --weights",
    )


def fitting(size: int, header: Header) -> list[Match]:
    """The models that fill a Darknet file of `size` bytes: complete ones, then those with a layer that ends there."""
    body = size - header.size
    whole, part = [], []
    for model in names_of_layered():
        ends = _layer_ends(model)
        if body == ends[-1]:
            whole.append(Match(model, len(ends), len(ends)))
        elif body > 0 and body in ends:
            part.append(Match(model, sum(end <= body for end in ends), len(ends)))
    return whole + part


def _complete(file: Examined) -> list[str]:
    """The models that a Darknet file fills exactly."""
    return [match.model for match in fitting(file.size, read_header(file)) if match.complete]


@cache
def _layer_ends(model: str) -> list[int]:
    return [4 * numbers for numbers in numbers_after(MODELS[model].build())]


def identify(path: Path) -> list[Match]:
    """The models whose weight file has exactly this file's size, or has a layer that ends there.

    For a safetensors file that cspbench wrote, the model that it names; for a file of the arrays of a torch module, the
    models with such arrays. Raises `WeightsError` if there is none.
    """
    file = examine(path)
    if file.kind in (Kind.SAFETENSORS, Kind.ZIP, Kind.PICKLE):
        model, alike = model_of(path)
        total = len(model.architecture().layers)
        return [Match(name, total, total) for name in (model.name, *alike)]
    matches = fitting(file.size, read_header(file))
    if not matches:
        raise _unidentified(path, f"{file.size} bytes, unlike any known model")
    return matches


def model_of(path: Path) -> tuple[Model, list[str]]:
    """The model of a file, and the names of the models that store the same arrays in the same order.

    Identified by the size of a Darknet file, the name in a safetensors file, or the arrays of a torch module; raises
    `WeightsError` if that is ambiguous.
    """
    file = examine(path)
    if file.kind is Kind.SAFETENSORS:
        from cspbench.weights.safetensors_file import opened

        with opened(path) as tensors:
            name = (tensors.metadata() or {}).get("network")
        if name in MODELS:
            return MODELS[name], []
        return _of_module(path, "without the name of a known model")
    if file.kind in (Kind.ZIP, Kind.PICKLE):
        return _of_module(path, file.kind.value[0])
    models = _complete(file)
    if not models:
        raise _unidentified(path, f"{file.size} bytes, unlike any known model")
    if len({layout(MODELS[name].build()) for name in models}) > 1:
        raise _unidentified(path, f"the size of {', '.join(models)}")
    return MODELS[models[0]], models[1:]


def _of_module(path: Path, kind: str) -> tuple[Model, list[str]]:
    """The model of a file with the arrays of a torch module of the catalogue; the file is called `kind` otherwise."""
    from cspbench.weights.module_state import models_of

    models = []
    with suppress(WeightsError):  # not a checkpoint, or one of something else
        models = models_of(path)
    if not models:
        raise _unidentified(path, kind)
    return MODELS[models[0]], models[1:]


def _unidentified(path: Path, found: str) -> WeightsError:
    what, remedy = (
        "cannot identify the model of the file",
        "Name its model with --model, or its cfg with --cfg",
    )
    return WeightsError("weights.unknown-model", what, where=str(path), found=found, remedy=remedy)
