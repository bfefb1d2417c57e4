"""The published numbers that one evaluation stands against, with the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from cspbench.claims.metrics import ACCURACIES
from cspbench.claims.model import Row
from cspbench.claims.verdict import FAILED, Reason
from cspbench.report.build import cell
from cspbench.report.model import ReportCell
from cspbench.results import match, measurements
from cspbench.results.schema import Run
from cspbench.results.store import StoredEvaluation


@dataclass(frozen=True)
class JudgedClaim:
    """A published number beside what an evaluation measured. `why`: its deviations from the claim's protocol."""

    row: Row
    cell: ReportCell
    why: tuple[str, ...] = ()
    suppression: tuple[float | None, str | None] = (None, None)
    """The NMS threshold that an AP was measured at, and the kind of NMS."""

    @property
    def measured(self) -> str | None:
        """The measurement rounded as its claim where the verdict rests on that, otherwise to three decimals."""
        if self.cell.measured is None:
            return None
        exact = self.cell.verdict in ("exact", "consistent", "inconsistent")
        return self.cell.measured if exact else f"{float(self.cell.exact or self.cell.measured):.3f}"


def judged(evaluation: StoredEvaluation) -> list[JudgedClaim]:
    """Every published number that an evaluation stands against."""
    return [
        JudgedClaim(
            measurement.row,
            cell(measurement.claim, [measurement]),
            tuple(deviation.text for deviation in measurement.measurement.deviations),
            (measurement.nms, measurement.kind),
        )
        for measurement in measurements.of_evaluation(evaluation)
        if measurement.claim.published
    ]


def without_weights(model: str) -> list[JudgedClaim]:
    """Every accuracy claimed of a model whose weights are missing."""
    return [
        JudgedClaim(row, cell(row.cells[metric], [], Reason.NO_WEIGHTS))
        for _, row in match.claims_of(model)
        for metric in ACCURACIES
        if metric in row.cells and row.cells[metric].published
    ]


def by_row(claims: Sequence[JudgedClaim]) -> list[tuple[str, dict[str, JudgedClaim]]]:
    """The claims of each row by metric, beside the row's table and label."""
    rows: dict[tuple[str, str], tuple[str, dict[str, JudgedClaim]]] = {}
    for claim in claims:
        row = claim.row
        rows.setdefault((row.table, row.id), (f"{row.table}: {row.label}", {}))[1][claim.cell.metric] = claim
    return list(rows.values())


CLAIMED = ("_claim", "_delta", "_verdict", "_reason")
"""Suffixes of a metric's columns in CSV, in the order of `flat_claim`."""


def flat_row(claims: Sequence[JudgedClaim]) -> list[tuple[list[str | None], dict[str, JudgedClaim]]]:
    """Table, label and id of each row, and its claims by metric; one without a row where there are no claims."""
    rows: list[tuple[list[str | None], dict[str, JudgedClaim]]] = []
    for _, by_metric in by_row(claims):
        row = next(iter(by_metric.values())).row
        rows.append(([row.table, row.label, row.id], by_metric))
    return rows or [([None, None, None], {})]


def flat_claim(claim: JudgedClaim | None) -> list[str | None]:
    """The cells of `CLAIMED`, one number or word a cell."""
    if claim is None:
        return [None, None, "unpublished", None]
    return [claim.cell.claim, claim.cell.delta, claim.cell.verdict, claim.cell.reason]


def deviations(claims: Sequence[JudgedClaim]) -> list[str]:
    """How the evaluation differs from its claims' protocol, as one text if it does."""
    texts = dict.fromkeys(text for claim in claims for text in claim.why)
    return [f"not the claims' protocol: {'; '.join(texts)}"] if texts else []


def failed(claims: Sequence[JudgedClaim]) -> bool:
    """Whether a number disagrees with its claim: exit code 1."""
    return any(claim.cell.verdict in FAILED for claim in claims)


def as_json(claim: JudgedClaim) -> dict[str, Any]:
    """A claim in the commands' JSON output."""
    cell = claim.cell
    return {
        "table": claim.row.table,
        "row": claim.row.label,
        "id": claim.row.id,
        "metric": cell.metric,
        "published": cell.claim,
        "measured": claim.measured,
        "delta": cell.delta,
        "images": cell.images,
        "tolerance": cell.tolerance,
        "verdict": cell.verdict,
        "reason": cell.reason,
        "why": list(claim.why),
    }


def provenance_json(run: Run) -> dict[str, Any]:
    """How an evaluation was made, in the commands' JSON output."""
    return {name: msgspec.to_builtins(getattr(run, name)) for name in ("sessions", "scored", "weights")}
