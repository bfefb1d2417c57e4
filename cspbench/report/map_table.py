"""Darknet's mAP in words and tables, with the numbers that `darknet detector map` prints."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import structs

from cspbench.errors import printable
from cspbench.report.formats import grid, latex
from cspbench.results.map_record import MapRecord

HEADER = ("Class", "AP", "TP", "FP", "FN", "Precision", "Recall", "F1", "average IoU")


def text(maps: Sequence[tuple[str, MapRecord]], form: str) -> str:
    """The mAP of models by name as md or latex: a line for each class, and one for all."""
    if form == "latex":
        return "\n".join(latex(HEADER, _lines(record)) for _, record in maps)
    return "\n".join(
        f"{printable(model)}: {_title(record)} {100 * record.mean:.2f} %, as `darknet detector map` computes it; "
        f"counts of scores above {record.conf:g}\n\n{grid(HEADER, _lines(record))}\n"
        for model, record in maps
    )


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
