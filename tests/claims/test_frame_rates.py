"""Frame rates with their devices, and the ratios that they claim."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cspbench.claims import tables
from cspbench.claims.frame_rates import ClaimedRatio, FrameRate, of_row, ratios
from cspbench.claims.model import Row


def row(table: str, name: str) -> Row:
    return tables.load(table).row(name)


@pytest.mark.parametrize(
    ("table", "name", "rates"),
    [
        ("coco-cpu", "yolov3-tiny-prn-416", [("9900K", 71)]),
        ("coco-gpu", "cspdarknet53-panet-spp-512", [("1080ti", 51)]),
        ("coco-headline", "cspresnext50-panet-spp-608", [("1080ti", 35), ("GV100", 44)]),
        ("coco-necks", "panet-spp-ciou-512", [(None, 44)]),  # the document prints no device
        ("timm", "cspdarknet53", [("RTX 2070", 66)]),
        ("coco-headline", "cspresnext50-panet-spp-sam-512", []),
        ("imagenet-big", "darknet-53", []),
    ],
)
def test_each_claim_has_its_device(table: str, name: str, rates: list[tuple[str | None, int]]) -> None:
    assert [(rate.device, int(rate.value)) for rate in of_row(row(table, name))] == rates


def test_how_far_rounding_leaves_a_number_open() -> None:
    assert FrameRate(None, Decimal("71")).bounds == (Decimal("70.5"), Decimal("71.5"))
    assert FrameRate(None, Decimal("7.10")).bounds == (Decimal("7.095"), Decimal("7.105"))


def test_a_latency_is_read_as_a_frame_rate() -> None:
    (rate,) = of_row(row("yolox-standard", "yolox-s"))  # 9.8 ms under "Speed V100 (ms)"
    assert (rate.device, rate.printed, rate.latency) == ("V100", Decimal("9.8"), True)
    assert rate.value == pytest.approx(Decimal("102.0408163"))
    assert rate.bounds == pytest.approx((Decimal(1000) / Decimal("9.85"), Decimal(1000) / Decimal("9.75")))


def test_the_frame_rate_is_read_where_both_are_printed() -> None:
    (rate,) = of_row(row("yolox-roadmap", "yolov3-baseline"))
    assert (rate.device, rate.printed, rate.latency) == (None, Decimal("95.2"), False)


def test_the_ratio_of_two_latencies() -> None:
    (ratio,) = ratios(row("yolox-standard", "yolox-m"), row("yolox-standard", "yolox-s"))
    assert ratio.value == pytest.approx(9.8 / 12.3)
    assert ratio.bounds == pytest.approx((9.75 / 12.35, 9.85 / 12.25))


def test_the_ratio_of_two_rows() -> None:
    (ratio,) = ratios(row("coco-cpu", "yolov3-tiny-prn-416"), row("coco-cpu", "yolov3-tiny-416"))
    assert ratio.value == pytest.approx(71 / 54)
    assert ratio.bounds == pytest.approx((70.5 / 54.5, 71.5 / 53.5))


def numbers(ratio: ClaimedRatio) -> tuple[str | None, int, int]:
    return ratio.above.device, int(ratio.above.value), int(ratio.below.value)


def test_only_rates_of_one_device_are_compared() -> None:
    large, small, other = (
        row("coco-headline", name)
        for name in ("cspresnext50-panet-spp-608", "cspresnext50-panet-spp-512", "cspdarknet53-panet-spp-512")
    )
    found = [numbers(each) for each in ratios(large, small)]
    assert found == [("1080ti", 35, 44), ("GV100", 44, 67)]
    assert [numbers(each) for each in ratios(other, large)] == [("1080ti", 51, 35)]
    assert ratios(row("coco-cpu", "yolov3-tiny-416"), large) == ()
