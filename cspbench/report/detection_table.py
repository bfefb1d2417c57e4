"""Measured AP as tables: one line per NMS threshold, then recall, classes, and the claims with their verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from cspbench.claims.metrics import METRICS, PRECISIONS, of_family
from cspbench.errors import printable
from cspbench.report import judged_evaluations
from cspbench.report.formats import flat_csv, grid, latex
from cspbench.report.judged_evaluations import JudgedClaim, judged
from cspbench.results import protocol
from cspbench.results.schema import CocoIdentity, DetectionMetrics, Threshold
from cspbench.results.store import StoredEvaluation
from cspbench.zoo.registry import provenance

RECALLS = of_family("ar")
_PRECISIONS = tuple(METRICS[name].header for name in PRECISIONS)
HEADER = ("Model", "Definition", "NMS", *_PRECISIONS, "n", "Split", "Size", "Preset")
CLAIMS = ("Model", "Row", "NMS", *_PRECISIONS)
RECALL = ("Model", "NMS", *(METRICS[name].header for name in RECALLS))
CLASSES = ("Class", *_PRECISIONS, *RECALL[2:])
FLAT = (
    *HEADER,
    *RECALL[2:],
    "Class",
    "Row",
    *(f"{metric} {what}" for metric in _PRECISIONS for what in ("claim", "delta", "verdict")),
)
"""Columns of the CSV: a line for each published row (one where there is none), and one for each class."""

Numbers = Mapping[str, Decimal | None]


@dataclass(frozen=True)
class Scored:
    """One line: a run at one NMS threshold, or a file of detections, whose threshold is unknown."""

    model: str
    definition: str
    nms: str
    ap: Numbers
    intervals: Mapping[str, tuple[float, float] | None] | None
    per_class: Mapping[str, Numbers] | None
    images: int
    split: str
    size: str
    preset: str
    pending: str = ""
    """Why there are no numbers: awaiting-server, or partial."""
    claims: Sequence[JudgedClaim] = field(default=())


def of_evaluation(evaluation: StoredEvaluation) -> list[Scored]:
    """A line for each NMS threshold of a scored run."""
    identity, metrics, settings = evaluation.run.identity, evaluation.metrics, evaluation.run.settings
    assert isinstance(identity, CocoIdentity)
    assert isinstance(metrics, DetectionMetrics)
    assert settings is not None
    claims = judged(evaluation)
    split = str(identity.data.split)
    preset = "its own protocol" if identity.quoted else settings.name
    return [
        Scored(
            identity.model,
            "file" if identity.user_file else provenance(identity.model),
            f"{threshold.nms:g} {threshold.kind}",
            threshold.ap,
            threshold.intervals,
            threshold.per_class,
            metrics.images,
            f"{split}, partial" if evaluation.run.partial else split,
            "×".join(map(str, identity.size)),
            protocol.named(preset, protocol.of_detector(evaluation.run)),
            "" if threshold.ap else "awaiting-server" if metrics.submissions is not None else "partial",
            [claim for claim in claims if claim.belongs_to(threshold)],
        )
        for threshold in metrics.thresholds
    ]


class _Part(NamedTuple):
    """A table with the text before and after it."""

    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    before: str = ""
    after: str = ""


def _number(value: Decimal | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "n/a"
    return f"{value:.3f}" if interval is None else f"{value:.3f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _line(scored: Scored) -> list[str]:
    numbers = [_number(scored.ap.get(metric), (scored.intervals or {}).get(metric)) for metric in PRECISIONS]
    if scored.pending:
        numbers = [scored.pending] + ["-"] * (len(PRECISIONS) - 1)
    about = [str(scored.images), scored.split, scored.size or "-", scored.preset]
    return [scored.model, scored.definition, scored.nms, *numbers, *about]


def _rows(scored: Scored) -> Iterator[tuple[str, dict[str, JudgedClaim]]]:
    """The published rows of a threshold, and their claims by metric."""
    rows: dict[tuple[str, str], dict[str, JudgedClaim]] = {}
    for claim in scored.claims:
        rows.setdefault((claim.row.table, claim.row.id), {})[claim.cell.metric] = claim
    for claims in rows.values():
        first = next(iter(claims.values()))
        yield f"{first.row.table}: {first.row.label}", claims


def _delta(claim: JudgedClaim) -> str:
    """The difference without trailing zeros."""
    if claim.cell.delta is None:
        return ""
    value = Decimal(claim.cell.delta)
    return claim.cell.delta if not value else f"{value.normalize():+f}"


def _cell(claim: JudgedClaim | None) -> str:
    """Claim, measurement, difference and verdict in one text."""
    if claim is None:
        return "-"
    measured = f" → {claim.measured}" if claim.measured else ""
    delta = f" Δ{_delta(claim)}" if claim.cell.delta else ""
    return f"{claim.cell.claim}{measured}{delta} {claim.cell.mark}"


def _classes(scored: Scored) -> list[list[str]]:
    return [
        [name, *(_number(values.get(metric)) for metric in (*PRECISIONS, *RECALLS))]
        for name, values in (scored.per_class or {}).items()
    ]


def _parts(lines: Sequence[Scored]) -> Iterator[_Part]:
    """The tables of the markdown and LaTeX output."""
    intervals = any(scored.intervals for scored in lines)
    note = (
        "In brackets the 95 % interval (percentile bootstrap over images): where another draw of images would put it."
    )
    yield _Part(HEADER, list(map(_line, lines)), after=note if intervals else "")
    recall = [
        [scored.model, scored.nms, *(_number(scored.ap.get(metric)) for metric in RECALLS)]
        for scored in lines
        if any(metric in scored.ap for metric in RECALLS)
    ]
    if recall:
        yield _Part(RECALL, recall)
    claimed = [
        [scored.model, row, scored.nms, *(_cell(claims.get(metric)) for metric in PRECISIONS)]
        for scored in lines
        for row, claims in _rows(scored)
    ]
    if claimed:
        yield _Part(CLAIMS, claimed, after="Each cell: claim → measurement, Δ difference, verdict.")
    for scored in lines:
        if scored.per_class:
            yield _Part(CLASSES, _classes(scored), before=f"{scored.model}, NMS {scored.nms}")


def _flat(lines: Sequence[Scored]) -> Iterator[list[str]]:
    """The lines of `FLAT`."""
    for scored in lines:
        line = _line(scored)
        recall = [_number(scored.ap[metric]) if metric in scored.ap else "-" for metric in RECALLS]
        for row, claims in list(_rows(scored)) or [("-", {})]:
            texts = []
            for metric in PRECISIONS:
                claim = claims.get(metric)
                texts += [claim.cell.claim or "-", _delta(claim) or "-", claim.cell.mark] if claim else ["-"] * 3
            yield [*line, *recall, "all", row, *texts]
        for name, *numbers in _classes(scored):
            precisions, recalls = numbers[: len(PRECISIONS)], numbers[len(PRECISIONS) :]
            yield [*line[:3], *precisions, *line[9:], *recalls, name, *("-",) * (1 + 3 * len(PRECISIONS))]


def described(evaluation: StoredEvaluation) -> str:
    """Where a run is, and its weights, data, engine, device and decoder, on one line."""
    identity, metrics = evaluation.run.identity, evaluation.metrics
    assert isinstance(metrics, DetectionMetrics)
    engines = dict.fromkeys(threshold.engine for threshold in metrics.thresholds if threshold.engine)
    parts = [
        f"run {evaluation.where}; weights {identity.weights.partition(':')[2][:12]}",
        f"data sha256 {str(identity.data.sha256)[:12]}",
        *([f"engine {', '.join(engines)}"] if engines else []),
        f"{evaluation.run.sessions[-1].device or 'unknown device'} {identity.precision}",
        f"decoder {identity.preset.get('decoder', 'unknown')}",
    ]
    why = dict.fromkeys(text for claim in judged(evaluation) for text in claim.why)
    if why:
        parts.append(f"not the claims' protocol: {'; '.join(why)}")
    return printable("; ".join(parts))


def text(lines: Sequence[Scored], descriptions: Sequence[str], without: Sequence[str], form: str) -> str:
    """Lines as md, csv or latex; md adds the descriptions and the models without weights."""
    if form == "csv":
        return flat_csv(FLAT, _flat(lines))
    if form == "latex":
        joined = "\n".join(latex(part.header, part.lines) for part in _parts(lines))
        return joined.replace("→", r"$\to$").replace("Δ", r"$\Delta$")
    texts = [
        paragraph
        for part in _parts(lines)
        for paragraph in (part.before, grid(part.header, part.lines), part.after)
        if paragraph
    ]
    if descriptions:
        texts.append("\n".join(descriptions if len(descriptions) == 1 else (f"- {line}" for line in descriptions)))
    if without:
        texts.append(f"unmeasured, no-weights: {', '.join(without)}")
    return "\n\n".join(texts) + "\n"


def as_json(evaluation: StoredEvaluation) -> dict[str, Any]:
    """A scored run in the commands' JSON output: thresholds with their claims, and provenance."""
    identity, metrics, settings = evaluation.run.identity, evaluation.metrics, evaluation.run.settings
    assert isinstance(identity, CocoIdentity)
    assert isinstance(metrics, DetectionMetrics)
    assert settings is not None
    claims = judged(evaluation)
    preset = "its own protocol" if identity.quoted else settings.name
    plain: dict[str, Any] = msgspec.to_builtins(metrics)
    plain["thresholds"] = [
        {
            **threshold_json(threshold),
            "claims": [judged_evaluations.as_json(claim) for claim in claims if claim.belongs_to(threshold)],
        }
        for threshold in metrics.thresholds
    ]
    plain["darknet_map"] = None if metrics.darknet_map is None else metrics.darknet_map.as_json()
    return {
        **plain,
        "preset": preset,
        "described": protocol.named(preset, protocol.of_detector(evaluation.run)),
        "run": evaluation.where,
        "partial": evaluation.run.partial,
        "device": evaluation.run.sessions[-1].device,
        "provenance": {
            "sessions": msgspec.to_builtins(evaluation.run.sessions),
            "scored": msgspec.to_builtins(evaluation.run.scored),
            "weights": msgspec.to_builtins(evaluation.run.weights),
        },
    }


def threshold_json(threshold: Threshold) -> dict[str, Any]:
    """A threshold with its numbers as floats; no key is left out."""
    return {name: _plain(getattr(threshold, name)) for name in Threshold.__struct_fields__}


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return msgspec.to_builtins(value)
