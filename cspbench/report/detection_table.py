"""Measured AP as tables: one line per NMS threshold, then recall, classes, and the claims with their verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from cspbench.errors import printable
from cspbench.report.counts_table import flat_csv, grid, latex
from cspbench.zoo.catalogue import provenance

HEADER = ("Model", "Definition", "NMS", "AP", "AP50", "AP75", "APS", "APM", "APL", "n", "Split", "Size", "Preset")
METRICS = ("ap", "ap50", "ap75", "aps", "apm", "apl")
RECALLS = ("ar1", "ar10", "ar100", "ars", "arm", "arl")
CLAIMS = ("Model", "Row", "NMS", *HEADER[3:9])
RECALL = ("Model", "NMS", *(name.upper() for name in RECALLS))
CLASSES = ("Class", *HEADER[3:9], *RECALL[2:])
FLAT = (
    *HEADER,
    *RECALL[2:],
    "Class",
    "Row",
    *(f"{metric} {what}" for metric in HEADER[3:9] for what in ("claim", "delta", "verdict")),
)
"""In CSV, whose lines are all alike: one for each published row, or without any one, and one for each class."""


class _Part(NamedTuple):
    """A table, what is said before it and after it."""

    header: Sequence[str]
    lines: Sequence[Sequence[str]]
    before: str = ""
    after: str = ""


def _number(value: float | None, interval: Sequence[float] | None = None) -> str:
    if value is None:
        return "n/a"
    return f"{value:.3f}" if interval is None else f"{value:.3f} [{interval[0]:.2f}, {interval[1]:.2f}]"


def _nms(at: Mapping[str, Any]) -> str:
    """The threshold and kind of suppression; a result file says neither."""
    return "-" if at["nms"] is None else f"{at['nms']:g} {at['kind']}"


def _line(result: Mapping[str, Any], at: Mapping[str, Any]) -> list[str]:
    identity = result["identity"]
    numbers = [_number(at["ap"].get(metric), (at["intervals"] or {}).get(metric)) for metric in METRICS]
    if at["ap"] == {}:
        numbers = ["awaiting-server" if "submissions" in result else "partial"] + ["-"] * 5
    split = identity["data"]["split"]
    return [
        identity["model"],
        "file" if identity["file"] else provenance(identity["model"]),
        _nms(at),
        *numbers,
        str(result["images"]),
        f"{split}, partial" if result.get("partial") else split,
        "×".join(map(str, identity["size"])) or "-",
        result.get("described") or result["preset"],
    ]


def _rows(at: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Mapping[str, Any]]]]:
    """The published rows that a threshold's AP stands against, and their claims by metric."""
    rows: dict[tuple[str, str], dict[str, Mapping[str, Any]]] = {}
    for claim in at["claims"]:
        rows.setdefault((claim["table"], claim["id"]), {})[claim["metric"]] = claim
    for claims in rows.values():
        first = next(iter(claims.values()))
        yield f"{first['table']}: {first['row']}", claims


def _word(claim: Mapping[str, Any]) -> str:
    return f"{claim['verdict']}: {claim['reason']}" if claim["reason"] else str(claim["verdict"])


def _cell(claim: Mapping[str, Any] | None) -> str:
    """A claim, what was measured, their difference and the verdict, in one text."""
    if claim is None:
        return "-"
    measured = f" → {claim['measured']}" if claim["measured"] else ""
    delta = f" Δ{claim['delta']}" if claim["delta"] else ""
    return f"{claim['published']}{measured}{delta} {_word(claim)}"


def _classes(at: Mapping[str, Any]) -> list[list[str]]:
    return [
        [name, *(_number(values.get(metric)) for metric in (*METRICS, *RECALLS))]
        for name, values in (at["per_class"] or {}).items()
    ]


