"""Evaluated accuracies as tables: the claim beside the measurement, its interval and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from cspbench.claims.metrics import ACCURACIES
from cspbench.classification.accuracy import wilson
from cspbench.errors import printable
from cspbench.report import judged_evaluations
from cspbench.report.formats import grid, table
from cspbench.report.judged_evaluations import JudgedClaim, by_row, deviations, judged, without_weights
from cspbench.report.text import delta
from cspbench.results.schema import ClassificationMetrics, Hits, ImagenetIdentity
from cspbench.results.store import StoredEvaluation
from cspbench.zoo.registry import provenance

if TYPE_CHECKING:
    from cspbench.classification.ablation import Step

HEADER = (
    *("Model", "Definition", "Row", "n"),
    *("Top-1", "claim", "delta", "verdict", "Top-5", "claim", "delta", "verdict", "Preset"),
)


def _parts(evaluation: StoredEvaluation) -> tuple[ImagenetIdentity, ClassificationMetrics]:
    identity, metrics = evaluation.run.identity, evaluation.metrics
    assert isinstance(identity, ImagenetIdentity)
    assert isinstance(metrics, ClassificationMetrics)
    return identity, metrics


def _lines(evaluation: StoredEvaluation) -> list[list[str]]:
    """A line of texts for each published row of the evaluated model, in the order of `HEADER`."""
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


def text(evaluations: Sequence[StoredEvaluation], without: Sequence[str], form: str) -> str:
    """The evaluations and the models without weights as md, csv or latex; md also says where the runs are."""
    lines = [line for evaluation in evaluations for line in _lines(evaluation)]
    if form != "md":
        lines += [line for model in without for line in _without(model)]
        return table(HEADER, lines, form)
    parts = [grid(HEADER, lines), "In brackets the 95 % interval (Wilson): where another draw of images would put it."]
    parts += [_described(evaluation) for evaluation in evaluations]
    if without:
        parts.append(f"unmeasured, no-weights: {', '.join(without)}")
    return "\n\n".join(parts) + "\n"


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


def explanation(steps: Sequence[Step], form: str) -> str:
    """What each step of preprocessing does to the accuracy, as md, csv or latex."""
    header = ("Preset", "Changed", "Top-1", "change", "images gained", "images lost")
    texts = []
    for step in steps:
        change = "" if step.base is None else f"{step.top1 - step.base:+.2f}"
        texts.append([step.preset, step.label, f"{step.top1:.2f}", change, str(step.gained), str(step.lost)])
    return table(header, texts, form)
