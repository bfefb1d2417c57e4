"""Measurements by the cell that they are of: counts from params files, accuracies and AP from evaluations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import Any

from cspbench.claims import tables
from cspbench.claims.model import Row
from cspbench.claims.verdict import Reason, Verdict, Word, verdict
from cspbench.classification.accuracy import Accuracy
from cspbench.errors import CspbenchError, brief
from cspbench.report.model import Made
from cspbench.results import explain_counts, match, unreadable
from cspbench.results import protocol as faults
from cspbench.results.store import Counts, Evaluation, Sources, without_places
from cspbench.zoo.catalogue import MODELS, provenance, row_model

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
    def rank(self) -> tuple[bool, bool, int, str, str]:
        """What counts before what: complete ones, then those with fewer faults, then the newest."""
        complete = self.value is not None, not self.partial
        return *complete, -len(self.faults), self.made.when or "", self.made.run or ""


def by_cell(sources: Sources, then: faults.Networks | None = None) -> dict[Key, list[Measured]]:
    """All measurements, those of one cell in the order in which they count.

    They are held against the catalogue's networks as they are now, or as they were `then`.
    """
    found: dict[Key, list[Measured]] = {}
    for counts in sources.counts:
        for key, each in _reading(counts.where, _counted(counts, then)):
            found.setdefault(key, []).append(each)
    for evaluation in sources.evaluations:
        read = _accuracies if evaluation.identity["task"] == "imagenet" else _precisions
        for key, each in _reading(evaluation.where, read(evaluation, then)):
            found.setdefault(key, []).append(each)
    return {key: sorted(each, key=lambda one: one.rank, reverse=True) for key, each in found.items()}


def _reading(where: str, found: Iterator[tuple[Key, Measured]]) -> Iterator[tuple[Key, Measured]]:
    """What a file's reader finds; whatever it stumbles over is that file's fault."""
    try:
        yield from found
    except (LookupError, TypeError, ValueError, AttributeError, InvalidOperation, OverflowError) as error:
        raise CspbenchError(
            "results.not-results",
            "not a file of results",
            where=where,
            expected="what `cspbench params --save` or an evaluation wrote",
            found=brief(unreadable.words(error), 120),
            remedy="Make it again, or remove it",
        ) from None


@cache
def _rows() -> dict[tuple[str, str], Row]:
    kinds = ("published", "sample")
    return {(table.name, row.id): row for kind in kinds for table in tables.load_all(kind=kind) for row in table.rows}


def _counted(counts: Counts, then: faults.Networks | None) -> Iterator[tuple[Key, Measured]]:
    data = counts.data
    command = " ".join(without_places(data["command"]))
    for line in data["rows"]:
        row = _rows().get((line["table"], line["id"]))
        if row is None:
            continue
        found = {metric: each for metric in COUNTED if (each := _count(row, metric, line[metric])) is not None}
        other = _counted_otherwise(row, line, then)
        model, why = line["model"], {}
        if model in MODELS:
            why = {
                metric: explain_counts.why(row, row.cells[metric], model, value)
                for metric, (value, judged) in found.items()
                if judged.word is Word.OFF and line[metric]["counting"] == row.cells[metric].counting and not other
            }
        for metric, (value, judged) in found.items():
            counting = str(line[metric]["counting"])
            made = Made(
                command,
                str(data["cspbench"]),
                _text(data["commit"]),
                counting=counting,
                definition=provenance(model) if model in MODELS else "file",
            )
            rule = [] if counting == row.cells[metric].counting else [f"counted as {counting}"]
            known = why.get(metric, explain_counts.Why())
            yield (
                (row.table, row.id, metric),
                _held(
                    Measured(
                        Decimal(value),
                        judged,
                        made,
                        (*rule, *other),
                        note="; ".join(known.texts) or None,
                        explained=known.explained,
                    )
                ),
            )


def _count(row: Row, metric: str, counted: Mapping[str, Any]) -> tuple[int, Verdict] | None:
    """A count and its verdict; None where there is none."""
    value = counted["count"]
    if metric not in row.cells or value is None:
        return None
    if type(value) is not int or value < 0:
        raise ValueError(f"count {value!r}")
    model = row_model(row.table, row.id).model
    stand_in = model in MODELS and MODELS[model].definition == "stand-in"
    return value, verdict(row.cells[metric].counted_as(str(counted["counting"])), value, stand_in=stand_in)


def _counted_otherwise(row: Row, line: Mapping[str, Any], then: faults.Networks | None) -> list[str]:
    """Whether a line of counts is of another model than the row's, or of another network than the model's."""
    own, model = row_model(row.table, row.id).model, line["model"]
    if model != own:
        return [f"counted for {brief(str(model))}, not {own}"]
    return changed_since(line, then)


def changed_since(line: Mapping[str, Any], then: faults.Networks | None = None) -> list[str]:
    """Whether a line of counts is of another network than its model's; a line that records none says nothing."""
    model, size, network = line["model"], line.get("size"), line.get("network")
    if model not in MODELS or size is None or not isinstance(network, str):
        return []
    return faults.definition(model, size, network, then)


def _held(measured: Measured) -> Measured:
    return replace(measured, verdict=faults.held(measured.verdict, measured.faults))


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _made(evaluation: Evaluation, preset: str, row: Row) -> Made:
    run, identity, data = evaluation.run, evaluation.identity, evaluation.identity["data"]
    return Made(
        " ".join(map(str, run["command"])),
        str(run["cspbench"]),
        _text(run["commit"]),
        when=evaluation.when or None,
        definition=provenance(identity["model"]),
        weights=faults.weights_text(row, identity),
        data=_data(row, data, run.get("data")),
        preset=preset,
        precision=str(identity["precision"]),
        run=evaluation.name,
    )


