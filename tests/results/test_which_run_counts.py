"""Of several measurements of a cell, which one counts; and which are of other images, networks or weights."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from refusals import refuses
from result_files import classifier, counted, counts, detector
from test_build import ap, cell, top1
from test_store import at, put

from cspbench.report.build import gather_files
from cspbench.report.model import ReportedCell
from cspbench.results.store import keep

ROW = "cspresnext50-panet-spp-512-nms0.45"
LATER = "2027-01-01T00:00:00Z"
PART = {"images": 50_000, "limit": 50_000}


def order(found: ReportedCell) -> list[str | None]:
    """The runs of a cell, the one that counts first."""
    assert found.made is not None
    return [found.made.run, *(each.made.run for each in found.others)]


RUNS = {
    # the first counts before all that follow, however they are named and in whatever order they are read
    "whole, newer": classifier(when=LATER),
    "whole": classifier(),
    "whole, of an unknown time": classifier(when="soon"),
    "one fault": classifier(when=LATER, precision="bf16"),
    "one fault, older": classifier(precision="bf16"),
    "two faults": classifier(when=LATER, precision="bf16", definition="e" * 64),
    "part": classifier(when=LATER, data=PART),
    "part, one more fault": classifier(when="2028-01-01T00:00:00Z", data=PART, precision="bf16"),
    "unfinished": classifier(when="2029-01-01T00:00:00Z", finished=False),
}


@pytest.mark.parametrize("pair", list(itertools.combinations(RUNS, 2)), ids=" before ".join)
def test_what_counts_before_what(pair: tuple[str, str]) -> None:
    for names in ("ab", "ba"):
        found = top1(**dict(zip(names, map(RUNS.__getitem__, pair), strict=True)))
        assert order(found) == list(names)


def test_of_equals_one_counts_whatever_the_order_of_the_files() -> None:
    files = {f"evaluations/{name}.json": classifier() for name in "bca"}
    for names in itertools.permutations(files):
        found = cell({name: files[name] for name in names}, "imagenet-big", "cspdarknet-53", "top1")
        assert order(found) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, "exact"),
        ({"definition": "e" * 64}, "unmeasured: other-way"),
        ({"precision": "fp16"}, "unmeasured: other-way"),
        ({"precision": "bf16"}, "unmeasured: other-way"),
        ({"classes": "sorted"}, "unmeasured: other-way"),
        ({"classes": "darknet"}, "exact"),
        ({"size": [224, 224]}, "unmeasured: no-weights"),  # no row's
        ({"file": True}, "unmeasured: no-weights"),
        ({"data": {"images": 50_000, "limit": 50_000}}, "unmeasured: partial"),
        ({"images": 49_999}, "unmeasured: other-split"),
        ({"images": 50_001}, "unmeasured: other-split"),
    ],
)
def test_a_classifiers_run_of_another_kind(changes: dict[str, Any], mark: str) -> None:
    images = changes.get("images", 50_000)
    assert top1(run=classifier(top1=images * 772 // 1000, **changes)).mark == mark


@pytest.mark.parametrize("preset", ["head", "pjreddie", "timm"])
def test_another_preset_than_the_tables(preset: str) -> None:
    from cspbench.data import presets

    found = top1(run=classifier(preset=presets.preset(preset).as_json()))
    assert found.verdict == "unmeasured"


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, "exact"),
        ({"definition": "e" * 64}, "unmeasured: other-way"),
        ({"precision": "fp16"}, "unmeasured: other-way"),
        ({"own": {"conf": 0.3}}, "unmeasured: other-way"),
        ({"own": {"decoder": "libjpeg"}}, "unmeasured: other-way"),
        ({"size": [416, 416]}, "unmeasured: no-weights"),
        ({"file": True}, "unmeasured: no-weights"),
        ({"nms": 0.5}, "unmeasured: no-weights"),  # its own row's alone
        ({"nms": 0.4500001}, "unmeasured: no-weights"),
        ({"kind": "greedynms"}, "unmeasured: other-way"),
        ({"preset": "letterbox"}, "unmeasured: other-way"),
        ({"limit": 20_288}, "unmeasured: partial"),
        ({"split": "val2017"}, "unmeasured: other-split"),
        ({"finished": False}, "unmeasured: partial"),
    ],
)
def test_a_detectors_run_of_another_kind(changes: dict[str, Any], mark: str) -> None:
    assert ap("coco-nms", ROW, run=detector(**changes)).mark == mark


@pytest.mark.parametrize(
    ("threshold", "row"), [(0.45, "0.45"), (0.5, "0.50"), (0.55, "0.55"), (0.6, "0.60"), (0.65, "0.65"), (0.7, "0.70")]
)
def test_each_threshold_has_its_row_alone(threshold: float, row: str) -> None:
    lines = gather_files({"evaluations/run.json": detector(nms=threshold)}, "results")
    rows = {line.row: line.cells["ap"] for line in lines if line.table == "coco-nms"}
    assert [name for name, found in rows.items() if found.made is not None] == [f"cspresnext50-panet-spp-512-nms{row}"]


# --- what is kept of a run scored at several thresholds


@pytest.mark.parametrize("missing", [(), ("kept",), ("new",)])
@pytest.mark.parametrize("other", ["pixels", "images", "definition", "nothing"])
def test_scores_of_other_images_are_not_merged(tmp_path: Path, other: str, missing: tuple[str, ...]) -> None:
    """By the digest of the image files where both have one, by their number, and by what the run is."""
    kept, new = json.loads(detector(nms=0.6, ap=1.0)), json.loads(detector())
    if other == "pixels":
        kept["metrics"]["pixels"] = "0" * 64
    elif other == "images":
        for place in (kept["run"]["identity"]["data"], kept["metrics"], kept["metrics"]["identity"]["data"]):
            place["images"] = 20_287
    elif other == "definition":
        for place in (kept["run"], kept["metrics"]):
            place["identity"]["definition"] = "e" * 64
    for name, document in (("kept", kept), ("new", new)):
        if name in missing:
            del document["metrics"]["pixels"]
    run = put(tmp_path / "one", json.dumps(kept).encode())
    keep(tmp_path / "results", [run])
    put(run, json.dumps(new).encode())
    same = other == "nothing" or (other == "pixels" and bool(missing))
    assert at(tmp_path / "results", "0.45", run).measured == "38.0"
    assert at(tmp_path / "results", "0.60", run).measured == ("1.0" if same else None)


def test_a_classifiers_newer_result_stands_alone(tmp_path: Path) -> None:
    run = put(tmp_path / "one", classifier(top1=38_000))
    keep(tmp_path / "results", [run])
    put(run, classifier(top1=38_600))
    keep(tmp_path / "results", [run])
    kept = json.loads((tmp_path / "results" / "evaluations" / "one.json").read_text())
    assert kept["metrics"]["top1"]["correct"] == 38_600


@pytest.mark.parametrize("task", ["imagenet", "coco"])
@pytest.mark.parametrize("key", ["model", "weights", "definition", "size", "precision"])
def test_metrics_of_another_run_are_refused(task: str, key: str) -> None:
    document = json.loads(classifier() if task == "imagenet" else detector())
    document["metrics"]["identity"][key] = [1, 1] if key == "size" else "other"
    with refuses("results.not-results") as caught:
        gather_files({"evaluations/x.json": json.dumps(document).encode()}, "results")
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    ("metric", "correct", "total", "good"),
    [
        ("top1", 50_000, 50_000, True),
        ("top1", 0, 50_000, True),
        ("top1", -1, 50_000, False),
        ("top1", 50_001, 50_000, False),
        ("top5", 50_001, 50_000, False),
        ("top5", 50_000, 49_999, False),
        ("top1", 38_600, 50_001, False),
        ("top1", 38_600.0, 50_000, False),
    ],
)
def test_counts_of_right_images_are_possible_ones(metric: str, correct: Any, total: int, good: bool) -> None:
    document = json.loads(classifier())
    document["metrics"][metric] = {"correct": correct, "total": total}
    files = {"evaluations/x.json": json.dumps(document).encode()}
    if good:
        assert cell(files, "imagenet-big", "cspdarknet-53", metric).measured == f"{100 * correct / total:.1f}"
    else:
        with refuses("results.not-results"):
            gather_files(files, "results")


@pytest.mark.parametrize(("images", "good"), [(20_288, True), (20_287, False), (20_289, False)])
def test_an_ap_is_of_all_the_runs_images(images: int, good: bool) -> None:
    document = json.loads(detector())
    document["metrics"]["images"] = images
    files = {"evaluations/x.json": json.dumps(document).encode()}
    if good:
        assert cell(files, "coco-nms", ROW, "ap").mark == "exact"
    else:
        with refuses("results.not-results"):
            gather_files(files, "results")


# --- comparisons with a base


OTHER_WAY = {"precision": "bf16"}
UNFINISHED = {"finished": False}


@pytest.mark.parametrize(
    ("base", "own", "follows"),
    [
        ({}, {}, "(=)"),
        (OTHER_WAY, {}, None),
        ({}, OTHER_WAY, None),
        (OTHER_WAY, OTHER_WAY, None),
        ({"data": PART}, {}, None),
        ({}, {"data": PART}, None),
        (UNFINISHED, {}, None),
        ({}, UNFINISHED, None),
        ({"images": 40_000, "top1": 30_880}, {}, None),
    ],
)
def test_a_comparison_is_of_what_is_claimed(base: dict[str, Any], own: dict[str, Any], follows: str | None) -> None:
    files = {
        "evaluations/base.json": classifier("darknet53", **{"top1": 38_600, **base}),
        "evaluations/own.json": classifier(**{"top1": 38_600, **own}),
    }
    found = cell(files, "imagenet-big", "cspdarknet-53", "top1")
    assert found.comparison is not None
    assert (found.comparison.printed, found.comparison.measured) == ("(=)", follows)


def test_a_comparison_with_a_base_that_nobody_measured() -> None:
    found = top1(run=classifier())
    assert (found.mark, found.comparison and found.comparison.measured) == ("exact", None)


def test_a_comparison_of_counts_under_another_rule_is_none() -> None:
    rows = [
        counted("imagenet-big", "darknet-53", "darknet53", params=(41_573_216, "weights")),
        counted("imagenet-big", "cspdarknet-53", "csdarknet53", params=(27_605_920, "weights")),
    ]

    def follows(base: str, own: str) -> str | None:
        rows[0]["params"]["counting"], rows[1]["params"]["counting"] = base, own
        found = cell({"params.json": counts(*rows)}, "imagenet-big", "cspdarknet-53", "params")
        return found.comparison.measured if found.comparison else None

    assert follows("weights", "weights") == "(-34%)"
    assert follows("learnable", "weights") is follows("weights", "learnable") is None


def test_a_count_of_another_model_is_not_the_rows() -> None:
    row = counted("imagenet-big", "darknet-53", "csdarknet53", params=(41_573_216, "weights"))
    assert cell({"params.json": counts(row)}, "imagenet-big", "darknet-53", "params").mark == "unmeasured: other-way"


@pytest.mark.parametrize(("base", "own", "noted"), [(36_000, 38_600, True), (38_600, 36_000, False)])
def test_a_comparison_that_does_not_follow_names_a_base_that_is_off(base: int, own: int, noted: bool) -> None:
    files = {
        "evaluations/base.json": classifier("darknet53", top1=base),
        "evaluations/own.json": classifier(top1=own),
    }
    found = cell(files, "imagenet-big", "cspdarknet-53", "top1")
    assert found.comparison is not None
    assert found.comparison.verdict == "off"
    assert bool(found.note) is noted


def test_a_threshold_that_awaits_the_server_leaves_another_to_be_shown() -> None:
    """The preset's own is shown before any other, but one without numbers only where no other has them either."""
    document = json.loads(detector(nms=0.6, ap=40.0))
    (scored,) = document["metrics"]["thresholds"]
    for waiting, shown in ((True, "40.0"), (False, "38.0")):
        own = {**scored, "nms": 0.45, "ap": {} if waiting else {"ap": 38.04}}
        document["metrics"]["thresholds"] = [own, scored]
        found = ap("coco-loss", "cspresnext50-panet-spp-512-mse", run=json.dumps(document).encode())
        measured = [found.measured, *(each.measured for each in found.others)]
        assert [each for each in measured if each is not None] == [shown]
        assert found.verdict == ("unmeasured" if waiting else "exact")


@pytest.mark.parametrize(("kind", "shown"), [("default", ["38.0"]), ("diou", ["38.0", "40.0"])])
def test_the_presets_threshold_under_another_kind_is_not_the_presets(kind: str, shown: list[str]) -> None:
    document = json.loads(detector(nms=0.6, ap=40.0))
    (scored,) = document["metrics"]["thresholds"]
    own = {**scored, "nms": 0.45, "kind": kind, "asked": kind, "ap": {"ap": 38.04}}
    document["metrics"]["thresholds"] = [own, scored]
    found = ap("coco-loss", "cspresnext50-panet-spp-512-mse", run=json.dumps(document).encode())
    measured = [found.measured, *(each.measured for each in found.others)]
    assert sorted(each for each in measured if each is not None) == shown
    assert found.verdict == ("exact" if kind == "default" else "unmeasured")
