"""Tables and results as pandas DataFrames, for a notebook."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from cspbench.claims import tables
from cspbench.claims.metrics import ACCURACIES
from cspbench.claims.model import Table
from cspbench.io import argument_path
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
    loaded = tables.load_all(None if directory is None else argument_path("directory", directory))
    return cells(loaded) if dataframe else loaded


def cells(source: Iterable[Table]) -> DataFrame:
    """One line per published number: table, row, size, metric, value, unit, decimals, counting."""
    from pandas import DataFrame

    lines = [
        {
            "table": table.name,
            "id": row.id,
            "row": row.label,
            "height": row.size[0] if row.size else None,
            "width": row.size[1] if row.size else None,
            **{f"setting: {name}": value for name, value in row.settings.items()},
            "metric": cell.metric,
            "value": as_float(cell.value),
            "unit": cell.unit,
            "decimals": cell.decimals,
            "counting": cell.counting,
            "printed": cell.text,
        }
        for table in source
        for row in table.rows
        for cell in row.cells.values()
        if cell.published
    ]
    return DataFrame(lines)


def of_evaluation(evaluation: StoredEvaluation) -> DataFrame:
    """One line per number of a run: metric, NMS threshold, percent, interval, and its claim if any.

    A number with several claims has one line per claim. Darknet's mAP has its IoU in its name, and no NMS threshold.
    """
    from pandas import DataFrame

    claims = defaultdict(list)
    for measurement in measurements.of_evaluation(evaluation):
        claim, verdict = measurement.claim, measurement.verdict
        if claim.published:
            line = {
                "table": measurement.row.table,
                "id": measurement.row.id,
                "claim": as_float(claim.value),
                "verdict": str(verdict.status),
                "reason": str(verdict.reason) if verdict.reason else None,
            }
            claims[measurement.nms, measurement.kind, claim.metric].append(line)
    lines = []
    for nms, kind, metric, percent, interval in _numbers(evaluation.metrics):
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
        lines += [{**line, **columns} for columns in claims.get((nms, kind, metric), [blank])]
    return DataFrame(lines)


def _numbers(metrics: Any) -> Iterable[tuple[float | None, str | None, str, float | None, tuple[float, float] | None]]:
    if isinstance(metrics, ClassificationMetrics):
        from cspbench.classification.accuracy import wilson

        for name in ACCURACIES:
            hits = getattr(metrics, name)
            yield None, None, name, 100 * hits.correct / hits.total, wilson(hits.correct, hits.total)
        return
    if metrics is not None and metrics.darknet_map is not None:
        yield None, None, f"map@{metrics.darknet_map.iou:.2f}", 100 * metrics.darknet_map.mean, None
    for at in metrics.thresholds if metrics is not None else ():
        for name, value in at.ap.items():
            yield at.nms, at.kind, name, as_float(value), (at.intervals or {}).get(name)


def as_float(value: Decimal | None) -> float | None:
    """A number for a frame, whose columns are floats."""
    return None if value is None else float(value)
