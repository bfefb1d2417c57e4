"""compare on detectors: one threshold, whatever the runs were scored at before."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from coco_runs import command, data_set, made

from cspbench.detection.ap import bootstrap
from cspbench.errors import CspbenchError


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap.paired, "__defaults__", (20, *(bootstrap.paired.__defaults__ or ())[1:]))


def test_it_takes_the_presets_threshold_after_several(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    first, second = made(tmp_path / "a", data), made(tmp_path / "b", data, shift=9.0)
    assert command("score", first, "--nms", "0.6,0.8").exit_code == 0
    done = command("compare", first, second)
    assert done.exit_code == 0, done.exception
    assert "A: small (readme, a) NMS 0.45, B: small (readme, b) NMS 0.45; paired bootstrap over 6 images" in done.stdout
    result = json.loads(command("compare", first, second, "--json").stdout)
    assert result["difference"]["ap"]["delta"] == pytest.approx(result["ap"][1]["ap"] - result["ap"][0]["ap"], abs=2e-4)
    assert result["difference"]["ap"]["delta"] < 0


def test_several_thresholds_are_refused(tmp_path: Path) -> None:
    run = made(tmp_path / "a", data_set(tmp_path / "coco"))
    refused = command("compare", run, run, "--nms", "0.5,0.6").exception
    assert isinstance(refused, CspbenchError)
    assert refused.code == "usage.one-threshold"


def test_every_format_has_each_metrics_difference(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    runs = made(tmp_path / "a", data), made(tmp_path / "b", data, shift=9.0)
    result = json.loads(command("compare", *runs, "--format", "json").stdout)
    assert result == json.loads(command("compare", *runs, "--json").stdout)
    lines = list(csv.DictReader(command("compare", *runs, "--format", "csv").stdout.splitlines()))
    assert [line["metric"] for line in lines] == [name for name, each in result["difference"].items() if each]
    assert float(lines[0]["delta"]) == pytest.approx(result["difference"]["ap"]["delta"], abs=1e-3)
    assert command("compare", *runs, "--format", "latex").stdout.startswith(r"\begin{tabular}")


def test_runs_of_other_images_are_refused(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    refused = command("compare", made(tmp_path / "a", data), made(tmp_path / "b", data, limit=3)).exception
    assert isinstance(refused, CspbenchError)
    assert (refused.exit_code, refused.code) == (3, "detections.different-images")


def test_presets_tell_two_runs_of_a_model_apart(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    done = command("compare", made(tmp_path / "a", data), made(tmp_path / "b", data, "letterbox", conf=0.3))
    assert "B: small (letterbox with conf 0.3, b) NMS 0.45" in done.stdout, done.exception


def test_a_folder_with_one_run_stands_for_it(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    runs = made(tmp_path / "a" / "small-readme", data), made(tmp_path / "b" / "small-readme", data, shift=9.0)
    assert command("compare", tmp_path / "a", tmp_path / "b", "--json").exit_code == 0
    made(tmp_path / "b" / "other", data)
    refused = command("compare", tmp_path / "a", tmp_path / "b").exception
    assert isinstance(refused, CspbenchError)
    assert (refused.code, str(refused.found).split(", ")) == (
        "run.several",
        [str(tmp_path / "b" / "other"), str(runs[1])],
    )


def test_two_files_of_detections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = data_set(tmp_path / "coco")
    runs = made(tmp_path / "a", data), made(tmp_path / "b", data, shift=9.0)
    files = [tmp_path / f"{run.name}.json" for run in runs]
    for run, file in zip(runs, files, strict=True):
        assert command("score", run, "--save-json", file).exit_code == 0
    of_runs = json.loads(command("compare", *runs, "--json").stdout)
    of_files = json.loads(command("compare", *files, "--data", data, "--json").stdout)
    assert (of_files["ap"], of_files["difference"]) == (of_runs["ap"], of_runs["difference"])
    assert of_files["files"] == [str(file) for file in files]
    monkeypatch.setenv("CSPBENCH_COCO", str(data))
    assert "A: a.json, B: b.json; paired bootstrap over 6 images" in command("compare", *files).stdout
    monkeypatch.delenv("CSPBENCH_COCO")
    for arguments, code in (
        (files, "usage.detections-without-data"),
        ([*files, "--nms", "0.5"], "usage.compare-files"),
        ([files[0], runs[1], "--data", data], "usage.compare-files"),
        ([tmp_path / "typo.json", files[1], "--data", data], "usage.compare-files"),
        ([tmp_path / "typo.json", tmp_path / "typo.json"], "run.none-there"),
        ([data / "annotations" / "instances_val2017.json", files[1], "--data", data], "detections.not-a-result-file"),
    ):
        refused = command("compare", *arguments).exception
        assert isinstance(refused, CspbenchError)
        assert refused.code == code
