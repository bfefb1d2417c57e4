"""The report in words: what stands in a cell, what is selected, and the table to paste in the README's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from report_lines import HOSTILE, cell, line, published
from snapshot import CELLS, ROWS

from cspbench.claims import tables
from cspbench.claims.model import Table
from cspbench.errors import UsageError
from cspbench.report.markdown import OURS, like_readme, markdown
from cspbench.report.model import ComparisonResult, ReportCell, ReportRow, as_json, read
from cspbench.report.select import Section, check_names, marks, select
from cspbench.report.text import Origins, delta, measured, summary

TABLES = tables.load_all()


@pytest.fixture(scope="module")
def lines() -> list[ReportRow]:
    return published()


def of(lines: list[ReportRow], table: Table) -> list[ReportCell]:
    """The cells of a table."""
    return [cell for each in lines if each.table == table.name for cell in each.cells.values()]


def rows(text: str, first: str) -> list[str]:
    """The cells of the table rows that begin so."""
    result = [row for row in text.splitlines() if row.startswith((f"| {first} |", f"| {first} <a id="))]
    assert len(result) == 1
    return result[0].strip("| ").split(" | ")


def test_the_columns_are_the_documents_own(lines: list[ReportRow]) -> None:
    text = markdown(select(lines, TABLES))
    for table in TABLES:
        headers = [column.header for column in table.columns if column.role != "link"]
        assert f"| {' | '.join(headers)} | Definition |" in text
    # in their order, those without a measurement folded and last
    measured = [table for table in TABLES if any(each.measured for each in of(lines, table))]
    assert 1 < len(measured) < len(TABLES)
    every = [*measured, *(table for table in TABLES if table not in measured)]
    places = [text.index(f"\n`{table.name}`, {table.source}") for table in every]
    assert places == sorted(places)
    folds = [text.index(f'<details><summary><a id="{table.name}"></a>') for table in every[len(measured) :]]
    assert text.index("# Without a measurement") < min(folds)
    assert text.count("<details>") == text.count("</details>") == 1 + len(folds)


def test_a_cell_says_claim_measurement_delta_and_mark(lines: list[ReportRow]) -> None:
    text = markdown(select(lines, TABLES, ["imagenet-big", "imagenet-small", "coco-nms", "timm"]))
    assert rows(text, "CSPDarkNet-53") == [
        # the place that a finding links to
        'CSPDarkNet-53 <a id="imagenet-big/cspdarknet-53"></a>',
        "27.61M (-34%) → 27.6109M (-34%) ✓ exact [1]",
        "13.07 (-30%) → 13.0709 (-30%) ✓ exact [1]",
        "77.2 (=) → 77.401 (=) (95 %: 77.03–77.77) Δ+0.2 (100 images more) ≈ close [2]",
        "93.6 (-0.2) → 93.101 (-0.2) (95 %: 92.9–93.3) Δ-0.5 **✗ off** [2]",
        "cfg",
    ]
    assert rows(text, "ResNet-50")[2:5] == [
        "9.74 → 10.0009 Δ+0.26 **✗ off, explained** [1]",
        "75.8 → 75.001 – partial [2]",
        "92.9 – no-weights",
    ]
    assert rows(text, "CSPResNet-50")[2] == "8.97 (-8%) → 8.9709 (-10%) **✓ exact; ✗ (-10%) off** [1]"
    assert rows(text, "CSPDarkNet-53-Elastic")[1] == "- → 19.045184M ○ unpublished [1]"
    assert rows(text, "HarDNet-138s")[4] == "- ○ unpublished"


def test_what_is_off_is_said_below_the_table(lines: list[ReportRow]) -> None:
    text = markdown(select(lines, TABLES, ["imagenet-big"]))
    for note in (
        "- CSPDarkNet-53: Top-5 off: no cause is known",
        "- CSPDarkNet-53: Top-5 also 77.1 [3], which does not count: older than the run that counts",
        "- ResNet-50: BFLOPs off (explained): copied from a later file",
        "- CSPResNet-50: BFLOPs compared with ResNet-50: published (-8%), measured (-10%)",
        "- CSPResNeXt-50+Elastic: Neither the block nor its place is known",
    ):
        assert note in text.splitlines()


def test_a_note_that_a_cell_repeats_is_said_once() -> None:
    table = tables.load("imagenet-big")
    row = table.row("resnet-50")
    off = cell(row, "bflops", "10.00", "off", explained=True, note="a later file; bflops exact for another")
    text = markdown([Section(table, (replace(line(table, row, bflops=off), note="a later file"),))])
    # below the table and in the finding
    assert text[text.index("## Contents") :].count("a later file") == 1


def test_every_number_leads_to_how_it_was_made(lines: list[ReportRow]) -> None:
    text = markdown(select(lines, TABLES))
    made = text[text.index('# <a id="made"></a>How each number was made') :]
    # the row's own definition stands in the row
    assert "- **[1]** `cspbench params --all --save`; cspbench 0.1.0, commit 0bbb9d1; counting weights\n" in made
    for part in ("preset readme", "precision fp32", "sha256 " + "cd" * 32, "weights arrays " + "ab" * 32, "2026-01-02"):
        assert part in made
    assert made.count("\n- **[") == len(list(Origins(lines)))


def test_a_hostile_command_stays_text(lines: list[ReportRow]) -> None:
    assert HOSTILE.command.count("\n") == 1
    text = markdown(select(lines, TABLES))
    assert r"`` cspbench eval-imagenet --cfg '<script>alert(1)</script>|`x`.cfg'\n\x1b[31m ``" in text
    first = lines[0]
    evil = replace(first, label="<b>|x", definition="`|", note="<i>\n# no heading")
    text = markdown([Section(tables.load(first.table), (evil,))])
    assert "| &lt;b>\\|x |" in text
    assert "&lt;i>\\n# no heading" in text


def test_the_sum_of_all_marks(lines: list[ReportRow]) -> None:
    shown = select(lines, TABLES)
    cells = [each for table in shown for each in table.cells]
    assert len(cells) == sum(len(table.rows) * sum(c.role == "metric" for c in table.columns) for table in TABLES)
    text = summary(shown)
    assert text.startswith(f"{ROWS} rows, {CELLS} cells: ")
    assert sum(int(part.split()[0]) for part in text.split(": ", 1)[1].split(";")[0].split(", ")) == CELLS
    assert "1 off, 1 off (explained)" in text
    head = markdown(shown).splitlines()
    assert text + "." in head
    assert "| Table | rows | cells | ✓ exact | ≈ close | ◇ fitted | ✗ off | – unmeasured | ○ unpublished |" in head
    assert "| [ImageNet / Big Models](#imagenet-big) | 16 | 64 | 27 | 2 | 1 | 2 | 26 | 6 |" in head


def test_the_table_to_paste(lines: list[ReportRow]) -> None:
    text = like_readme(select(lines, TABLES, ["imagenet-big"]))
    assert text.splitlines()[:6] == [
        "Model | #Parameter | BFLOPs | Top-1 | Top-5 | cfg | weight |",
        "---|---|---|---|---|---|---|",
        "DarkNet-53 [1] | 41.57M | 18.57 | 77.2 | 93.9 | cfg | weight |",
        "CSPDarkNet-53 | 27.61M (-34%) | 13.07 (-30%) | 77.4 (=) | 93.1 (-0.2) | cfg | weight |",
        # without a claim rounded as the column is; what must not stand beside the claims is a dash
        "CSPDarkNet-53-Elastic | 19.05M | 7.74 (-58%) | - | - | cfg | weight |",
        "ResNet-50 [2] | 22.73M | 10.00 | - | - | cfg | weight |",
    ]
    assert len(text.splitlines()) == 18


def test_measuring_all_that_is_claimed_gives_the_document_again() -> None:
    for table in TABLES:
        as_claimed = [
            line(
                table,
                row,
                **{
                    metric: cell(row, metric, str(claim.value))
                    for metric, claim in row.cells.items()
                    if claim.value is not None
                },
            )
            for row in table.rows
        ]
        header, *rows = [
            " | ".join(texts) + " |"
            for texts in (
                [column.header for column in table.columns],
                *([row.render(column) for column in table.columns] for row in table.rows),
            )
        ]
        claims = "\n".join([header, "---|" * len(table.columns), *rows])
        for row in table.rows:  # frame rates by device are no single number
            for claim in row.cells.values():
                if claim.values:
                    claims = claims.replace(f"| {claim.text} |", "| - |")
        assert like_readme([Section(table, tuple(as_claimed))]) == claims + "\n"


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (["off"], ["cspdarknet-53", "resnet-50", "cspresnet-50"]),
        (["partial"], ["resnet-50"]),
        (["close"], ["darknet-53", "cspdarknet-53"]),
        (["fitted", "partial"], ["resnet-50", "cspresnext-50-plus-elastic"]),
    ],
)
def test_only_rows_with_such_a_cell(lines: list[ReportRow], only: list[str], expected: list[str]) -> None:
    (shown,) = select(lines, TABLES, ["imagenet-big"], only)
    assert [each.row for each in shown.lines] == expected
    assert set(shown.lines[0].cells) == {"params", "bflops", "top1", "top5"}


def test_nothing_found(lines: list[ReportRow]) -> None:
    assert select(lines, TABLES, ["imagenet-small"], ["off"]) == []
    assert "No row has such a cell." in markdown([])


@pytest.mark.parametrize(
    ("ask", "nearest"),
    [
        (lambda: check_names(TABLES, ["imagenet-bog"], []), "imagenet-big"),
        (lambda: check_names(TABLES, [], ["of"]), "off"),
    ],
)
def test_unknown_names_are_answered_with_the_nearest(ask: Callable[[], object], nearest: str) -> None:
    with pytest.raises(UsageError, match=f"Did you mean {nearest}"):
        ask()


def test_what_is_ours_comes_last_and_says_so(lines: list[ReportRow]) -> None:
    big = tables.load("imagenet-big")
    sample = replace(big, name="sample-imagenet", title="Drawn", section=("Sample", "Drawn"), kind="sample")
    ours = replace(lines[7], table=sample.name)
    text = markdown(select([ours, *lines], (sample, *TABLES)))
    assert text.index(f"# {OURS}") > max(text.index(f"`{table.name}`, ") for table in TABLES)
    assert text.index("`sample-imagenet`, ") > text.index(f"# {OURS}")
    # not among the published sums
    assert f"\n{ROWS} rows, {CELLS} cells" in text


def test_digits_of_a_measurement() -> None:
    table: Table = tables.load("imagenet-big")
    row = table.row("hardnet-138s")
    column = table.columns[2]
    assert column.metric == "bflops"
    # 13.4 is the double of what was counted: no rounding leads there, so the publisher's form is shown
    doubled = replace(cell(row, "bflops", "13.4"), exact="6673620000")
    assert measured(doubled, column) == "13.4"
    assert measured(replace(doubled, exact="13376000000"), column) == "13.376"
    # Darknet rounds to three decimals first: 5.18468 is 5.185 is 5.19
    assert measured(replace(cell(row, "bflops", "5.19"), exact="5184680000"), column) == "5.1847"
    assert delta(replace(doubled, delta="0.0")) == "0"
    assert delta(replace(doubled, delta="0.26")) == "+0.26"
    assert delta(replace(doubled, delta=None)) is None
    off = replace(doubled, comparison=ComparisonResult("(-8%)", "(-10%)", "x"))
    assert marks(off) == {"exact", "off"}


def test_two_renderings_are_the_same(lines: list[ReportRow]) -> None:
    once = markdown(select(lines, TABLES), ["plot.png"])
    again = markdown(select(read(as_json(lines), "here"), tables.load_all()), ["plot.png"])
    assert once == again
    assert "![plot](plot.png)" in once
