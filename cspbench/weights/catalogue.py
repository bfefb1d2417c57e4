"""Which weight file belongs to which published row: its name, its exact size, and whether anybody can have it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import get_args

from cspbench.claims import tables
from cspbench.claims.model import NOTHING, Row
from cspbench.claims.models import Status
from cspbench.errors import WeightsError
from cspbench.network.counting import parameters
from cspbench.weights.arrays import layout, numbers_after
from cspbench.weights.darknet import read_header
from cspbench.weights.filekind import Kind, examine
from cspbench.weights.header import SHORTEST, Header
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS

VARIABLE = "CSPBENCH_WEIGHTS"
"""The folder where weight files are looked for."""

SHA256 = 64
"""Digits of a whole digest."""

SHIPPED = Path(__file__).parents[1] / "sample"


@dataclass(frozen=True)
class WeightFile:
    """The weight file of a published row.

    `size` is computed from the definition, with the 20-byte header, `short_size` with the 16-byte one; for a
    checkpoint it is what the card prints, if anything. `sha256` may be only the digest's beginning.
    """

    table: str
    row: str
    id: str
    model: str | None
    file: str | None
    size: int | None
    short_size: int | None
    sha256: str | None
    status: Status
    note: str | None = None


@dataclass(frozen=True)
class Match:
    """A model that stores exactly so many bytes in its first `layers` layers, of `total`."""

    model: str
    layers: int
    total: int

    @property
    def complete(self) -> bool:
        """Whether the file would hold the whole model."""
        return self.layers == self.total


def weight_files(names: list[str] | None = None) -> list[WeightFile]:
    """The weight files of every row of the tables named, by default of all."""
    chosen = [tables.load(name) for name in names] if names else tables.load_all()
    return [of_row(row) for table in chosen for row in table.rows]


def of_row(row: Row) -> WeightFile:
    """The weight file of a row; of one that was never released the size alone, where its model is known."""
    file, model = row.weights, row.model
    size = short = None
    if model is not None and (file is None or file.file.endswith(".weights")):
        size, short = _sizes(model)
    return WeightFile(
        table=row.table,
        row=row.label,
        id=row.id,
        model=model,
        file=file.file if file else None,
        size=file.size if file and file.size else size,
        short_size=short,
        sha256=file.sha256 if file else None,
        status=row.weights_status or "never-released",
        note=(file.note or _linked_elsewhere(row)) if file else None,
    )


def _linked_elsewhere(row: Row) -> str | None:
    """What to say of a row that prints no link, where another row does for the same file."""
    if row.weights is None or _links(row):
        return None
    others = (other for table in tables.load_all() for other in table.rows if other.weights == row.weights)
    return "the file of another row of the same training" if any(map(_links, others)) else None


def _links(row: Row) -> bool:
    return row.links.get("weight", NOTHING) != NOTHING


def known_digest(model: str) -> str | None:
    """The whole sha256 of the file that a model's authors published, where it is known."""
    files = MODELS[model].weights if model in MODELS else ()
    return next((file.sha256 for file in files if file.sha256 and len(file.sha256) == SHA256), None)


def known_arrays(model: str) -> str | None:
    """The digest of the arrays that a model's authors published, where it is known."""
    files = MODELS[model].weights if model in MODELS else ()
    return next((file.arrays for file in files if file.arrays), None)


@cache
def _sizes(model: str) -> tuple[int, int]:
    stored = 4 * parameters(MODELS[model].build(), "stored")
    return Header().size + stored, SHORTEST + stored


def known_names(model: str) -> list[str]:
    """File names under which the weights of a model are looked for, the authors' first."""
    stem = model.rpartition("/")[2]
    authors = [file.file for file in MODELS[model].weights]
    usual = [f"{stem}.weights", f"{stem}_final.weights", f"{stem}.safetensors", f"{stem}.pth"]
    return list(dict.fromkeys([*authors, *usual]))


@dataclass(frozen=True)
class Wanted:
    """The file of a model: the name that is looked for first, its exact size, and whether it can be had."""

    name: str
    size: int | None
    status: Status | None
    """None for a model of no row."""


def wanted(model: str) -> Wanted:
    """The weight file that a model needs, after the row whose file is easiest to be had."""
    files = [of_row(row) for table in tables.load_all() for row in table.rows if row.model == model]
    order = get_args(Status)
    best = min(files, key=lambda file: order.index(file.status), default=None)
    if best is None:
        return Wanted(known_names(model)[0], _sizes(model)[0], None)
    return Wanted(best.file or known_names(model)[0], best.size, best.status)


