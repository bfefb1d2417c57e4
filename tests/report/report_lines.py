"""Lines of a report made by hand: a mark of every kind on the rows of the published tables."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from cspbench.claims import tables
from cspbench.claims.model import Cell, Row, Table
from cspbench.report.model import ComparisonResult, ReportCell, ReportRow, Superseded
from cspbench.results.provenance import Provenance

COUNTED = Provenance("cspbench params --all --save", "0.1.0", commit="0bbb9d1", counting="weights", definition="cfg")
EVALUATED = Provenance(
    "cspbench eval-imagenet -m csresnext50",
    "0.1.0",
    commit="0bbb9d1",
    when="2026-01-02T03:04:05Z",
    definition="cfg",
    weights="arrays:" + "ab" * 32,
    data="val, 50000 images, sha256 " + "cd" * 32,
    preset="readme",
    precision="fp32",
    run="csresnext50",
    sessions=("2026-01-03T00:00:00Z, cspbench 0.2.0: cspbench eval-imagenet '<i>' --again",),
    scored="cspbench 0.3.0, commit 1234567",
)
HOSTILE = replace(EVALUATED, command="cspbench eval-imagenet --cfg '<script>alert(1)</script>|`x`.cfg'\n\x1b[31m")

UNITS = {"M": 6, "G": 9}


def cell(row: Row, metric: str, measured: str | None = None, verdict: str | None = None, **more: object) -> ReportCell:
    """A cell of a published row: `unmeasured` without a measurement, else `exact` unless said otherwise."""
    claim: Cell = row.cells[metric]
    compared = claim.comparison
    base = "" if row.base is None else row.base
    known = ReportCell(
        metric=metric,
        header=claim.column,
        printed=claim.text,
        unit=claim.unit,
        claim=None if claim.value is None else str(claim.value),
        measured=measured,
        exact=None
        if measured is None
        else f"{(Decimal(measured) + Decimal(str(0.0009))).scaleb(UNITS.get(claim.unit, 0)):f}",
        delta=None if measured is None or claim.value is None else str(Decimal(measured) - claim.value),
        verdict=verdict or ("unpublished" if not claim.published else "unmeasured" if measured is None else "exact"),
        comparison=None if compared is None else ComparisonResult(compared, measured and compared, base),
        provenance=None if measured is None else COUNTED if claim.counting else EVALUATED,
    )
    if known.verdict == "unmeasured" and "reason" not in more:
        more["reason"] = "hardware" if metric == "fps" else "no-weights"
    return replace(known, **more)  # type: ignore[arg-type]


def line(table: Table, row: Row, **cells: ReportCell) -> ReportRow:
    """A row with its counts as claimed and the rest unmeasured, but for the `cells` given."""
    every = {}
    for column in table.columns:
        if column.role == "metric":
            value = row.cells[column.metric].value
            counted = column.counting and column.unit != "1" and value is not None
            every[column.metric] = cells.get(column.metric) or cell(row, column.metric, str(value) if counted else None)
    name = table.names()[table.rows.index(row)]
    return ReportRow(table.name, row.id, row.label, row.settings, row.model, "cfg", row.size, None, every, name)


def published() -> list[ReportRow]:
    """Every row of every published table; `imagenet-big` and `coco-nms` with marks of every kind."""
    return [_made_up(line(table, row), row) for table in tables.load_all() for row in table.rows]


def _made_up(plain: ReportRow, row: Row) -> ReportRow:
    cells = dict(plain.cells)
    note = None
    match (row.table, row.id):
        case ("imagenet-big", "darknet-53"):
            cells["top1"] = cell(row, "top1", "77.2", "exact", interval=("76.831", "77.567"))
            cells["top5"] = cell(row, "top5", "93.9", "close", interval=("93.6", "94.1"))
        case ("imagenet-big", "cspdarknet-53"):
            cells["top1"] = cell(
                row, "top1", "77.4", "close", images=100, tolerance="0.05", interval=("77.03", "77.77")
            )
            older = Superseded("77.1", "older than the run that counts", HOSTILE)
            cells["top5"] = cell(row, "top5", "93.1", "off", interval=("92.9", "93.3"), others=(older,))
        case ("imagenet-big", "resnet-50"):
            cells["bflops"] = cell(row, "bflops", "10.00", "off", explained=True, note="copied from a later file")
            cells["top1"] = cell(row, "top1", "75.0", "unmeasured", reason="partial", partial=True, delta=None)
        case ("imagenet-big", "cspresnet-50"):
            off = ComparisonResult("(-8%)", "(-10%)", "ResNet-50")
            cells["bflops"] = cell(row, "bflops", "8.97", comparison=off, note="rests on ResNet-50's published 9.74")
            cells["top1"] = cell(row, "top1", "76.6", provenance=HOSTILE, interval=("76.2", "77.0"))
        case ("imagenet-big", "cspresnext-50-plus-elastic" | "cspresnext-50+elastic"):
            cells["bflops"] = cell(row, "bflops", "7.82", "fitted")
            note = "Neither the block nor its place is known"
        case ("imagenet-big", "darknet-53-elastic" | "cspdarknet-53-elastic"):
            cells["params"] = cell(row, "params", "19.045184")
        case ("coco-nms", _) if "giou" not in row.id:
            shift = Decimal("0.1") if row.settings["Threshold"] < "0.6" else Decimal(0)
            value = (row.cells["ap"].value or Decimal(0)) + shift
            cells["ap"] = cell(row, "ap", str(value), "close" if shift else "exact", interval=("37.1", "39.0"))
    return replace(plain, cells=cells, note=note)
