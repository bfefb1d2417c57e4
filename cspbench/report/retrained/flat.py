"""The part on retrained networks for programs: the list in report.json, and lines of the CSV."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from cspbench.report.retrained.lines import Line, Number, Part
from cspbench.report.retrained.text import command, evaluated_on
from cspbench.results.store import without_folders

COLUMNS = (
    *("retrained_mean", "retrained_spread", "retrained_seeds", "trained_on", "training_images", "iterations"),
    *("recipe_iterations", "era", "changed", "evaluated_on", "base", "base_lack", "published_gain"),
    *("gain", "gain_low", "gain_high", "gain_pairs", "gain_method", "gain_lack"),
)
"""Columns of the CSV that only a report with retrained networks has."""


def as_json(parts: Sequence[Part]) -> list[dict[str, Any]]:
    """A dictionary for each group of trainings; numbers as texts, in percent and points."""
    return [_line(line) for part in parts for line in part.lines]


def _line(line: Line) -> dict[str, Any]:
    training, run = line.group.training, line.group.run
    return {
        "table": line.table if line.row is not None else None,
        "row": line.row,
        "name": line.name,
        "model": training.model,
        "training": {
            **{name: getattr(training, name) for name in ("network", "recipe", "settings", "changed", "era")},
            **{name: getattr(training, name) for name in ("gradients", "precision", "recipe_iterations")},
            "iterations": training.iterations,
            "data": msgspec.to_builtins(training.data),
            "start": msgspec.to_builtins(training.start),
        },
        "evaluation": {
            "data": msgspec.to_builtins(run.identity.data),
            "claims_images": line.claims_images,
            "preset": run.settings.name if run.settings else run.identity.preset.get("name"),
            "precision": run.identity.precision,
        },
        "base": {"row": line.gain.base.id, "name": line.base, "lack": line.gain.lack} if line.gain else None,
        "metrics": [_number(line, number) for number in line.numbers],
        "runs": [
            {
                "seed": member.training.seed,
                "run": member.evaluation.name,
                "weights": member.evaluation.run.identity.weights,
                "sessions": [
                    {"command": without_folders(each.command), "cspbench": each.cspbench, "commit": each.commit}
                    for each in member.training.sessions
                ],
            }
            for member in line.group.members
        ],
    }


def _number(line: Line, number: Number) -> dict[str, Any]:
    gain, measured = number.gain, number.measured
    return {
        "metric": number.metric,
        "published": number.published,
        "mean": _text(measured.mean),
        "spread": _text(measured.spread),
        "seeds": {str(seed): _text(value) for seed, value in line.group.numbers[number.metric].items()},
        "published_gain": None if number.published_gain is None else f"{number.published_gain:f}",
        "gain": None
        if gain is None
        else {
            "mean": _text(gain.mean),
            "interval": [_text(bound) for bound in gain.interval] if gain.interval else None,
            "pairs": gain.pairs,
            "method": gain.method,
            "lack": gain.lack,
        },
    }


def _text(value: float | None) -> str | None:
    """Four decimals, without a sign of 0."""
    return None if value is None else f"{value:z.4f}"


def lines(parts: Sequence[Part], header: Sequence[str]) -> list[list[object]]:
    """A line for each metric of each group, under the columns of a report's CSV and `COLUMNS`."""
    return [
        [values.get(name) for name in (*header, *COLUMNS)]
        for part in parts
        for line in part.lines
        for number in line.numbers
        for values in [_values(line, number)]
    ]


def _values(line: Line, number: Number) -> dict[str, object]:
    training, row, gain = line.group.training, line.group.row, number.gain
    low, high = gain.interval if gain and gain.interval else (None, None)
    sessions = training.sessions[-1:]
    return {
        "kind": "retrained",
        "table": line.table,
        "row": line.row,
        "label": row.label if row else line.name,
        "settings": "; ".join(f"{name}={value}" for name, value in row.settings.items()) if row else "",
        "size": "x".join(map(str, line.group.run.identity.size)),
        "model": training.model,
        "metric": number.metric,
        "header": number.header,
        "unit": "%",
        "printed": number.published,
        "command": command(line),
        "version": sessions[0].cspbench if sessions else None,
        "commit": sessions[0].commit if sessions else None,
        "retrained_mean": _text(number.measured.mean),
        "retrained_spread": _text(number.measured.spread),
        "retrained_seeds": " ".join(map(str, line.group.seeds)),
        "trained_on": training.data.digest,
        "training_images": training.data.images,
        "iterations": training.iterations,
        "recipe_iterations": training.recipe_iterations,
        "era": training.era,
        "changed": "; ".join(training.changed),
        "evaluated_on": evaluated_on(line),
        "base": line.gain.base.id if line.gain else None,
        "base_lack": line.gain.lack if line.gain else None,
        "published_gain": None if number.published_gain is None else f"{number.published_gain:f}",
        "gain": _text(gain.mean) if gain else None,
        "gain_low": _text(low),
        "gain_high": _text(high),
        "gain_pairs": gain.pairs if gain else None,
        "gain_method": gain.method if gain else None,
        "gain_lack": gain.lack if gain else None,
    }
