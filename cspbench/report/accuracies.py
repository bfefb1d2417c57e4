"""Evaluated accuracies as tables: the claim beside the measurement, its interval and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cspbench.report.counted import flat_csv, grid, latex

if TYPE_CHECKING:
    from cspbench.claims import Row
    from cspbench.evaluate.explain import Step

HEADER = (
    *("Model", "Definition", "Row", "n"),
    *("Top-1", "claim", "delta", "verdict", "Top-5", "claim", "delta", "verdict", "Preset"),
)


def lines(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One object per published row that the result stands against, or one without a claim."""
    from cspbench.evaluate.claimed import ACCURACIES, accuracies, of_classifier
    from cspbench.report import faults
    from cspbench.zoo.catalogue import provenance

    identity = result["identity"]
    overridden = [*faults.said(faults.of_classifier(identity)), *faults.network(identity)]
    rows: list[Row | None] = [*of_classifier(identity)]
    made = []
    for row in rows or [None]:
        judged = accuracies(row, result) if row else {}
        if row:
            found = [*overridden, *faults.weights(row, identity)]
            judged = {metric: faults.held(verdict, found) for metric, verdict in judged.items()}
        line = {
            "model": identity["model"],
            "definition": "file" if identity["file"] else provenance(identity["model"]),
            "table": row.table if row else None,
            "row": row.label if row else None,
            "images": result["images"],
            "preset": identity["preset"]["name"],
        }
        for metric in ACCURACIES:
            verdict = judged.get(metric)
            line[metric] = {
                **result[metric],
                "published": str(verdict.claim) if verdict and verdict.claim is not None else None,
                "delta": str(verdict.delta) if verdict and verdict.delta is not None else None,
                "verdict": str(verdict.word) if verdict else "unpublished",
                "reason": str(verdict.reason) if verdict and verdict.reason else None,
            }
        made.append(line)
    return made


def failed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an accuracy is off."""
    return any(row[metric]["verdict"] == "off" for row in rows for metric in ("top1", "top5"))


def _texts(row: Mapping[str, Any]) -> list[str]:
    texts = [
        row["model"],
        row["definition"],
        f"{row['table']}: {row['row']}" if row["row"] else "-",
        str(row["images"]),
    ]
    for metric in ("top1", "top5"):
        cell = row[metric]
        low, high = cell["interval"]
        verdict = f"{cell['verdict']}: {cell['reason']}" if cell["reason"] else cell["verdict"]
        delta = f"{float(cell['delta']):+.2f}".rstrip("0").rstrip(".") if cell["delta"] else "-"
        texts += [f"{cell['percent']:.3f} [{low:.2f}, {high:.2f}]", cell["published"] or "-", delta, verdict]
    return [*texts, row["preset"]]


def text(rows: Sequence[Mapping[str, Any]], without: Sequence[str], form: str) -> str:
    """The rows as md, csv or latex; models that lack weights follow in md."""
    texts = [_texts(row) for row in rows]
    if form == "csv":
        return flat_csv(HEADER, texts)
    if form == "latex":
        return latex(HEADER, texts)
    parts = [grid(HEADER, texts), "In brackets the 95 % interval (Wilson)."]
    if without:
        parts.append(f"unmeasured, no-weights: {', '.join(without)}")
    return "\n\n".join(parts) + "\n"


def explanation(steps: Sequence[Step], form: str) -> str:
    """What each step of preprocessing does to the accuracy, as md, csv or latex."""
    header = ("Preset", "Changed", "Top-1", "change", "images gained", "images lost")
    texts = [
        [
            step.preset,
            step.label,
            f"{step.top1:.2f}",
            "" if step.base is None else f"{step.top1 - step.base:+.2f}",
            str(step.gained),
            str(step.lost),
        ]
        for step in steps
    ]
    if form == "csv":
        return flat_csv(header, texts)
    return latex(header, texts) if form == "latex" else grid(header, texts) + "\n"
