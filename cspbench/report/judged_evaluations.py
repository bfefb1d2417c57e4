"""The published numbers that one evaluation stands against, with the verdicts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cspbench.claims.metrics import ACCURACIES
from cspbench.claims.model import Row
from cspbench.claims.verdict import FAILED, Reason
from cspbench.report.build import cell
from cspbench.report.model import ReportCell
from cspbench.results import match, measurements
from cspbench.results.schema import Threshold
from cspbench.results.store import StoredEvaluation


@dataclass(frozen=True)
class JudgedClaim:
    """A published number beside what an evaluation measured. `why`: its deviations from the claim's protocol."""

    row: Row
    cell: ReportCell
    why: tuple[str, ...] = ()
    nms: float | None = None
    """The threshold that an AP was measured at."""
    kind: str | None = None
    """The kind of NMS that it was measured with."""

    def belongs_to(self, threshold: Threshold) -> bool:
        """Whether it was measured there; one NMS threshold may be scored with several kinds of NMS."""
        return (self.nms, self.kind) == (threshold.nms, threshold.kind)

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
            measurement.nms,
            measurement.kind,
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
