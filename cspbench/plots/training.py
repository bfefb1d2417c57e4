"""The course of a training: its loss, what was evaluated on the way, and the rate, over iterations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cspbench.errors import brief, printable
from cspbench.io import write_bytes
from cspbench.plots.style import CLOSE, CSP, FITTED, GRID, OTHER, file_of, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

POINTS = 2000
"""Points of a line at most: more than pixels."""
WIDE = 10
"""From this quotient of the largest and the smallest loss on, the axis is logarithmic."""
FORMS = ("png", "svg")
"""Without PDF, since they are drawn again and again."""


@dataclass(frozen=True)
class Course:
    """The lines of a log in groups of equal length: the range of the loss in each, and the values at its end."""

    iteration: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    average: NDArray[np.float64]
    rate: NDArray[np.float64]
    group: int
    """Lines of a group."""
    parts: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    """What the loss is the sum of, by name: the means of the groups, NaN where a line lacks one."""


def course(log: Iterable[Mapping[str, Any]], most: int = POINTS) -> Course:
    """At most `most` groups of a log's lines; those without finite numbers are left out."""
    lines = [(values, line.get("parts")) for line in log if (values := _values(line)) is not None]
    rows = [values for values, _ in lines]
    group = max(1, math.ceil(len(rows) / most))
    table = np.array(rows, np.float64).reshape(-1, 4)
    begins = np.arange(0, len(rows), group)
    ends = np.minimum(begins + group, len(rows)) - 1
    iteration, loss, average, rate = table.T
    low = np.minimum.reduceat(loss, begins) if len(rows) else loss
    high = np.maximum.reduceat(loss, begins) if len(rows) else loss
    parts = {name: _means([_part(own, name) for _, own in lines], begins) for name in _part_names(lines)}
    return Course(iteration[ends], low, high, average[ends], rate[ends], group, parts)


def _part_names(lines: Sequence[tuple[Any, object]]) -> list[str]:
    return list(dict.fromkeys(name for _, own in lines if isinstance(own, dict) for name in own))


def _part(parts: object, name: str) -> float:
    value = parts.get(name) if isinstance(parts, dict) else None
    return value if isinstance(value, int | float) and abs(value) < 1e300 else math.nan


def _means(values: Sequence[float], begins: NDArray[np.int64]) -> NDArray[np.float64]:
    sums = np.add.reduceat(np.array(values, np.float64), begins)
    return sums / np.diff(np.append(begins, len(values)))


def _values(line: Mapping[str, Any]) -> tuple[float, ...] | None:
    values = [line.get(key) for key in ("iteration", "loss", "average", "rate")]
    if values[2] is None:  # of a log without averages
        values[2] = values[1]
    numbers = [value for value in values if isinstance(value, int | float) and abs(value) < 1e300]
    return tuple(numbers) if len(numbers) == len(values) else None


def save(
    path: Path,
    log: Iterable[Mapping[str, Any]],
    evaluations: Sequence[tuple[int, float]],
    title: str,
    metric: str,
) -> list[Path]:
    """Write the figure to `path` with the suffix of each of the `FORMS`; returns the files. Needs matplotlib."""
    drawn = draw(course(log), evaluations, title, metric)
    files = [path.with_name(f"{path.name}.{form}") for form in FORMS]
    for file, form in zip(files, FORMS, strict=True):
        write_bytes(file, file_of(drawn, form))
    return files


def draw(run: Course, evaluations: Sequence[tuple[int, float]], title: str, metric: str) -> Figure:
    """The figure of a run; `evaluations` are pairs of an iteration and a percentage of the metric."""
    heights = [3.0, *([2.0] if run.parts else []), *([1.5] if evaluations else []), 1.0]
    with styled():
        from matplotlib.figure import Figure
        from matplotlib.ticker import LogFormatter

        figure = Figure(figsize=(8, 1.1 * sum(heights)), dpi=110, layout="constrained")
        loss, *middle, rate = figure.subplots(len(heights), sharex=True, height_ratios=heights)
        loss.set_title(brief(printable(title), 90).replace("$", r"\$"), loc="left", fontsize=12)
        if run.group == 1:
            loss.plot(run.iteration, run.low, color=OTHER, alpha=0.5, lw=0.8, label="an iteration's")
        else:
            text = f"the range of {run.group} iterations"
            loss.fill_between(run.iteration, run.low, run.high, color=OTHER, alpha=0.3, lw=0, label=text)
        loss.plot(run.iteration, run.average, color=CSP, lw=1.4, label="average")
        if run.low.min(initial=math.inf) > 0 and run.high.max(initial=0) > WIDE * run.low.min(initial=math.inf):
            loss.set_yscale("log")
            for which in (loss.yaxis.set_major_formatter, loss.yaxis.set_minor_formatter):
                which(LogFormatter(minor_thresholds=(2, 0.5)))
        loss.set_ylabel("loss")
        loss.legend(loc="upper right", fontsize=9)
        if run.parts:
            axes = middle[0]
            for name, values in run.parts.items():
                axes.plot(run.iteration, values, lw=1.0, label=printable(name).replace("$", r"\$"))
            axes.set(ylabel="parts", ylim=(0, None))
            axes.legend(loc="upper right", fontsize=9)
        for axes in middle[bool(run.parts) :]:
            axes.plot(*zip(*evaluations, strict=True), "o-", color=CLOSE, ms=4, lw=1.2)
            axes.set_ylabel(f"{metric} in percent")
        rate.plot(run.iteration, run.rate, color=FITTED, lw=1.2)
        rate.set(xlabel="iteration", ylabel="rate", ylim=(0, None))
        for axes in (loss, *middle, rate):
            axes.grid(visible=True, color=GRID)
            axes.set_axisbelow(True)
        return figure
