"""AP over frames per second, claimed and measured: a panel for each table, a point for each row and device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cspbench.claims.frame_rates import of_row
from cspbench.claims.model import Table
from cspbench.plots.label_placement import Point, Rectangle, pixels, write_labels
from cspbench.plots.style import ABOVE, COLOURS, CSP, DASHES, GRID, MARKERS, OTHER, PAPER
from cspbench.report.model import ReportCell, ReportRow

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TITLE = "AP over frame rate: the claims' hardware, and ours"
FEWEST = 2
"""Rows of a panel."""


@dataclass(frozen=True)
class Model:
    """A row as points (frames per second, AP in percent)."""

    label: str
    claims: Mapping[str | None, Point]
    """By device."""
    measured: Point | None
    """With the measured AP, or the published one where none is measured."""
    interval: tuple[float, float] | None
    """95 % interval of the measured frame rate."""


@dataclass(frozen=True)
class Panel:
    """The rows of a table with a frame rate and an AP: AP50 where a row has no other."""

    title: str
    header: str
    models: tuple[Model, ...]

    @property
    def devices(self) -> list[str | None]:
        """Those of the claims, in order."""
        return list(dict.fromkeys(device for model in self.models for device in model.claims))


def panels(tables: Iterable[Table], lines: Iterable[ReportRow]) -> list[Panel]:
    """A panel for each table with a measured frame rate."""
    cells = {(line.table, line.row): line.cells for line in lines}
    found = []
    for table in tables:
        rows = [row for row in table.rows if of_row(row)]
        metric = next((name for name in ("ap", "ap50") if all(_published(row.cells.get(name)) for row in rows)), None)
        if len(rows) < FEWEST or metric is None:
            continue
        models = []
        for row, name in zip(table.rows, table.names(), strict=True):
            if row in rows:
                claim = row.cells[metric].value
                assert claim is not None
                of_line = cells.get((table.name, row.id), {})
                models.append(
                    _model(
                        name,
                        {rate.device: float(rate.value) for rate in of_row(row)},
                        float(claim),
                        of_line.get("fps"),
                        of_line.get(metric),
                    )
                )
        if any(model.measured for model in models):
            header = next(column.header for column in table.columns if column.metric == metric)
            found.append(Panel(f"{table.name}, {table.source}", header, tuple(models)))
    return found


def _published(cell: object) -> bool:
    return getattr(cell, "value", None) is not None


def _model(
    label: str, claims: Mapping[str | None, float], ap: float, speed: ReportCell | None, accuracy: ReportCell | None
) -> Model:
    points = {device: (rate, ap) for device, rate in claims.items()}
    if speed is None or speed.measured is None:
        return Model(label, points, None, None)
    known = accuracy.comparable if accuracy else None
    interval = (float(speed.interval[0]), float(speed.interval[1])) if speed.interval else None
    return Model(label, points, (float(speed.exact or speed.measured), float(ap if known is None else known)), interval)


def figure(shown: Sequence[Panel]) -> Figure:
    """A panel below the other; call it within `styled`."""
    from matplotlib.figure import Figure

    height = 5.5 * len(shown) + 0.4
    drawn = Figure(figsize=(11, height), dpi=100)
    drawn.subplots_adjust(left=0.075, right=0.98, top=1 - 0.9 / height, bottom=0.6 / height, hspace=0.25)
    drawn.suptitle(TITLE, fontsize=14, y=1 - 0.1 / height)
    for at, panel in enumerate(shown, 1):
        _paint(drawn.add_subplot(len(shown), 1, at), panel)
    return drawn


def _paint(axes: Axes, panel: Panel) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_title(panel.title, loc="left", fontsize=12)
    axes.set_xscale("log")
    axes.set(xlabel="frames per second, logarithmic", ylabel=f"{panel.header} in percent")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    places = [place for model in panel.models for place in (*model.claims.values(), model.measured) if place]
    rates, precisions = zip(*places, strict=True)
    margin = 0.12 * (max(precisions) - min(precisions)) or 1
    axes.set(xlim=(min(rates) / 1.4, max(rates) * 1.4), ylim=(min(precisions) - margin, max(precisions) + margin))
    axes.grid(visible=True, color=GRID)
    axes.set_axisbelow(True)
    for number, device in enumerate(panel.devices):
        points = [model.claims[device] for model in panel.models if device in model.claims]
        look = {"marker": MARKERS[number % len(MARKERS)], "color": COLOURS[0], "mec": OTHER}
        name = f"claimed, {device}" if device else "claimed, the device is not printed"
        axes.plot(*zip(*points, strict=True), ls="none", mfc=PAPER, mew=1.4, ms=9, label=name, zorder=3, **look)  # type: ignore[arg-type]
    measured = [model.measured for model in panel.models if model.measured]
    axes.plot(*zip(*measured, strict=True), "o", color=CSP, ms=5, label="measured, 95 % interval", zorder=4)
    for model in panel.models:
        if model.measured and model.interval:
            axes.hlines(model.measured[1], *model.interval, color=CSP, lw=1, alpha=0.7, zorder=3)
        if model.measured:
            for claim in model.claims.values():
                axes.plot(*zip(claim, model.measured, strict=True), color=OTHER, ls=DASHES, lw=0.8, alpha=0.4, zorder=2)
    _label(axes, panel)
    axes.legend(ncols=len(panel.devices) + 1, borderaxespad=0.2, **ABOVE)


def _label(axes: Axes, panel: Panel) -> None:
    places = [next(iter(model.claims.values())) for model in panel.models]
    others = [place for model in panel.models for place in (*list(model.claims.values())[1:], model.measured) if place]
    area = axes.bbox
    frame = Rectangle(area.x0 + 4, area.y0 + 4, area.x1 - 4, area.y1 - 4)
    labels = [(place, model.label, OTHER) for place, model in zip(places, panel.models, strict=True)]
    joined = [(claim, model.measured) for model in panel.models if model.measured for claim in model.claims.values()]
    lines = [(begin, end) for begin, end in (pixels(axes, line) for line in joined)]
    write_labels(axes, labels, lines, [frame] * len(labels), pixels(axes, others), fontsize=9, zorder=5)