def _data(row: Row, data: Mapping[str, Any], kept: Any) -> str:
    """What was measured on: "val2017, 50 of 5000 images, sha256 ..."."""
    of_sample = row.table in {*match.of_sample("imagenet"), *match.of_sample("coco")}
    place = "the drawn sample" if of_sample else data.get("split") or data.get("kind") or "images"
    images = "an unknown number of" if data.get("images") is None else f"{int(data['images'])}"
    limit = data.get("limit") or (kept.get("limit") if isinstance(kept, dict) else None)
    part = f"{int(limit)} of {images}" if limit is not None else images
    return f"{place}, {part} images" + (f", sha256 {data['sha256']}" if data.get("sha256") else "")


def _data_faults(judged: Verdict, partial: bool) -> list[str]:
    if partial:
        return ["a part of the data only"]
    return ["other data than the claim's"] if judged.reason is Reason.OTHER_SPLIT else []


_INCOMPLETE = "incomplete: the run can be resumed"


def _missing(evaluation: Evaluation, row: Row, metric: str, preset: str) -> tuple[Key, Measured]:
    cell = row.cells[metric]
    judged = Verdict(Word.UNMEASURED, cell.value, None, reason=Reason.PARTIAL)
    if not cell.published:
        judged = Verdict(Word.UNPUBLISHED, None, None)
    found = Measured(None, judged, _made(evaluation, preset, row), (_INCOMPLETE,), partial=True)
    return (row.table, row.id, metric), found


def _accuracies(evaluation: Evaluation, then: faults.Networks | None) -> Iterator[tuple[Key, Measured]]:
    identity, metrics = evaluation.identity, evaluation.metrics
    partial = "limit" in identity["data"]
    for row in match.of_classifier(identity):
        fields = faults.of_classifier(identity)
        preset = str(identity["preset"]["name"])
        other = [] if preset in (*match.CARDS, "readme") else [f"preset {preset}, not readme"]
        other += [*faults.said(fields), *faults.weights(row, identity), *faults.network(identity, then)]
        judged = match.accuracies(row, metrics) if metrics is not None else {}
        for metric in match.ACCURACIES:
            if metric not in row.cells:
                continue
            if metrics is None:
                yield _missing(evaluation, row, metric, faults.named(preset, fields))
                continue
            share = Accuracy(int(metrics[metric]["correct"]), int(metrics[metric]["total"]))
            measured = Measured(
                share.percent,
                judged[metric],
                _made(evaluation, faults.named(preset, fields), row),
                (*_data_faults(judged[metric], partial), *other),
                partial,
                share.interval,
            )
            yield (row.table, row.id, metric), _held(measured)


def _precisions(evaluation: Evaluation, then: faults.Networks | None) -> Iterator[tuple[Key, Measured]]:
    identity, run = evaluation.identity, evaluation.run
    partial = run["data"].get("limit") is not None
    usual, kind = faults.suppression(run)
    fields = faults.of_detector(run)
    name = "its own recipe" if identity["quoted"] else str(run["preset"]["name"])
    named = faults.named(name, fields)
    own = [] if identity["quoted"] or name == "readme" else [f"preset {name}, not readme"]
    own += [*faults.said(fields), *faults.network(identity, then)]
    if evaluation.metrics is None:
        for row in match.of_detector(identity, usual):
            for metric in row.cells.keys() & match.PRECISIONS:
                yield _missing(evaluation, row, metric, named)
        return
    thresholds = [_At.read(each, usual, kind) for each in evaluation.metrics["thresholds"]]
    for at in thresholds:
        percent = {each: _decimal(at.ap.get(each)) for each in match.PRECISIONS}
        preset = named if identity["quoted"] else f"{named}, NMS {at.nms:g} {at.kind}"
        for row in match.of_detector(identity, at.nms):
            other = [*own, *at.otherwise, *faults.weights(row, identity)]
            if "Threshold" not in row.settings and not at.usual:
                if any(each.usual and (each.ap or not at.ap) for each in thresholds):
                    continue  # the run has the number that the claim is about
                if at.nms != usual:
                    other.append(f"NMS {at.nms:g}, not the preset's {usual:g}")
            judged = match.precisions(row, identity, percent, at.intervals, partial)
            for metric, found in judged.items():
                measured = Measured(
                    percent[metric],
                    found,
                    _made(evaluation, preset, row),
                    (*_data_faults(found, partial), *other),
                    partial,
                    at.intervals[metric],
                )
                yield (row.table, row.id, metric), _held(measured)


@dataclass(frozen=True)
class _At:
    """What a run has at one NMS threshold; `usual` is its preset's own, `otherwise` the fault in the kind of NMS."""

    nms: float
    kind: str
    ap: Mapping[str, Any]
    intervals: Mapping[str, tuple[float, float] | None]
    usual: bool
    otherwise: tuple[str, ...]

    @classmethod
    def read(cls, at: Mapping[str, Any], usual: float, kind: str | None) -> _At:
        """Of an entry of a metrics.json, where the preset has that threshold and asks for that kind, if for any."""
        nms, asked = float(at["nms"]), str(at.get("asked", at["kind"]))
        otherwise = () if kind is None or asked == kind else (f"nms_kind {brief(asked)}, not {kind}",)
        bounds = at["intervals"] or {}
        intervals = {each: _interval(bounds.get(each)) for each in match.PRECISIONS}
        return cls(nms, str(at["kind"]), dict(at["ap"]), intervals, nms == usual and not otherwise, otherwise)


def _decimal(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(float(value)))


def _interval(value: Any) -> tuple[float, float] | None:
    return None if value is None else (float(value[0]), float(value[1]))
