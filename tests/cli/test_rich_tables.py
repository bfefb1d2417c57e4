"""Tables on a terminal: they fit its width, leave out what is least important, and colour verdicts."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.cli.terminal.column_widths import GAP, layout
from cspbench.cli.terminal.rich_tables import show
from cspbench.report.formats import WIDE_ONLY, Column, Paragraph, Table
from cspbench.sample.one import one

COLUMNS = (
    *(Column("Model"), Column("Size", 2), Column("Claim", kind="number"), Column("verdict", kind="verdict")),
    *(Column("Counted as", 3), Column("Id", WIDE_ONLY), Column("Note", kind="note")),
)
LINES = (
    (
        "CSPResNet-50",
        "256×256",
        "8.97 (-8%)",
        "exact; comparison off",
        "weights, conv+maxpool",
        "a",
        "rests on another",
    ),
    ("ResNet-50", "256×256", "9.74", "off +2.7 %", "weights, conv+maxpool", "b", ""),
    ("PeleeNet", "224×224", "-", "unpublished", "weights, conv+maxpool", "c", "-"),
)
TABLE = Table(COLUMNS, LINES)
Printed = Callable[..., list[str]]


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Printed:
    """What `show` prints on a terminal of some width, without colours unless asked for."""

    def lines(width: int, *blocks: Table | Paragraph, **settings: bool) -> list[str]:
        monkeypatch.setenv("COLUMNS", str(width))
        show(blocks or (TABLE,), **settings)
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return lines


def test_on_a_wide_terminal_a_line_has_every_column_but_ids_and_notes(printed: Printed) -> None:
    lines = printed(100)
    assert re.split("  +", lines[0]) == ["Model", "Size", "Claim", "verdict", "Counted as"]
    assert re.split("  +", lines[2]) == [
        *("CSPResNet-50", "256×256", "8.97 (-8%)", "✓ exact; comparison off", "weights, conv+maxpool")
    ]
    assert lines[5] == "  CSPResNet-50: rests on another"
    assert lines[-1] == "--wide shows Id"


def test_on_a_narrow_one_the_highest_ranks_go_first_and_the_rest_is_folded(printed: Printed) -> None:
    lines = printed(60)
    assert re.split("  +", lines[0]) == ["Model", "Size", "Claim", "verdict"]
    assert lines[-1] == "--wide shows Counted as, Id"
    lines = printed(36)
    assert re.split("  +", lines[0]) == ["Model", "Claim", "verdict"]
    assert [line.split() for line in lines[2:6]] == [
        ["CSPResNet-50", "8.97", "✓", "exact;"],
        ["(-8%)", "comparison"],
        ["off"],
        ["ResNet-50", "9.74", "✗", "off", "+2.7", "%"],
    ]


def test_the_same_note_of_several_lines_is_printed_once(printed: Printed) -> None:
    table = Table(COLUMNS, [LINES[0], LINES[0], ("CSPResNet-50", *LINES[0][1:-1], "another")])
    notes = [line.strip() for line in printed(100, table) if line.startswith("  ")]
    assert notes == ["CSPResNet-50: rests on another", "CSPResNet-50: another"]


def test_a_name_that_has_to_be_broken_leaves_room_for_numbers(printed: Printed) -> None:
    columns = [Column("Model"), *(Column(name, kind="number") for name in ("Parameters", "measured"))]
    name = "cspdarknet50_3rdparty_8xb32_in1k"
    lines = printed(42, Table(columns, [(name, "27642184", "27642184")]))
    assert max(map(len, lines)) <= 42
    assert max(map(len, printed(32, Table(columns, [("EfficientNet", "27642184", "27642184")])))) <= 32
    assert "".join(line.split()[0] for line in lines[2:4]) == name


def test_all_columns_on_request(printed: Printed) -> None:
    lines = printed(40, wide=True)
    assert re.split("  +", lines[0]) == ["Model", "Size", "Claim", "verdict", "Counted as", "Id", "Note"]
    assert len(lines[2]) > 80
    assert not lines[-1]


def test_columns_that_say_nothing_are_left_out_without_a_word(printed: Printed) -> None:
    assert printed(60, Table(COLUMNS, [LINES[2]]))[0].split() == ["Model", "Size", "Counted", "as"]


def test_a_column_says_what_it_goes_with_where_that_is_left_out(printed: Printed) -> None:
    columns = Column("BFLOPs", kind="number"), Column("measured", kind="number", of="BFLOPs")
    assert printed(60, Table(columns, [("9.74", "9.7")]))[0].split() == ["BFLOPs", "measured"]
    assert printed(60, Table(columns, [("-", "9.7")]))[0].split() == ["BFLOPs", "measured"]
    assert printed(60, Table(columns, [("-", "9.7")]))[2].split() == ["9.7"]


def test_a_legend_is_shown_on_request(printed: Printed) -> None:
    legend = Paragraph("**exact** it is", "legend")
    assert printed(60, legend) == ["--legend explains the words"]
    assert printed(60, legend, legend=True) == ["exact it is", ""]
    assert printed(60, Paragraph("## Title\n\n`name`, source", "heading")) == ["Title  name, source"]


@pytest.mark.parametrize(
    ("verdict", "colour"),
    [("exact", 32), ("fitted", 36), ("off +2.7 %", 31), ("off +2.7 %, explained", 33), ("exact; comparison off", 33)],
)
def test_verdicts_have_colours(monkeypatch: pytest.MonkeyPatch, printed: Printed, verdict: str, colour: int) -> None:
    table = Table([Column("Model"), Column("verdict", kind="verdict")], [("a", verdict)])
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    assert f"{colour}m" in printed(80, table)[2]
    monkeypatch.setenv("NO_COLOR", "1")
    assert f"{colour}m" not in printed(80, table)[2]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["text", "number", "verdict"])), min_size=1, max_size=8),
    st.lists(st.text("ab -", max_size=30), min_size=8, max_size=8),
    st.integers(20, 200),
)
def test_what_is_shown_fits_unless_all_that_is_left_has_rank_0(
    kinds: list[tuple[int, str]], cells: list[str], room: int
) -> None:
    columns = [Column("ab", rank, kind) for rank, kind in kinds]  # type: ignore[arg-type]
    widths = layout(columns, {at: ["ab", cells[at]] for at in range(len(columns))}, room)
    ranks = [columns[at].rank for at in widths]
    assert sum(widths.values()) + GAP * (len(widths) - 1) <= room or not any(ranks)
    assert WIDE_ONLY not in ranks
    assert {at for at, column in enumerate(columns) if column.rank == 0} <= {*widths}
    assert all(width > 0 for width in widths.values())


def on_a_terminal(*arguments: str, **environment: str) -> str:
    """What the command prints on a terminal of 80 columns."""
    ours, theirs = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "CI")}
    with subprocess.Popen(
        [sys.executable, "-m", "cspbench", *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**clean, "COLUMNS": "80", "TERM": "xterm", **environment},
    ) as process:
        os.close(theirs)
        parts = []
        while True:
            try:
                part = os.read(ours, 65536)
            except OSError:  # the other end is closed
                break
            if not part:
                break
            parts.append(part)
        process.wait()
    os.close(ours)
    return b"".join(parts).decode()


def test_a_terminal_gets_tables_and_help_in_frames_and_a_pipe_markdown() -> None:
    table = on_a_terminal("list", "--table", "timm")
    assert "|" not in table
    assert "\x1b[1m" in table
    assert "--wide shows" in table
    assert on_a_terminal("list", "--table", "timm", "--format", "md").startswith("| Table | Row |")
    assert "─ Evaluate ─" in on_a_terminal("--help")
    assert "╭" not in on_a_terminal("--help", TERM="dumb")
    words = on_a_terminal("eval-imagenet", "/", "-m", "csdarknet53", CSPBENCH_WEIGHTS="").splitlines()
    assert words[0] == "cspbench: no weights to evaluate [usage.no-weights]"
    assert len(words) <= 4


def test_an_old_terminal_gets_ascii() -> None:
    table = on_a_terminal("list", "--table", "timm", PYTHONIOENCODING="latin-1", TERM="dumb")
    assert "256x256" in table
    assert table.isascii()
    assert "\x1b" not in table


def test_a_terminal_names_pictures_without_the_folder_of_all(tmp_path: Path) -> None:
    name, data = one("classification")
    (tmp_path / "a folder").mkdir()
    (tmp_path / "a folder" / name).write_bytes(data)
    shown = on_a_terminal("predict", "-m", "sample-csp-classifier", "--topk", "1", str(tmp_path / "a folder"))
    assert name in shown
    assert "a folder" not in shown


def test_a_report_on_a_terminal_is_short(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_text((Path(__file__).parents[2] / "results/params.json").read_text())
    shown = on_a_terminal("report", "--results", str(tmp_path), "--only", "off")
    assert "9.74 → 10.0003" in shown
    assert "|" not in shown
    assert "| BFLOPs |" in on_a_terminal("report", "--results", str(tmp_path), "--only", "off", "--format", "md")
