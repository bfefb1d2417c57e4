"""Tables and results as pandas DataFrames, for a notebook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from cspbench.claims import tables
from cspbench.claims.metrics import ACCURACIES
from cspbench.claims.model import Table
from cspbench.results import measurements
from cspbench.results.schema import ClassificationMetrics
from cspbench.results.store import StoredEvaluation

if TYPE_CHECKING:
    from decimal import Decimal

    from pandas import DataFrame


@overload
def load_tables(directory: str | Path | None = None, dataframe: Literal[False] = False) -> tuple[Table, ...]: ...
@overload
def load_tables(directory: str | Path | None = None, *, dataframe: Literal[True]) -> DataFrame: ...


def load_tables(directory: str | Path | None = None, dataframe: bool = False) -> tuple[Table, ...] | DataFrame:
    """Every published table, or one DataFrame of all their cells.

    `directory` holds tables.toml and the CSV files; the published ones by default.
    """
    loaded = tables.load_all(None if directory is None else Path(directory))
    return cells(loaded) if dataframe else loaded


def cells(of: Iterable[Table]) -> DataFrame:
    """One line for each published number: table, row, size, metric, value, unit, decimals, counting."""
    lines = [
        {
            "table": table.name,
            "id": row.id,
            "row": row.label,
            "height": row.size[0] if row.size else None,
            "width": row.size[1] if row.size else None,
            **{f"setting: {name}": value for name, value in row.settings.items()},
            "metric": cell.metric,
            "value": _number(cell.value),
            "unit": cell.unit,
            "decimals": cell.decimals,
            "counting": cell.counting,
            "printed": cell.text,
        }
        for table in of
        for row in table.rows
        for cell in row.cells.values()
        if cell.published
    ]
    return _frame(lines)


def of_evaluation(evaluation: StoredEvaluation) -> DataFrame:
    """One line for each number that a run measured: metric, NMS threshold, percent, interval, and its claim if any.

    A number with several claims has a line for each.
    """
    metrics = evaluation.metrics
    claims: dict[tuple[float | None, str], list[dict[str, Any]]] = {}
    for each in measurements.of_evaluation(evaluation):
        if each.claim.published:
            claims.setdefault((each.nms, each.claim.metric), []).append(
                {
                    "table": each.row.table,
                    "id": each.row.id,
                    "claim": _number(each.claim.value),
                    "verdict": str(each.verdict.status),
                    "reason": str(each.verdict.reason) if each.verdict.reason else None,
                }
            )
    lines = []
    for nms, kind, metric, percent, interval in _numbers(metrics):
        line = {
            "model": evaluation.run.identity.model,
            "nms": nms,
            "kind": kind,
            "metric": metric,
            "percent": percent,
            "low": interval[0] if interval else None,
            "high": interval[1] if interval else None,
        }
        blank = dict.fromkeys(("table", "id", "claim", "verdict", "reason"))
        lines += [{**line, **claim} for claim in claims.get((nms, metric), [blank])]
    return _frame(lines)


def _numbers(metrics: Any) -> Iterable[tuple[float | None, str | None, str, float | None, tuple[float, float] | None]]:
    if isinstance(metrics, ClassificationMetrics):
        from cspbench.classification.accuracy import wilson

        for name in ACCURACIES:
            hits = getattr(metrics, name)
            yield None, None, name, 100 * hits.correct / hits.total, wilson(hits.correct, hits.total)
        return
    for at in metrics.thresholds if metrics is not None else ():
        for name, value in at.ap.items():
            yield at.nms, at.kind, name, _number(value), (at.intervals or {}).get(name)


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _frame(lines: list[Mapping[str, Any]] | list[dict[str, Any]]) -> DataFrame:
    from pandas import DataFrame

    return DataFrame(lines)
