"""The cells of the published tables with what was measured for each: what every report and comparison shows.

    gather (params.json, evaluations/*.json, run directories)  ->  list[Line]  ->  md, html, csv, latex, ci

Numbers stay decimal texts, so that nothing is rounded on the way and the same results give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from cspbench.errors import CspbenchError, brief
from cspbench.results import unreadable

SCHEMA = 1
_NAMELESS = "Ours"


@dataclass(frozen=True)
class Made:
    """How a measured number was made; None where that says nothing about it."""

    command: str
    version: str
    """Of cspbench."""
    commit: str | None = None
    when: str | None = None
    """UTC, ISO 8601; of an evaluation."""
    counting: str | None = None
    definition: str | None = None
    """Where the network's definition comes from: "cfg", "reconstruction, high", ..."""
    weights: str | None = None
    """sha256 of the weight file, and whether there was no published one to compare it with."""
    data: str | None = None
    """"val2017, 5000 images, sha256 ...": what it was measured on."""
    preset: str | None = None
    """With everything that overrides it: "readme with conf 0.3, NMS 0.6 default"."""
    precision: str | None = None
    run: str | None = None
    """The run's name."""


@dataclass(frozen=True)
class Other:
    """Another measurement of the same cell, which does not count, and why."""

    measured: str | None
    why: str
    made: Made
    partial: bool = False
    """Measured on a part of the data only."""


@dataclass(frozen=True)
class Compared:
    """A parenthesised comparison, such as "(-34%)": as printed, and as it follows from the two measurements."""

    printed: str
    measured: str | None
    base: str
    """The label of the row compared with."""

    @property
    def verdict(self) -> str:
        """`exact`, `off`, or `unmeasured` where a measurement is missing."""
        return "unmeasured" if self.measured is None else "exact" if self.measured == self.printed else "off"


@dataclass(frozen=True)
class ReportedCell:
    """One number of a table: the claim, the measurement as the publisher would have printed it, and the verdict."""

    metric: str
    header: str
    """The column's, as printed."""
    printed: str
    """The whole cell as published, "27.61M (-34%)"; "-" without a claim."""
    unit: str
    claim: str | None
    measured: str | None
    """In `unit`, rounded as the publisher rounded where there is a claim."""
    exact: str | None
    """The measurement before that rounding: single parameters or operations, percent."""
    delta: str | None
    """`measured` - `claim`, signed; None where they must not be compared."""
    verdict: str
    reason: str | None = None
    interval: tuple[str, str] | None = None
    """95 %, in `unit`."""
    explained: bool = False
    """An `off` cell whose cause is known, said in `note`."""
    partial: bool = False
    """Measured on a part of the data only."""
    note: str | None = None
    comparison: Compared | None = None
    made: Made | None = None
    others: tuple[Other, ...] = ()

    @property
    def mark(self) -> str:
        """The verdict in words that need no colour: "exact", "off, explained", "unmeasured: no-weights"."""
        word = f"{self.verdict}, explained" if self.verdict == "off" and self.explained else self.verdict
        return f"{word}: {self.reason}" if self.reason else word


@dataclass(frozen=True)
class Line:
    """One row of a table with its cells by metric, in the order of the columns; a row's links are left out."""

    table: str
    row: str
    """The row's id."""
    label: str
    settings: Mapping[str, str]
    model: str | None
    definition: str | None
    size: tuple[int, int] | None
    note: str | None
    cells: Mapping[str, ReportedCell]

    @property
    def name(self) -> str:
        """What tells the row apart in its table: "CSPResNeXt50-PANet-SPP 512×512 (0.60)".

        A label that names nothing goes with the model's name: "Ours (csppeleenet-ref-prn-3l) 320×320".
        """
        label = f"{self.label} ({self.model})" if self.label == _NAMELESS and self.model else self.label
        size = "×".join(map(str, self.size)) if self.size else ""
        settings = ", ".join(self.settings.values()) if self.table != "timm" else ""
        return " ".join(part for part in (label, size, f"({settings})" if settings else "") if part)


def as_json(lines: Iterable[Line]) -> dict[str, Any]:
    """The lines as the document that `report.json` holds and `read` takes."""
    return {"schema": SCHEMA, "lines": [{**asdict(line), "cells": _cells(line)} for line in lines]}


def _cells(line: Line) -> list[dict[str, Any]]:
    return [{**asdict(cell), "mark": cell.mark} for cell in line.cells.values()]


def read(data: Any, where: str) -> list[Line]:
    """The lines of a report.json already parsed as JSON; raises `CspbenchError` naming `where` for anything else."""
    try:
        if data["schema"] != SCHEMA:
            raise ValueError(f"schema {data['schema']!r}")
        return [_line(each) for each in data["lines"]]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CspbenchError(
            "results.not-a-report",
            "not a report",
            where=where,
            expected=f"the report.json of `cspbench report`, schema {SCHEMA}",
            found=brief(unreadable.words(error), 120),
            remedy="Make it anew with `cspbench report --save`",
        ) from None


def _line(data: Mapping[str, Any]) -> Line:
    height_width = data["size"]
    cells = [_cell(each) for each in data["cells"]]
    return Line(
        table=_text(data["table"]),
        row=_text(data["row"]),
        label=_text(data["label"]),
        settings={_text(key): _text(value) for key, value in data["settings"].items()},
        model=_maybe(data["model"]),
        definition=_maybe(data["definition"]),
        size=None if height_width is None else (int(height_width[0]), int(height_width[1])),
        note=_maybe(data["note"]),
        cells={cell.metric: cell for cell in cells},
    )


def _cell(data: Mapping[str, Any]) -> ReportedCell:
    interval, comparison, made = data["interval"], data["comparison"], data["made"]
    texts = {key: _text(data[key]) for key in ("metric", "header", "printed", "unit", "verdict")}
    maybe = {key: _maybe(data[key]) for key in ("claim", "measured", "exact", "delta", "reason", "note")}
    return ReportedCell(
        **{**texts, **maybe},  # type: ignore[arg-type]
        interval=None if interval is None else (_text(interval[0]), _text(interval[1])),
        explained=data["explained"] is True,
        partial=data["partial"] is True,
        comparison=None if comparison is None else Compared(**{key: _maybe(each) for key, each in comparison.items()}),  # type: ignore[arg-type]
        made=None if made is None else _made(made),
        others=tuple(
            Other(_maybe(each["measured"]), _text(each["why"]), _made(each["made"]), each.get("partial") is True)
            for each in data["others"]
        ),
    )


def _made(data: Mapping[str, Any]) -> Made:
    return Made(**{key: _maybe(value) for key, value in data.items()})  # type: ignore[arg-type]


def _maybe(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
