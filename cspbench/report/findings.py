"""What a report found: what is wrong in the documents, what could not be decided, and what our stand-ins miss.

Markdown, the page, JSON and the command line all show this one list.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from cspbench.claims.metrics import COUNTED
from cspbench.claims.model import Column
from cspbench.claims.verdict import Reason, Status
from cspbench.report.model import MISSED, ReportCell, ReportRow
from cspbench.report.select import Section, arranged
from cspbench.report.text import LEGEND, REASONS, cause, delta, interval, measured, some


class Kind(StrEnum):
    """The kinds of findings, in the order of the list."""

    WRONG = "wrong"
    DOUBTFUL = "doubtful"
    OURS = "ours"
    UNDECIDED = "undecided"
    MISSED = "missed"


HEADINGS = {
    Kind.WRONG: "Wrong in the documents",
    Kind.DOUBTFUL: "Doubtful: a random part of the images contradicts the number",
    Kind.OURS: "Not as cspbench itself recorded",
    Kind.UNDECIDED: "Not decided",
    Kind.MISSED: "Missed by our stand-ins, which says nothing about the documents",
}


@dataclass(frozen=True)
class Finding:
    """One line of the list."""

    kind: Kind
    mark: str
    """The word of a mark, whose symbol and colour it has: "off", "missed", "unmeasured"."""
    text: str
    """What was found, without the name of the row."""
    why: str | None = None
    """What is known about the cause."""
    place: str | None = None
    """The table, "ImageNet / Big Models"; None of many tables."""
    row: str | None = None
    """The name of the row; None of many rows."""
    target: str | None = None
    """The row's place in a report, "imagenet-big/resnet-50"."""

    @property
    def line(self) -> str:
        """What was found and why, without the name of the row."""
        return f"{self.text}; {self.why}" if self.why else self.text

    def __str__(self) -> str:
        return self.line if self.row is None else f"{self.row}, {self.line}"


def findings(sections: Sequence[Section]) -> list[Finding]:
    """All findings by kind, within a kind in the order of the tables."""
    order = list(Kind)
    rows = [finding for section in sections for line in section.lines for finding in _of_row(section, line)]
    return sorted([*rows, *_undecided(sections)], key=lambda finding: order.index(finding.kind))


def by_kind(sections: Sequence[Section]) -> list[tuple[str, list[Finding]]]:
    """The findings under their headings."""
    return [(HEADINGS[kind], list(group)) for kind, group in groupby(findings(sections), lambda each: each.kind)]


def headline(sections: Sequence[Section]) -> str:
    """What became of the published numbers, in `sentences`."""
    return " ".join(sentences(sections))


def sentences(sections: Sequence[Section]) -> list[str]:
    """What became of the published numbers: the counts in one sentence, all others in a second."""
    cells = [
        cell for section in arranged(sections).every for cell in section.cells if cell.verdict != Status.UNPUBLISHED
    ]
    counts = [cell for cell in cells if cell.metric in COUNTED]
    others = [cell for cell in cells if cell.metric not in COUNTED]
    texts = [("parameters and operations", counts), ("accuracies, APs and speeds", others)]
    return [f"{some(len(each), 'published number')} of {what}: {_outcome(each)}." for what, each in texts if each]


def _outcome(cells: Sequence[ReportCell]) -> str:
    words = Counter(BESIDE if cell.word == "unmeasured" and cell.measured else cell.word for cell in cells)
    if words["unmeasured"] == len(cells):
        return "none measured"
    return ", ".join(f"{words[word]} {text}" for word, text in _OUTCOMES.items() if words[word])


BESIDE = "beside"
"""A measurement that nothing judges, such as a frame rate on other hardware."""
_OUTCOMES = {
    "exact": "exact",
    "close": "close",
    "consistent": "consistent",
    "off": "wrong",
    "inconsistent": "doubtful",
    "fitted": "fitted by a stand-in",
    MISSED: "missed by a stand-in",
    BESIDE: "measured beside the claim, without a verdict",
    "unmeasured": "not measured",
}


