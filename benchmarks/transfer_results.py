"""What the trainings of `benchmarks.transfer` say: AP at each point, differences in pairs, and one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.measuring import table
from cspbench.plots.style import ABOVE, CLOSE, FITTED, GRID, OTHER, file_of, styled
from cspbench.retrained.statistics import Difference, difference, paired_bounds, summary
from cspbench.sample.training import HELD

SCRATCH, FULL, FROZEN = "from scratch", "transferred", "transferred, frozen first"
COLOURS = {SCRATCH: OTHER, FULL: CLOSE, FROZEN: FITTED}
FORMS = ("png", "svg")


@dataclass(frozen=True)
class Arm:
    """One training: AP in percent by iteration, and the seconds of the processor that it took, evaluations included.

    An iteration whose weights gave boxes that are not finite has no AP.
    """

    aps: Sequence[tuple[int, float]]
    seconds: float


@dataclass(frozen=True)
class Measured:
    """Trainings by kind and seed; every kind has the same seeds and points."""

    setting: Mapping[str, Any]
    of_detector: Sequence[str]
    of_classifier: Sequence[str]
    top1: float
    """Of the classifier in percent."""
    arms: Mapping[str, Mapping[int, Arm]]
    seconds: float
    """Of the classifier's training."""

    @property
    def points(self) -> list[int]:
        """The iterations that were evaluated in any training."""
        return sorted({point for seeds in self.arms.values() for arm in seeds.values() for point, _ in arm.aps})

    def at(self, name: str, point: int) -> dict[int, float]:
        """AP by seed; empty unless every seed has one."""
        found = {seed: dict(arm.aps).get(point) for seed, arm in self.arms[name].items()}
        return {} if None in found.values() else {seed: ap for seed, ap in found.items() if ap is not None}

    def gain(self, name: str, point: int) -> Difference | None:
        """Over the trainings from scratch, in pairs of one seed; None unless both have every seed."""
        one, other = self.at(name, point), self.at(SCRATCH, point)
        return difference(one, other) if one and other else None

    def record(self, machine: Sequence[Sequence[Any]]) -> dict[str, Any]:
        """Everything, as JSON has it."""
        arms = {
            name: {
                str(seed): {"cpu_seconds": round(arm.seconds, 1), "ap": {str(at): ap for at, ap in arm.aps}}
                for seed, arm in seeds.items()
            }
            for name, seeds in self.arms.items()
        }
        gains = [
            {"arm": name, "iteration": point, "mean": own.mean, "pairs": own.pairs, "interval": own.interval}
            for name in self.arms
            if name != SCRATCH
            for point in self.points
            if (own := self.gain(name, point)) is not None
        ]
        return {
            "machine": {str(key): value for key, value in machine},
            "setting": dict(self.setting),
            "settings": {"detector": list(self.of_detector), "classifier": list(self.of_classifier)},
            "classifier": {"top1": self.top1, "cpu_seconds": round(self.seconds, 1)},
            "trainings": arms,
            "differences": gains,
            "answer": answer(self),
        }


def interval(numbers: Mapping[int, float]) -> tuple[float, float]:
    """The 95 % interval of the mean of two numbers or more, by Student's t."""
    low, high = paired_bounds(np.array([numbers[seed] for seed in sorted(numbers)], np.float64))
    return float(low), float(high)


def answer(found: Measured) -> str:
    """Whether it helps, by the last point."""
    point = found.points[-1]
    verdict = {name: _verdict(found.gain(name, point)) for name in found.arms if name != SCRATCH}
    words = "; ".join(f"{name}: {text}" for name, text in verdict.items())
    return f"After {point:,} iterations, against training from scratch: {words}."


def _verdict(gain: Difference | None) -> str:
    if gain is None or gain.interval is None:
        return "undecided, since there is no interval"
    low, high = gain.interval
    told = f"{gain.mean:+.2f} AP, 95 % interval {low:+.2f} to {high:+.2f}, n = {gain.pairs} pairs"
    if low > 0:
        return f"helps ({told})"
    return f"hurts ({told})" if high < 0 else f"undecided ({told})"


def _ap(numbers: Mapping[int, float]) -> str:
    return _cell(summary([*numbers.values()]).mean, interval(numbers)) if numbers else "-"


def _gain(own: Difference | None) -> str:
    return "-" if own is None else _cell(own.mean, own.interval, "+")


def _cell(mean: float, bounds: tuple[float, float] | None, sign: str = "") -> str:
    if bounds is None:
        return f"{mean:{sign}.2f}"
    return f"{mean:{sign}.2f} ({bounds[0]:{sign}.2f} to {bounds[1]:{sign}.2f})"


