"""Evaluated accuracies as tables: the claim beside the measurement, its interval and the verdict."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cspbench.errors import printable
from cspbench.report.counts_table import flat_csv, grid, latex

if TYPE_CHECKING:
    from cspbench.claims.model import Row
    from cspbench.claims.verdict import Verdict
    from cspbench.classification.ablation import Step

ACCURACIES = ("top1", "top5")
HEADER = (
    *("Model", "Definition", "Row", "n"),
    *("Top-1", "claim", "delta", "verdict", "Top-5", "claim", "delta", "verdict", "Preset"),
)


def lines(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One object per published row that the result stands against, or one without a claim.

    Where it was made in no row's way, those of its model, and `why` says what is otherwise.
    """
    from cspbench.results import protocol
    from cspbench.results.match import accuracies, of_classifier, of_model, otherwise
    from cspbench.zoo.catalogue import provenance

    identity = result["identity"]
    overridden = [*protocol.said(protocol.of_classifier(identity)), *protocol.network(identity)]
    rows: list[Row | None] = [*(of_classifier(identity) or ([] if identity["file"] else of_model(identity["model"])))]
    made = []
    for row in rows or [None]:
        found = [*otherwise(row, identity), *overridden, *protocol.weights(row, identity)] if row else []
        judged = accuracies(row, result) if row else {}
        judged = {metric: protocol.held(verdict, found) for metric, verdict in judged.items()}
        made.append(
            {
                **_about(identity["model"], "file" if identity["file"] else provenance(identity["model"]), row),
                "images": result["images"],
                "preset": identity["preset"]["name"],
                "why": found,
                **{metric: {**result[metric], **_said(judged.get(metric))} for metric in ACCURACIES},
            }
        )
    return made


def unmeasured(model: str) -> list[dict[str, Any]]:
    """The same for a model that lacks weights: every claim, and nothing beside it."""
    from cspbench.claims.verdict import Reason, Verdict, Word
    from cspbench.results.match import of_model
    from cspbench.zoo.catalogue import provenance

    made = []
    for row in of_model(model):
        cells = {metric: row.cells.get(metric) for metric in ACCURACIES}
        judged = {
            metric: Verdict(Word.UNMEASURED, cell.value, None, reason=Reason.NO_WEIGHTS)
            for metric, cell in cells.items()
            if cell is not None and cell.value is not None
        }
        made.append(
            {
                **_about(model, provenance(model), row),
                "images": None,
                "preset": None,
                "why": [],
                **{metric: {"percent": None, **_said(judged.get(metric))} for metric in ACCURACIES},
            }
        )
    return made


def _about(model: str, definition: str, row: Row | None) -> dict[str, Any]:
    return {
        "model": model,
        "definition": definition,
        "table": row.table if row else None,
        "row": row.label if row else None,
        "id": row.id if row else None,
    }


def _said(verdict: Verdict | None) -> dict[str, Any]:
    return {
        "published": str(verdict.claim) if verdict and verdict.claim is not None else None,
        "delta": str(verdict.delta) if verdict and verdict.delta is not None else None,
        "verdict": str(verdict.word) if verdict else "unpublished",
        "reason": str(verdict.reason) if verdict and verdict.reason else None,
    }


def claims(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every published number of the lines with what was measured and the verdict, as eval-coco's JSON has them."""
    return [
        {
            **{key: row[key] for key in ("table", "row", "id")},
            "metric": metric,
            "published": row[metric]["published"],
            "measured": None if row[metric]["percent"] is None else f"{row[metric]['percent']:.3f}",
            **{key: row[metric][key] for key in ("delta", "verdict", "reason")},
            "why": row["why"],
        }
        for row in rows
        for metric in ACCURACIES
        if row[metric]["published"] is not None
    ]


def described(result: Mapping[str, Any], provenance: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> str:
    """On one line what the table does not say of a result: its counts, what it was made of and how, and where it is."""
    identity = result["identity"]
    counts = ", ".join(
        f"{result[metric]['correct']}/{result[metric]['total']} {name}"
        for metric, name in zip(ACCURACIES, ("top-1", "top-5"), strict=True)
    )
    data = str(identity["data"].get("sha256") or identity["data"].get("name", "unknown"))
    made = [
        f"weights {str(identity['weights'])[:12]}",
        f"data {data[:12]}",
        str(provenance.get("device")),
        str(identity["precision"]),
        f"batch norm {identity['preset'].get('epsilon', 'unknown')}",
    ]
    why = list(dict.fromkeys(each for row in rows for each in row["why"]))
    other = f"; made another way than the claims: {'; '.join(why)}" if why else ""
    return printable(f"{identity['model']}: {counts}; {', '.join(made)}; {result['run']}{other}")


def failed(rows: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an accuracy is off."""
    return any(row[metric]["verdict"] == "off" for row in rows for metric in ACCURACIES)


def _texts(row: Mapping[str, Any]) -> list[str]:
    texts = [
        row["model"],
        row["definition"],
        f"{row['table']}: {row['row']}" if row["row"] else "-",
        str(row["images"] or "-"),
    ]
    for metric in ACCURACIES:
        cell = row[metric]
        share = "-"
        if cell["percent"] is not None:
            low, high = cell["interval"]
            share = f"{cell['percent']:.3f} [{low:.2f}, {high:.2f}]"
        verdict = f"{cell['verdict']}: {cell['reason']}" if cell["reason"] else cell["verdict"]
        delta = f"{float(cell['delta']):+.2f}".rstrip("0").rstrip(".") if cell["delta"] else "-"
        texts += [share, cell["published"] or "-", delta, verdict]
    return [*texts, row["preset"] or "-"]


def text(rows: Sequence[Mapping[str, Any]], without: Sequence[str], form: str, descriptions: Sequence[str] = ()) -> str:
    """The rows as md, csv or latex, and the models that lack weights: in md below, with the descriptions of results."""
    if form != "md":
        texts = [_texts(row) for row in (*rows, *(row for model in without for row in unmeasured(model)))]
        return flat_csv(HEADER, texts) if form == "csv" else latex(HEADER, texts)
    parts = [grid(HEADER, [_texts(row) for row in rows]), "In brackets the 95 % interval (Wilson)."]
    parts += descriptions
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
