"""Darknet's mAP in words and tables, with the numbers that `darknet detector map` prints."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from cspbench.errors import printable
from cspbench.report.formats import Block, Column, Paragraph, Table
from cspbench.results.map_record import MapRecord

COLUMNS = (
    Column("Class"),
    *(Column(name, kind="number") for name in ("AP", "TP", "FP", "FN", "Precision", "Recall", "F1", "average IoU")),
)


def blocks(maps: Sequence[tuple[str, MapRecord]]) -> list[Block]:
    """The mAP of models by name: a line for each class, and one for all."""
    parts: list[Block] = []
    for model, record in maps:
        counts = f"as `darknet detector map` computes it; counts of scores above {record.conf:g}"
        parts.append(Paragraph(f"{printable(model)}: {_title(record)} {100 * record.mean:.2f} %, {counts}", "heading"))
        parts.append(Table(COLUMNS, _lines(record)))
    return parts


def _title(record: MapRecord) -> str:
    points = {"area": "area under the curve", "voc11": "11 points", "coco101": "101 points"}[record.points]
    return f"mAP@{record.iou:.2f} ({points})"


def _lines(record: MapRecord) -> list[list[str]]:
    lines = []
    for name, ap, counts in (
        *map(structs.astuple, record.classes),
        ("all", record.mean, record.total),
    ):
        ratios = [_ratio(value) for value in (counts.precision, counts.recall, counts.f1)]
        overlap = "-" if counts.average_iou is None else f"{100 * counts.average_iou:.2f}"
        numbers = map(str, (counts.true, counts.false, counts.missed))
        lines.append([printable(name), f"{100 * ap:.2f}", *numbers, *ratios, overlap])
    return lines


def _ratio(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
