"""Figures of what AP is made of: precision over recall, AP by size of the objects, AP over the NMS threshold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cspbench.plots.style import BELOW, COLOURS, GRID, INK, MARKERS, ladder, saved, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from cspbench.detection.ap.average_precision import AveragePrecision

Interval = tuple[float, float]
"""95 % confidence, in percent."""

ACROSS = 3
"""More bars side by side are too narrow for a horizontal number."""
SIZES = {"APS": "small (< 32²)", "APM": "medium", "APL": "large (> 96²)", "AP": "all"}


def precision(result: AveragePrecision, path: Path, title: str) -> list[Path]:
    """Precision over recall: the mean of all classes at IoU 0.5, 0.75 and all ten thresholds."""
    recalls = np.linspace(0, 1, result.precision.shape[2])
    values = result.precision[:, :, :, 0]
    present = values[0, :, 0] >= 0
    with _chart(path, f"Precision over recall\n{title}") as (axes, written):
        axes.set(xlabel="recall", ylabel="precision, mean of the classes", xlim=(0, 1), ylim=(0, 1.02))
        if present.any():
            for colour, label, curve in (
                (COLOURS[0], "IoU 0.50", values[0, present].mean(0)),
                (COLOURS[1], "IoU 0.75", values[5, present].mean(0)),
                (COLOURS[2], "IoU 0.50:0.95", values[:, present].mean((0, 1))),
            ):
                axes.plot(recalls, curve, color=colour, label=f"{label}: AP {100 * curve.mean():.1f}", lw=2)
            axes.legend(**BELOW)
    return written


def by_size(
    results: Mapping[str, AveragePrecision], path: Path, title: str, intervals: Mapping[str, Mapping[str, Interval]]
) -> list[Path]:
    """AP of small, medium, large and all objects, side by side for each result by its label, with its `intervals`."""
    width = 0.8 / max(1, len(results))
    colours = list(COLOURS) if len(results) <= len(COLOURS) else ladder(len(results))
    with _chart(path, f"AP by size of the objects\n{title}") as (axes, written):
        for number, (label, result) in enumerate(results.items()):
            stats = (*result.stats[3:6], result.stats[0])
            values = [max(0.0, 100 * value) for value in stats]
            places = np.arange(len(SIZES)) + (number - (len(results) - 1) / 2) * width
            axes.bar(places, values, width * 0.95, label=label, color=colours[number])
            known = intervals.get(label, {})
            # narrow bars have vertical numbers
            look: dict[str, Any] = {"fontsize": 7, "rotation": 90} if len(results) > ACROSS else {"fontsize": 8}
            for place, value, name, stat in zip(places, values, SIZES, stats, strict=True):
                bounds = known.get(name.lower())
                if bounds is not None:
                    _whisker(axes, place, value, bounds)
                text, top = "n/a" if stat < 0 else f"{value:.1f}", max((value, *(bounds or ())))
                look |= {"xytext": (0, 3), "textcoords": "offset points", "ha": "center", "va": "bottom"}
                axes.annotate(text, (place, top), **look)
        axes.set_xticks(range(len(SIZES)), list(SIZES.values()))
        axes.set(xlabel="area of the object in pixels", ylabel="AP in percent")
        axes.margins(y=0.15)
        axes.legend(**BELOW)
    return written


def over_thresholds(
    lines: Mapping[str, Mapping[float, float]],
    path: Path,
    title: str,
    intervals: Mapping[str, Mapping[float, Interval]],
) -> list[Path]:
    """AP in percent over the NMS threshold, one line for each label ("AP", "AP50"), with its `intervals`."""
    with _chart(path, f"AP over the NMS threshold\n{title}") as (axes, written):
        for number, (label, points) in enumerate(lines.items()):
            colour = COLOURS[number % len(COLOURS)]
            look: dict[str, Any] = {"color": colour, "marker": MARKERS[number % len(MARKERS)]}
            axes.plot(*zip(*sorted(points.items()), strict=True), ms=5, label=label, **look)
            for threshold, bounds in intervals.get(label, {}).items():
                _whisker(axes, threshold, points[threshold], bounds, colour)
        axes.set(xlabel="NMS threshold (IoU)", ylabel="AP in percent")
        axes.legend(**BELOW)
    return written


def _whisker(axes: Axes, place: float, value: float, bounds: Interval, colour: str = INK) -> None:
    """A 95 % interval around a value; it need not hold the value."""
    ends = [[max(0.0, value - bounds[0])], [max(0.0, bounds[1] - value)]]
    axes.errorbar([place], [value], yerr=ends, fmt="none", ecolor=colour, elinewidth=1, capsize=2.5)


@contextmanager
def _chart(path: Path, title: str) -> Iterator[tuple[Axes, list[Path]]]:
    """Axes to draw on; the figure is written to `path` with each suffix, and the files are appended to the list."""
    written: list[Path] = []
    with styled():
        axes = _figure().add_subplot()
        yield axes, written
        name, *rest = title.replace("$", r"\$").split("\n")
        axes.set_title("\n".join([name, *rest]), loc="left", fontsize=11)
        axes.grid(color=GRID)
        axes.set_axisbelow(True)
        written += saved(axes.figure, path)  # type: ignore[arg-type]


def _figure() -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(6.4, 4.8), dpi=120, layout="constrained")
