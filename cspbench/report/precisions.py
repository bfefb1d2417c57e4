"""Measured AP as tables: one line per NMS threshold, then the claims of the same network with their verdicts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cspbench.report.counted import flat_csv, grid, latex
from cspbench.zoo.catalogue import provenance

HEADER = ("Model", "Definition", "NMS", "AP", "AP50", "AP75", "APS", "APM", "APL", "n", "Split", "Size", "Preset")
CLAIMS = ("Model", "Row", "NMS", *HEADER[3:9])
METRICS = ("ap", "ap50", "ap75", "aps", "apm", "apl")


def _number(value: float | None, interval: Sequence[float] | None) -> str:
    if value is None:
        return "n/a"
    return f"{value:.3f}" if interval is None else f"{value:.3f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _line(result: Mapping[str, Any], at: Mapping[str, Any]) -> list[str]:
    identity = result["identity"]
    numbers = [_number(at["ap"].get(metric), (at["intervals"] or {}).get(metric)) for metric in METRICS]
    if at["ap"] == {}:
        numbers = ["awaiting-server"] + ["-"] * 5
    size = "×".join(map(str, identity["size"]))
    return [
        identity["model"],
        "file" if identity["file"] else provenance(identity["model"]),
        f"{at['nms']:g} {at['kind']}",
        *numbers,
        str(result["images"]),
        identity["data"]["split"],
        size,
        result["preset"],
    ]


def _claimed(result: Mapping[str, Any], at: Mapping[str, Any]) -> list[list[str]]:
    """A line for each published row that a threshold's AP stands against."""
    rows: dict[tuple[str, str], dict[str, str]] = {}
    for claim in at["claims"]:
        row = rows.setdefault((claim["table"], claim["id"]), {"row": f"{claim['table']}: {claim['row']}"})
        measured = f" → {claim['measured']}" if claim["measured"] else ""
        delta = f" Δ{claim['delta']}" if claim["delta"] else ""
        word = f"{claim['verdict']}: {claim['reason']}" if claim["reason"] else claim["verdict"]
        row[claim["metric"]] = f"{claim['published']}{measured}{delta} {word}"
    start = [result["identity"]["model"], f"{at['nms']:g}"]
    return [[start[0], row["row"], start[1], *(row.get(metric, "-") for metric in METRICS)] for row in rows.values()]


def text(results: Sequence[Mapping[str, Any]], without: Sequence[str], form: str) -> str:
    """Results as md, csv or latex; in md the claims follow, and the models that lack weights."""
    lines = [_line(result, at) for result in results for at in result["thresholds"]]
    if form == "csv":
        return flat_csv(HEADER, lines)
    if form == "latex":
        return latex(HEADER, lines)
    parts = [grid(HEADER, lines)]
    if any(at["intervals"] for result in results for at in result["thresholds"]):
        parts.append("In brackets the 95 % interval (bootstrap over images).")
    claimed = [line for result in results for at in result["thresholds"] for line in _claimed(result, at)]
    if claimed:
        parts += [grid(CLAIMS, claimed), "A claim, → what was measured, Δ their difference, and the verdict."]
    for result in results:
        for at in result["thresholds"]:
            if at["per_class"]:
                rows = [
                    [name, *(_number(values.get(metric), None) for metric in METRICS)]
                    for name, values in at["per_class"].items()
                ]
                parts.append(
                    f"{result['identity']['model']}, NMS {at['nms']:g}\n\n" + grid(("Class", *HEADER[3:9]), rows)
                )
    if without:
        parts.append(f"unmeasured, no-weights: {', '.join(without)}")
    return "\n\n".join(parts) + "\n"


def failed(results: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an AP is off."""
    return any(claim["verdict"] == "off" for result in results for at in result["thresholds"] for claim in at["claims"])
