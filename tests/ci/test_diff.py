"""What became of a cell since the baseline, and whether it may pass."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cells_by_hand import PARAMS, TOP1, UNMEASURED, changes, counted, line, top1

from cspbench.ci.diff import Changes, Kind, compare
from cspbench.ci.tolerances import DEFAULT, parse
from cspbench.report.model import ComparisonResult, ReportCell
from cspbench.results.provenance import Provenance

OFF = counted(27_999_999, "off")
PARTIAL = replace(TOP1, **{**UNMEASURED, "reason": "partial"}, partial=True)
NOTHING = replace(TOP1, **UNMEASURED)
FOLLOWS = ComparisonResult("(-34%)", "(-34%)", "DarkNet-53")
READ = Provenance("cspbench eval-imagenet", "0.1.0", weights="a" * 64, preset="readme")


def only(found: Changes) -> tuple[str, str, int]:
    """Kind, reason and exit code of a comparison of one cell."""
    (pair,) = found.pairs
    return pair.kind, pair.why, found.exit_code


ASIDE = replace(TOP1, verdict="unmeasured", reason="split-mismatch", delta=None)
GONE = replace(PARAMS, printed="-", claim=None, verdict="unpublished")
FPS = replace(NOTHING, metric="fps", printed="44(1080ti)", claim=None, reason="hardware")
BECAME = "the claim 27.61M (-34%) became 28.00M"
BESIDE = "no longer a measurement of what is claimed"
LIMITED = "measured on a part of the data only, which is not compared"


@pytest.mark.parametrize(
    ("before", "after", "kind", "why", "code"),
    [
        (PARAMS, PARAMS, "unchanged", "", 0),
        (PARAMS, counted(27_605_857), "changed", "moved by more than 0 %", 1),
        (PARAMS, OFF, "changed", "moved by more than 0 %; the verdict was exact", 1),
        (OFF, counted(28_000_000, "off"), "changed", "moved by more than 0 %", 1),
        (OFF, OFF, "unchanged", "", 0),
        (OFF, PARAMS, "fixed", "the claim 27.61M (-34%) holds now", 0),
        (OFF, counted(27_999_999, "exact", printed="28.00M"), "claim changed", BECAME, 1),
        (OFF, counted(28_000_001, "exact", printed="28.00M"), "claim changed", f"{BECAME}; moved by more than 0 %", 1),
        (OFF, replace(OFF, explained=True), "noted", "the verdict was off", 0),
        (replace(OFF, explained=True), OFF, "worse", "the verdict was off, explained", 1),
        (PARAMS, replace(PARAMS, verdict="fitted"), "worse", "the verdict was exact", 1),
        (
            PARAMS,
            replace(PARAMS, verdict="off", printed="27.7M"),
            "claim changed",
            "the claim 27.61M (-34%) became 27.7M; the verdict was exact",
            1,
        ),
        (NOTHING, replace(NOTHING, printed="70.1", claim="70.1"), "claim changed", "the claim 77.2 became 70.1", 1),
        (TOP1, replace(PARTIAL, printed="70.1"), "claim changed", f"the claim 77.2 became 70.1; {LIMITED}", 1),
        (FPS, replace(FPS, printed="43(1080ti)"), "claim changed", "the claim 44(1080ti) became 43(1080ti)", 1),
        (FPS, replace(FPS, printed="-"), "worse", "the claim 44(1080ti) is gone", 1),
        (PARAMS, GONE, "worse", "the claim 27.61M (-34%) is gone", 1),
        (GONE, PARAMS, "noted", "the claim was -", 0),
        (replace(GONE, exact="27999999"), OFF, "new and off", "the claim is new, and off", 1),
        (
            replace(PARAMS, comparison=FOLLOWS),
            replace(PARAMS, comparison=replace(FOLLOWS, measured="(-30%)")),
            "worse",
            "the comparison (-34%) with DarkNet-53 no longer follows, it is (-30%)",
            1,
        ),
        (
            replace(PARAMS, comparison=FOLLOWS),
            replace(PARAMS, comparison=replace(FOLLOWS, measured=None)),
            "noted",
            "the comparison was exact, now it is unmeasured",
            0,
        ),
        (TOP1, top1("77.154"), "unchanged", "", 0),
        (TOP1, top1("77.1539"), "changed", "moved by more than 0.05 points", 1),
        (TOP1, top1("77.9"), "changed", "moved by more than 0.05 points", 1),
        (TOP1, top1("77.16", "close"), "noted", "the verdict was exact", 0),
        (TOP1, top1("77.16", "off"), "worse", "the verdict was exact", 1),
        (top1("76.1", "off"), top1("77.0", "close"), "fixed", "the claim 77.2 holds now", 0),
        (
            replace(TOP1, provenance=READ),
            top1("77.9", provenance=replace(READ, weights="b" * 64, preset="head", when="2026-01-01")),
            "changed",
            "moved by more than 0.05 points; other weights, preset",
            1,
        ),
        (TOP1, NOTHING, "vanished", "no longer measured (no-weights)", 1),
        (TOP1, ASIDE, "worse", f"{BESIDE} (split-mismatch)", 1),
        (TOP1, replace(ASIDE, reason="protocol-mismatch"), "worse", f"{BESIDE} (protocol-mismatch)", 1),
        (ASIDE, NOTHING, "vanished", "no longer measured (no-weights)", 1),
        (replace(TOP1, partial=True), NOTHING, "vanished", "no longer measured (no-weights)", 1),
        (ASIDE, PARTIAL, "partial", LIMITED, 4),
        (ASIDE, TOP1, "new", "the baseline's was beside the claim", 0),
        (ASIDE, top1("60.0", "off"), "new and off", "the baseline's was beside the claim, and off", 1),
        (NOTHING, TOP1, "new", "measured for the first time", 0),
        (NOTHING, top1("60.0", "off"), "new and off", "measured for the first time, and off", 1),
        (NOTHING, top1("60.0", "off", explained=True), "new", "measured for the first time", 0),
        (NOTHING, replace(NOTHING, reason="no-data"), "noted", "the verdict was unmeasured: no-weights", 0),
        (TOP1, PARTIAL, "partial", LIMITED, 4),
        (PARTIAL, PARTIAL, "partial", LIMITED, 4),
        (PARTIAL, TOP1, "new", "the baseline's was of a part of the data", 0),
        (TOP1, replace(TOP1, partial=True), "partial", LIMITED, 4),
        # not even a part drawn at random whose interval holds the claim passes
        (TOP1, replace(TOP1, partial=True, verdict="consistent"), "partial", LIMITED, 4),
        (TOP1, replace(TOP1, partial=True, verdict="inconsistent"), "partial", LIMITED, 4),
        (replace(TOP1, partial=True, verdict="consistent"), TOP1, "new", "the baseline's was of a part of the data", 0),
        (TOP1, top1("77.25", "close"), "noted", "the verdict was exact", 0),
    ],
)  # fmt: skip
def test_one_cell(before: ReportCell, after: ReportCell, kind: str, why: str, code: int) -> None:
    assert only(changes([line(before)], [line(after)])) == (kind, why, code)


def test_a_measurement_beside_the_claim_may_not_move_either() -> None:
    assert only(changes([line(ASIDE)], [line(ASIDE)])) == (Kind.UNCHANGED, "", 0)
    moved = replace(ASIDE, exact="70.0", measured="70.0")
    assert only(changes([line(ASIDE)], [line(moved)])) == (Kind.CHANGED, "moved by more than 0.05 points", 1)
    assert only(changes([line(NOTHING)], [line(ASIDE)])) == (Kind.NOTED, "now a measurement beside the claim", 0)


def test_tolerances_are_those_that_were_asked_for() -> None:
    before, after = [line(PARAMS)], [line(counted(27_608_616))]  # 0.00999... %
    assert changes(before, after, "params:0.01").exit_code == 0
    assert changes(before, after, "params:0.009").exit_code == 1
    assert changes(before, after, "bflops:5").exit_code == 1


def test_rows_that_are_gone_or_new() -> None:
    old, new = line(PARAMS, TOP1), line(PARAMS, TOP1, row="cspdarknet-53-new")
    result = changes([old], [new])
    assert [(pair.row, pair.header, pair.kind, pair.why) for pair in result.pairs] == [
        ("cspdarknet-53-new", "#Parameter", "new", "the row is new; measured for the first time"),
        ("cspdarknet-53-new", "Top-1", "new", "the row is new; measured for the first time"),
        ("cspdarknet-53", "#Parameter", "vanished", "the row is gone"),
        ("cspdarknet-53", "Top-1", "vanished", "the row is gone"),
    ]
    assert result.exit_code == 1
    assert changes([], [new]).exit_code == 0
    assert changes([], [line(OFF)]).exit_code == 1
    assert changes([], [line(PARTIAL)]).exit_code == 4


def test_a_row_without_anything_measured_does_not_go_silently() -> None:
    empty = line(replace(TOP1, **UNMEASURED, claim=None, printed="-"))
    for before, after, kind, code in (
        ([empty], [], "vanished", 1),
        ([], [empty], "new", 0),
        ([line()], [], "vanished", 1),
    ):
        result = changes(before, after)
        assert [(pair.header, pair.kind) for pair in result.changed] == [("(row)", kind)]
        assert result.exit_code == code


def test_a_failing_cell_outweighs_a_partial_one_and_comes_first() -> None:
    before = [line(TOP1, PARAMS), line(NOTHING, row="other", table="imagenet-small")]
    after = [line(PARTIAL, OFF), line(TOP1, row="other", table="imagenet-small")]
    result = changes(before, after)
    assert [pair.kind for pair in result.changed] == ["changed", "partial", "new"]
    assert result.exit_code == 1


def test_the_closing_line_counts() -> None:
    before = [line(PARAMS, TOP1), line(OFF, TOP1, row="b"), line(TOP1, row="c")]
    after = [line(OFF, TOP1), line(OFF, top1("77.21"), row="b"), line(PARTIAL, row="c")]
    assert changes(before, after).summary == (
        "5 cells compared, 2 changed, 1 failing, 1 partial, 3 unchanged (1 moved within tolerance, 1 off as before)."
    )


def test_another_network_with_the_same_counts_is_a_change() -> None:
    key = ("imagenet-big", "cspdarknet-53")
    rows = [line(PARAMS, TOP1)]

    def kinds(*networks: dict[tuple[str, str], str]) -> list[str]:
        return [pair.kind for pair in compare(rows, rows, parse(DEFAULT), (networks[0], networks[1])).pairs]

    assert kinds({key: "a"}, {key: "b"}) == ["changed", "unchanged"]
    assert kinds({key: "a"}, {key: "a"}) == kinds({}, {key: "b"}) == kinds({key: "a"}, {}) == ["unchanged"] * 2


def test_rows_of_a_table_stay_together() -> None:
    before = [line(PARAMS, table="one", row="gone"), line(PARAMS, table="two")]
    after = [line(PARAMS, table="one"), line(PARAMS, table="two")]
    assert [(pair.table, pair.row) for pair in changes(before, after).pairs] == [
        ("one", "cspdarknet-53"),
        ("one", "gone"),
        ("two", "cspdarknet-53"),
    ]
