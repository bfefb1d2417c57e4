"""What a whole report found, in ten lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from cspbench.claims import tables
from cspbench.claims.metrics import COUNTED
from cspbench.claims.verdict import Status
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.text import SYMBOLS, cause, some

GOOD = (Status.EXACT, Status.CLOSE)


def digest(rows: Sequence[ReportRow]) -> Iterator[str]:
    """Lines on the published counts, on what is off among them, on the sample, and on what is not measured."""
    kinds = {table.name: table.kind for table in tables.load_all(kind=None)}
    published = [row for row in rows if kinds[row.table] == "published"]
    claims = [(row, cell) for row in published for cell in row.cells.values() if cell.claim is not None]
    counts = [(row, cell) for row, cell in claims if cell.metric in COUNTED and cell.verdict != Status.UNMEASURED]
    by_verdict = Counter(cell.verdict for _, cell in counts)
    found = ", ".join(f"{count} {verdict}" for verdict, count in by_verdict.most_common())
    yield f"{some(len(published), 'row')} counted, {len(counts)} published numbers of parameters and operations: {found}"
    off = [(row, cell) for row, cell in counts if cell.verdict == Status.OFF]
    for row, cell in off:
        if row.definition != "stand-in":
            yield f"  {SYMBOLS['off']} {row.name}, {cell.header}: published {cell.printed}, counted {_counted(cell)}"
            yield f"    {cause(cell)}"
    if ours := [cell for row, cell in off if row.definition == "stand-in"]:
        yield f"  {SYMBOLS['fitted']} {some(len(ours), 'number')} off of stand-ins, which says nothing about the claim"
    compared = [cell for _, cell in claims if cell.comparison and cell.comparison.verdict == Status.OFF]
    if compared:
        yield f"  {SYMBOLS['off']} {some(len(compared), 'comparison')} with another row off"
    for name, kind in kinds.items():
        cells = [cell for row in rows if row.table == name for cell in row.cells.values() if kind != "published"]
        if cells:
            yield _sample(name, cells)
    unmeasured = sum(cell.verdict == Status.UNMEASURED for _, cell in claims)
    if unmeasured:
        yield (
            f"{unmeasured} published accuracies, APs and speeds are not measured: "
            "they need the authors' weights, images or hardware"
        )


def _counted(cell: ReportCell) -> str:
    return str(cell.measured if cell.exact is None or cell.unit != "G" else f"{int(cell.exact) / 1e9:.4f}")


def _sample(name: str, cells: Sequence[ReportCell]) -> str:
    """One line on a table of the bundled sample."""
    good = sum(cell.verdict in GOOD for cell in cells)
    symbol = SYMBOLS["exact"] if good == len(cells) else SYMBOLS["off"]
    first = next(cell for cell in cells)
    return f"{symbol} {name}: {good} of {len(cells)} numbers as recorded, such as {first.header} {first.measured}"
