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
from cspbench.report.formats import Block, Column, Paragraph, Table, flat_csv, latex_tables, markdown
from cspbench.report.judged_evaluations import (
    CLAIMED,
    JudgedClaim,
    by_row,
    deviations,
    flat_claim,
    flat_row,
    judged,
)
from cspbench.report.text import delta
from cspbench.results import protocol
from cspbench.results.map_record import MapRecord
from cspbench.results.schema import CocoIdentity, DetectionMetrics, Threshold
from cspbench.results.store import StoredEvaluation
from cspbench.zoo.registry import provenance

RECALLS = of_family("ar")
_PRECISIONS = tuple(METRICS[name].header for name in PRECISIONS)
_NUMBERS = tuple(Column(header, kind="number") for header in _PRECISIONS)
_RECALLS = tuple(Column(METRICS[name].header, 2, "number") for name in RECALLS)
COLUMNS = (
    *(Column("Model"), Column("Definition", 5), Column("NMS"), *_NUMBERS, Column("n", 2, "number")),
    *(Column("Split", 1), Column("Size", 3), Column("Preset", 4)),
)
CLAIMS = (Column("Model", 2), Column("Row"), Column("NMS"), *(Column(name, kind="verdict") for name in _PRECISIONS))
RECALL = (Column("Model"), Column("NMS"), *(Column(column.header, kind="number") for column in _RECALLS))
CLASSES = (Column("Class"), Column("Objects", kind="number"), *_NUMBERS, *_RECALLS)
FLAT = (
    *("model", "definition", "nms", "nms_kind", "class", "objects"),
    *(f"{metric}{what}" for metric in PRECISIONS for what in ("", "_low", "_high")),
    *RECALLS,
    *("darknet_map", "n", "split", "partial", "pending", "size", "preset", "table", "row", "id"),
    *(f"{metric}{what}" for metric in PRECISIONS for what in CLAIMED),
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
    nms: float | None
    kind: str | None
    ap: Numbers
    intervals: Mapping[str, tuple[float, float] | None] | None
    per_class: Mapping[str, Numbers] | None
    images: int
    split: str
    size: str | None
    preset: str | None
    partial: bool = False
    """Whether it is of a part of the data."""
    pending: str = ""
    """Why there are no numbers: awaiting-server, or partial."""
    claims: Sequence[JudgedClaim] = ()
    objects: Mapping[str, int] | None = None
    """How many objects each class has, where the annotations are at hand."""
    darknet_map: MapRecord | None = None

    @property
    def suppression(self) -> str:
        """Threshold and kind of NMS."""
        return "-" if self.nms is None else f"{self.nms:g} {self.kind}"

    @property
    def by_precision(self) -> list[tuple[str, Numbers]]:
        """The numbers of each class, the highest AP first, of equals that of fewer objects; without objects last."""

        def place(each: tuple[str, Numbers]) -> tuple[Decimal, int]:
            ap = each[1].get("ap")
            return Decimal(1) if ap is None else -ap, (self.objects or {}).get(each[0], 0)

        return sorted((self.per_class or {}).items(), key=place)


def _about(evaluation: StoredEvaluation) -> tuple[CocoIdentity, DetectionMetrics, str, str]:
    """Identity and metrics of a scored run, and its preset without and with what deviates from it."""
    identity, metrics, settings = evaluation.run.identity, evaluation.metrics, evaluation.run.settings
    assert isinstance(identity, CocoIdentity)
    assert isinstance(metrics, DetectionMetrics)
    assert settings is not None
    preset = "its own protocol" if identity.quoted else settings.name
    return identity, metrics, preset, protocol.preset_text(preset, protocol.of_detector(evaluation.run))


def of_evaluation(evaluation: StoredEvaluation, objects: Mapping[str, int] | None = None) -> list[Scored]:
    """A line for each NMS threshold of a scored run; `objects` is their number by class."""
    identity, metrics, _, preset = _about(evaluation)
    claims = judged(evaluation)
    return [
        Scored(
            identity.model,
            "file" if identity.user_file else provenance(identity.model),
            threshold.nms,
            threshold.kind,
            threshold.ap,
            threshold.intervals,
            threshold.per_class,
            metrics.images,
            str(identity.data.split),
            "×".join(map(str, identity.size)),
            preset,
            evaluation.run.partial,
            "" if threshold.ap else "awaiting-server" if metrics.submissions is not None else "partial",
            _of_threshold(threshold, claims),
            objects,
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
    split = f"{scored.split}, partial" if scored.partial else scored.split
    about = [str(scored.images), split, scored.size or "-", scored.preset or "-"]
    return [scored.model, scored.definition, scored.suppression, *numbers, *about]


def _cell(claim: JudgedClaim | None) -> str:
    """Claim, measurement, difference and verdict in one text."""
    if claim is None:
        return "-"
    measured = f" → {claim.measured}" if claim.measured else ""
    difference = f" Δ{delta(claim.cell)}" if claim.cell.delta else ""
    return f"{claim.cell.claim}{measured}{difference} {claim.cell.mark}"


def _brief_cell(claim: JudgedClaim | None) -> str:
    """Claim, difference unless that is 0, and verdict, where the measurement stands above."""
    if claim is None:
        return "-"
    difference = delta(claim.cell)
    return " ".join(
        [str(claim.cell.claim), *([f"Δ{difference}"] if difference not in (None, "0") else []), claim.cell.mark]
    )


def _classes(scored: Scored) -> list[list[str]]:
    return [
        [name, _objects(scored, name), *(_number(values.get(metric)) for metric in (*PRECISIONS, *RECALLS))]
        for name, values in scored.by_precision
    ]


def _objects(scored: Scored, name: str) -> str:
    count = (scored.objects or {}).get(name)
    return "-" if count is None else str(count)


def blocks(
    lines: Sequence[Scored], descriptions: Sequence[str], without: Sequence[str], ends: int | None = None
) -> list[Block]:
    """Tables of AP, recall, claims and classes, the descriptions, and the models without weights by name.

    With `ends` only so many of the best and of the worst classes are shown, at a model's first threshold, and claims
    without the measurements that stand above them.
    """
    cell = _cell if ends is None else _brief_cell
    parts: list[Block] = [Table(COLUMNS, list(map(_line, lines)))]
    if any(scored.intervals for scored in lines):
        parts.append(Paragraph(INTERVALS, "legend"))
    recall = [
        [scored.model, scored.suppression, *(_number(scored.ap.get(metric)) for metric in RECALLS)]
        for scored in lines
        if any(metric in scored.ap for metric in RECALLS)
    ]
    if recall:
        parts.append(Table(RECALL, recall))
    claimed = [
        [scored.model, row, scored.suppression, *(cell(claims.get(metric)) for metric in PRECISIONS)]
        for scored in lines
        for row, claims in by_row(scored.claims)
    ]
    if claimed:
        shown = "claim → measurement" if ends is None else "claim"
        parts += [Table(CLAIMS, claimed), Paragraph(f"Each cell: {shown}, Δ difference, verdict.", "legend")]
    parts += _class_blocks(lines, ends)
    if descriptions:
        several = len(descriptions) > 1
        parts.append(Paragraph("\n".join(f"- {line}" if several else line for line in descriptions), "aside"))
    if without:
        parts.append(Paragraph(f"unmeasured, no-weights: {', '.join(without)}"))
    return parts


def _class_blocks(lines: Sequence[Scored], ends: int | None) -> Iterator[Block]:
    """A table of classes for each line that has them."""
    seen = set()
    for scored in lines:
        if not scored.per_class or (ends is not None and scored.model in seen):
            continue
        seen.add(scored.model)
        heading, classes = f"{scored.model}, NMS {scored.suppression}", _classes(scored)
        present = sum(numbers.get("ap") is not None for _, numbers in scored.by_precision)
        if ends is not None and present > 2 * ends:
            yield Paragraph(f"{heading}: the {ends} best of {present} classes with objects", "heading")
            yield Table(CLASSES, classes[:ends])
            yield Paragraph(f"and the {ends} worst", "heading")
            yield Table(CLASSES, classes[present - ends : present])
        else:
            yield Paragraph(heading, "heading")
            yield Table(CLASSES, classes)


def _flat(lines: Sequence[Scored]) -> Iterator[list[object]]:
    """The lines of `FLAT`, full numbers in percent."""
    for scored in lines:
        about = [scored.model, scored.definition, scored.nms, scored.kind]
        partial = "yes" if scored.partial else "no"
        on = [scored.images, scored.split, partial, scored.pending or None, scored.size, scored.preset]
        whole, record = list(_flat_numbers(scored.ap, scored.intervals)), scored.darknet_map
        of_class = {each.name: _rounded(100 * each.ap) for each in record.classes} if record else {}
        mean = _rounded(100 * record.mean) if record else None
        for row, claims in flat_row(scored.claims):
            cells = [text for metric in PRECISIONS for text in flat_claim(claims.get(metric))]
            yield [*about, "all", None, *whole, mean, *on, *row, *cells]
        for name, numbers in scored.by_precision:
            cells = [None] * (3 + len(PRECISIONS) * len(CLAIMED))
            found = *_flat_numbers(numbers, None), of_class.get(name)
            yield [*about, name, (scored.objects or {}).get(name), *found, *on, *cells]


def _flat_numbers(
    numbers: Numbers, intervals: Mapping[str, tuple[float, float] | None] | None
) -> Iterator[Decimal | float | None]:
    for metric in PRECISIONS:
        yield _rounded(numbers.get(metric))
        yield from map(_rounded, (intervals or {}).get(metric) or (None, None))
    for metric in RECALLS:
        yield _rounded(numbers.get(metric))


def _rounded(number: Decimal | float | None) -> float | None:
    return None if number is None else round(float(number), 4)


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
    parts = blocks(lines, descriptions, without)
    return latex_tables(parts) if form == "latex" else markdown(parts)


def class_csv(lines: Sequence[Scored]) -> str:
    """The lines of classes alone, as CSV."""
    place, end = FLAT.index("class"), FLAT.index("table")
    return flat_csv(FLAT[:end], [line[:end] for line in _flat(lines) if line[place] != "all"])


def as_json(evaluation: StoredEvaluation, objects: Mapping[str, int] | None = None) -> dict[str, Any]:
    """A scored run in the commands' JSON output: thresholds with their claims, objects by class, and provenance."""
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
        "objects": None if objects is None else dict(objects),
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
