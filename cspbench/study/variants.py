"""What each row of a table changes, from its recipe in `cspbench train`.

Rows whose changes are the same are one variant, whatever their networks: a study has one network in place of all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from cspbench.claims import tables
from cspbench.claims.model import Row, Table, unknown
from cspbench.errors import CspbenchError, UsageError
from cspbench.network.recipe import NetRecipe, YoloRecipe
from cspbench.study.networks import own_activation
from cspbench.training.recipes.chosen import Chosen, of_name

Kind = Literal["classifier", "detector", "yolox"]
RESULTS = "results-imagenet"
LISTS = "imagenet-tricks-"
"""The authors' list of ImageNet results, and what the names of its tables begin with: one for each network."""
TABLES = (
    *("imagenet-activation", "imagenet-augmentation", "imagenet-smoothing"),
    *("coco-loss", "coco-nms", "coco-activation", RESULTS, "yolox-roadmap"),
)
"""The tables that a study can run."""
NET_TRICKS = ("mixup", "cutmix", "mosaic", "blur", "label_smooth_eps")
YOLO_TRICKS = ("iou_loss", "iou_normalizer")
"""Settings that the rows of these tables change."""
ROADMAP = {"anchor-free": "centre", "multi-positives": "multi", "simota": "simota"}
"""By row of the roadmap, the rule of its positives."""
LEAKY = "leaky"
BASE = "base"


@dataclass(frozen=True)
class Variant:
    """What is trained: the changes of some rows to the miniature's own network and recipe."""

    kind: Kind
    activation: str = LEAKY
    settings: tuple[str, ...] = ()
    era: str = "head"

    @property
    def changes(self) -> tuple[str, ...]:
        """As key=value; the era where it is not that of the kind's base row."""
        usual = {"classifier": "head", "detector": "oct2019", "yolox": "july2021"}[self.kind]
        own = () if self.activation == LEAKY else (f"activation={self.activation}",)
        return (*own, *self.settings, *(() if self.era == usual else (f"era={self.era}",)))

    @property
    def name(self) -> str:
        """Unique among the variants of a kind, and the name of a folder: "mixup=1,cutmix=1"."""
        return ",".join(self.changes) or BASE


@dataclass(frozen=True)
class RowVariant:
    """A row with its variant and its base row, or why it is not trained; `nms` in a table of NMS thresholds."""

    row: Row
    base: Row | None = None
    variant: Variant | None = None
    nms: str = ""
    lack: str | None = None


def expanded(names: Sequence[str]) -> list[str]:
    """The tables that the names mean, without duplicates. Raises `UsageError`, with the reason for other tables."""
    listed: list[str] = []
    for name in names:
        if name == RESULTS:
            listed += [table for table in tables.names() if table.startswith(LISTS) and _differs(table)]
        elif (name in TABLES or name.startswith(LISTS)) and name in tables.names() and _differs(name):
            listed.append(name)
        else:
            raise _no_study(name)
    return list(dict.fromkeys(listed))


def _differs(name: str) -> bool:
    """Whether a table has rows that train or score differently."""
    return len(variants(row_variants(name))) > 1 or tables.load(name).sweep is not None


@lru_cache
def row_variants(name: str) -> tuple[RowVariant, ...]:
    """The rows of a table with their variants."""
    table = tables.load(name)
    return tuple(_of_row(table, row) for row in table.rows)


def variants(rows: Sequence[RowVariant]) -> list[Variant]:
    """The different ones, in their order."""
    return list(dict.fromkeys(row.variant for row in rows if row.variant is not None))


def _of_row(table: Table, row: Row) -> RowVariant:
    base = _base(table, row)
    if table.name == "yolox-roadmap":
        if row.id not in ROADMAP:
            return RowVariant(row, base, lack=_untrained(table, row))
        trained = base if base is not None and base.id in ROADMAP else None
        assignment = ROADMAP[row.id]
        return RowVariant(row, trained, Variant("yolox", settings=(f"assignment={assignment}",), era="july2021"))
    nms = ""
    if table.sweep is not None:
        nms = row.settings[table.sweep]
        if not _is_number(nms):
            return RowVariant(row, base, lack="its suppression is not one of Darknet's thresholds")
    try:
        chosen = of_name(f"{table.name}:{row.id}")
    except CspbenchError as error:
        return RowVariant(row, base, lack=error.what)
    return RowVariant(row, base, variant_of(chosen, sweep=bool(nms)), nms)


def variant_of(chosen: Chosen, sweep: bool = False) -> Variant:
    """The changes of a published recipe.

    The rows of a table of NMS thresholds change nothing that is trained, but the networks of their base rows differ in
    the loss: with `sweep` it is that of the first.
    """
    kind: Kind = "detector" if chosen.detects else "classifier"
    own, usual = chosen.recipe.net, NetRecipe()
    settings = [f"{key}={_text(getattr(own, key))}" for key in NET_TRICKS if getattr(own, key) != getattr(usual, key)]
    yolo = next((layer for layer in chosen.recipe.layers if isinstance(layer, YoloRecipe)), None)
    if yolo is not None and not sweep:
        first = YoloRecipe()
        keys = [key for key in YOLO_TRICKS if getattr(yolo, key) != getattr(first, key)]
        settings += [f"yolo.{key}={_text(getattr(yolo, key))}" for key in keys]
    return Variant(kind, own_activation(chosen.network), tuple(settings), str(chosen.era))


def _base(table: Table, row: Row) -> Row | None:
    """The base row; in a table of NMS thresholds the first of the same network."""
    if table.sweep is not None:
        first = next(other for other in table.rows if other.model == row.model)
        return None if first is row else first
    return table.base_of(row)


def _is_number(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and 0 < Decimal(text) < 1


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, bool) else str(value)


def _untrained(table: Table, row: Row) -> str:
    if row.model is None:
        return "no definition of its network"
    return "its head is not the miniature's: three boxes at each point, or no suppression"


def _no_study(name: str) -> UsageError:
    """The error for a table that a study cannot run, with the reason."""
    if name not in tables.names():
        return unknown("usage.unknown-table", "no such table", name, TABLES)
    one = len({row.model for row in tables.load(name).rows}) == 1
    return UsageError(
        "usage.nothing-to-study",
        "the rows of the table differ in nothing that a study trains",
        where=name,
        expected=f"a table of tricks: {', '.join(TABLES)}",
        found="one network" if one else "rows that differ in their networks",
        remedy="Name one of these; `cspbench train TABLE:ROW` trains a row itself",
    )
