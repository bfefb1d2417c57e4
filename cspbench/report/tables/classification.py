"""Evaluated accuracies as tables: the claim beside the measurement, its interval and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cspbench.claims.metrics import ACCURACIES
from cspbench.classification.accuracy import wilson
from cspbench.errors import printable
from cspbench.report import judged_evaluations
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv, latex_tables, markdown
from cspbench.report.judged_evaluations import (
    CLAIMED,
    JudgedClaim,
    by_row,
    deviations,
    flat_claim,
    flat_row,
    judged,
    without_weights,
)
from cspbench.report.text import delta
from cspbench.results.schema import ClassificationMetrics, Hits, ImagenetIdentity
from cspbench.results.store import StoredEvaluation
from cspbench.zoo.registry import provenance

if TYPE_CHECKING:
    from cspbench.classification.ablation import Step

COLUMNS = (
    *(Column("Model"), Column("Definition", 5), Column("Row", 2), Column("n", 3, "number")),
    *(Column("Top-1", kind="number"), Column("claim", kind="number"), Column("delta", 1, "number")),
    *(Column("verdict", kind="verdict"), Column("Top-5", kind="number"), Column("claim", kind="number")),
    *(Column("delta", 1, "number"), Column("verdict", kind="verdict"), Column("Preset", 4)),
)
FLAT = (
    *("model", "definition", "table", "row", "id", "n", "preset"),
    *(f"{metric}{what}" for metric in ACCURACIES for what in ("", "_low", "_high", *CLAIMED)),
)
"""Columns of the CSV: a line for each published row, one where there is none."""


def _parts(evaluation: StoredEvaluation) -> tuple[ImagenetIdentity, ClassificationMetrics]:
    identity, metrics = evaluation.run.identity, evaluation.metrics
    assert isinstance(identity, ImagenetIdentity)
    assert isinstance(metrics, ClassificationMetrics)
    return identity, metrics


def _lines(evaluation: StoredEvaluation) -> list[list[str]]:
    """A line of texts for each published row of the evaluated model, in the order of `COLUMNS`."""
    identity, metrics = _parts(evaluation)
    about = [identity.model, "file" if identity.user_file else provenance(identity.model)]
    shares = [_share(getattr(metrics, metric)) for metric in ACCURACIES]
    return _of_rows(judged(evaluation), about, str(metrics.images), shares, str(identity.preset["name"]))


def _without(model: str) -> list[list[str]]:
    """The same for a model without weights: its claims alone."""
    return _of_rows(without_weights(model), [model, provenance(model)], "-", ["-"] * len(ACCURACIES), "-")


def _of_rows(
    claims: Sequence[JudgedClaim], about: list[str], images: str, shares: list[str], preset: str
) -> list[list[str]]:
    lines = []
    for row, by_metric in by_row(claims) or [("-", {})]:
        texts = [*about, row, images]
        for metric, share in zip(ACCURACIES, shares, strict=True):
            texts += [share, *_claim(by_metric.get(metric))]
        lines.append([*texts, preset])
    return lines


def _share(hits: Hits) -> str:
    low, high = wilson(hits.correct, hits.total)
    return f"{100 * hits.correct / hits.total:.3f} [{low:.2f}, {high:.2f}]"


def _claim(claim: JudgedClaim | None) -> list[str]:
    """Claim, difference and verdict."""
    if claim is None:
        return ["-", "-", "unpublished"]
    return [claim.cell.claim or "-", delta(claim.cell) or "-", claim.cell.mark]


def _described(evaluation: StoredEvaluation) -> str:
    """What the table leaves out, on one line: numbers of correct images, weights, data, device and run."""
    identity, metrics = _parts(evaluation)
    hits = [(metrics.top1, "top-1"), (metrics.top5, "top-5")]
    if identity.data.top is not None and identity.data.top <= len(metrics.top):
        share = metrics.top[identity.data.top - 1]
        hits.insert(1, (share, f"top-{identity.data.top} ({100 * share.correct / share.total:.3f} %)"))
    facts = [
        f"weights {identity.weights.partition(':')[2][:12]}",
        f"data {str(identity.data.sha256 or identity.data.name or 'unknown')[:12]}",
        str(evaluation.run.sessions[-1].device),
        identity.precision,
        f"decoder {identity.preset.get('decoder', 'unknown')}",
        f"batch norm {identity.preset.get('epsilon', 'unknown')}",
    ]
    counts = ", ".join(f"{share.correct}/{share.total} {name}" for share, name in hits)
    parts = [f"{identity.model}: {counts}", ", ".join(facts), evaluation.where, *deviations(judged(evaluation))]
    return printable("; ".join(parts))


def blocks(evaluations: Sequence[StoredEvaluation], without: Sequence[str]) -> list[Block]:
    """The evaluations in a table, where their runs are, and the models without weights by name."""
    parts: list[Block] = [
        Table(COLUMNS, [line for evaluation in evaluations for line in _lines(evaluation)]),
        Paragraph(
            "In brackets the 95 % interval (Wilson): where another draw of images would put it.",
            "legend",
        ),
        *(Paragraph(_described(evaluation), "aside") for evaluation in evaluations),
    ]
    if without:
        parts.append(Paragraph(f"unmeasured, no-weights: {', '.join(without)}"))
    return parts


def text(evaluations: Sequence[StoredEvaluation], without: Sequence[str], form: str) -> str:
    """The evaluations and the models without weights as md, csv or latex; csv and latex have lines for both."""
    if form == "csv":
        lines = [line for evaluation in evaluations for line in _flat(evaluation)]
        return flat_csv(FLAT, lines + [line for model in without for line in _flat_without(model)])
    if form == "latex":
        rows = [line for evaluation in evaluations for line in _lines(evaluation)]
        return latex_tables([Table(COLUMNS, rows + [line for model in without for line in _without(model)])])
    return markdown(blocks(evaluations, without))


def _flat(evaluation: StoredEvaluation) -> list[list[object]]:
    """The lines of `FLAT`, full numbers and intervals in percent."""
    identity, metrics = _parts(evaluation)
    definition = "file" if identity.user_file else provenance(identity.model)
    numbers = []
    for hits in (getattr(metrics, metric) for metric in ACCURACIES):
        share = 100 * hits.correct / hits.total, *wilson(hits.correct, hits.total)
        numbers.append([round(number, 4) for number in share])
    return [
        [identity.model, definition, *row, metrics.images, identity.preset["name"], *_flat_numbers(numbers, claims)]
        for row, claims in flat_row(judged(evaluation))
    ]


def _flat_without(model: str) -> list[list[object]]:
    numbers = [[None] * 3] * len(ACCURACIES)
    return [
        [model, provenance(model), *row, None, None, *_flat_numbers(numbers, claims)]
        for row, claims in flat_row(without_weights(model))
    ]


def _flat_numbers(
    numbers: Sequence[Sequence[float | None]], claims: Mapping[str, JudgedClaim]
) -> list[str | float | None]:
    return [
        value
        for metric, number in zip(ACCURACIES, numbers, strict=True)
        for value in (*number, *flat_claim(claims.get(metric)))
    ]


def as_json(evaluation: StoredEvaluation) -> dict[str, Any]:
    """An evaluation in the commands' JSON output: metrics, claims with verdicts, and provenance."""
    _, metrics = _parts(evaluation)
    plain: dict[str, Any] = msgspec.to_builtins(metrics)
    for metric in ACCURACIES:
        hits = getattr(metrics, metric)
        low, high = wilson(hits.correct, hits.total)
        percent, interval = round(100 * hits.correct / hits.total, 4), [round(low, 4), round(high, 4)]
        plain[metric] = {**plain[metric], "percent": percent, "interval": interval}
    shares = [round(100 * hits.correct / hits.total, 4) for hits in metrics.top]
    plain["top"] = {str(k): {**hits, "percent": shares[k - 1]} for k, hits in enumerate(plain["top"], 1)}
    return {
        **plain,
        "run": evaluation.where,
        "claims": [judged_evaluations.as_json(claim) for claim in judged(evaluation)],
        "provenance": judged_evaluations.provenance_json(evaluation.run),
    }


def without_json(model: str) -> dict[str, Any]:
    """The same for a model without weights."""
    claims = [judged_evaluations.as_json(claim) for claim in without_weights(model)]
    return {"model": model, "verdict": "unmeasured", "reason": "no-weights", "claims": claims}


EXPLAINED = (
    *(Column("Preset"), Column("Changed"), Column("Top-1", kind="number"), Column("change", kind="number")),
    *(Column("images gained", kind="number"), Column("images lost", kind="number")),
)


def explanation(steps: Sequence[Step]) -> Table:
    """What each step of preprocessing does to the accuracy."""
    texts = []
    for step in steps:
        change = "" if step.base is None else f"{step.top1 - step.base:+.2f}"
        texts.append([step.preset, step.label, f"{step.top1:.2f}", change, str(step.gained), str(step.lost)])
    return Table(EXPLAINED, texts)
