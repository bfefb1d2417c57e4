"""Figures of a detector's errors: what each type costs, and which classes are taken for which."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from cspbench.errors import brief, printable
from cspbench.io import write_text
from cspbench.plots.style import CSP, GRID, INK, OTHER, PAPER, saved, styled
from cspbench.report.analysis.table import LABELS, MEANINGS
from cspbench.results.analysis_record import NAMES, AnalysisRecord

BACKGROUND = "(background)"
NUMBERED = 15
"""With more classes than these, the numbers in a matrix could not be read."""


def write_figures(name: str, record: AnalysisRecord, folder: Path) -> list[Path]:
    """Write the figures, and the matrix as CSV: a line for each class of objects, a column for each detected as."""
    written = types(name, record, folder / "error-types") + confusion(name, record, folder / "confusion")
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(_table(record))
    write_text(folder / "confusion.csv", text.getvalue())
    return [*written, folder / "confusion.csv"]


def types(name: str, record: AnalysisRecord, path: Path) -> list[Path]:
    """Bars of dAP by type, in files of `path` with the suffixes of the formats."""
    area = record.areas["all"]
    with styled():
        from matplotlib.figure import Figure

        figure = Figure(figsize=(6.4, 3.9), dpi=120, layout="constrained")
        axes = figure.add_subplot()
        gains = [100 * area.gains.get(kind, 0.0) for kind in NAMES]
        colours = [OTHER if kind in ("fp", "fn") else CSP for kind in NAMES]
        bars = axes.barh(range(len(NAMES)), gains, color=colours, height=0.7)
        axes.bar_label(bars, [f"{abs(gain):.2f}" for gain in gains], fontsize=8, padding=3)
        axes.set_yticks(range(len(NAMES)), [f"{LABELS[kind]}: {MEANINGS[kind]}" for kind in NAMES], fontsize=9)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set(xlabel="dAP: points of AP50 with the errors corrected", xlim=(0, None if any(gains) else 1))
        axes.set_title(_title(name, record, f"{area.objects:,} objects"), fontsize=10)
        axes.grid(axis="x", color=GRID)
        axes.set_axisbelow(True)
        return saved(figure, path)


def confusion(name: str, record: AnalysisRecord, path: Path) -> list[Path]:
    """A matrix of the shares of each class's objects by the class that they are detected as.

    Only classes with objects or detections are drawn.
    """
    places = sorted({item.truth for item in record.confusion} | {item.found for item in record.confusion})
    position = {place: at for at, place in enumerate(places)}
    counts = np.zeros((len(places), len(places)))
    for item in record.confusion:
        counts[position[item.truth], position[item.found]] = item.count
    sums = counts.sum(1, keepdims=True)
    shares = np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)
    every = [*(brief(printable(item.name), 24) for item in record.classes), BACKGROUND]
    labels = [every[place].replace("$", r"\$") for place in places]
    side = max(4.5, min(16.0, 0.17 * len(places) + 2.6))
    with styled():
        from matplotlib.colors import LinearSegmentedColormap
        from matplotlib.figure import Figure

        figure = Figure(figsize=(side, side), dpi=120, layout="constrained")
        axes = figure.add_subplot()
        if places:
            axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("shares", [PAPER, OTHER]), vmin=0, vmax=1)
        size = 9 if len(places) <= NUMBERED else max(3.5, 400 / len(places) * side / 9)
        axes.set_xticks(range(len(places)), labels, rotation=90, fontsize=min(9, size))
        axes.set_yticks(range(len(places)), labels, fontsize=min(9, size))
        if len(places) <= NUMBERED:
            for (line, column), count in np.ndenumerate(counts):
                if count:
                    colour = PAPER if shares[line, column] > 0.5 else INK
                    axes.text(column, line, f"{count:.0f}", ha="center", va="center", fontsize=8, color=colour)
        axes.set(xlabel="detected as", ylabel="objects of the class")
        axes.set_title(_title(name, record, f"scores from {record.conf:g}, IoU 0.5"), fontsize=10)
        return saved(figure, path)


def _title(name: str, record: AnalysisRecord, more: str) -> str:
    ap50 = record.areas["all"].ap50
    parts = [brief(printable(name), 60).replace("$", r"\$")]
    parts += [] if ap50 is None else [f"AP50 {100 * ap50:.2f}"]
    parts += [] if record.nms is None else [f"NMS {record.nms:g}"]
    return ", ".join([*parts, more])


def _table(record: AnalysisRecord) -> Iterator[list[str]]:
    """The whole matrix, line by line."""
    names = [*(printable(item.name) for item in record.classes), BACKGROUND]
    cells = {(item.truth, item.found): item.count for item in record.confusion}
    yield ["", *names]
    for line, name in enumerate(names):
        yield [name, *(str(cells.get((line, column), 0)) for column in range(len(names)))]
