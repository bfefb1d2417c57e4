"""Times from Python."""

from __future__ import annotations

import pytest
from refusals import refuses
from speed_runs import speed_run, timing

import cspbench
from cspbench.results.speeds.record import Setting
from cspbench.speed.measure_speed import SpeedResult


def test_a_line_for_each_stage() -> None:
    # 20 and 40 ms of the network, 2 ms of boxes, 1 ms of loading
    frame = SpeedResult((speed_run(timing("yolov3-tiny", [0.02, 0.04, 0.04]), setting=Setting(batch=1)),)).frame()
    assert frame["stage"].tolist() == ["network", "with boxes", "with images"]
    assert frame["ms"].tolist() == pytest.approx([40, 42, 43])
    assert frame["fps"].tolist() == pytest.approx([25, 1000 / 42, 1000 / 43])
    assert frame["fps_low"].isna().all()  # three rounds have no interval
    assert (frame["model"][0], frame["height"][0], frame["precision"][0], frame["rounds"][0]) == (
        "yolov3-tiny",
        416,
        "fp32",
        3,
    )


def test_a_model_is_really_timed() -> None:
    result = cspbench.measure_speed("sample-csp-classifier", size=(32, 32), seconds=0.01, device="cpu")
    (run,) = result.runs
    assert [(each.model, each.size) for each in run.timings] == [("sample-csp-classifier", (32, 32))]
    assert (result.frame()["ms"] > 0).all()


def test_models_or_tables() -> None:
    with refuses("usage.models-or-tables", found="neither"):
        cspbench.measure_speed()
    with refuses("usage.models-or-tables", found="both"):
        cspbench.measure_speed("yolov3-tiny", tables="coco-cpu")
    with refuses("usage.no-frame-rates"):
        cspbench.measure_speed(tables=["imagenet-big"])