def text(found: Measured, machine: Sequence[Sequence[Any]]) -> str:
    """The page."""
    setting, seeds = found.setting, len(found.arms[SCRATCH])
    others = [name for name in found.arms if name != SCRATCH]
    rows, gains = [], []
    for point in found.points:
        rows.append([point, *(_ap(found.at(name, point)) for name in found.arms)])
        gains.append([point, *(_gain(found.gain(name, point)) for name in others)])
    epochs = setting["iterations"] * setting["batch"] / setting["pictures"]
    parts = [
        "# Does a backbone trained as a classifier help YOLOX?",
        "Made by `python -m benchmarks.transfer`: in miniature, on drawn pictures, and true of this setting alone.",
        f"**{answer(found)}**",
        "![AP over iterations](transfer.png)",
        f"## AP on the held-out pictures, mean of {seeds} seeds (95 % interval of the mean)",
        table(["iteration", *found.arms], rows),
        f"## Difference from training from scratch, in pairs of one seed (95 % interval, n = {seeds} pairs)",
        table(["iteration", *others], gains),
        "Both intervals are Student's t, the second one of the differences. A pair has the same pictures in the same "
        "order and the same drawn neck and head. The points of one training are not independent, and their intervals "
        "are not widened for their number: the sentence above is of the last point alone. A dash: the weights of a "
        "seed gave boxes that are not finite.",
        "## What was trained",
        f"- Classifier: cspdarknet-nano with label smoothing (0.1), {setting['classifier_iterations']:,} iterations of "
        f"{setting['classifier_batch']} of {setting['labelled']:,} drawn pictures at {setting['classifier_side']} px, "
        f"top-1 {found.top1:.1f} % of {HELD['classification']} held-out pictures. One training, the same backbone for "
        "every seed; rewritten for the detector's pixels (`--fold-pixels imagenet`). "
        f"`{' '.join(found.of_classifier)}`",
        f"- Detector: yolox-nano, {setting['iterations']:,} iterations of {setting['batch']} of "
        f"{setting['pictures']:,} drawn pictures ({epochs:.3g} epochs) at {setting['side']} px, {HELD['detection']} "
        "held-out pictures. "
        + (f"`{FROZEN}`: as it is in the first {setting['frozen']:,} iterations. " if FROZEN in found.arms else "")
        + f"`{' '.join(found.of_detector)}`",
        "- Pictures for training and held-out pictures have different seeds (`cspbench data draw`).",
        "## Cost",
        _costs(found),
        "## What differs from the documented plan",
        "- Drawn shapes of 16 and 10 classes in place of ImageNet's photographs and COCO's; a few thousand in place of "
        "1.28 million and 118,000.",
        "- A training of a few epochs in place of 100 and 300, at small sizes; no mosaic and no MixUp, which the paper "
        "says make pre-training needless; the rate of an image is 8 times Megvii's, so that so short a training learns "
        "something. The nano size; the plan does not state its size.",
        "- The first convolution is rewritten for the detector's pixels; whether the plan did that is unknown.",
        "- One classifier: its own seed is not part of the spread.",
        "## Machine",
        table(("machine", ""), machine),
    ]
    return "\n\n".join(parts) + "\n"


def _costs(found: Measured) -> str:
    costs = [("classifier", [found.seconds])]
    costs += [(name, [arm.seconds for arm in seeds.values()]) for name, seeds in found.arms.items()]
    total = sum(sum(seconds) for _, seconds in costs) / 60
    note = f"One thread, evaluations included; {total:.0f} minutes of the processor in all."
    rows = [[name, len(seconds), f"{sum(seconds) / 60:.1f}"] for name, seconds in costs]
    return table(["training", "trainings", "minutes of the processor"], rows) + f"\n\n{note}"


@styled()
def figure(found: Measured) -> dict[str, bytes]:
    """AP over iterations with the intervals as bands, as files of the `FORMS`."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(7.2, 4.2), layout="constrained")
    axes = drawn.subplots()
    for name in found.arms:
        points = [point for point in found.points if found.at(name, point)]
        numbers = [found.at(name, point) for point in points]
        bounds = np.array([interval(own) for own in numbers]).reshape(-1, 2)
        axes.fill_between(points, bounds[:, 0], bounds[:, 1], color=COLOURS[name], alpha=0.15, linewidth=0)
        means = [summary([*own.values()]).mean for own in numbers]
        axes.plot(points, means, color=COLOURS[name], marker="o", markersize=4, label=name)
    top = max((ap for seeds in found.arms.values() for arm in seeds.values() for _, ap in arm.aps), default=0.0)
    axes.set_ylim(0, max(1.0, 1.25 * math.ceil(top)))
    axes.set_xlabel("iteration")
    axes.set_ylabel("AP (%)")
    axes.grid(color=GRID)
    seeds = len(found.arms[SCRATCH])
    axes.set_title(f"yolox-nano on drawn pictures, {seeds} seeds, 95 % intervals", loc="left", fontsize=9)
    axes.legend(**{**ABOVE, "loc": "upper left", "bbox_to_anchor": (0, 1)})
    return {form: file_of(drawn, form) for form in FORMS}