def _of_row(section: Section, row: ReportRow) -> Iterator[Finding]:
    """One finding for each kind that the row's cells have."""
    texts: dict[Kind, list[str]] = {}
    causes: dict[Kind, dict[str, None]] = {}
    marks: dict[Kind, str] = {}
    for column in section.columns:
        cell = row.cells.get(column.metric)
        if cell is None or (kind := _kind(section, cell)) is None:
            continue
        texts.setdefault(kind, []).append(_text(cell, column))
        marks.setdefault(kind, _worst(cell))
        causes.setdefault(kind, {}).update(dict.fromkeys(filter(None, _causes(cell, row))))
    for kind, parts in texts.items():
        about = section.place, row.name, f"{row.table}/{row.row}"
        yield Finding(kind, marks[kind], "; ".join(parts), "; ".join(causes[kind]) or None, *about)


def _worst(cell: ReportCell) -> str:
    """The word of the cell, or of its comparison where only that does not hold."""
    if cell.verdict in (Status.OFF, Status.INCONSISTENT, Status.UNMEASURED) or cell.comparison is None:
        return cell.word
    return cell.comparison.word


def _kind(section: Section, cell: ReportCell) -> Kind | None:
    """The kind of finding that a cell is; None of one that holds, has no measurement, or is a speed."""
    if cell.reason == Reason.HARDWARE:
        return None
    if cell.verdict == Status.UNMEASURED:
        return Kind.UNDECIDED if cell.measured is not None else None
    kinds = {Status.OFF: Kind.WRONG, Status.INCONSISTENT: Kind.DOUBTFUL, MISSED: Kind.MISSED}
    kind = kinds.get(_worst(cell))
    return Kind.OURS if kind in (Kind.WRONG, Kind.DOUBTFUL) and section.table.kind == "sample" else kind


def _text(cell: ReportCell, column: Column) -> str:
    """The numbers: "BFLOPs: published 9.74, measured 10.0003 (+2.7 %)"."""
    compared = cell.comparison
    if compared and cell.verdict not in (Status.OFF, Status.INCONSISTENT, Status.UNMEASURED):
        return f"{cell.header} beside {compared.base}: published {compared.printed}, measured {compared.measured}"
    texts = [f"{cell.header}: published {cell.printed}", f"measured {measured(cell, column)}"]
    if bounds := interval(cell):
        texts.append(f"95 % interval {bounds}")
    difference = f"{float(cell.percent):+.2g} %" if cell.percent else delta(cell)
    return ", ".join(texts) + (f" ({difference})" if difference else "")


def _causes(cell: ReportCell, row: ReportRow) -> list[str | None]:
    if cell.verdict == Status.UNMEASURED:
        return [cell.reason, cell.note]
    if cell.word == MISSED:
        return [row.note]
    return [cause(cell), row.note] if cell.verdict == Status.OFF else [cell.note]


def _undecided(sections: Sequence[Section]) -> Iterator[Finding]:
    """The published numbers without a measurement by reason, and those that a stand-in carries."""
    cells = [cell for section in arranged(sections).every for cell in section.cells]
    of_cells = [cell for cell in cells if cell.measured is None or cell.reason == Reason.HARDWARE]
    reasons = Counter(cell.reason for cell in of_cells if cell.verdict == Status.UNMEASURED)
    for reason in map(str, Reason):
        if reasons[reason]:
            yield Finding(
                Kind.UNDECIDED,
                "unmeasured",
                f"{some(reasons[reason], 'number')} unmeasured ({reason}): {REASONS[reason]}",
            )
    fitted = sum(cell.verdict == Status.FITTED for cell in cells)
    if fitted:
        yield Finding(Kind.UNDECIDED, "fitted", f"{some(fitted, 'number')} fitted: {LEGEND['fitted']}")
