"""Measured AP as tables: one line per NMS threshold, then recall, classes, and the claims with their verdicts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec

from cspbench.claims.metrics import METRICS, PRECISIONS, of_family
from cspbench.errors import printable
from cspbench.report import judged_evaluations
from cspbench.report.formats import flat_csv, grid, latex
from cspbench.report.judged_evaluations import JudgedClaim, by_row, deviations, judged
from cspbench.report.text import delta
from cspbench.results import protocol
from cspbench.results.map_record import MapRecord
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
    "Darknet mAP",
)
"""Columns of the CSV: a line for each published row (one where there is none), and one for each class.

Darknet's mAP is that of the run, and the AP of a class in its line.
"""

INTERVALS = (
    "In brackets the 95 % interval (percentile bootstrap over images): where another draw of images would put it."
)

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
    claims: Sequence[JudgedClaim] = ()
    darknet_map: MapRecord | None = None


def _about(evaluation: StoredEvaluation) -> tuple[CocoIdentity, DetectionMetrics, str, str]:
    """Identity and metrics of a scored run, and its preset without and with what deviates from it."""
    identity, metrics, settings = evaluation.run.identity, evaluation.metrics, evaluation.run.settings
    assert isinstance(identity, CocoIdentity)
    assert isinstance(metrics, DetectionMetrics)
    assert settings is not None
    preset = "its own protocol" if identity.quoted else settings.name
    return identity, metrics, preset, protocol.preset_text(preset, protocol.of_detector(evaluation.run))


def of_evaluation(evaluation: StoredEvaluation) -> list[Scored]:
    """A line for each NMS threshold of a scored run."""
    identity, metrics, _, preset = _about(evaluation)
    claims = judged(evaluation)
    split = str(identity.data.split)
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
            preset,
            "" if threshold.ap else "awaiting-server" if metrics.submissions is not None else "partial",
            _of_threshold(threshold, claims),
            metrics.darknet_map,
        )
        for threshold in metrics.thresholds
    ]


def _of_threshold(threshold: Threshold, claims: Sequence[JudgedClaim]) -> list[JudgedClaim]:
    """Claims on what was measured there; one NMS threshold may be scored with several kinds of NMS."""
    return [claim for claim in claims if claim.suppression == (threshold.nms, threshold.kind)]


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


def _cell(claim: JudgedClaim | None) -> str:
    """Claim, measurement, difference and verdict in one text."""
    if claim is None:
        return "-"
    measured = f" → {claim.measured}" if claim.measured else ""
    difference = f" Δ{delta(claim.cell)}" if claim.cell.delta else ""
    return f"{claim.cell.claim}{measured}{difference} {claim.cell.mark}"


def _classes(scored: Scored) -> list[list[str]]:
    return [
        [name, *(_number(values.get(metric)) for metric in (*PRECISIONS, *RECALLS))]
        for name, values in (scored.per_class or {}).items()
    ]


def _parts(lines: Sequence[Scored]) -> Iterator[tuple[str, Sequence[str], Sequence[Sequence[str]], str]]:
    """The tables of the markdown and LaTeX output: the text before, header, lines, and the text after."""
    yield "", HEADER, list(map(_line, lines)), INTERVALS if any(scored.intervals for scored in lines) else ""
    recall = [
        [scored.model, scored.nms, *(_number(scored.ap.get(metric)) for metric in RECALLS)]
        for scored in lines
        if any(metric in scored.ap for metric in RECALLS)
    ]
    if recall:
        yield "", RECALL, recall, ""
    claimed = [
        [scored.model, row, scored.nms, *(_cell(claims.get(metric)) for metric in PRECISIONS)]
        for scored in lines
        for row, claims in by_row(scored.claims)
    ]
    if claimed:
        yield "", CLAIMS, claimed, "Each cell: claim → measurement, Δ difference, verdict."
    for scored in lines:
        if scored.per_class:
            yield f"{scored.model}, NMS {scored.nms}", CLASSES, _classes(scored), ""


def _flat(lines: Sequence[Scored]) -> Iterator[list[str]]:
    """The lines of `FLAT`."""
    for scored in lines:
        line = _line(scored)
        recall = [_number(scored.ap[metric]) if metric in scored.ap else "-" for metric in RECALLS]
        record = scored.darknet_map
        darknet = (
            {of_class.name: f"{100 * of_class.ap:.2f}" for of_class in record.classes} if record is not None else {}
        )
        for row, claims in by_row(scored.claims) or [("-", {})]:
            texts = []
            for metric in PRECISIONS:
                claim = claims.get(metric)
                texts += [claim.cell.claim or "-", delta(claim.cell) or "-", claim.cell.mark] if claim else ["-"] * 3
            mean = "-" if record is None else f"{100 * record.mean:.2f}"
            yield [*line, *recall, "all", row, *texts, mean]
        for name, *numbers in _classes(scored):
            precisions, recalls = numbers[: len(PRECISIONS)], numbers[len(PRECISIONS) :]
            dashes = ("-",) * (1 + 3 * len(PRECISIONS))
            yield [*line[:3], *precisions, *line[9:], *recalls, name, *dashes, darknet.get(name, "-")]


def described(evaluation: StoredEvaluation) -> str:
    """Where a run is, and its weights, data, engine, device and decoder, on one line."""
    identity, metrics, *_ = _about(evaluation)
    engines = dict.fromkeys(threshold.engine for threshold in metrics.thresholds if threshold.engine)
    parts = [
        f"run {evaluation.where}; weights {identity.weights.partition(':')[2][:12]}",
        f"data sha256 {str(identity.data.sha256)[:12]}",
        *([f"engine {', '.join(engines)}"] if engines else []),
        f"{evaluation.run.sessions[-1].device or 'unknown device'} {identity.precision}",
        f"decoder {identity.preset.get('decoder', 'unknown')}",
        *deviations(judged(evaluation)),
    ]
    return printable("; ".join(parts))


def text(lines: Sequence[Scored], descriptions: Sequence[str], without: Sequence[str], form: str) -> str:
    """Lines as md, csv or latex; md adds the descriptions and the models without weights."""
    if form == "csv":
        return flat_csv(FLAT, _flat(lines))
    if form == "latex":
        return "\n".join(latex(header, rows) for _, header, rows, _ in _parts(lines))
    texts = [
        paragraph
        for before, header, rows, after in _parts(lines)
        for paragraph in (before, grid(header, rows), after)
        if paragraph
    ]
    if descriptions:
        texts.append("\n".join(descriptions if len(descriptions) == 1 else (f"- {line}" for line in descriptions)))
    if without:
        texts.append(f"unmeasured, no-weights: {', '.join(without)}")
    return "\n\n".join(texts) + "\n"


def as_json(evaluation: StoredEvaluation) -> dict[str, Any]:
    """A scored run in the commands' JSON output: thresholds with their claims, and provenance."""
    _, metrics, preset, whole_preset = _about(evaluation)
    claims = judged(evaluation)
    plain: dict[str, Any] = msgspec.to_builtins(metrics)
    plain["thresholds"] = [
        {**threshold_json(threshold), "claims": list(map(judged_evaluations.as_json, _of_threshold(threshold, claims)))}
        for threshold in metrics.thresholds
    ]
    plain["darknet_map"] = None if metrics.darknet_map is None else metrics.darknet_map.as_json()
    return {
        **plain,
        "preset": preset,
        "described": whole_preset,
        "run": evaluation.where,
        "partial": evaluation.run.partial,
        "device": evaluation.run.sessions[-1].device,
        "provenance": judged_evaluations.provenance_json(evaluation.run),
    }


def threshold_json(threshold: Threshold) -> dict[str, Any]:
    """A threshold with its numbers as floats; no key is left out."""
    fields = {name: getattr(threshold, name) for name in Threshold.__struct_fields__}
    plain: dict[str, Any] = json.loads(msgspec.json.Encoder(decimal_format="number").encode(fields))
    return plain
