"""Runs and what is kept of them: which stands for which, what is merged, and what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from result_files import classifier, detector
from test_build import line

from cspbench.errors import CspbenchError
from cspbench.report.build import gather, gather_files
from cspbench.report.model import ReportedCell
from cspbench.results.store import keep, without_places

NMS = "cspresnext50-panet-spp-512-nms"


def put(folder: Path, data: bytes) -> Path:
    """A run directory with a kept evaluation's content."""
    document = json.loads(data)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.json").write_text(json.dumps(document["run"]))
    (folder / "metrics.json").unlink(missing_ok=True)
    if document["metrics"] is not None:
        (folder / "metrics.json").write_text(json.dumps(document["metrics"]))
    return folder


def at(results: Path, threshold: str, *runs: Path) -> ReportedCell:
    return line(gather(results, runs), "coco-nms", NMS + threshold).cells["ap"]


def test_an_incomplete_run_stands_beside_what_is_kept(tmp_path: Path) -> None:
    run = put(tmp_path / "one", detector())
    keep(tmp_path / "results", [run])
    put(run, detector(finished=False))
    found = at(tmp_path / "results", "0.45", run)
    assert (found.mark, found.measured) == ("exact", "38.0")
    assert [(each.measured, each.why) for each in found.others] == [(None, "incomplete: the run can be resumed")]
    assert keep(tmp_path / "results", [run]) == []


def test_later_thresholds_are_kept_beside_the_earlier_ones(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = put(tmp_path / "one", detector(nms=0.6, ap=1.0))
    keep(results, [run])
    put(run, detector(nms=0.45, ap=38.04))
    for runs in ([run], []):  # the run with its record, and what is then kept
        assert at(results, "0.45", *runs).measured == "38.0"
        assert at(results, "0.60", *runs).measured == "1.0"
        keep(results, [run])
    put(run, detector(nms=0.45, ap=38.5))
    keep(results, [run])
    kept = json.loads((results / "evaluations" / "one.json").read_text())["metrics"]["thresholds"]
    assert [(each["nms"], each["ap"]["ap"]) for each in kept] == [(0.45, 38.5), (0.6, 1.0)]


@pytest.mark.parametrize("other", [{"weights": "9" * 64}, {"split": "val2017"}])
def test_thresholds_of_another_run_are_not(tmp_path: Path, other: dict[str, Any]) -> None:
    run = put(tmp_path / "one", detector(nms=0.6, **other))
    keep(tmp_path / "results", [run])
    put(run, detector())
    assert at(tmp_path / "results", "0.45", run).measured == "38.0"
    assert at(tmp_path / "results", "0.60", run).measured is None


def test_the_servers_numbers_outlive_a_new_submission(tmp_path: Path) -> None:
    served = json.loads(detector())
    del served["metrics"]["pixels"]
    run = put(tmp_path / "one", json.dumps(served).encode())
    keep(tmp_path / "results", [run])
    waiting = json.loads(detector())
    waiting["metrics"]["thresholds"][0]["ap"] = {}
    put(run, json.dumps(waiting).encode())
    assert at(tmp_path / "results", "0.45", run).mark == "exact"


def test_what_is_kept_names_no_places(tmp_path: Path) -> None:
    document = json.loads(detector())
    document["run"]["command"] = ["cspbench", "eval-coco", "/home/me/coco", "--run", "/home/me/x"]
    run = put(tmp_path / "one", json.dumps(document).encode())
    found = at(tmp_path, "0.45", run)
    keep(tmp_path / "results", [run])
    assert "home" not in (tmp_path / "results" / "evaluations" / "one.json").read_text()
    assert found.made is not None
    assert found.made.command == "cspbench eval-coco coco --run x"


@pytest.mark.parametrize(
    ("argument", "kept"),
    [
        ("/home/me/x", "x"),
        ("./data/", "data"),
        ("--opt=/a/b", "--opt=b"),
        ("C:\\Users\\me\\w.weights", "w.weights"),
        ("/", ""),
        ("--opt=a=b", "--opt=a=b"),
        ("timm/cspresnet50", "timm/cspresnet50"),
        ("timm/*", "timm/*"),
        ("--nms", "--nms"),
        ("0.45,0.5", "0.45,0.5"),
    ],
)
def test_paths_lose_their_folders(argument: str, kept: str) -> None:
    assert without_places([argument]) == [kept]


def _damaged(data: bytes, *place: str | int, value: Any) -> bytes:
    document = json.loads(data)
    at = document
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    "data",
    [
        _damaged(classifier(), "metrics", "top1", value={"correct": 0, "total": 0}),
        _damaged(classifier(), "metrics", "top1", value={"correct": 386, "total": 500}),
        _damaged(classifier(), "metrics", "top5", value={"correct": 50_001, "total": 50_000}),
        classifier(top1=0, images=0),
        classifier(top1=77, images=100, data={"images": 50_000, "limit": 200}),
        _damaged(detector(), "metrics", "images", value=0),
        _damaged(detector(), "metrics", "thresholds", value=[3]),
    ],
)
def test_numbers_of_other_images_than_the_runs_are_refused(data: bytes) -> None:
    with pytest.raises(CspbenchError, match="not a file of results"):
        gather_files({"evaluations/x.json": data}, "results")
