"""The words of a report for cells, marks and provenance, the same in every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from cspbench.claims.model import NOTHING, Column
from cspbench.claims.rounding import round_half_up
from cspbench.claims.verdict import Status
from cspbench.report.model import MISSED, ReportCell, ReportRow
from cspbench.report.select import PARTIAL, Section
from cspbench.results.provenance import Provenance

UNITS = {"1": 0, "M": 6, "G": 9}
"""Units of counts, as powers of ten."""
PLAIN = Decimal("0.55")
"""How far rounding moves a number, in units of its last digit; Darknet's BFLOPs are rounded twice."""

LEGEND = {
    "exact": "the measurement, rounded as its publisher rounded, is the published number",
    "close": (
        "it is not, but lies within the metric's tolerance, 0.05 points of top-1 and top-5 or 0.1 of AP: decoders and "
        "the order of floating-point sums move it that much"
    ),
    "off": "neither; “explained” where the cause is known and stated",
    "fitted": "equal, but the network is a stand-in chosen for that number, so it proves nothing",
    MISSED: "not equal, and the network is such a stand-in: a shortcoming of ours and not an error of the claim",
    "consistent": "measured on a part drawn at random, whose 95 % interval holds the published number",
    "inconsistent": (
        "measured on a part drawn at random, whose 95 % interval does not hold it; by chance this happens to one right "
        "number in twenty, so to one or more of six APs in up to one run of four"
    ),
    "unpublished": "the document prints no number here",
    "unmeasured": "no measurement that may be held against the claim, with the reason",
}
REASONS = {
    "no-weights": "not evaluated in these results: that takes the row's weight file and its images",
    "no-data": "no images",
    "no-definition": "no definition of the network is known",
    "split-mismatch": "measured on other images than the claim's",
    "partial": "measured on a part of the images that was not drawn at random, or of which some could not be read",
    "protocol-mismatch": "measured under another protocol than the claim's; the note says how",
    "awaiting-server": "the test server has not answered",
    "hardware": "requires the hardware of the claim",
    "unverified": "the claim was not read in the document itself, so nothing is held against it",
    "not-run": "not run yet",
}
SYMBOLS = {
    "exact": "✓",
    "close": "≈",
    "off": "✗",
    "fitted": "◇",
    MISSED: "◈",
    "consistent": "∼",
    "inconsistent": "≁",
    "unmeasured": "–",
    "unpublished": "○",
    PARTIAL: "◔",
}
"""A symbol for each mark, beside word and colour."""
ORDER = (
    Status.EXACT,
    Status.CLOSE,
    Status.FITTED,
    MISSED,
    Status.CONSISTENT,
    Status.INCONSISTENT,
    Status.OFF,
    Status.UNMEASURED,
    Status.UNPUBLISHED,
)


def label(line: ReportRow, column: Column) -> str:
    """The text of a line in a column that is not a metric."""
    if column.role in ("size", "side"):
        sides = line.size or ()
        return "×".join(map(str, sides if column.role == "size" else sides[:1])) or NOTHING
    return line.label if column.role == "name" else line.settings.get(column.header, NOTHING)


def measured(cell: ReportCell, column: Column) -> str | None:
    """The measurement in the claim's unit with two digits more than the claim, "27.6059M (-34%)"; None without one.

    If the publisher's form is not a mere rounding of it (a doubled count), it is given in that form.
    """
    if cell.measured is None:
        return None
    return with_comparison(f"{finer(cell)}{column.suffix}", cell)


def with_comparison(text: str, cell: ReportCell) -> str:
    """A cell's measurement followed by its comparison, if that is known."""
    return f"{text} {cell.comparison.measured}" if cell.comparison and cell.comparison.measured else text


def finer(cell: ReportCell) -> str:
    """The measurement as a number in the claim's unit, as precise as `measured` shows it."""
    printed = Decimal(cell.measured or 0)
    value = printed if cell.exact is None else Decimal(cell.exact).scaleb(-UNITS.get(cell.unit, 0))
    if cell.claim is None:
        return f"{printed:f}"
    decimals = -int(printed.as_tuple().exponent)
    if cell.unit == "1" or abs(value - printed) > PLAIN.scaleb(-decimals):
        return f"{printed:f}"
    return f"{round_half_up(value, decimals + 2):f}"


def as_published(cell: ReportCell, column: Column, decimals: int) -> str:
    """The measurement in the document's form, "27.61M (-34%)"; a dash where it has no verdict."""
    value = cell.comparable
    if value is None:
        return NOTHING
    return with_comparison(f"{value if cell.claim else round_half_up(value, decimals):f}{column.suffix}", cell)


