"""Roundings, verdicts and comparisons against numbers worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, cast

import pytest

from cspbench.claims import tables
from cspbench.claims.model import Cell
from cspbench.claims.rounding import as_printed, round_half_up
from cspbench.claims.verdict import Reason, Word, derived, verdict

G = 1_000_000_000


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
    with pytest.raises(TypeError, match="binary floats"):
        round_half_up(cast("Any", 5.185), 2)
    with pytest.raises(TypeError, match="binary floats"):
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
    with pytest.raises(ValueError, match="no such rounding: bankers"):
        as_printed(1, "M", 2, "bankers")
    with pytest.raises(ValueError, match="not a unit of counted numbers: %"):
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
    found = verdict(claim(table, row, metric), measured)
    assert found.word is Word.EXACT
    assert str(found.measured) == printed
    assert found.delta == 0
    assert found.reason is None


def test_off_shows_the_difference_in_the_printed_unit() -> None:
    found = verdict(claim("imagenet-big", "resnet-50", "bflops"), Decimal("10.00027") * G)
    assert found.word is Word.OFF
    assert (found.claim, found.measured, found.delta) == (Decimal("9.74"), Decimal("10.00"), Decimal("0.26"))
    one_too_many = verdict(claim("timm", "cspdarknet53", "bflops"), 8_545_018_881)
    assert (one_too_many.word, one_too_many.delta) == (Word.OFF, Decimal(1))


def test_unpublished_keeps_the_measurement() -> None:
    cell = claim("imagenet-big", "cspdarknet-53-elastic", "params")
    found = verdict(cell, 19_045_152)
    assert (found.word, found.claim, found.measured) == (Word.UNPUBLISHED, None, Decimal("19.045152"))
    assert verdict(cell, None, Reason.NO_DEFINITION).word is Word.UNPUBLISHED


def test_unmeasured_says_why() -> None:
    found = verdict(claim("imagenet-big", "cspdarknet-53", "params"), None, Reason.NO_DEFINITION)
    assert (found.word, found.reason, found.measured) == ("unmeasured", "no-definition", None)
    assert found.claim == Decimal("27.61")


def test_a_cell_is_measured_or_there_is_a_reason() -> None:
    cell = claim("imagenet-big", "cspdarknet-53", "params")
    with pytest.raises(ValueError, match="unmeasured for a reason"):
        verdict(cell, None)
    with pytest.raises(ValueError, match="unmeasured for a reason"):
        verdict(cell, 27_605_900, Reason.PARTIAL)


def test_accuracies_are_not_decided_here() -> None:
    with pytest.raises(ValueError, match="not a unit of counted numbers: %"):
        verdict(claim("imagenet-big", "cspdarknet-53", "top1"), 77)


def test_comparisons_of_published_and_of_measured_numbers() -> None:
    table = tables.load("imagenet-big")
    row, base = table.row("cspdarknet-53"), table.row("darknet-53")
    # 27.61 / 41.57 = 0.6642, 13.07 / 18.57 = 0.7038, 77.2 - 77.2, 93.6 - 93.8
    for metric, text in [("params", "(-34%)"), ("bflops", "(-30%)"), ("top1", "(=)"), ("top5", "(-0.2)")]:
        found = derived(row, base, metric)
        assert found is not None
        assert found.text == found.printed == text
        assert found.equal
    measured = derived(row, base, "params", (30_000_000, 40_000_000))
    assert measured is not None
    assert (measured.text, measured.printed, measured.equal) == ("(-25%)", "(-34%)", False)


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
    found = derived(table.row("cspresnet-50"), table.row("resnet-50"), metric, (Decimal(values[0]), Decimal(values[1])))
    assert found is not None
    assert found.text == text


def test_nothing_to_compare() -> None:
    table = tables.load("imagenet-big")
    assert derived(table.row("cspdarknet-53-elastic"), table.row("darknet-53"), "params") is None
    with pytest.raises(ValueError, match="compared with darknet-53, not with resnet-50"):
        derived(table.row("cspdarknet-53"), table.row("resnet-50"), "params")
