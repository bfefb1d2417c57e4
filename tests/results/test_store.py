"""Runs and what is kept of them: which stands for which, what is merged, and what is left out."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from msgspec import structs
from refusals import refuses
from result_files import WHO, changed, classifier, detector, put, stored, threshold
from test_build import line

from cspbench.report import build
from cspbench.report.model import ReportCell
from cspbench.results.schema import DetectionMetrics, Evaluation, Scored, Threshold
from cspbench.results.store import keep, merge, merge_thresholds, of_files, of_run, read_record, without_folders

NMS = "cspresnext50-panet-spp-512-nms"


def at(results: Path, nms: str, *runs: Path) -> ReportCell:
    results.mkdir(exist_ok=True)
    return line(build.build(results, runs), "coco-nms", NMS + nms).cells["ap"]


def thresholds(results: Path, name: str = "one") -> list[Threshold]:
    metrics = read_record(results / "evaluations" / f"{name}.json", Evaluation).metrics
    assert isinstance(metrics, DetectionMetrics)
    return metrics.thresholds


def test_an_incomplete_run_stands_beside_what_is_kept(tmp_path: Path) -> None:
    run = put(tmp_path / "one", detector())
    keep(tmp_path / "results", [run])
    put(run, detector(finished=False))
    result = at(tmp_path / "results", "0.45", run)
    assert (result.mark, result.measured) == ("exact", "38.0")
    assert [(other.measured, other.why) for other in result.others] == [(None, "incomplete: the run can be resumed")]
    assert keep(tmp_path / "results", [run]) == []


def test_later_thresholds_are_kept_beside_the_earlier_ones(tmp_path: Path) -> None:
    results = tmp_path / "results"
    run = put(tmp_path / "one", detector(nms=0.6, ap="1.0"))
    keep(results, [run])
    put(run, detector(nms=0.45, ap="38.04"))
    for runs in ([run], []):  # the run with its record, and what is then kept
        assert at(results, "0.45", *runs).measured == "38.0"
        assert at(results, "0.60", *runs).measured == "1.0"
        keep(results, [run])
    put(run, detector(nms=0.45, ap="38.5"))
    keep(results, [run])
    assert [(each.nms, str(each.ap["ap"])) for each in thresholds(results)] == [(0.45, "38.5"), (0.6, "1.0")]


def test_kinds_of_suppression_are_kept_apart(tmp_path: Path) -> None:
    results, run = tmp_path / "results", tmp_path / "one"
    for kind in ("default", "diou"):
        keep(results, [put(run, detector(kind=kind))])
    assert [(each.nms, each.kind) for each in thresholds(results)] == [(0.45, "default"), (0.45, "diou")]


@pytest.mark.parametrize("other", [{"weights": f"arrays:{'9' * 64}"}, {"split": "val2017"}, {"precision": "fp16"}])
def test_thresholds_of_another_run_are_not(tmp_path: Path, other: dict[str, Any]) -> None:
    run = put(tmp_path / "one", detector(nms=0.6, **other))
    keep(tmp_path / "results", [run])
    put(run, detector())
    assert at(tmp_path / "results", "0.45", run).measured == "38.0"
    assert at(tmp_path / "results", "0.60", run).measured is None


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ("f", "f", [0.45, 0.6]),
        ("f", "e", [0.6]),  # the image files changed since
        (None, "f", [0.45, 0.6]),  # the server's
        ("f", None, [0.45, 0.6]),
    ],
)
def test_thresholds_of_other_pixels_are_not(old: str | None, new: str | None, kept: list[float]) -> None:
    first, second = detector(nms=0.45, pixels=old).metrics, detector(nms=0.6, pixels=new).metrics
    assert isinstance(first, DetectionMetrics)
    assert isinstance(second, DetectionMetrics)
    assert [each.nms for each in merge_thresholds(first, second).thresholds] == kept


@pytest.mark.parametrize(("ap", "kept"), [("38.0", True), ("38.1", False)])
def test_intervals_outlive_the_same_numbers_scored_without_them(ap: str, kept: bool) -> None:
    first, second = detector(ap="38.0").metrics, detector(ap=ap).metrics
    assert isinstance(first, DetectionMetrics)
    assert isinstance(second, DetectionMetrics)
    bounds = {"ap": (37.0, 39.0)}
    with_them = structs.replace(first, thresholds=[structs.replace(first.thresholds[0], intervals=bounds)])
    assert merge_thresholds(with_them, second).thresholds[0].intervals == (bounds if kept else None)


def test_the_servers_numbers_outlive_a_new_submission(tmp_path: Path) -> None:
    run = put(tmp_path / "one", detector(pixels=None))
    keep(tmp_path / "results", [run])
    put(run, detector(ap=None))
    assert at(tmp_path / "results", "0.45", run).mark == "exact"
    assert at(tmp_path / "elsewhere", "0.45", run).mark == "unmeasured: awaiting-server"


def test_what_is_kept_names_no_places(tmp_path: Path) -> None:
    command = ["cspbench", "eval-coco", "/home/me/my coco", "--run", "/home/me/x"]
    session = structs.replace(WHO, command=command)
    scored = Scored(["cspbench", "score", "/home/me/x"], "0.1.0")
    evaluation = changed(detector(), sessions=[session, session], scored=[scored], place="/home/me/my coco")
    run = put(tmp_path / "one", evaluation)
    result = at(tmp_path / "results", "0.45", run)
    keep(tmp_path / "results", [run])
    text = (tmp_path / "results" / "evaluations" / "one.json").read_text()
    assert "home" not in text
    assert json.loads(text)["run"]["scored"][0]["command"] == ["cspbench", "score", "x"]
    assert result.provenance is not None
    # quoted, so that it can be pasted
    assert result.provenance.command == "cspbench eval-coco 'my coco' --run x"


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
    assert without_folders([argument]) == [kept]


def test_a_record_is_named_after_its_run_also_from_within(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = put(tmp_path / "runs" / "one", detector())
    monkeypatch.chdir(run)
    assert of_run(Path(".")).name == "one"
    (kept,) = keep(tmp_path / "results", [Path(".")])
    assert kept == tmp_path / "results" / "evaluations" / "one.json"
    (run / "below").mkdir()
    monkeypatch.chdir(run / "below")
    assert of_run(Path("..")).name == "one"


@pytest.mark.parametrize("there", [True, False])
def test_a_folder_of_evaluations_that_is_a_link_is_refused(tmp_path: Path, there: bool) -> None:
    run = put(tmp_path / "one", detector())
    results, other = tmp_path / "results", tmp_path / "other"
    results.mkdir()
    if there:
        other.mkdir()
    (results / "evaluations").symlink_to(other)
    with refuses("disk.folder-is-link", where=str(results / "evaluations")):
        keep(results, [run])
    assert not other.exists() or list(other.iterdir()) == []


def test_another_run_of_the_same_name_is_not_replaced(tmp_path: Path) -> None:
    """Two folders called "one"; the first run's record stays, and may be written again."""
    first, second = put(tmp_path / "a" / "one", classifier()), put(tmp_path / "b" / "one", detector())
    results = tmp_path / "results"
    (kept,) = keep(results, [first])
    before = kept.read_bytes()
    with refuses("results.other-run", where=str(second), found=str(kept)):
        keep(results, [second])
    with refuses("results.other-run"):
        keep(tmp_path / "new", [first, second])
    assert keep(results, [first]) == [kept]
    assert kept.read_bytes() == before