def _parts(results: Sequence[Mapping[str, Any]]) -> Iterator[_Part]:
    """The tables of a text that people read."""
    each = [(result, at) for result in results for at in result["thresholds"]]
    intervals = any(at["intervals"] for _, at in each)
    yield _Part(
        HEADER,
        [_line(result, at) for result, at in each],
        after="In brackets the 95 % interval (percentile bootstrap over images)." if intervals else "",
    )
    recall = [
        [result["identity"]["model"], _nms(at), *(_number(at["ap"].get(metric)) for metric in RECALLS)]
        for result, at in each
        if any(metric in at["ap"] for metric in RECALLS)
    ]
    if recall:
        yield _Part(RECALL, recall)
    claimed = [
        [result["identity"]["model"], row, f"{at['nms']:g}", *(_cell(claims.get(metric)) for metric in METRICS)]
        for result, at in each
        for row, claims in _rows(at)
    ]
    if claimed:
        yield _Part(CLAIMS, claimed, after="A claim, → what was measured, Δ their difference, and the verdict.")
    for result, at in each:
        if at["per_class"]:
            yield _Part(CLASSES, _classes(at), before=f"{result['identity']['model']}, NMS {_nms(at)}")


def _flat(results: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    """The lines of `FLAT`."""
    for result in results:
        for at in result["thresholds"]:
            line = _line(result, at)
            recall = [_number(at["ap"][metric]) if metric in at["ap"] else "-" for metric in RECALLS]
            for row, claims in list(_rows(at)) or [("-", {})]:
                found = [claims.get(metric) for metric in METRICS]
                texts = [
                    text
                    for claim in found
                    for text in ((claim["published"], claim["delta"] or "-", _word(claim)) if claim else ("-",) * 3)
                ]
                yield [*line, *recall, "all", row, *texts]
            for name, *numbers in _classes(at):
                yield [*line[:3], *numbers[:6], *line[9:], *numbers[6:], name, *("-",) * (1 + 3 * len(METRICS))]


def _made(result: Mapping[str, Any]) -> str:
    """Where a result's run is, and what its numbers are of: what `score` and `compare` ask for."""
    identity = result["identity"]
    if "file" in result:
        start = f"file {result['file']}; sha256 {identity['weights'][:12]}"
    else:
        start = f"run {result['run']}; weights sha256 {identity['weights'][:12]}"
    engines = dict.fromkeys(str(at["engine"]) for at in result["thresholds"] if at["engine"])
    parts = [
        start,
        f"data sha256 {identity['data']['sha256'][:12]}",
        *([f"engine {', '.join(engines)}"] if engines else []),
        *([f"{result.get('device') or 'unknown device'} {identity['precision']}"] if "file" not in result else []),
    ]
    why = dict.fromkeys(each for at in result["thresholds"] for claim in at["claims"] for each in claim.get("why", ()))
    if why:
        parts.append(f"made another way than the claims: {'; '.join(why)}")
    return printable("; ".join(parts))


def text(results: Sequence[Mapping[str, Any]], without: Sequence[str], form: str) -> str:
    """Results as md, csv or latex; in md where their runs are follows, and the models that lack weights."""
    if form == "csv":
        return flat_csv(FLAT, _flat(results))
    if form == "latex":
        found = "\n".join(latex(part.header, part.lines) for part in _parts(results))
        return found.replace("→", r"$\to$").replace("Δ", r"$\Delta$")
    texts = [
        each for part in _parts(results) for each in (part.before, grid(part.header, part.lines), part.after) if each
    ]
    if results:
        texts.append("\n".join(f"- {_made(result)}" if len(results) > 1 else _made(result) for result in results))
    if without:
        texts.append(f"unmeasured, no-weights: {', '.join(without)}")
    return "\n\n".join(texts) + "\n"


def failed(results: Sequence[Mapping[str, Any]]) -> bool:
    """Whether an AP is off."""
    return any(claim["verdict"] == "off" for result in results for at in result["thresholds"] for claim in at["claims"])
