"""The errors of detectors as tables: by type and size, by class, and the classes that are taken for others."""

from __future__ import annotations

from collections.abc import Iterable

from cspbench.detection.ap.matching import AREAS
from cspbench.errors import printable
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv, latex_tables, markdown
from cspbench.results.analysis_record import NAMES, AnalysisRecord, ClassErrors, Errors

MOST = 10
"""Lines of the longer tables."""
MEANINGS = {
    "cls": "right place, wrong class",
    "loc": "right class, loose box",
    "both": "wrong class and loose box",
    "dupe": "object already detected",
    "bkg": "no object there",
    "miss": "object not detected",
    "fp": "every wrong detection",
    "fn": "every object without a detection",
}
LABELS = {name: name.upper() if name in ("fp", "fn") else name.capitalize() for name in NAMES}
"""The names of the types as the paper prints them."""
TYPES = ("Error", "what", "dAP", *(name for name, *_ in AREAS[1:]), "count")
CLASSES = ("Class", "objects", "AP50", *LABELS.values())
MISTAKES = ("Class", "detected as", "objects")
FLAT = ("part", "name", "objects", "ap50", *(f"dap_{name}" for name in NAMES), *(f"count_{name}" for name in NAMES))


def text(name: str, record: AnalysisRecord, form: str) -> str:
    """The errors of a model, or of a file, as md, csv or latex; CSV has every class, the others the worst."""
    if form == "csv":
        return flat_csv(FLAT, _flat(record))
    parts = blocks(name, record)
    return latex_tables(parts) if form == "latex" else markdown(parts)


def blocks(name: str, record: AnalysisRecord) -> list[Block]:
    """The errors of a model, or of a file, by type and size, the worst classes, and the most frequent mistakes."""
    tables = [(TYPES, by_type(record)), (CLASSES, by_class(record)), (MISTAKES, by_mistake(record))]
    before = [f"{printable(name)}: {heading(record)}", *_captions(record)]
    parts: list[Block] = []
    for line, (header, lines) in zip(before, tables, strict=True):
        if lines:
            columns = [
                Column(text, kind="text" if text in ("Class", *TYPES[:2], MISTAKES[1]) else "number") for text in header
            ]
            parts += [Paragraph(line, "heading"), Table(columns, lines)]
    return parts


def heading(record: AnalysisRecord) -> str:
    """AP50, NMS and what dAP is, on one line."""
    ap50 = record.areas["all"].ap50
    value = "no objects" if ap50 is None else f"AP50 {100 * ap50:.2f}"
    nms = "" if record.nms is None else f" at NMS {record.nms:g} {record.kind}"
    return f"{value}{nms}; dAP is what AP50 gains with one type of error corrected"


def _captions(record: AnalysisRecord) -> tuple[str, str]:
    worst, wrong = len(_worst(record)), len(record.mistakes)
    return (
        f"dAP by class, the {min(worst, MOST)} with the lowest AP50 of {worst} classes with errors",
        f"Classes taken for others, the {min(wrong, MOST)} most frequent of {wrong} pairs; "
        f"scores from {record.conf:g}, IoU 0.5",
    )


def by_type(record: AnalysisRecord) -> list[list[str]]:
    """The lines of `TYPES`: AP50, then the types, with the gains for small, medium and large objects."""
    areas = [record.areas[name] for name, *_ in AREAS]
    lines = [["AP50", "as it is; objects", *(_percent(area.ap50) for area in areas), str(areas[0].objects)]]
    for name in NAMES:
        gains = [_percent(area.gains.get(name)) for area in areas]
        lines.append([LABELS[name], MEANINGS[name], *gains, str(areas[0].counts[name])])
    return lines


def by_class(record: AnalysisRecord) -> list[list[str]]:
    """The lines of `CLASSES`, in ascending order of AP50."""
    return [_line(errors) for errors in _worst(record)[:MOST]]


def by_mistake(record: AnalysisRecord) -> list[list[str]]:
    """The lines of `MISTAKES`, the most frequent first."""
    return [[printable(truth), printable(found), str(count)] for truth, found, count in record.mistakes[:MOST]]


def _worst(record: AnalysisRecord) -> list[ClassErrors]:
    """The classes with objects and errors, in ascending order of AP50."""
    losing = [of_class for of_class in record.classes if of_class.ap50 is not None and any(of_class.counts.values())]
    return sorted(losing, key=lambda of_class: of_class.ap50 or 0.0)


def _line(errors: ClassErrors) -> list[str]:
    gains = (_percent(errors.gains.get(name)) for name in NAMES)
    return [printable(errors.name), str(errors.objects), _percent(errors.ap50), *gains]


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value + 0.0:.2f}".replace("-0.00", "0.00")


def _flat(record: AnalysisRecord) -> Iterable[list[object]]:
    """The lines of `FLAT`: a number in each cell, empty where there is none."""
    parts: list[tuple[str, str, Errors]] = [("area", name, record.areas[name]) for name, *_ in AREAS]
    parts += [("class", of_class.name, of_class) for of_class in record.classes]
    for part, name, errors in parts:
        plain = errors.as_json()
        gains = [plain["dap"].get(kind) for kind in NAMES]
        yield [part, printable(name), plain["objects"], plain["ap50"], *gains, *plain["counts"].values()]
