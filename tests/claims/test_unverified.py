"""Claims that are not confirmed by their document: declared by row and metric, and never judged."""

from __future__ import annotations

from decimal import Decimal

import pytest
from refusals import refuses

from cspbench.claims import tables
from cspbench.claims.verdict import Deviation, Measurement, Reason, Status, judge
from cspbench.report.build import cell as reported

TABLE = "yolox-state-of-the-art"


def test_the_unverified_cells_of_the_tables() -> None:
    unverified = {
        (table.name, row.id, metric)
        for table in tables.load_all(kind=None)
        for row in table.rows
        for metric, cell in row.cells.items()
        if not cell.verified
    }
    rows = {"yolox-darknet53": ("aps",), "yolox-m": ("aps",), "yolox-l": ("ap50", "aps"), "yolox-x": ("ap50", "aps")}
    assert unverified == {(TABLE, row, metric) for row, metrics in rows.items() for metric in metrics}


@pytest.mark.parametrize(
    "measurement",
    [
        Measurement(Decimal("27.5")),
        Measurement(Decimal("31.0")),
        Measurement(None, Reason.NO_WEIGHTS),
        Measurement(Decimal("27.5"), deviations=(Deviation("bf16 arithmetic"),)),
    ],
)
def test_it_is_not_judged_whatever_is_measured(measurement: Measurement) -> None:
    row = tables.load(TABLE).row("yolox-darknet53")
    verdict = judge(row.cells["aps"], measurement)
    assert (verdict.status, verdict.reason, verdict.delta) == (Status.UNMEASURED, Reason.UNVERIFIED, None)
    assert (verdict.claim, verdict.measured) == (Decimal("27.5"), measurement.value)
    assert judge(row.cells["apm"], measurement).reason is not Reason.UNVERIFIED


def test_a_report_says_so() -> None:
    cell = tables.load(TABLE).row("yolox-l").cells["aps"]
    assert (reported(cell, []).mark, reported(cell, []).printed) == ("unmeasured: unverified", "29.8")


def test_an_unverified_metric_is_one_of_the_rows() -> None:
    folder = tables.where_published()
    files = {name: tables.text_of(folder, name) for name in ("tables.toml", "models.toml", f"{TABLE}.csv")}
    files[f"{TABLE}.csv"] = files[f"{TABLE}.csv"].replace(",aps,", ",aps top1,", 1)
    with refuses("tables.unknown-unverified") as caught:
        tables.load(TABLE, files)
    assert "'top1'" in (caught.value.found or "")
    assert (caught.value.where or "").startswith(f"{TABLE}.csv, line 2")