def looked_for(model: str | None) -> str | None:
    """The name under which a file is looked for that was never released; None for any other model."""
    file = None if model is None else wanted(model)
    return file.name if file is not None and file.status == "never-released" else None


def folder_of_weights() -> Path | None:
    """The folder that `$CSPBENCH_WEIGHTS` names, None when it is not set."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        raise WeightsError(
            "weights.not-a-folder",
            f"${VARIABLE} is not a folder",
            expected="a folder",
            found=folder,
            remedy="Correct or unset it",
        )
    return Path(folder)


def shipped(model: str) -> Path | None:
    """The weight file that is part of this package: of the sample's models."""
    path = SHIPPED / f"{model}.weights"
    return path if path.is_file() else None


def find(model: Model, folder: Path | None = None) -> Path | None:
    """The weight file of a model in a folder, by default `$CSPBENCH_WEIGHTS`: by name, else by its exact size.

    Of a model whose file this package brings along, that one. A file that bears another model's name is not taken for
    its size. Raises `WeightsError` where the size alone leaves it open which file, or which model's file, it is.
    """
    own = shipped(model.name)
    if own is not None:
        return own
    folder = folder or folder_of_weights()
    if folder is None:
        return None
    for name in known_names(model.name):
        if (folder / name).is_file():
            return folder / name
    foreign = {name for other in MODELS if other != model.name for name in known_names(other)}
    fits = [
        path
        for path in sorted(folder.glob("*.weights"))
        if path.name not in foreign and path.is_file() and path.stat().st_size in _sizes(model.name)
    ]
    if not fits:
        return None
    models = [match.model for match in identify(fits[0]) if match.complete]
    if len(fits) == 1 and models == [model.name]:
        return fits[0]
    if len(fits) == 1 and model.name not in models:  # the other header's size, by chance
        return None
    raise WeightsError(
        "weights.ambiguous-file",
        f"cannot tell by its size alone which file is {model.name}'s",
        where=str(folder),
        expected=f"one file called {model.name.rpartition('/')[2]}.weights",
        found=", ".join(path.name for path in fits) + f", of a size that {', '.join(models)} have",
        remedy="Rename the file so, or name it with --weights",
    )


def fitting(size: int, header: Header) -> list[Match]:
    """The models that a Darknet file of so many bytes fits, whole ones first; partly only at the end of a layer."""
    body = size - header.size
    whole, part = [], []
    for model, ends in _layer_ends().items():
        if body == ends[-1]:
            whole.append(Match(model, len(ends), len(ends)))
        elif body > 0 and body in ends:
            part.append(Match(model, sum(end <= body for end in ends), len(ends)))
    return whole + part


@cache
def _layer_ends() -> dict[str, list[int]]:
    return {name: [4 * numbers for numbers in numbers_after(model.build())] for name, model in MODELS.items()}


def identify(path: Path) -> list[Match]:
    """The models whose weight file has exactly this file's size, or ends where this one ends.

    Of a safetensors file that cspbench wrote, the model that it names; whether it fits, reading it tells.
    """
    file = examine(path)
    if file.kind is Kind.SAFETENSORS:
        found, _ = model_of(path)
        total = len(found.build().layers)
        return [Match(found.name, total, total)]
    return fitting(file.size, read_header(file))


def model_of(path: Path) -> tuple[Model, list[str]]:
    """The model that a file is of, and those that store the same arrays in the same order.

    Told by the size of a Darknet file or the name in a safetensors file; raises `WeightsError` where that leaves it
    open.
    """
    file = examine(path)
    if file.kind is Kind.SAFETENSORS:
        from cspbench.weights.safetensors_file import network_name

        name = network_name(path)
        if name in MODELS:
            return MODELS[name], []
        raise _open(path, "no name of the catalogue in it")
    if file.kind in (Kind.ZIP, Kind.PICKLE):
        raise _open(path, file.kind.value[0])
    whole = [match.model for match in fitting(file.size, read_header(file)) if match.complete]
    if not whole:
        raise _open(path, f"{file.size} bytes, which no model of the catalogue has")
    if len({layout(MODELS[name].build()) for name in whole}) > 1:
        raise _open(path, f"a size that {', '.join(whole)} have")
    return MODELS[whole[0]], whole[1:]


def _open(path: Path, found: str) -> WeightsError:
    return WeightsError(
        "weights.unknown-model",
        "cannot tell which model the file belongs to",
        where=str(path),
        expected="a model's exact size",
        found=found,
        remedy="Name it with --model, or its cfg with --cfg",
    )
