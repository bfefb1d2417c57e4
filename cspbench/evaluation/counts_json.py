"""Counted rows as JSON objects, the form that result files have, and that reports and comparisons read."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from cspbench.claims.rounding import claimed_as, percent_off
from cspbench.claims.verdict import Reason, Word
from cspbench.evaluation.counts import CellCount, RowCount


def as_json(result: RowCount) -> dict[str, Any]:
    """One line of the result as JSON objects."""
    subject = result.subject
    row = subject.row
    notes = [text.removesuffix(".") for text in (subject.note, subject.unknown) if text]
    for metric, cell in result.cells.items():
        notes += [f"{metric} {text}" for text in cell.explanations]
        if cell.rests_on and _comparison_word(cell) == "off":
            notes.append(f"{metric} comparison rests on {cell.base}'s published {cell.rests_on}")
    return {
        "table": row.table if row else None,
        "row": row.label if row else None,
        "id": row.id if row else None,
        "settings": dict(row.settings) if row else {},
        "model": subject.model,
        "definition": subject.definition,
        "confidence": subject.confidence,
        "unknown": subject.unknown,
        "size": list(result.size) if result.size else None,
        "network": result.network,
        **{metric: _cell_json(cell) for metric, cell in result.cells.items()},
        "note": "; ".join(notes) or None,
    }


def _number(value: Decimal | None) -> float | int | None:
    if value is None:
        return None
    return int(value) if value == value.to_integral_value() and value.as_tuple().exponent == 0 else float(value)


def _comparison_word(cell: CellCount) -> str:
    """The verdict on a comparison; of numbers made another way than the claims' there is none."""
    if cell.comparison is None or cell.verdict.reason == Reason.OTHER_WAY:
        return "unmeasured"
    return "exact" if cell.comparison.equal else "off"


def _cell_json(cell: CellCount) -> dict[str, Any]:
    """`measured` is in single parameters, and in billions of operations unless the claim is in single ones.

    `count` is in what the counting counts; where the claim is of two of them each, `measured` is, too.
    """
    measured: int | float | None = cell.measured
    if cell.measured is not None:
        measured = claimed_as(cell.measured, cell.cell.rounding)
        if cell.cell.unit == "G":
            measured = round(measured / 10**9, 6)
    data: dict[str, Any] = {
        "published": _number(cell.cell.value),
        "printed": cell.cell.text,
        "unit": cell.cell.unit,
        "counting": cell.cell.counting,
        "rounding": cell.cell.rounding,
        "measured": measured,
        "count": cell.measured,
        "verdict": str(cell.verdict.word),
    }
    if cell.verdict.reason:
        data["reason"] = str(cell.verdict.reason)
    if cell.verdict.word == Word.OFF:
        data["delta"] = _number(cell.verdict.delta)
        data["percent"] = _number(percent_off(cell.measured, cell.cell)) if cell.measured is not None else None
        data["explained"] = cell.explained
    if cell.cell.comparison:
        data["comparison"] = {
            "published": cell.cell.comparison.text,
            "base": cell.base,
            "measured": cell.comparison.text if cell.comparison else None,
            "verdict": _comparison_word(cell),
        }
    return data
