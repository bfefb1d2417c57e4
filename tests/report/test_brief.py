"""The report for a terminal: what is shown, and which columns a narrow one leaves out first."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from report_lines import published

from cspbench.claims import tables
from cspbench.report.brief import brief
from cspbench.report.formats import Block, Paragraph, Table
from cspbench.report.select import select

TABLES = tables.load_all()


@pytest.fixture(scope="module")
def blocks() -> list[Block]:
    return list(brief(select(published(), TABLES)))


def table_of(blocks: Sequence[Block], name: str) -> Table:
    """The table below the heading that has a table's name."""
    at = next(at for at, block in enumerate(blocks) if isinstance(block, Paragraph) and f"\n{name}," in block.text)
    found = blocks[at + 1]
    assert isinstance(found, Table)
    return found


def test_findings_come_first_and_tables_without_a_measurement_are_counted(blocks: list[Block]) -> None:
    texts = [block.text for block in blocks if isinstance(block, Paragraph)]
    assert texts[1] == "Wrong in the documents"
    assert texts[2].splitlines()[1].startswith("✗ ResNet-50, BFLOPs: published 9.74, measured 10.0009 (+2.7 %)")
    shown = sum(isinstance(block, Table) for block in blocks)
    assert f"{len(TABLES) - shown} tables without a measurement" in texts[-2]
    assert not any("coco-headline" in text for text in texts)


def test_a_cell_is_claim_measurement_difference_and_verdict(blocks: list[Block]) -> None:
    big = table_of(blocks, "imagenet-big")
    rows = {line[0]: line for line in big.lines}
    assert big.header == ["Model", "#Parameter", "BFLOPs", "Top-1", "Top-5", "Note"]
    assert rows["ResNet-50"][2] == "9.74 → 10.0009 Δ+0.26 off, explained"
    assert rows["CSPResNet-50"][2] == "8.97 (-8%) → 8.9709 (-10%) exact; comparison (-10%) off"
    assert rows["DarkNet-53"][3] == "77.2 → 77.201 [76.831–77.567] exact"
    assert rows["ResNeXt-50"][3] == "77.8 no-weights"


def test_a_narrow_terminal_leaves_out_what_is_not_measured(blocks: list[Block]) -> None:
    big = {column.header: column.rank for column in table_of(blocks, "imagenet-big").columns}
    assert big["Model"] == big["#Parameter"] == big["BFLOPs"] == 0 < big["Top-1"] == big["Top-5"] < 2
    small = {column.header: column.rank for column in table_of(blocks, "imagenet-small").columns}
    assert small["Top-1"] == small["Top-5"] == 2


def test_settings_that_are_the_same_in_all_lines_are_left_out(blocks: list[Block]) -> None:
    assert {*table_of(blocks, "coco-nms").header} >= {"Model", "Threshold", "AP"}
    assert "Size" not in table_of(blocks, "coco-nms").header


def test_without_a_measurement_every_table_is_shown() -> None:
    headline = [table for table in TABLES if table.name == "coco-headline"]
    shown = list(brief(select([row for row in published() if row.table == "coco-headline"], headline)))
    assert len(table_of(shown, "coco-headline").lines) == 7


def test_no_such_row() -> None:
    assert next(block.text for block in brief([]) if isinstance(block, Paragraph)) == "No row has such a cell."
