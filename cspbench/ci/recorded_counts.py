"""What params.json files say about rows beyond the cells that are gathered from them.

Gathering judges every count by the tables as they are now, and leaves out a count that no column of the row's table is
for. A comparison must see both: a row that was taken out of a table, a claim that was altered, a network that was
declared a stand-in, and the parameters of a detector whose table prints only its AP.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from cspbench.ci.tolerances import COUNTED
from cspbench.claims.model import NOTHING
from cspbench.claims.verdict import Word
from cspbench.errors import CspbenchError, brief
from cspbench.report.model import Line, Made, ReportedCell
from cspbench.results import unreadable
from cspbench.results.measurements import changed_since
from cspbench.results.protocol import Networks
from cspbench.results.store import Counts

_HEADERS = {"params": "#Parameter", "bflops": "BFLOPs"}


def networks(counts: Iterable[Counts]) -> dict[tuple[str, str], str]:
    """The digests of the networks that were counted, by table and row id; where they are recorded."""
    return {
        (str(row.get("table")), str(row.get("id"))): row["network"]
        for each in counts
        for row in each.data["rows"]
        if isinstance(row.get("network"), str)
    }


def then(counts: Iterable[Counts]) -> Networks:
    """The same by model and (height, width): the catalogue as it was when they were counted."""
    found = {}
    for each in counts:
        with _reading(each.where):
            for row in each.data["rows"]:
                model, size, network = row.get("model"), row.get("size"), row.get("network")
                if model is not None and size is not None and isinstance(network, str):
                    found[_text(model), (int(size[0]), int(size[1]))] = network
    return found


def stale(counts: Iterable[Counts]) -> set[tuple[str, str]]:
    """The table and row id of every count of a network that the catalogue no longer has."""
    found: set[tuple[str, str]] = set()
    for each in counts:
        with _reading(each.where):
            rows = [row for row in each.data["rows"] if row["table"] is not None]
            found.update((_text(row["table"]), _text(row["id"])) for row in rows if changed_since(row))
    return found


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Whatever a reader stumbles over within it is that file's fault."""
    try:
        yield
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise CspbenchError(
            "results.not-results",
            "not a file of results",
            where=where,
            expected="what `cspbench params --all --save` wrote",
            found=brief(unreadable.words(error), 120),
            remedy="Make it again, or name another baseline",
        ) from None


def with_counts(lines: Iterable[Line], counts: Iterable[Counts]) -> list[Line]:
    """The lines with every count that was made for them, also where the table has no such column."""
    return _merged(
        lines, counts, lambda line, row, data: replace(line, cells={**_cells(row, data), **line.cells}), False
    )


def as_recorded(lines: Iterable[Line], counts: Iterable[Counts]) -> list[Line]:
    """The same with the verdicts and claims that were recorded then, and with the rows that are gone."""
    return _merged(lines, counts, _judged, True)


def _merged(
    lines: Iterable[Line],
    counts: Iterable[Counts],
    change: Callable[[Line, Mapping[str, Any], Mapping[str, Any]], Line],
    gone: bool,
) -> list[Line]:
    found = {(line.table, line.row): line for line in lines}
    for each in counts:
        with _reading(each.where):
            for row in each.data["rows"]:
                if row["table"] is None:
                    continue
                key = _text(row["table"]), _text(row["id"])
                if key in found:
                    found[key] = change(found[key], row, each.data)
                elif gone:
                    found[key] = _gone(row, each.data)
    return list(found.values())


def _judged(line: Line, row: Mapping[str, Any], data: Mapping[str, Any]) -> Line:
    cells = {**_cells(row, data), **line.cells}
    for metric in COUNTED:
        cell = cells[metric]
        if cell.exact == str(row[metric]["count"]):
            printed = _text(row[metric]["printed"])
            cells[metric] = replace(
                cell,
                printed=printed,
                claim=cell.claim if printed == cell.printed else _claim(printed),
                delta=cell.delta if printed == cell.printed else None,
                verdict=str(Word(row[metric]["verdict"])),
                explained=row[metric].get("explained") is True,
            )
    return replace(line, cells=cells)


def _gone(row: Mapping[str, Any], data: Mapping[str, Any]) -> Line:
    """A row that no table has any more, from what was counted for it."""
    cells = _cells(row, data)
    size = None if row["size"] is None else (int(row["size"][0]), int(row["size"][1]))
    settings = {_text(key): _text(value) for key, value in row["settings"].items()}
    return Line(_text(row["table"]), _text(row["id"]), _text(row["row"]), settings, None, None, size, None, cells)


def _cells(row: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, ReportedCell]:
    return {metric: _cell(metric, row[metric], data) for metric in COUNTED}


def _cell(metric: str, cell: Mapping[str, Any], data: Mapping[str, Any]) -> ReportedCell:
    count = None if cell["count"] is None else str(int(cell["count"]))
    printed = _text(cell["printed"])
    return ReportedCell(
        metric=metric,
        header=_HEADERS[metric],
        printed=printed,
        unit="1",
        claim=_claim(printed),
        measured=count,
        exact=count,
        delta=None,
        verdict=str(Word(cell["verdict"])),
        reason=None if cell.get("reason") is None else _text(cell["reason"]),
        explained=cell.get("explained") is True,
        made=Made(" ".join(map(str, data["command"])), _text(data["cspbench"]), counting=_text(cell["counting"])),
    )


def _claim(printed: str) -> str | None:
    number = re.match(r"[0-9.]+", printed, re.ASCII)
    return None if printed == NOTHING or number is None else number[0]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value
