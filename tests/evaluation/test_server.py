"""The test server's answers beside a run: which are taken, how they are kept, and what else may stand in their file."""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses
from result_files import detector

from cspbench.detection.candidates import no_candidates, pack
from cspbench.evaluation import server
from cspbench.evaluation.scoring import ScoringOptions
from cspbench.results import runs
from cspbench.results.encoding import encode
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import Data, DetectionMetrics

AT = ScoringOptions((0.45,), "default")
NAME = "csresnext50-panet-spp-nms0.45"
NUMBERS = {"AP": 0.38, "AP_50": 0.6, "AP_75": 0.41}


def begun(path: Path, split: str = "test-dev2017", limit: int | None = None, shards: bool = True) -> RunDirectory:
    """A run of two images without anything detected."""
    data = Data("coco", 2 if limit is None else 20, "d" * 64, split, limit=limit, seed=None if limit is None else 0)
    run = runs.open_run(path, detector(data=data).run)
    if shards:
        about = {
            "index": np.arange(2),
            "key": np.array(["a.jpg", "b.jpg"]),
            "extent": np.full((2, 2), 9, np.int32),
            "checksum": np.zeros(2, np.uint32),
            "ok": np.ones(2, np.bool_),
        }
        run.shards.write(0, {**about, **pack([no_candidates()] * 2)})
    return run


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """A complete run on test-dev2017 with the zip of one threshold."""
    run = begun(tmp_path / "run")
    (run.path / f"detections_test-dev2017_{NAME}_results.zip").write_bytes(b"zip")
    return run


@pytest.fixture
def answer(tmp_path: Path) -> Path:
    path = tmp_path / "scores.json"
    path.write_text(json.dumps(NUMBERS))
    return path


def test_an_answer_is_kept_with_what_it_is_of(run: RunDirectory, answer: Path) -> None:
    metrics = server.import_answer(run, AT, answer)
    (threshold,) = metrics.thresholds
    assert (threshold.nms, threshold.kind, threshold.engine) == (0.45, "default", "server")
    assert threshold.ap == {"ap": Decimal("38.0"), "ap50": Decimal("60.0"), "ap75": Decimal("41.0")}
    assert (metrics.pixels, metrics.images, metrics.identity) == (None, 2, run.identity)
    (kept,) = server.answers(run).values()
    assert (kept.nms, kept.kind, kept.ap) == (0.45, "default", threshold.ap)
    assert kept.answer.name == "scores.json"
    assert kept.answer.sha256 == hashlib.sha256(answer.read_bytes()).hexdigest()
    assert kept.submission == f"detections_test-dev2017_{NAME}_results.zip"
    assert threshold.server is not None
    assert (threshold.server["submission"], threshold.server["when"]) == (kept.submission, kept.when)
    assert isinstance(encode(metrics), bytes)


def test_answers_of_other_thresholds_stay_and_a_newer_one_counts(run: RunDirectory, answer: Path) -> None:
    (run.path / "detections_test-dev2017_csresnext50-panet-spp-nms0.6_results.zip").write_bytes(b"zip")
    server.import_answer(run, AT, answer)
    server.import_answer(run, ScoringOptions((0.6,), "default"), answer)
    answer.write_text(json.dumps({**NUMBERS, "AP": 0.39}))
    server.import_answer(run, AT, answer)
    assert {key: float(each.ap["ap"] or 0) for key, each in server.answers(run).items()} == {
        (0.6, "default"): 38.0,
        (0.45, "default"): 39.0,
    }


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"split": "val2017"}, "usage.server-split"),
        ({"limit": 2}, "usage.server-split"),
        ({"shards": False}, "usage.server-split"),
        ({}, "usage.server-zip"),
    ],
)
def test_runs_that_no_server_has_seen(tmp_path: Path, answer: Path, more: dict[str, Any], code: str) -> None:
    with refuses(code, where=str(tmp_path / "run")):
        server.import_answer(begun(tmp_path / "run", **more), AT, answer)
    assert not (tmp_path / "run" / "server.json").exists()


@pytest.mark.parametrize(
    ("options", "code"),
    [
        (ScoringOptions((0.45, 0.6), "default"), "usage.server-threshold"),
        (ScoringOptions((), "default"), "usage.server-threshold"),
        (ScoringOptions((0.5,), "default"), "usage.server-zip"),
        (ScoringOptions((0.45,), "diou"), "usage.server-zip"),
    ],
)
def test_an_answer_is_of_one_zip(run: RunDirectory, answer: Path, options: ScoringOptions, code: str) -> None:
    with refuses(code):
        server.import_answer(run, options, answer)
    assert server.answers(run) == {}


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[1]", "[{}]", "[" * 100_000, '[{"nms": "x"}]', "\x00", "[null]", '{"schema": 2}'],
)
def test_a_file_of_answers_that_is_none_is_not_passed_over(run: RunDirectory, text: str) -> None:
    (run.path / "server.json").write_text(text)
    with refuses("usage.server-answers", where=str(run.path / "server.json")):
        server.answers(run)


@pytest.mark.parametrize(
    "ap",
    [{}, {"ap": "NaN"}, {"ap": 101}, {"ap": -1}, {"ap": "1e-1500000000"}, {"ap50": 60}, {"ap": 38, "map": 1}, None],
)
def test_answers_with_numbers_that_cannot_be(run: RunDirectory, answer: Path, ap: Any) -> None:
    server.import_answer(run, AT, answer)
    path = run.path / "server.json"
    (record,) = json.loads(path.read_text())
    path.write_text(json.dumps([{**record, "ap": ap}]))
    with refuses("usage.server-answers", where=str(path)):
        server.answers(run)


def test_kinds_of_suppression_in_words(tmp_path: Path) -> None:
    run = begun(tmp_path / "run")
    assert (server.kind_of(run, "diou"), server.kind_of(run, "cfg")) == ("diou", "default")
    assert server.submission_name(run, "default", 0.45) == NAME
    assert server.submission_name(run, "diou", 0.6) == "csresnext50-panet-spp-nms0.6-diou"


def test_an_answer_becomes_the_runs_metrics(run: RunDirectory, answer: Path) -> None:
    from cspbench.evaluation.score import import_server_answer
    from cspbench.report.judged_evaluations import judged

    import_server_answer(run, answer, nms="0.45")
    metrics = runs.read_metrics(run)
    assert isinstance(metrics, DetectionMetrics)
    scored = import_server_answer(runs.load_run(run.path), answer, nms="0.45")
    marks = {claim.row.id: claim.cell.mark for claim in judged(scored.stored) if claim.cell.metric == "ap"}
    assert marks["cspresnext50-panet-spp-512-nms0.45"] == "exact"
