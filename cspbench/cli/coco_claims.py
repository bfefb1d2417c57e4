"""The published numbers that a detector's AP at one threshold stands against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cspbench.cli.coco_asked import Asked

if TYPE_CHECKING:
    from cspbench.claims.model import Row
    from cspbench.claims.verdict import Verdict
    from cspbench.inference.run import Run


def claims(
    run: Run, nms: float, asked: Asked, percent: Mapping[str, Any], intervals: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every published number that this one stands against, with its verdict.

    A row that names no threshold is of the preset's own: that alone stands against it, or, where it is not among those
    asked for, the others are shown beside it and not held against it.
    """
    from cspbench.inference.run import record
    from cspbench.results import match, protocol

    kept = record(run.path)
    own, kind = protocol.suppression(kept)
    usual = own if own in asked.thresholds else nms
    other = [*protocol.said(protocol.of_detector(kept)), *protocol.network(run.identity)]
    if not run.identity["quoted"] and asked.preset.name != "readme":
        other.append(f"preset {asked.preset.name}, not readme")
    if kind is not None and asked.preset.nms_kind != kind:
        other.append(f"nms_kind {asked.preset.nms_kind}, not {kind}")
    elsewhere = [] if nms == own else [f"NMS {nms:g}, not the preset's {own:g}"]
    found = []
    for row in match.of_detector(run.identity, nms):
        if nms != usual and "Threshold" not in row.settings:
            continue
        why = [*other, *([] if "Threshold" in row.settings else elsewhere), *protocol.weights(row, run.identity)]
        for metric, judged in match.precisions(row, run.identity, percent, intervals, asked.partial).items():
            found.append(_claim(row, metric, protocol.held(judged, why), why))
    return found


def _claim(row: Row, metric: str, verdict: Verdict, why: list[str]) -> dict[str, Any]:
    return {
        "table": row.table,
        "row": row.label,
        "id": row.id,
        "metric": metric,
        "published": str(verdict.claim),
        "measured": _shown(verdict),
        "delta": None if verdict.delta is None else f"{verdict.delta:+f}",
        "verdict": str(verdict.word),
        "reason": str(verdict.reason) if verdict.reason else None,
        "why": why,
    }


def _shown(verdict: Verdict) -> str | None:
    """The measurement as rounded for the comparison, to three decimals where there is none."""
    if verdict.measured is None:
        return None
    decimals = -int(verdict.measured.as_tuple().exponent)
    return f"{verdict.measured:f}" if 0 <= decimals <= 3 else f"{verdict.measured:.3f}"
