"""Measurements by the cell that they are of: counts from params files, accuracies and AP from evaluations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from cspbench import tables
from cspbench.claims import Cell, Row
from cspbench.errors import CspbenchError, brief
from cspbench.evaluate import claimed
from cspbench.evaluate.accuracy import Accuracy
from cspbench.network.network import digest
from cspbench.report.cells import Made
from cspbench.report.sources import Counts, Evaluation, Sources
from cspbench.report.verdicts import Reason, Verdict, Word, verdict
from cspbench.zoo.catalogue import MODELS, provenance

Key = tuple[str, str, str]
"""Table, row id, metric."""
COUNTED = ("params", "bflops")


@dataclass(frozen=True)
class Measured:
    """One measurement of one cell. `value` is in single parameters or operations, or percent; None if incomplete.

    `faults` are the reasons why it is not what the claim is about, gravest first; empty for one that may count.
    """

    value: Decimal | None
    verdict: Verdict
    made: Made
    faults: tuple[str, ...] = ()
    partial: bool = False
    interval: tuple[float, float] | None = None
    note: str | None = None
    explained: bool = False

    @property
    def rank(self) -> tuple[bool, int, str, str]:
        """What counts before what: complete ones, then those with fewer faults, then the newest."""
        return self.value is not None, -len(self.faults), self.made.when or "", self.made.run or ""


def by_cell(sources: Sources) -> dict[Key, list[Measured]]:
    """All measurements, those of one cell in the order in which they count."""
    found: dict[Key, list[Measured]] = {}
    for counts in sources.counts:
        for key, each in _reading(counts.where, _counted(counts)):
            found.setdefault(key, []).append(each)
    for evaluation in sources.evaluations:
        read = _accuracies if evaluation.identity["task"] == "imagenet" else _precisions
        for key, each in _reading(evaluation.where, read(evaluation)):
            found.setdefault(key, []).append(each)
    return {key: sorted(each, key=lambda one: one.rank, reverse=True) for key, each in found.items()}


def _reading(where: str, found: Iterator[tuple[Key, Measured]]) -> Iterator[tuple[Key, Measured]]:
    """What a file's reader finds; whatever it stumbles over is that file's fault."""
    try:
        yield from found
    except (LookupError, TypeError, ValueError, AttributeError, InvalidOperation, OverflowError) as error:
        raise CspbenchError(
            "not a file of results",
            where=where,
            expected="what `cspbench params --save` or an evaluation wrote",
            found=brief(f"{type(error).__name__}: {error}"),
            remedy="Make it again, or remove it",
        ) from None


@cache
def _rows() -> dict[tuple[str, str], Row]:
    kinds = ("published", "sample")
    return {(table.name, row.id): row for kind in kinds for table in tables.load_all(kind=kind) for row in table.rows}


def _counted(counts: Counts) -> Iterator[tuple[Key, Measured]]:
    data = counts.data
    command = " ".join(data["command"])
    for line in data["rows"]:
        row = _rows().get((line["table"], line["id"]))
        for metric in COUNTED:
            if row is None or metric not in row.cells or line[metric]["count"] is None:
                continue
            cell, value = row.cells[metric], line[metric]["count"]
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"count {value!r}")
            model = line["model"]
            made = Made(
                command,
                str(data["cspbench"]),
                _text(data["commit"]),
                counting=str(line[metric]["counting"]),
                definition=provenance(model) if model in MODELS else "file",
            )
            stand_in = model in MODELS and MODELS[model].definition == "stand-in"
            judged = verdict(cell, value, stand_in=stand_in)
            off = judged.word is Word.OFF
            yield (
                (row.table, row.id, metric),
                Measured(
                    Decimal(value),
                    judged,
                    made,
                    (f"counted as {made.counting}",) if made.counting != cell.counting else (),
                    note=_text(line["note"]) if off else None,
                    explained=off and line[metric].get("explained") is True,
                ),
            )


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _made(evaluation: Evaluation, preset: str) -> Made:
    run, identity, data = evaluation.run, evaluation.identity, evaluation.identity["data"]
    images = "an unknown number of" if data.get("images") is None else f"{int(data['images'])}"
    place = data.get("split") or data.get("kind") or "images"
    return Made(
        " ".join(map(str, run["command"])),
        str(run["cspbench"]),
        _text(run["commit"]),
        when=evaluation.when or None,
        definition=provenance(identity["model"]),
        weights=_text(identity["weights"]),
        data=f"{place}, {images} images" + (f", sha256 {data['sha256']}" if data.get("sha256") else ""),
        preset=preset,
        precision=str(identity["precision"]),
        run=evaluation.name,
    )


def _faults(evaluation: Evaluation, judged: Verdict, partial: bool) -> list[str]:
    identity, found = evaluation.identity, []
    if partial:
        found.append("a part of the data only")
    elif judged.reason is Reason.OTHER_SPLIT:
        found.append("other data than the claim's")
    model = MODELS.get(identity["model"])
    if model is not None and not identity["file"]:
        height, width = identity["size"]
        if identity["definition"] != digest(model.build().resized(int(height), int(width))):
            found.append("the network has changed since")
    if identity["precision"] != "fp32":
        found.append(f"{identity['precision']} arithmetic")
    return found


_INCOMPLETE = "incomplete: the run can be resumed"


def _missing(evaluation: Evaluation, cell: Cell, preset: str) -> Measured:
    judged = Verdict(Word.UNMEASURED, cell.value, None, reason=Reason.PARTIAL)
    if not cell.published:
        judged = Verdict(Word.UNPUBLISHED, None, None)
    return Measured(None, judged, _made(evaluation, preset), (_INCOMPLETE,), partial=True)


def _accuracies(evaluation: Evaluation) -> Iterator[tuple[Key, Measured]]:
    identity, metrics = evaluation.identity, evaluation.metrics
    preset = str(identity["preset"]["name"])
    for row in claimed.of_classifier(identity):
        judged = claimed.accuracies(row, metrics) if metrics is not None else {}
        for metric in claimed.ACCURACIES:
            if metric not in row.cells:
                continue
            if metrics is None:
                yield (row.table, row.id, metric), _missing(evaluation, row.cells[metric], preset)
                continue
            share = Accuracy(int(metrics[metric]["correct"]), int(metrics[metric]["total"]))
            partial = "limit" in identity["data"]
            faults = _faults(evaluation, judged[metric], partial)
            if preset == "head":
                faults.append("preset head, not readme")
            yield (
                (row.table, row.id, metric),
                Measured(
                    share.percent,
                    judged[metric],
                    _made(evaluation, preset),
                    tuple(faults),
                    partial,
                    share.interval,
                ),
            )


def _precisions(evaluation: Evaluation) -> Iterator[tuple[Key, Measured]]:
    identity, run = evaluation.identity, evaluation.run
    partial = run["data"].get("limit") is not None
    name = str(run["preset"]["name"])
    if evaluation.metrics is None:
        for row in claimed.of_detector(identity, float(run["preset"]["nms"])):
            for metric in row.cells.keys() & claimed.PRECISIONS:
                yield (row.table, row.id, metric), _missing(evaluation, row.cells[metric], name)
        return
    for at in evaluation.metrics["thresholds"]:
        percent = {each: _decimal(at["ap"].get(each)) for each in claimed.PRECISIONS}
        intervals = {each: _interval((at["intervals"] or {}).get(each)) for each in claimed.PRECISIONS}
        for row in claimed.of_detector(identity, float(at["nms"])):
            judged = claimed.precisions(row, identity, percent, intervals, partial)
            for metric, found in judged.items():
                faults = _faults(evaluation, found, partial)
                if not identity["quoted"] and name != "readme":
                    faults.append(f"preset {name}, not readme")
                if "Threshold" not in row.settings and float(at["nms"]) != float(run["preset"]["nms"]):
                    faults.append(f"NMS {at['nms']:g}, not the preset's {run['preset']['nms']:g}")
                preset = "its own recipe" if identity["quoted"] else f"{name}, NMS {at['nms']:g} {at['kind']}"
                yield (
                    (row.table, row.id, metric),
                    Measured(
                        percent[metric],
                        found,
                        _made(evaluation, preset),
                        tuple(faults),
                        partial,
                        intervals[metric],
                    ),
                )


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(float(value)))


def _interval(value: Any) -> tuple[float, float] | None:
    return None if value is None else (float(value[0]), float(value[1]))
