"""Figures of a study: published against measured differences with their intervals, and learning curves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cspbench.claims.metrics import METRICS
from cspbench.plots.figures import Plot
from cspbench.plots.style import COLOURS, CSP, GRID, INK, MARKERS, OTHER, PAPER, styled
from cspbench.report.studies.text import claimed
from cspbench.retrained.findings import Finding, findings
from cspbench.retrained.studies import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@styled()
def plots(study: Study) -> list[Plot]:
    """The figure of the differences, where rows have both; needs matplotlib."""
    table = claimed(study)
    found = [each for each in findings(study, table) if each.base is not None and each.numbers and each.numbers[0].gain]
    if not found:
        return []
    header = METRICS[found[0].numbers[0].metric].header
    title = f"{table.title} ({study.table}), in miniature: difference of {header} from the base row"
    text = f"{title}, as published and as measured over {len(study.seeds)} seeds with 95 % intervals"
    names = dict(zip((row.id for row in table.rows), table.names(), strict=True))
    return [Plot(f"study-{study.table}", text, _differences([(names[each.row.id], each) for each in found], title))]


@styled()
def curves(study: Study) -> list[Plot]:
    """Loss, and the metric that was evaluated on the way, over iterations: the mean of the seeds of each variant."""
    title = f"{claimed(study).title} ({study.table}), in miniature: learning curves"
    text = f"{title}: loss and evaluations on the way, means over {len(study.seeds)} seeds"
    return [Plot(f"study-curves-{study.table}", text, _curves(study, title))]


def _differences(found: list[tuple[str, Finding]], title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.6 + 0.5 * len(found)), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, loc="left", fontsize=12, pad=26)
    axes.axvline(0, color=INK, lw=0.8, zorder=1)
    for line, (_, each) in enumerate(found):
        number = each.numbers[0]
        assert number.gain is not None
        if number.published_gain is not None:
            label = "as published" if line == 0 else None
            axes.plot(float(number.published_gain), line - 0.14, "D", color=OTHER, ms=7, mew=0, label=label, zorder=4)
        at, label = line + 0.14, "as measured, 95 % interval" if line == 0 else None
        if number.gain.interval is not None:
            axes.hlines(at, *number.gain.interval, color=CSP, lw=1.4, zorder=3)
            axes.plot(number.gain.interval, [at, at], "|", color=CSP, ms=8, zorder=3)
        axes.plot(number.gain.mean, at, "o", color=CSP, ms=7, mew=0, label=label, zorder=4)
    names = [f"{name}\n{each.word or ''}".replace("$", r"\$") for name, each in found]
    axes.set_yticks(range(len(found)), names, fontsize=9)
    axes.set(xlabel="points", ylim=(len(found) - 0.4, -0.6))
    axes.margins(x=0.08)
    axes.grid(axis="x", color=GRID)
    axes.set_axisbelow(True)
    axes.legend(ncols=2, borderaxespad=0, loc="lower right", bbox_to_anchor=(1, 1.01), fontsize=9)
    return figure


def _curves(study: Study, title: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 6.5), dpi=110, layout="constrained")
    loss, scores = figure.subplots(2, sharex=True)
    loss.set_title(title, loc="left", fontsize=12)
    for number, variant in enumerate(study.variants):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number // len(COLOURS) % len(MARKERS)]
        outcomes = [*variant.by_seed.values()]
        loss.plot(*_mean([each.losses for each in outcomes]), color=colour, lw=1.3)
        points = _mean([each.curve for each in outcomes])
        scores.plot(*points, color=colour, marker=marker, ms=5, mfc=PAPER, lw=1.3, label=variant.name)
    loss.set_ylabel("loss")
    classifies = "top1" in study.outcomes[0].numbers.get("", {})
    scores.set(ylabel="Top-1 in percent" if classifies else "AP50 in percent", xlabel="iteration")
    for axes in (loss, scores):
        axes.grid(color=GRID)
        axes.set_axisbelow(True)
    figure.legend(loc="outside lower left", ncols=2, fontsize=8)
    return figure


def _mean(curves: list[list[tuple[int, float]]]) -> tuple[list[int], list[float]]:
    """Where all curves have a value, its mean."""
    by_place: dict[int, list[float]] = {}
    for curve in curves:
        for at, value in curve:
            by_place.setdefault(at, []).append(value)
    whole = {at: values for at, values in sorted(by_place.items()) if len(values) == len(curves)}
    return [*whole], [sum(values) / len(values) for values in whole.values()]