def delta(cell: ReportCell) -> str | None:
    """Measurement - claim, "+0.1", "0"; None where they must not be compared."""
    if cell.delta is None:
        return None
    value = Decimal(cell.delta)
    text = f"{value:+f}" if value else "0"
    if not cell.images:
        return text
    return f"{text} ({abs(cell.images):,} images {'more' if cell.images > 0 else 'fewer'})"


def interval(cell: ReportCell) -> str | None:
    """The 95 % interval, "76.94–77.68"."""
    return "–".join(cell.interval) if cell.interval else None


def mark(cell: ReportCell) -> str:
    """The verdict in words, and the comparison where that is off."""
    compared = comparison_mark(cell)
    return f"{cell.mark}; {compared}" if compared else cell.mark


def comparison_mark(cell: ReportCell) -> str | None:
    """A comparison that does not hold, "(-10%) off"; None where it holds or is not measured."""
    compared = cell.comparison
    return f"{compared.measured} {compared.word}" if compared and compared.verdict == Status.OFF else None


def summary(shown: Iterable[Section]) -> str:
    """The number of cells and of comparisons by mark, on one line."""
    lines = [line for section in shown for line in section.lines]
    cells = [cell for line in lines for cell in line.cells.values()]
    texts = [f"{some(len(lines), 'row')}, {some(len(cells), 'cell')}: {_counted([cell.mark for cell in cells])}"]
    compared = [cell.comparison.word for cell in cells if cell.comparison]
    if compared:
        texts.append(f"{some(len(compared), 'comparison')}: {_counted(compared)}")
    return "; ".join(texts)


def some(count: int, what: str) -> str:
    """A number of things, "1 row", "2 rows"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _counted(words: Sequence[str]) -> str:
    def place(word: str) -> tuple[int, str]:
        return [word.startswith(verdict) for verdict in ORDER].index(True), word

    counts = [f"{words.count(word)} {_aside(word)}" for word in sorted({*words}, key=place)]
    return ", ".join(counts) or "none"


def _aside(mark: str) -> str:
    return mark.replace(", explained", " (explained)")


def facts(provenance: Provenance) -> list[tuple[str, str]]:
    """How a number was made, as (what, text); the command comes first."""
    version = f"cspbench {provenance.version}"
    texts = {
        "command": provenance.command,
        "version": f"{version}, commit {provenance.commit}" if provenance.commit else version,
        "counting": provenance.counting,
        "definition": provenance.definition,
        "preset": provenance.preset,
        "precision": provenance.precision,
        "data": provenance.data,
        "weights": provenance.weights.replace(":", " ", 1) if provenance.weights else None,
        "run": provenance.run,
        "when": provenance.when,
        "scored by": provenance.scored,
    }
    facts = [(what, text) for what, text in texts.items() if text]
    return [*facts, *(("resumed", session) for session in provenance.sessions)]


class Origins:
    """The distinct provenances of a report's numbers, numbered from 1.

    The definition is left out where it is the row's own, which the row shows.
    """

    def __init__(self, lines: Iterable[ReportRow]) -> None:
        self._numbers: dict[Provenance, int] = {}
        for line in lines:
            for cell in line.cells.values():
                for provenance in (cell.provenance, *(superseded.provenance for superseded in cell.others)):
                    if provenance is not None:
                        self._numbers.setdefault(_without_own(line, provenance), len(self._numbers) + 1)

    def number(self, line: ReportRow, provenance: Provenance) -> int:
        """The number of a provenance in a line of the report."""
        return self._numbers[_without_own(line, provenance)]

    def __iter__(self) -> Iterator[tuple[int, Provenance]]:
        return ((number, provenance) for provenance, number in self._numbers.items())


def _without_own(line: ReportRow, provenance: Provenance) -> Provenance:
    return replace(provenance, definition=None) if provenance.definition == line.definition else provenance


def cause(cell: ReportCell) -> str:
    """Why a cell is off, and its note."""
    return "; ".join(filter(None, ["" if cell.explained else "no cause is known", cell.note]))


def notes(line: ReportRow) -> list[str]:
    """The notes on a row, its cells and its comparisons, each text once."""
    headers: dict[str, list[str]] = {}
    for cell in line.cells.values():
        if cell.note or cell.verdict == Status.OFF:
            text = cause(cell) if cell.verdict == Status.OFF else str(cell.note)
            header = f"{cell.header} {_aside(cell.mark)}" if cell.verdict == Status.OFF else cell.header
            headers.setdefault(text, []).append(header)
    texts = [f"{', '.join(columns)}: {text}" for text, columns in headers.items()]
    if line.note and not any(line.note in text for text in headers):
        texts.append(line.note)
    for cell in line.cells.values():
        compared = cell.comparison
        if compared and compared.verdict == Status.OFF:
            published = f"{cell.header} compared with {compared.base}: published {compared.printed}"
            texts.append(f"{published}, measured {compared.measured}")
    return texts
