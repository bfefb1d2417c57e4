"""Of several measurements of a cell, which one counts; and which are of other images, networks or weights."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from refusals import refuses
from result_files import classifier, counted, counts, detector, put, sources, stored, threshold
from test_build import ap, count, line, rows, top1
from test_store import at

from cspbench.claims import tables
from cspbench.report import build
from cspbench.report.model import ReportCell
from cspbench.results.schema import Data
from cspbench.results.store import Sources, keep, of_files

ROW = "cspresnext50-panet-spp-512-nms0.45"
LATER = "2027-01-01T00:00:00Z"
PART: dict[str, Any] = {"limit": 50_000}
SAMPLE = tables.load("sample-classification").data


def order(found: ReportCell) -> list[str | None]:
    """The runs of a cell, the one that counts first."""
    assert found.provenance is not None
    return [found.provenance.run, *(other.provenance.run for other in found.others)]


RUNS = {
    # the first counts before all that follow, however they are named and in whatever order they are read
    "whole, newer": classifier(when=LATER),
    "whole": classifier(),
    "whole, of an unknown time": classifier(when=""),
    "one fault": classifier(when=LATER, precision="bf16"),
    "one fault, older": classifier(precision="bf16"),
    "two faults": classifier(when=LATER, precision="bf16", network="v2:e"),
    "part": classifier(when=LATER, **PART),
    "part, one more fault": classifier(when="2028-01-01T00:00:00Z", precision="bf16", **PART),
    "unfinished": classifier(when="2029-01-01T00:00:00Z", finished=False),
}


@pytest.mark.parametrize("pair", list(itertools.combinations(RUNS, 2)), ids=" before ".join)
def test_what_counts_before_what(pair: tuple[str, str]) -> None:
    for names in ("ab", "ba"):
        result = top1(**dict(zip(names, map(RUNS.__getitem__, pair), strict=True)))
        assert order(result) == list(names)


def test_of_equals_one_counts_whatever_the_order_of_the_files() -> None:
    kept = {
        evaluation.name: evaluation for evaluation in sources(None, **dict.fromkeys("bca", classifier())).evaluations
    }
    for names in itertools.permutations(kept):
        result = build.rows(Sources((), tuple(kept[name] for name in names)))
        assert order(line(result, "imagenet-big", "cspdarknet-53").cells["top1"]) == ["c", "b", "a"]


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, "exact"),
        ({"network": "v2:e"}, "unmeasured: protocol-mismatch"),
        ({"precision": "fp16"}, "unmeasured: protocol-mismatch"),
        ({"precision": "bf16"}, "unmeasured: protocol-mismatch"),
        ({"classes": "sorted"}, "unmeasured: protocol-mismatch"),
        ({"classes": "darknet"}, "exact"),
        ({"size": 224}, "unmeasured: protocol-mismatch"),
        ({"user_file": True}, "unmeasured: no-weights"),
        (PART, "unmeasured: partial"),
        ({"limit": 50_000, "seed": 0}, "consistent"),  # 77.2 is in the middle of its interval
        ({"limit": 50_000, "seed": 0, "precision": "bf16"}, "unmeasured: protocol-mismatch"),
        ({"images": 49_999}, "unmeasured: partial"),
        ({"images": 49_999, "limit": 49_998}, "unmeasured: partial"),
        ({"data": Data("hfds", 50_000, split="validation")}, "exact"),
        ({"data": Data("hfds", 5_000, split="validation[:10%]"), "top1": 3_860}, "unmeasured: partial"),
        ({"data": Data("hfds", 50_000, split="train[:50000]")}, "unmeasured: split-mismatch"),
        ({"data": Data("hfds", 49_999, split="test")}, "unmeasured: split-mismatch"),
        ({"data": Data("folders", 400, SAMPLE), "top1": 309}, "unmeasured: split-mismatch"),
        ({"images": 50_001}, "unmeasured: split-mismatch"),
    ],
)
def test_a_classifiers_run_of_another_kind(changes: dict[str, Any], mark: str) -> None:
    images = changes.get("images", 50_000)
    assert top1(run=classifier(**{"top1": images * 772 // 1000, **changes})).mark == mark


@pytest.mark.parametrize("preset", ["head", "pjreddie", "timm"])
def test_another_preset_than_the_tables(preset: str) -> None:
    from cspbench.data import presets

    result = top1(run=classifier(preset=presets.preset(preset).as_json()))
    assert result.verdict == "unmeasured"


@pytest.mark.parametrize(
    ("changes", "mark"),
    [
        ({}, "exact"),
        ({"network": "v2:e"}, "unmeasured: protocol-mismatch"),
        ({"precision": "fp16"}, "unmeasured: protocol-mismatch"),
        ({"own": {"conf": 0.3}}, "unmeasured: protocol-mismatch"),
        ({"own": {"decoder": "libjpeg"}}, "unmeasured: protocol-mismatch"),
        ({"size": (416, 416)}, "unmeasured: no-weights"),
        ({"user_file": True}, "unmeasured: no-weights"),
        ({"nms": 0.5}, "unmeasured: no-weights"),  # its own row's alone
        ({"nms": 0.4500001}, "unmeasured: no-weights"),
        ({"kind": "greedynms"}, "unmeasured: protocol-mismatch"),
        ({"preset": "letterbox"}, "unmeasured: protocol-mismatch"),
        ({"limit": 20_288}, "unmeasured: partial"),
        ({"split": "val2017"}, "unmeasured: split-mismatch"),
        ({"finished": False}, "unmeasured: partial"),
    ],
)
def test_a_detectors_run_of_another_kind(changes: dict[str, Any], mark: str) -> None:
    assert ap("coco-nms", ROW, run=detector(**changes)).mark == mark


@pytest.mark.parametrize(
    ("threshold", "row"), [(0.45, "0.45"), (0.5, "0.50"), (0.55, "0.55"), (0.6, "0.60"), (0.65, "0.65"), (0.7, "0.70")]
)
def test_each_threshold_has_its_row_alone(threshold: float, row: str) -> None:
    cells = {each.row: each.cells["ap"] for each in rows(run=detector(nms=threshold)) if each.table == "coco-nms"}
    measured = [name for name, result in cells.items() if result.provenance is not None]
    assert measured == [f"cspresnext50-panet-spp-512-nms{row}"]


# --- what is kept of a run scored at several thresholds


@pytest.mark.parametrize("missing", [(), ("kept",), ("new",)])
@pytest.mark.parametrize("other", ["pixels", "images", "network", "nothing"])
def test_scores_of_other_images_are_not_merged(tmp_path: Path, other: str, missing: tuple[str, ...]) -> None:
    """By the digest of the image files where both have one, by their number, and by what the run is."""
    every: dict[str, dict[str, Any]] = {
        "pixels": {"pixels": "0" * 64},
        "images": {"data": Data("coco", 20_287, "d" * 64, "test-dev2017")},
        "network": {"network": "v2:e"},
        "nothing": {},
    }
    changes = every[other]
    if "kept" in missing:
        changes["pixels"] = None
    run = put(tmp_path / "one", detector(nms=0.6, ap="1.0", **changes))
    keep(tmp_path / "results", [run])
    put(run, detector(pixels=None) if "new" in missing else detector())
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
@pytest.mark.parametrize("key", ["model", "weights", "network", "size", "precision"])
def test_metrics_of_another_run_are_refused(task: str, key: str) -> None:
    document = json.loads(stored(classifier() if task == "imagenet" else detector()))
    document["metrics"]["identity"][key] = {"size": [1, 1], "precision": "fp16"}.get(key, "other")
    with refuses("results.not-results") as caught:
        of_files({"evaluations/x.json": json.dumps(document).encode()}, "results")
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
        ("top1", 38_600.5, 50_000, False),
        ("top1", "38600", 50_000, False),
        ("top1", True, 50_000, False),
    ],
)
def test_counts_of_right_images_are_possible_ones(metric: str, correct: Any, total: int, good: bool) -> None:
    document = json.loads(stored(classifier()))
    document["metrics"][metric] = {"correct": correct, "total": total}
    files = {"evaluations/x.json": json.dumps(document).encode()}
    if good:
        result = line(build.rows(of_files(files, "results")), "imagenet-big", "cspdarknet-53")
        assert result.cells[metric].measured == f"{100 * correct / total:.1f}"
    else:
        with refuses("results.not-results"):
            of_files(files, "results")


@pytest.mark.parametrize(("images", "good"), [(20_288, True), (20_287, False), (20_289, False)])
def test_an_ap_is_of_all_the_runs_images(images: int, good: bool) -> None:
    document = json.loads(stored(detector()))
    document["metrics"]["images"] = images
    files = {"evaluations/x.json": json.dumps(document).encode()}
    if good:
        assert line(build.rows(of_files(files, "results")), "coco-nms", ROW).cells["ap"].mark == "exact"
    else:
        with refuses("results.not-results"):
            of_files(files, "results")


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
        (PART, {}, None),
        ({}, PART, None),
        (UNFINISHED, {}, None),
        ({}, UNFINISHED, None),
        ({"images": 40_000, "top1": 30_880}, {}, None),
    ],
)
def test_a_comparison_is_of_what_is_claimed(base: dict[str, Any], own: dict[str, Any], follows: str | None) -> None:
    both = {"base": classifier("darknet53", **{"top1": 38_600, **base}), "own": classifier(**{"top1": 38_600, **own})}
    result = top1(**both)
    assert result.comparison is not None
    assert (result.comparison.printed, result.comparison.measured) == ("(=)", follows)


def test_a_comparison_with_a_base_that_nobody_measured() -> None:
    result = top1(run=classifier())
    assert (result.mark, result.comparison and result.comparison.measured) == ("exact", None)


def test_a_comparison_of_counts_under_another_rule_is_none() -> None:
    def follows(base: str, own: str) -> str | None:
        data = counts(
            counted("imagenet-big", "darknet-53", "darknet53", params=(41_573_216, base)),
            counted("imagenet-big", "cspdarknet-53", "csdarknet53", params=(27_605_920, own)),
        )
        result = line(rows(data), "imagenet-big", "cspdarknet-53").cells["params"]
        return result.comparison.measured if result.comparison else None

    assert follows("weights", "weights") == "(-34%)"
    assert follows("learnable", "weights") is follows("weights", "learnable") is None


def test_a_count_of_another_model_is_not_the_rows() -> None:
    row = counted("imagenet-big", "darknet-53", "csdarknet53", params=(41_573_216, "weights"))
    assert count(row, "params").mark == "unmeasured: protocol-mismatch"


@pytest.mark.parametrize(("base", "own", "noted"), [(36_000, 38_600, True), (38_600, 36_000, False)])
def test_a_comparison_that_does_not_follow_names_a_base_that_is_off(base: int, own: int, noted: bool) -> None:
    result = top1(base=classifier("darknet53", top1=base), own=classifier(top1=own))
    assert result.comparison is not None
    assert result.comparison.verdict == "off"
    assert bool(result.note) is noted


def test_a_threshold_that_awaits_the_server_leaves_another_to_be_shown() -> None:
    """The preset's own is shown before any other, but one without numbers only where no other has them either."""
    for waiting, shown in ((True, "40.0"), (False, "38.0")):
        both = [threshold(0.45, None if waiting else "38.04"), threshold(0.6, "40.0")]
        result = ap("coco-loss", "cspresnext50-panet-spp-512-mse", run=detector(thresholds=both))
        measured = [result.measured, *(other.measured for other in result.others)]
        assert [each for each in measured if each is not None] == [shown]
        assert result.verdict == ("unmeasured" if waiting else "exact")


@pytest.mark.parametrize(("kind", "shown"), [("default", ["38.0"]), ("diou", ["38.0", "40.0"])])
def test_the_presets_threshold_under_another_kind_is_not_the_presets(kind: str, shown: list[str]) -> None:
    both = [threshold(0.45, "38.04", kind), threshold(0.6, "40.0")]
    result = ap("coco-loss", "cspresnext50-panet-spp-512-mse", run=detector(thresholds=both))
    measured = [result.measured, *(other.measured for other in result.others)]
    assert sorted(each for each in measured if each is not None) == shown
    assert result.verdict == ("exact" if kind == "default" else "unmeasured")
