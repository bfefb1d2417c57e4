"""Which weight file belongs to which published row: its name, its exact size, and whether anybody can have it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from cspbench.claims import tables
from cspbench.claims.model import Row, Table
from cspbench.errors import WeightsError
from cspbench.network.counting import parameters
from cspbench.weights.arrays import layout, numbers_after
from cspbench.weights.darknet import read_header
from cspbench.weights.filekind import Kind, examine
from cspbench.weights.header import SHORTEST, Header
from cspbench.zoo.catalogue import MODELS, Model, row_model

VARIABLE = "CSPBENCH_WEIGHTS"
"""The folder where weight files are looked for."""

SHIPPED = Path(__file__).parents[1] / "sample"

Status = Literal["published", "gone", "never released"]
"""published: the document links the file. gone: only an earlier version of the document linked it. never released: the
document has never linked one, whatever the authors of a quoted network may offer. A link that is printed may be dead
all the same: nothing here asks the network."""

_CARDS: dict[str, dict[str, tuple[str, int | None]]] = {
    "timm": {
        "cspdarknet53": ("cspdarknet53_ra_256-d05c7c21.pth", 110_775_135),
    },
    "mmpretrain": {
        "cspdarknet50": ("cspdarknet50_3rdparty_8xb32_in1k_20220329-bd275287.pth", None),
        "cspresnet50": ("cspresnet50_3rdparty_8xb32_in1k_20220329-dd6dddfb.pth", None),
        "cspresnext50": ("cspresnext50_3rdparty_8xb32_in1k_20220329-2cc84d21.pth", None),
    },
}
"""Files of the cards' rows and the size where a card prints it; both projects end a name with its sha256's beginning.
mmpretrain's are timm's weights under other names."""

_AUTHORS: dict[str, tuple[str, ...]] = {
    "enet-coco": ("enetb0-coco_final.weights",),
    "timm/cspdarknet53": (_CARDS["timm"]["cspdarknet53"][0], _CARDS["mmpretrain"]["cspdarknet50"][0]),
    "timm/cspresnet50": ("cspresnet50_ra-d3e8d487.pth", _CARDS["mmpretrain"]["cspresnet50"][0]),
    "timm/cspresnext50": ("cspresnext50_ra_224-648b4713.pth", _CARDS["mmpretrain"]["cspresnext50"][0]),
}
"""Names under which authors published a model's file, where they do not follow from the model's."""

_DIGESTS = {"yolov3-tiny": "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c"}
"""sha256 of the original author's file, as download scripts of many projects check it."""

_FINAL = {
    "csmobilenet-v2",
    "csresnext50-panet-spp",
    "csresnext50-panet-spp-original-optimal",
    "enetb0",
    "resnet10",
}
"""Models whose published file is known to be called `<name>_final.weights`, as Darknet names the last one."""

_AS_LINKED_ELSEWHERE = {
    ("imagenet-activation", "cspresnext-50-lrelu"),
    ("imagenet-augmentation", "cspresnext-50-normal"),
    ("imagenet-smoothing", "cspresnext-50-normal"),
    ("coco-loss", "cspresnext50-panet-spp-512-mse"),
}
"""Rows of tables without links that repeat a row with one: the same network, trained the same way."""

_GIOU = "an earlier version of the README linked it"


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
    return [_of_row(table, row) for table in chosen for row in table.rows]


def _of_row(table: Table, row: Row) -> WeightFile:
    model = row_model(table.name, row.id).model
    status, note = _status(table, row)
    if model is None or status == "never released":
        file = size = short = sha256 = None
        if model is not None:
            size, short = _sizes(model)
    elif table.name in _CARDS:
        file, size = _CARDS[table.name][row.id]
        short, sha256 = None, file.rpartition("-")[2].removesuffix(".pth")
    else:
        file = f"{model}_final.weights" if model in _FINAL else f"{model}.weights"
        size, short = _sizes(model)
        sha256 = known_digest(model)
    return WeightFile(table.name, row.label, row.id, model, file, size, short, sha256, status, note)


def _status(table: Table, row: Row) -> tuple[Status, str | None]:
    if table.name in _CARDS:
        return "published", None
    if table.kind == "sample":
        return "published", "part of this package"
    if "weight" in row.links:
        return ("published" if row.links["weight"] != "-" else "never released"), None
    model = row_model(table.name, row.id).model
    if model == "csresnext50-panet-spp-giou":
        return "gone", _GIOU
    if (table.name, row.id) in _AS_LINKED_ELSEWHERE or table.name == "coco-nms":
        return "published", "the file of another row of the same training"
    return "never released", None


def known_digest(model: str) -> str | None:
    """The sha256 of the file that a model's authors published, where it is known."""
    return _DIGESTS.get(model)


@cache
def _sizes(model: str) -> tuple[int, int]:
    stored = 4 * parameters(MODELS[model].build(), "stored")
    return Header().size + stored, SHORTEST + stored


def known_names(model: str) -> list[str]:
    """File names under which the weights of a model are looked for, the authors' first."""
    stem = model.rpartition("/")[2]
    authors = _AUTHORS.get(model, ())
    return [*authors, f"{stem}.weights", f"{stem}_final.weights", f"{stem}.safetensors", f"{stem}.pth"]


@dataclass(frozen=True)
class Wanted:
    """The file of a model: the name that is looked for first, its exact size, and whether it can be had."""

    name: str
    size: int | None
    status: Status | None
    """None for a model of no row."""


def wanted(model: str) -> Wanted:
    """The weight file that a model needs, after the row whose file is easiest to be had."""
    files = [
        _of_row(table, row)
        for table in tables.load_all()
        for row in table.rows
        if row_model(table.name, row.id).model == model
    ]
    order: tuple[Status, ...] = ("published", "gone", "never released")
    best = min(files, key=lambda file: order.index(file.status), default=None)
    if best is None:
        return Wanted(known_names(model)[0], _sizes(model)[0], None)
    return Wanted(best.file or known_names(model)[0], best.size, best.status)


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
