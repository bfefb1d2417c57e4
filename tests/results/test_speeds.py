"""Stored times: medians, intervals, ratios, the cells that they measure, and what may be stored."""

from __future__ import annotations

import json
import statistics
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from refusals import refuses
from speed_runs import MACHINE, SESSION, speed_run, stored, timing, tiny_run

from cspbench.claims import tables
from cspbench.claims.verdict import Status
from cspbench.results.speeds.cells import by_cell
from cspbench.results.speeds.keep import keep
from cspbench.results.speeds.middle import middle
from cspbench.results.speeds.ratios import of_run, pairs
from cspbench.results.speeds.record import Machine, Setting, Speeds, Stage
from cspbench.results.store import of_files, read_record

TABLES = tables.load_all(kind=None)


# --- medians


@pytest.mark.parametrize(
    ("count", "interval"),
    [
        # P(X = 0) = 1/2^n: 2/32 is more than 5 %, 2/64 is less
        (1, None),
        (5, None),
        (6, (1, 6)),
        # 2 (1 + 8) / 2^8 = 7 %, 2 (1 + 9) / 2^9 = 3.9 %
        (8, (1, 8)),
        (9, (2, 8)),
        # the tables of the sign test
        (20, (6, 15)),
        (100, (40, 61)),
    ],
)
def test_the_interval_lies_between_order_statistics(count: int, interval: tuple[int, int] | None) -> None:
    assert middle([*range(count, 0, -1)]).interval == interval


def test_median_and_quartiles() -> None:
    result = middle([4.0, 1.0, 2.0, 3.0])
    assert (result.median, result.quartiles, result.rounds) == (2.5, (1.75, 3.25), 4)
    one = middle([7.0])
    assert (one.median, one.quartiles, one.interval) == (7.0, (7.0, 7.0), None)


def test_frames_per_second_turn_the_ends_round() -> None:
    rate = middle([1.0, 2.0, 4.0, 4.0, 5.0, 8.0]).inverse()
    assert (rate.median, rate.interval) == (0.25, (0.125, 1.0))
    assert rate.quartiles == pytest.approx((1 / 4.75, 1 / 2.5))


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60))
def test_an_interval_holds_the_median(values: list[float]) -> None:
    result = middle(values)
    assert result.quartiles[0] <= result.median == statistics.median(values) <= result.quartiles[1]
    if result.interval:
        assert result.interval[0] <= result.median <= result.interval[1]
    assert (result.interval is None) == (len(values) < 6)


def test_many_rounds_are_no_overflow() -> None:
    assert middle([1.0] * 1200).interval == (1.0, 1.0)


# --- ratios


def test_the_ratio_is_the_median_of_the_rounds_own_ratios() -> None:
    """The slow half slows both: each round has its own ratio, and that of the medians, 28/14, is another."""
    (ratio,) = of_run(tiny_run(), TABLES)
    assert (ratio.table, ratio.names) == ("coco-cpu", ("YOLOv3-tiny-PRN 416×416", "YOLOv3-tiny 416×416"))
    assert [(each.above.device, int(each.above.value), int(each.below.value)) for each in ratio.claimed] == [
        ("9900K", 71, 54)
    ]
    network = ratio.measured(Stage.NETWORK)
    # 18/10 three times, 38/18 twice, 38/23
    assert network.median == pytest.approx(1.8)
    assert network.interval == pytest.approx((38 / 23, 38 / 18))
    # 2 ms more for both, then 1 ms more: 20/12, 40/20, 40/25 and 21/13, 41/21, 41/26
    assert ratio.measured(Stage.BOXES).median == pytest.approx(20 / 12)
    assert ratio.measured(Stage.BOXES).interval == pytest.approx((1.6, 2.0))
    assert ratio.measured(Stage.IMAGES).interval == pytest.approx((41 / 26, 41 / 21))


def test_which_rows_of_a_table_are_compared() -> None:
    named = {table.name: [(row.id, other.id) for row, other in pairs(table)] for table in TABLES if pairs(table)}
    own = {"coco-headline", "coco-gpu", "coco-cpu", "coco-necks"}
    yolox = {"roadmap", "state-of-the-art", "standard", "standard-legacy", "yolov5"}
    assert named.keys() == {*own, *(f"yolox-{name}" for name in yolox)}
    assert named["coco-gpu"] == [
        ("cspdarknet53-panet-spp-512", "cspresnext50-panet-spp-512"),
        ("cspresnet50-panet-spp-512", "cspdarknet53-panet-spp-512"),
    ]
    assert ("yolov3-tiny-prn-416", "yolov3-tiny-416") in named["coco-cpu"]
    assert ("ours-52fps", "ours-102fps") in named["coco-cpu"]
    assert len(named["coco-cpu"]) == 8


def test_networks_that_no_table_compares_stand_beside_the_first() -> None:
    yours = timing("csresnet50", [0.02], definition="file", model="mine")
    run = speed_run(timing("yolov3-tiny", [0.01]), timing("yolov3-tiny-prn", [0.005]), yours)
    found = [(ratio.table, ratio.names[0], ratio.measured(Stage.NETWORK).median) for ratio in of_run(run, TABLES)]
    assert found == [("coco-cpu", "YOLOv3-tiny-PRN 416×416", 2.0), (None, "mine 256×256", 0.5)]


