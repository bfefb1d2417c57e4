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
    yield f"{some(len(published), 'row')}, {len(counts)} published numbers of parameters and operations: {found}"
    off = [(row, cell) for row, cell in counts if cell.verdict == Status.OFF]
    for row, cell in off:
        if not _ours(row):
            yield f"  {SYMBOLS['off']} {row.name}, {cell.header}: published {cell.printed}, counted {_counted(cell)}"
            yield f"    {cause(cell)}"
    if ours := [cell for row, cell in off if _ours(row)]:
        yield f"  {SYMBOLS['fitted']} {some(len(ours), 'number')} of our stand-ins off: nothing about the claims"
    pairs = [cell.comparison for _, cell in claims if cell.comparison and cell.comparison.verdict == Status.OFF]
    if pairs:
        example = f"{pairs[0].printed} with {pairs[0].base}, which is {pairs[0].measured}"
        yield f"  {SYMBOLS['off']} {some(len(pairs), 'comparison')} off, such as {example}"
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


def _ours(row: ReportRow) -> bool:
    return (row.definition or "").startswith("stand-in")


def _counted(cell: ReportCell) -> str:
    return str(cell.measured if cell.exact is None or cell.unit != "G" else f"{int(cell.exact) / 1e9:.4f}")


def _sample(name: str, cells: Sequence[ReportCell]) -> str:
    """One line on a table of the bundled sample."""
    good = sum(cell.verdict in GOOD for cell in cells)
    symbol = SYMBOLS["exact"] if good == len(cells) else SYMBOLS["off"]
    first = next((cell for cell in cells if cell.metric not in COUNTED), cells[0])
    return f"{symbol} {name}: {good} of {len(cells)} numbers as recorded, such as {first.header} {first.measured}"