def test_a_run_whose_name_is_too_long_for_a_record(tmp_path: Path) -> None:
    run = put(tmp_path / ("x" * 253), classifier())
    with refuses("disk.write-failed", found=os.strerror(errno.ENAMETOOLONG)):
        keep(tmp_path / "results", [run])
    run.rename(tmp_path / ("x" * 250))
    assert [path.name for path in keep(tmp_path / "results", [tmp_path / ("x" * 250)])] == ["x" * 250 + ".json"]


def test_a_link_in_the_place_of_a_record_is_replaced(tmp_path: Path) -> None:
    run = put(tmp_path / "one", classifier())
    folder, other = tmp_path / "results" / "evaluations", tmp_path / "other.json"
    folder.mkdir(parents=True)
    other.write_bytes(stored(classifier(top1=1)))
    before = other.read_bytes()
    (folder / "one.json").symlink_to(other)
    keep(tmp_path / "results", [run])
    assert other.read_bytes() == before
    assert not (folder / "one.json").is_symlink()


def _damaged(data: bytes, *place: str | int, value: Any) -> bytes:
    document = json.loads(data)
    at = document
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    return json.dumps(document).encode()


CLASSIFIER, DETECTOR = stored(classifier()), stored(detector())


@pytest.mark.parametrize(
    "data",
    [
        _damaged(CLASSIFIER, "metrics", "top1", value={"correct": 0, "total": 0}),
        _damaged(CLASSIFIER, "metrics", "top1", value={"correct": 386, "total": 500}),
        _damaged(CLASSIFIER, "metrics", "top5", value={"correct": 50_001, "total": 50_000}),
        _damaged(CLASSIFIER, "metrics", "images", value=0),
        _damaged(CLASSIFIER, "run", "samples", value=100),
        _damaged(CLASSIFIER, "run", "identity", "data", "limit", value=200),
        _damaged(CLASSIFIER, "run", "identity", "precision", value="bf16"),
        _damaged(CLASSIFIER, "run", "sessions", value=[]),
        _damaged(CLASSIFIER, "run", "sessions", 0, "when", value="yesterday"),
        _damaged(CLASSIFIER, "metrics", value=json.loads(DETECTOR)["metrics"]),
        _damaged(DETECTOR, "metrics", "images", value=0),
        _damaged(DETECTOR, "metrics", "images", value=20_287),
        _damaged(DETECTOR, "metrics", "thresholds", value=[3]),
        _damaged(DETECTOR, "metrics", "thresholds", 0, "ap", "ap", value=100.1),
        _damaged(DETECTOR, "metrics", "thresholds", 0, "ap", "ap", value=-0.1),
        _damaged(DETECTOR, "metrics", "thresholds", 0, "ap", "map", value=1),
        _damaged(DETECTOR, "metrics", "thresholds", 0, "nms", value=1.5),
        _damaged(DETECTOR, "run", "settings", value=None),
    ],
)
def test_numbers_that_cannot_be_of_the_run_are_refused(data: bytes) -> None:
    with refuses("results.not-results", where="results/evaluations/x.json"):
        of_files({"evaluations/x.json": data}, "results")


def test_metrics_of_another_run_are_refused(tmp_path: Path) -> None:
    run = put(tmp_path / "one", detector())
    (run / "metrics.json").write_bytes((put(tmp_path / "two", detector(split="val2017")) / "metrics.json").read_bytes())
    with refuses("results.not-results", where=str(run / "metrics.json")):
        of_run(run)


def test_a_merged_run_says_who_scored_each_threshold() -> None:
    first, second, third = (
        Scored(["cspbench", "score", "run", "--nms", nms], "0.1.0", numbers=[f"{nms} default"])
        for nms in ("0.45", "0.6", "0.45")
    )
    earlier = detector(thresholds=[threshold(0.45)], run={"scored": [first]})
    new = detector(thresholds=[threshold(0.6)], run={"scored": [second]})
    assert merge(earlier, new).run.scored == [first, second]
    again = detector(thresholds=[threshold(0.45)], run={"scored": [third]})
    assert merge(merge(earlier, new), again).run.scored == [second, third]
    assert merge(None, new) is new
