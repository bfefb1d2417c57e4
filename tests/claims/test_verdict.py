"""Roundings, verdicts and comparisons against numbers worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any, cast

import pytest

from cspbench.claims import tables
from cspbench.claims.model import Cell, Column
from cspbench.claims.rounding import as_printed, percent_off, round_half_up
from cspbench.claims.verdict import Coverage, Deviation, Measurement, Reason, Status, Verdict, comparison_of, judge

G = 1_000_000_000
AP = Cell.parse("38.0", Column("AP", "metric", "ap", "%"))
TOP1 = Cell.parse("77.2", Column("Top-1", "metric", "top1", "%"))
SPLIT = Deviation("other images than the claim's", Reason.SPLIT_MISMATCH)
PROTOCOL = Deviation("bf16 arithmetic")


def count(cell: Cell, value: Decimal | int, **more: Any) -> Verdict:
    return judge(cell, Measurement(Decimal(value), **more))


def percent(cell: Cell, value: str, **more: Any) -> Verdict:
    return judge(cell, Measurement(Decimal(value), **more))


def claim(table: str, row: str, metric: str) -> Cell:
    return tables.load(table).row(row).cells[metric]


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [
        ("0.5", 0, "1"),
        ("1.5", 0, "2"),
        ("2.5", 0, "3"),  # half to even gives 2
        ("2.4999999999999999999999999999999", 0, "2"),  # 32 digits, more than the default decimal precision
        ("-2.5", 0, "-3"),
        ("5.185", 2, "5.19"),  # the nearest binary float is below the tie
        ("1.005", 2, "1.01"),
        ("0.125", 2, "0.13"),
        ("77.25", 1, "77.3"),
        (12, 1, "12.0"),
        (Decimal("27.605"), 2, "27.61"),
    ],
)
def test_round_half_up(value: Decimal | int | str, decimals: int, expected: str) -> None:
    assert str(round_half_up(value, decimals)) == expected


def test_rounding_refuses_binary_floats() -> None:
    with pytest.raises(TypeError, match="float"):
        round_half_up(cast("Any", 5.185), 2)
    with pytest.raises(TypeError, match="float"):
        as_printed(cast("Any", 5.185e9), "G", 2, "darknet")


@pytest.mark.parametrize(
    ("measured", "unit", "decimals", "rounding", "expected"),
    [
        # Res2NetLite-72: 5.18468 -> 5.185 -> 5.19
        (5_184_680_000, "G", 2, "darknet", "5.19"),
        (5_184_680_000, "G", 2, "printed", "5.18"),
        # Darknet Ref. was printed from 0.9646 at once; by way of 0.965 it would be 0.97
        (964_640_000, "G", 2, "printed", "0.96"),
        (964_640_000, "G", 2, "darknet", "0.97"),
        # three printed decimals: Darknet's own number
        (1_016_619_000, "G", 3, "darknet", "1.017"),
        (887_990_000, "G", 3, "darknet", "0.888"),
        # 9.9995 is a tie for Darknet, and the carry runs through
        (9_999_500_000, "G", 2, "darknet", "10.00"),
        (9_994_999_999, "G", 2, "darknet", "10.00"),  # 9.995, then 10.00
        (9_994_499_999, "G", 2, "darknet", "9.99"),
        (27_642_184, "1", 0, "cut", "27640000"),
        (27_649_999, "1", 0, "cut", "27640000"),
        (27_642_184, "M", 2, "cut", "27.64"),
        (27_649_999, "M", 2, "cut", "27.64"),
        (27_649_999, "M", 2, "printed", "27.65"),
        (8_545_018_880, "1", 0, "printed", "8545018880"),
        # HarDNet-138s and ResNet-152: 2 x 6.7 and 2 x 11.3
        (6_674_000_000, "G", 1, "doubled", "13.4"),
        (6_650_000_000, "G", 1, "doubled", "13.4"),
        (6_649_999_999, "G", 1, "doubled", "13.2"),
        (11_282_400_000, "G", 1, "doubled", "22.6"),
        (Decimal("11282400000.5"), "G", 1, "doubled", "22.6"),
        (0, "M", 2, "printed", "0.00"),
    ],
)
def test_as_printed(measured: Decimal | int, unit: str, decimals: int, rounding: str, expected: str) -> None:
    assert str(as_printed(measured, unit, decimals, rounding)) == expected


def test_as_printed_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValueError, match="bankers"):
        as_printed(1, "M", 2, "bankers")
    with pytest.raises(ValueError, match="%"):
        as_printed(1, "%", 1, "printed")


@pytest.mark.parametrize(
    ("table", "row", "metric", "measured", "printed"),
    [
        # the counts of the published definitions; parameters are weights where the README's are
        ("imagenet-big", "darknet-53", "params", 41_573_200, "41.57"),
        ("imagenet-big", "cspdarknet-53", "params", 27_605_900, "27.61"),
        ("imagenet-big", "cspdarknet-53", "bflops", Decimal("13.06730") * G, "13.07"),
        ("imagenet-big", "res2netlite-72", "bflops", Decimal("5.18468") * G, "5.19"),
        ("imagenet-big", "hardnet-138s", "bflops", 6_674_000_000, "13.4"),
        ("imagenet-big", "resnet-152", "bflops", 11_282_400_000, "22.6"),
        ("imagenet-big", "densenet-264-32", "params", 27_205_480, "27.21"),
        ("imagenet-big", "densenet-264-32", "bflops", Decimal("11.0253") * G, "11.03"),
        ("imagenet-big", "densenet-201-plus-elastic", "params", 19_482_824, "19.48"),
        ("imagenet-big", "densenet-201-plus-elastic", "bflops", Decimal("8.772904") * G, "8.77"),
        ("imagenet-small", "peleenet", "params", 2_791_520, "2.79"),
        ("imagenet-small", "peleenet", "bflops", Decimal("1.016619") * G, "1.017"),
        ("imagenet-small", "darknet-ref", "bflops", Decimal("0.96464") * G, "0.96"),
        ("mmpretrain", "cspresnet50", "params", 21_616_168, "21.62"),
        ("mmpretrain", "cspresnext50", "bflops", Decimal("3.1082") * G, "3.11"),
        ("timm", "cspdarknet53", "params", 27_642_184, "27640000"),
        ("timm", "cspdarknet53", "bflops", 8_545_018_880, "8545018880"),
    ],
)
def test_exact(table: str, row: str, metric: str, measured: Decimal | int, printed: str) -> None:
    result = count(claim(table, row, metric), measured)
    assert result.status is Status.EXACT
    assert str(result.measured) == printed
    assert result.delta == 0
    assert result.reason is None


def test_off_shows_the_difference_in_the_printed_unit() -> None:
    result = count(claim("imagenet-big", "resnet-50", "bflops"), Decimal("10.00027") * G)
    assert result.status is Status.OFF
    assert (result.claim, result.measured, result.delta) == (Decimal("9.74"), Decimal("10.00"), Decimal("0.26"))
    one_too_many = count(claim("timm", "cspdarknet53", "bflops"), 8_545_018_881)
    assert (one_too_many.status, one_too_many.delta) == (Status.OFF, Decimal(1))


@pytest.mark.parametrize(
    ("text", "unit", "suffix", "rounding", "measured", "status"),
    [
        # 41.565 to 41.57499...; a count is exact or off, never close
        ("41.57M", "M", "M", "printed", 41_565_000, "exact"),
        ("41.57M", "M", "M", "printed", 41_564_999, "off"),
        ("41.57M", "M", "M", "printed", 41_574_999, "exact"),
        ("41.57M", "M", "M", "printed", 41_575_000, "off"),
        # by way of 5.185: from 5.1845 on, to below 5.1945
        ("5.19", "G", "", "darknet", 5_184_500_000, "exact"),
        ("5.19", "G", "", "darknet", 5_184_499_999, "off"),
        ("5.19", "G", "", "darknet", 5_194_499_999, "exact"),
        ("5.19", "G", "", "darknet", 5_194_500_000, "off"),
        # 27.64 is what is left of 27.640000 to 27.649999
        ("27640000", "1", "", "cut", 27_640_000, "exact"),
        ("27640000", "1", "", "cut", 27_649_999, "exact"),
        ("27640000", "1", "", "cut", 27_639_999, "off"),
        ("27640000", "1", "", "cut", 27_650_000, "off"),
        # 2 x 6.7: from 6.65 on, to below 6.75
        ("13.4", "G", "", "doubled", 6_650_000_000, "exact"),
        ("13.4", "G", "", "doubled", 6_649_999_999, "off"),
        ("13.4", "G", "", "doubled", 6_749_999_999, "exact"),
        ("13.4", "G", "", "doubled", 6_750_000_000, "off"),
    ],
)
def test_the_edges_of_each_rounding(
    text: str, unit: str, suffix: str, rounding: Any, measured: int, status: str
) -> None:
    metric = "params" if unit == "M" else "bflops"
    cell = Cell.parse(text, Column("x", "metric", metric, unit, suffix, "weights", rounding))
    assert count(cell, measured).status == status
    assert count(cell, measured, stand_in=True).status == ("fitted" if status == "exact" else "off")


def test_unpublished_keeps_the_measurement() -> None:
    cell = claim("imagenet-big", "cspdarknet-53-elastic", "params")
    result = count(cell, 19_045_152)
    assert (result.status, result.claim, result.measured) == (Status.UNPUBLISHED, None, Decimal("19.045152"))
    assert judge(cell, Measurement(None, Reason.NO_DEFINITION)).status is Status.UNPUBLISHED
    nothing = percent(replace(AP, value=None, decimals=None), "38.04996", deviations=(PROTOCOL,))
    assert (nothing.status, nothing.reason, nothing.measured) == (Status.UNPUBLISHED, None, Decimal("38.04996"))


def test_frame_rates_by_device_are_published_and_need_the_devices() -> None:
    cell = claim("coco-headline", "cspresnext50-panet-spp-512", "fps")
    assert (cell.text, cell.value) == ("44(1080ti) 67(GV100)", None)
    result = judge(cell, Measurement(None, Reason.HARDWARE))
    assert (result.status, result.reason) == ("unmeasured", "hardware")


def test_unmeasured_says_why() -> None:
    result = judge(claim("imagenet-big", "cspdarknet-53", "params"), Measurement(None, Reason.NO_DEFINITION))
    assert (result.status, result.reason, result.measured) == ("unmeasured", "no-definition", None)
    assert result.claim == Decimal("27.61")


def test_a_cell_is_measured_or_there_is_a_reason() -> None:
    with pytest.raises(ValueError, match="reason"):
        Measurement(None)
    with pytest.raises(ValueError, match="reason"):
        Measurement(Decimal(27_605_900), Reason.PARTIAL)


def test_a_count_by_another_rule_is_shown_and_not_judged() -> None:
    result = count(
        claim("imagenet-big", "cspdarknet-53", "params"), 27_642_184, deviations=(Deviation("counted as x"),)
    )
    assert (result.status, result.reason) == ("unmeasured", "protocol-mismatch")
    assert (result.measured, result.delta) == (Decimal("27.64"), None)


# --- accuracy and AP


@pytest.mark.parametrize(
    ("value", "status", "printed", "delta"),
    [
        ("38.0", "exact", "38.0", "0.0"),
        ("37.95", "exact", "38.0", "0.0"),
        ("38.04996", "exact", "38.0", "0.0"),
        ("38.05", "close", "38.1", "0.050"),
        ("38.1", "close", "38.1", "0.100"),
        ("38.10001", "off", "38.1", "0.100"),
        ("37.94999", "close", "37.9", "-0.050"),
        ("37.9", "close", "37.9", "-0.100"),
        ("37.89999", "off", "37.9", "-0.100"),
        ("41.25", "off", "41.3", "3.250"),
    ],
)
def test_ap_at_the_edges_of_rounding_and_tolerance(value: str, status: str, printed: str, delta: str) -> None:
    result = percent(AP, value)
    assert (result.status, str(result.measured), str(result.delta)) == (status, printed, delta)
    assert (result.tolerance, result.images, result.reason) == (Decimal("0.1"), None, None)


@pytest.mark.parametrize(
    ("right", "status", "printed", "delta", "images"),
    [
        # 77.2 % of 50,000 are 38,600; 77.15 to below 77.25 are 38,575 to 38,624
        (38_600, "exact", "77.2", "0.0", 0),
        (38_624, "exact", "77.2", "0.0", 24),
        (38_625, "close", "77.3", "0.050", 25),  # 77.25
        (38_626, "off", "77.3", "0.052", 26),
        (38_575, "exact", "77.2", "0.0", -25),
        (38_574, "off", "77.1", "-0.052", -26),  # 77.148
        (38_450, "off", "76.9", "-0.300", -150),
    ],
)
def test_an_accuracy_is_compared_in_images_too(right: int, status: str, printed: str, delta: str, images: int) -> None:
    result = judge(TOP1, Measurement(Decimal(100 * right) / 50_000, images=50_000, interval=(0.0, 100.0)))
    assert (result.status, str(result.measured), str(result.delta)) == (status, printed, delta)
    assert (result.images, result.tolerance) == (images, Decimal("0.05"))


def test_an_interval_makes_nothing_true_that_was_measured_on_the_claims_images() -> None:
    assert percent(TOP1, "76.9", interval=(76.5, 77.3)).status is Status.OFF


@pytest.mark.parametrize(
    ("interval", "status"),
    [
        ((70.0, 80.0), "consistent"),
        ((77.2, 80.0), "consistent"),
        ((70.0, 77.2), "consistent"),
        ((77.20001, 80.0), "inconsistent"),
        ((70.0, 77.19999), "inconsistent"),
    ],
)
def test_a_part_drawn_at_random_is_held_against_its_interval(interval: tuple[float, float], status: str) -> None:
    result = percent(TOP1, "75.5", coverage=Coverage.DRAWN, images=200, interval=interval)
    assert (result.status, str(result.measured), str(result.delta)) == (status, "75.5", "-1.700")
    assert (result.images, result.tolerance) == (None, None)
    # even one that is equal proves nothing
    assert percent(TOP1, "77.2", coverage=Coverage.DRAWN, interval=interval).status == status


@pytest.mark.parametrize(
    ("measurement", "reason"),
    [
        (Measurement(Decimal("77.2"), coverage=Coverage.PART, interval=(70.0, 80.0)), "partial"),
        (Measurement(Decimal("77.2"), coverage=Coverage.DRAWN), "partial"),
        (Measurement(Decimal("77.2"), deviations=(PROTOCOL,)), "protocol-mismatch"),
        (Measurement(Decimal("77.2"), deviations=(PROTOCOL, SPLIT)), "split-mismatch"),
        (Measurement(Decimal("77.2"), None, (PROTOCOL,), Coverage.PART), "partial"),
        (Measurement(Decimal("77.2"), None, (PROTOCOL,), Coverage.DRAWN), "partial"),
        (Measurement(Decimal("77.2"), None, (PROTOCOL,), Coverage.DRAWN, 9, (70.0, 80.0)), "protocol-mismatch"),
        (Measurement(Decimal("77.2"), None, (PROTOCOL, SPLIT), Coverage.PART), "split-mismatch"),
        (Measurement(Decimal("77.2"), None, (SPLIT,), Coverage.DRAWN, 9, (70.0, 80.0)), "split-mismatch"),
        (Measurement(None, Reason.PARTIAL, (PROTOCOL,)), "partial"),
        (Measurement(None, Reason.PARTIAL, (SPLIT,)), "split-mismatch"),
        (Measurement(None, Reason.AWAITING_SERVER, (PROTOCOL,)), "awaiting-server"),
    ],
)
def test_other_images_are_graver_than_a_part_and_a_part_than_another_protocol(
    measurement: Measurement, reason: str
) -> None:
    result = judge(TOP1, measurement)
    assert (result.status, result.reason, result.delta, result.images) == ("unmeasured", reason, None, None)
    assert result.measured == measurement.value


def test_comparisons_of_published_and_of_measured_numbers() -> None:
    table = tables.load("imagenet-big")
    row, base = table.row("cspdarknet-53"), table.row("darknet-53")
    # 27.61 / 41.57 = 0.6642, 13.07 / 18.57 = 0.7038, 77.2 - 77.2, 93.6 - 93.8
    for metric, text in [("params", "(-34%)"), ("bflops", "(-30%)"), ("top1", "(=)"), ("top5", "(-0.2)")]:
        printed = row.cells[metric].comparison
        assert comparison_of(row, base, metric) == printed == text
    assert comparison_of(row, base, "params", (30_000_000, 40_000_000)) == "(-25%)"


@pytest.mark.parametrize(
    ("metric", "values", "text"),
    [
        ("params", ("199", "200"), "(-1%)"),  # -0.5 %: a tie goes away from zero
        ("params", ("201", "200"), "(+1%)"),
        ("params", ("1004", "1000"), "(=)"),
        ("bflops", ("2", "1"), "(+100%)"),
        ("top1", ("77.25", "77.2"), "(+0.1)"),
        ("top1", ("77.15", "77.2"), "(-0.1)"),
        ("top1", ("77.24", "77.2"), "(=)"),
        ("top5", ("94.2", "93.2"), "(+1.0)"),
    ],
)
def test_comparison_roundings(metric: str, values: tuple[str, str], text: str) -> None:
    table = tables.load("imagenet-big")
    row, base = table.row("cspresnet-50"), table.row("resnet-50")
    assert comparison_of(row, base, metric, (Decimal(values[0]), Decimal(values[1]))) == text


def test_nothing_to_compare() -> None:
    table = tables.load("imagenet-big")
    assert comparison_of(table.row("cspdarknet-53-elastic"), table.row("darknet-53"), "params") is None
    with pytest.raises(ValueError, match=r"cspdarknet-53 .*darknet-53.* resnet-50"):
        comparison_of(table.row("cspdarknet-53"), table.row("resnet-50"), "params")


def test_a_base_of_zero_gives_no_ratio() -> None:
    table = tables.load("imagenet-big")
    row, base = table.row("cspdarknet-53"), table.row("darknet-53")
    assert comparison_of(row, base, "params", (30_000_000, 0)) is None
    assert comparison_of(row, base, "top1", (Decimal("77.2"), Decimal(0))) is not None
    none = replace(base, cells={**base.cells, "bflops": replace(base.cells["bflops"], value=Decimal(0))})
    assert comparison_of(row, none, "bflops") is None


@pytest.mark.parametrize(
    ("measured", "claim_", "unit", "rounding", "percent_"),
    [
        (10_000_270_000, "9.74", "G", "darknet", "2.7"),  # 10.00027 / 9.74 = 1.02672
        (6_600_000_000, "13.4", "G", "doubled", "-1.5"),  # 13.2 / 13.4 = 0.98507
        (9_216, "0.00", "G", "darknet", None),
        (0, "9.74", "G", "darknet", "-100.0"),
    ],
)
def test_percent_off(measured: int, claim_: str, unit: str, rounding: str, percent_: str | None) -> None:
    result = percent_off(measured, Decimal(claim_), unit, rounding)
    assert result == (None if percent_ is None else Decimal(percent_))
