"""analyze on runs and on files of detections, in this process and without a network."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from coco_commands import annotate
from coco_runs import command, data_set, made
from refusals import refuses

import cspbench
from cspbench.errors import CspbenchError
from cspbench.results.runs import load_run, read_metrics
from cspbench.results.schema import DetectionMetrics
from cspbench.results.store import of_run


def analysed(*arguments: object) -> dict[str, Any]:
    done = command("analyze", *arguments, "--format", "json")
    assert done.exit_code == 0, done.exception or done.stderr
    return dict(json.loads(done.stdout))


def code_of(*arguments: object) -> str:
    error = command("analyze", *arguments).exception
    assert isinstance(error, CspbenchError), error
    return error.code


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """One object of 40 x 40 an image; a detection 4 pixels aside, and a second one 4 aside and 6 below.

    The second has an IoU of 36 x 34 / (3200 - 36 x 34) = 0.62 with the object, and 34 / 46 = 0.74 with the first box.
    """
    return made(tmp_path / "run", data_set(tmp_path / "coco"))


def test_a_run_by_hand(run: Path) -> None:
    suppressed = analysed(run)
    assert (suppressed["nms"], suppressed["areas"]["all"]["ap50"]) == (0.45, 100.0)
    assert set(suppressed["areas"]["all"]["counts"].values()) == {0}
    both = analysed(run, "--nms", "0.8")
    areas = both["areas"]
    assert {name: count for name, count in areas["all"]["counts"].items() if count} == {"dupe": 6, "fp": 6}
    assert areas["all"]["objects"] == areas["medium"]["objects"] == 6  # of 1600 pixels
    assert areas["small"]["ap50"] is None
    # behind the hits, 0.9, the duplicates, 0.5, cost nothing
    assert set(areas["all"]["dap"].values()) == {0.0}
    cells = sorted((each["truth"] or "", each["found"], each["count"]) for each in both["confusion"])
    names = ("bicycle", "car", "person")
    assert cells == [*(("", name, 2) for name in names), *((name, name, 2) for name in names)]
    assert len(analysed(run, "--nms", "0.8", "--conf", "0.6")["confusion"]) == 3


def test_it_is_stored_beside_the_metrics_with_who_computed_it(run: Path) -> None:
    assert command("score", run, "--nms", "0.45,0.8").exit_code == 0
    before = json.loads((run / "metrics.json").read_text())["thresholds"]
    analysed(run, "--nms", "0.8")
    metrics = read_metrics(load_run(run))
    assert isinstance(metrics, DetectionMetrics)
    assert metrics.analysis is not None
    assert json.loads((run / "metrics.json").read_text())["thresholds"] == before
    assert load_run(run).record.scored[-1].numbers == [metrics.analysis.number] == ["errors 0.8 default"]
    first = (run / "metrics.json").read_bytes()
    analysed(run, "--nms", "0.8")
    assert (run / "metrics.json").read_bytes() == first
    assert command("score", run, "--nms", "0.6").exit_code == 0
    again = of_run(run).metrics
    assert isinstance(again, DetectionMetrics)
    assert again.analysis == metrics.analysis


def test_the_report_shows_it(run: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    for shown in (False, True):
        arguments = ("report", run, "--results", tmp_path / "none", "--table", "coco-gpu", "--out", page)
        assert command(*arguments).exit_code == 0
        assert ('id="errors"' in page.read_text()) == shown
        analysed(run)


def test_a_file_of_detections_has_the_errors_of_its_run(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "detections.json"
    assert command("score", run, "--nms", "0.8", "--save-json", file).exit_code == 0
    one, other = analysed(run, "--nms", "0.8"), analysed(file, "--data", tmp_path / "coco")
    for key in ("areas", "per_class", "confusion"):
        assert other[key] == one[key]
    assert (other["nms"], other["file"]) == (None, str(file))


def test_figures_and_the_worst_images(tmp_path: Path) -> None:
    annotate(tmp_path / "coco", 3)
    file, out = tmp_path / "detections.json", tmp_path / "out"
    file.write_text(json.dumps([{"image_id": 2, "category_id": 1, "bbox": [50, 50, 9, 9], "score": 0.9}] * 9))
    arguments = ("analyze", file, "--data", tmp_path / "coco", "--draw", "worst:1", "--out", out)
    assert command(*arguments).exit_code == 0
    figures = {f"{name}.{form}" for name in ("confusion", "error-types") for form in ("png", "svg", "pdf")}
    assert {path.name for path in out.iterdir()} == {"000000000002.png", "confusion.csv", *figures}
    assert code_of(*arguments[1:]) == "usage.folder-not-empty"
    assert command(*arguments, "--force").exit_code == 0
    for image in (tmp_path / "coco" / "val2017").iterdir():
        image.unlink()
    (tmp_path / "coco" / "val2017").rmdir()
    assert code_of(*arguments[1:], "--force") == "usage.draw-without-images"


def test_in_python(run: Path) -> None:
    frame = cspbench.analyze(run, nms=0.8).frame().set_index("name")
    assert frame.loc["all", "count_dupe"] == 6
    assert frame.loc["person", "ap50"] == pytest.approx(100)
    assert len(frame) == 84  # four areas and 80 classes


def test_what_is_refused(run: Path, tmp_path: Path) -> None:
    data, file = tmp_path / "coco", tmp_path / "detections.json"
    assert command("score", run, "--save-json", file).exit_code == 0
    assert code_of(run, "--nms", "0.5,0.6") == "usage.one-threshold"
    assert code_of(run, "--conf", "2") == "usage.out-of-range"
    assert code_of(run, "--split", "custom") == "usage.split-of-run"
    assert code_of(file, "--data", data, "--nms", "0.5") == "usage.file-options"
    assert code_of(file, "--data", data, "--draw", "worst:1") == "usage.draw-without-out"
    assert code_of(tmp_path / "nothing") == "run.none-there"
    with refuses("usage.detections-without-data", where=str(file)):
        cspbench.analyze(file)


def test_csv_has_a_line_for_each_class(run: Path) -> None:
    lines = list(csv.DictReader(command("analyze", run, "--format", "csv").stdout.splitlines()))
    assert [line["name"] for line in lines[:5]] == ["all", "small", "medium", "large", "person"]
    assert lines[4]["ap50"] == "100.0"