def test_a_file_of_a_models_name_has_no_claim() -> None:
    run = speed_run(timing("yolov3-tiny", [0.01]), timing("yolov3-tiny-prn", [0.005], definition="file"))
    assert [ratio.table for ratio in of_run(run, TABLES)] == [None]
    assert by_cell([speed_run(timing("yolov3-tiny", [0.01], definition="file"))]) == {}


# --- cells


def test_a_cell_has_the_rate_with_boxes_and_no_verdict() -> None:
    cells = by_cell([tiny_run()])
    assert cells.keys() == {("coco-cpu", "yolov3-tiny-416", "fps"), ("coco-cpu", "yolov3-tiny-prn-416", "fps")}
    (cell,) = cells["coco-cpu", "yolov3-tiny-416", "fps"]
    # 20 and 40 ms in three rounds each
    assert cell.measurement.value == Decimal("33.3333")
    assert cell.measurement.interval == pytest.approx((25, 50))
    assert (cell.verdict.status, str(cell.verdict.reason), cell.verdict.delta) == (Status.UNMEASURED, "hardware", None)
    assert (cell.provenance.when, cell.provenance.weights) == ("2026-01-02T03:04:05Z", "drawn")


def test_a_claim_by_device_stands_beside_the_measurement() -> None:
    run = speed_run(timing("csresnext50-panet-spp-original-optimal", [0.498], 512))
    cells = by_cell([run])
    assert cells.keys() == {
        ("coco-headline", "cspresnext50-panet-spp-512", "fps"),
        ("coco-necks", "panet-spp-ciou-512", "fps"),
    }
    (cell,) = cells["coco-headline", "cspresnext50-panet-spp-512", "fps"]
    assert (cell.verdict.measured, cell.verdict.status, str(cell.verdict.reason)) == (
        Decimal(2),
        Status.UNMEASURED,
        "hardware",
    )


def test_a_latency_is_measured_in_milliseconds() -> None:
    cells = by_cell([speed_run(timing("yolox-darknet53-coupled", [0.498, 0.598, 0.798], 640))])
    assert cells.keys() == {("yolox-roadmap", "yolov3-baseline", metric) for metric in ("fps", "latency")}
    (cell,) = cells["yolox-roadmap", "yolov3-baseline", "latency"]
    assert cell.measurement.value == Decimal(600)
    assert cell.measurement.interval is None
    (cell,) = cells["yolox-roadmap", "yolov3-baseline", "fps"]
    assert cell.measurement.value == Decimal("1.66667")


@pytest.mark.parametrize("setting", [Setting("bf16"), Setting(compiled=True), Setting(batch="best"), Setting(batch=8)])
def test_other_settings_are_no_cells(setting: Setting) -> None:
    assert by_cell([tiny_run(setting=setting)]) == {}


def test_the_newest_counts_and_another_network_is_said() -> None:
    later = structs.replace(SESSION, when="2026-02-02T03:04:05Z")
    old = speed_run(timing("yolov3-tiny", [0.008]))
    new = speed_run(timing("yolov3-tiny", [0.098], network="v2:other"), session=later)
    (cells,) = by_cell([old, new]).values()
    assert [cell.measurement.value for cell in cells] == [10, 100]
    assert [len(cell.measurement.deviations) for cell in cells] == [2, 1]


# --- the file


def test_a_run_replaces_that_of_the_same_machine_setting_and_networks(tmp_path: Path) -> None:
    path = structs.replace(SESSION, command=["cspbench", "speed", "--cfg", "/home/me/mine.cfg"])
    first, other = tiny_run(session=path), tiny_run(setting=Setting("bf16"))
    busier = tiny_run(machine=structs.replace(MACHINE, load=3.0))
    elsewhere = tiny_run(machine=Machine("Example 9", 4, 4))
    for run in (first, other, elsewhere):
        file = keep(tmp_path, run)
    assert len(read_record(file, Speeds).runs) == 3
    before = file.read_bytes()
    keep(tmp_path, first)
    assert file.read_bytes() == before
    assert b"/home/me" not in before
    keep(tmp_path, busier)
    runs = read_record(file, Speeds).runs
    assert len(runs) == 3
    assert {run.machine.load for run in runs} == {3.0, 0.25, None}
    assert [run.key for run in runs] == sorted(run.key for run in runs)
    assert of_files({"speed.json": file.read_bytes()}, "results").speeds == tuple(runs)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("forward", [0.01]),
        ("forward", [0.0] * 6),
        ("forward", [-1.0] * 6),
        ("load", [1e7] * 6),
        ("interpret", [-0.1] * 6),
        ("batch", 0),
        ("candidates", -1),
        ("size", [0, 416]),
        ("size", [416]),
        ("forward", []),
    ],
)
def test_times_that_cannot_be_are_refused(field: str, value: Any) -> None:
    document = json.loads(stored(tiny_run()))
    document["runs"][0]["timings"][0][field] = value
    with refuses("results.not-results", where="results/speed.json"):
        of_files({"speed.json": json.dumps(document).encode()}, "results")


def test_networks_of_a_run_have_the_same_rounds() -> None:
    with pytest.raises(ValueError, match="turns"):
        speed_run(timing("yolov3-tiny", [0.01]), timing("yolov3-tiny-prn", [0.01, 0.02]))
    with pytest.raises(ValueError, match="turns"):
        speed_run()
