"""`report --migrate`: results and runs on disk, all of a folder or nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import schema1
from refusals import refuses

from cspbench.network import cfg
from cspbench.report.build import build
from cspbench.results.folders import migrate_folder
from cspbench.results.migrate import _digest_v1
from cspbench.results.runs import find_runs, load_run, read_metrics, run_path
from cspbench.results.schema import DetectionMetrics, Evaluation
from cspbench.results.store import read_record

OLD_NAME = "sample-csp-classifier-readme-" + hashlib.sha256(
    json.dumps(schema1.run()["identity"], sort_keys=True).encode()
).hexdigest()[:8]  # fmt: skip


def old_run(folder: Path, **changes: Any) -> Path:
    document = schema1.run(**changes)
    schema1.write(folder / "metrics.json", schema1.metrics(document))
    return schema1.write(folder / "run.json", document).parent


def old_results(folder: Path) -> Path:
    document = schema1.run()
    schema1.write(folder / "params.json", schema1.counts(schema1.row()))
    schema1.write(folder / f"evaluations/{OLD_NAME}.json", {"run": document, "metrics": schema1.metrics(document)})
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".lock"
    }


def test_a_run_is_refused_until_it_is_migrated_and_then_found_by_its_new_name(tmp_path: Path) -> None:
    old = old_run(tmp_path / "runs" / OLD_NAME)
    with refuses("results.old-schema", where=str(old / "run.json"), found="schema 1"):
        load_run(old)
    (new,) = migrate_folder(tmp_path / "runs")
    run = load_run(new)
    assert new == run_path(tmp_path / "runs", run.identity, "readme")
    assert not old.exists()
    metrics = read_metrics(run)
    assert metrics is not None
    assert (metrics.identity, metrics.images) == (run.identity, 2)
    assert migrate_folder(tmp_path / "runs") == []


def test_a_detectors_run_with_its_predictions(tmp_path: Path) -> None:
    document = schema1.detection_run()
    identity = {**document["identity"], "preset": {"name": "readme", **schema1.PRESET}}
    name = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    old = tmp_path / "runs" / f"sample-csp-detector-readme-{name}"
    schema1.write(old / "run.json", document)
    schema1.write(old / "metrics.json", schema1.detection_metrics(document))
    (old / "predictions").mkdir()
    (old / "predictions" / "000000.npz").write_bytes(b"candidates")
    (new,) = migrate_folder(tmp_path)
    run = load_run(new)
    assert new == run_path(tmp_path / "runs", run.identity, "readme")
    assert (new / "predictions" / "000000.npz").read_bytes() == b"candidates"
    metrics = read_metrics(run)
    assert isinstance(metrics, DetectionMetrics)
    assert str(metrics.thresholds[0].ap["ap"]) == "64.5907"
    assert find_runs([tmp_path]) == [new]


def test_one_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    place = old_run(tmp_path / "mine")
    whole = files(old_run(tmp_path / "other"))
    assert migrate_folder(place) == [place]  # a name of one's own stays
    done = files(place)
    (place / "run.json").write_bytes(whole["run.json"])
    assert migrate_folder(place) == [place]
    assert files(place) == done


def test_results_are_read_as_they_are_and_the_same_once_migrated(tmp_path: Path) -> None:
    results = old_results(tmp_path / "results")

    def shown() -> list[tuple[str | None, str]]:
        (line,) = (line for line in build(results) if line.row == "sample-csp-classifier")
        return [(cell.measured, cell.mark) for cell in line.cells.values()]

    before = shown()
    assert before[0][0] is not None
    assert len(migrate_folder(results)) == 2
    assert shown() == before
    assert json.loads((results / "params.json").read_text())["schema"] == 2
    (kept,) = (results / "evaluations").iterdir()
    record = read_record(kept, Evaluation)
    assert kept.stem == run_path(Path(), record.run.identity, "readme").name != OLD_NAME


def test_nothing_is_written_where_one_is_refused(tmp_path: Path) -> None:
    old_run(tmp_path / "a")
    old_run(tmp_path / "b", definition="e" * 64)
    before = files(tmp_path)
    with refuses("results.unknown-network", where=str(tmp_path / "b" / "run.json"), found="e" * 64):
        migrate_folder(tmp_path)
    assert files(tmp_path) == before


def test_nothing_is_written_where_one_cannot_be_read(tmp_path: Path) -> None:
    old_results(tmp_path)
    schema1.write(tmp_path / "evaluations" / "z.json", {"run": schema1.run(), "metrics": None})
    before = files(tmp_path)
    with refuses("results.not-results", where=str(tmp_path / "evaluations" / "z.json")):
        migrate_folder(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("schema", [0, 3, "1", True, 1.0, None])
def test_another_schema_is_refused(tmp_path: Path, schema: Any) -> None:
    old_run(tmp_path / "a")
    schema1.write(tmp_path / "b" / "run.json", {**schema1.run(), "schema": schema})
    before = files(tmp_path)
    with refuses("results.unknown-schema", where=str(tmp_path / "b" / "run.json")):
        migrate_folder(tmp_path)
    assert files(tmp_path) == before


def test_a_run_of_a_cfg_needs_the_cfg(tmp_path: Path) -> None:
    file = tmp_path / "mine.cfg"
    file.write_text("[net]\nchannels=3\nheight=8\nwidth=8\n[maxpool]\nsize=2\nstride=2\n")
    definition = _digest_v1(cfg.read(file).network)
    place = old_run(tmp_path / "run", model="mine", file=True, size=[8, 8], definition=definition)
    with refuses("results.unknown-network"):
        migrate_folder(place)
    assert migrate_folder(place, [cfg.read(file).network]) == [place]
    assert load_run(place).identity.network.startswith("v2:")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"schema": 1}',
        '{"schema": 1, "rows": 1}',
        '{"schema": 1, "rows": [1]}',
        "[" * 100_000,
        '{"schema": 1, "rows": [{"network": "a"}]}',
        '{"schema": 1, "rows": [{"network": "a", "model": 1, "size": "x"}]}',
    ],
)
def test_what_is_not_a_result_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "params.json").write_text(text)
    with refuses("results.not-results", where=str(tmp_path / "params.json")):
        build(tmp_path)
    with refuses("results.unknown-schema" if text == "{}" else "results.not-results"):
        migrate_folder(tmp_path)
    assert (tmp_path / "params.json").read_text() == text
    with refuses("results.none-there"):
        migrate_folder(tmp_path / "nowhere")


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    (new,) = migrate_folder(old_run(tmp_path / OLD_NAME))
    again = old_run(tmp_path / OLD_NAME)
    with refuses("results.name-taken", where=str(again), found=str(new)):
        migrate_folder(again)


def test_two_results_of_one_new_name(tmp_path: Path) -> None:
    """Two files of one network's weights: schema 2 sees one run."""
    results = old_results(tmp_path)
    first = results / "evaluations" / f"{OLD_NAME}.json"
    second = first.with_name(f"{OLD_NAME[:-8]}{'f' * 8}.json")
    second.write_bytes(first.read_bytes())
    before = files(tmp_path)
    with refuses("results.name-taken"):
        migrate_folder(results)
    assert files(tmp_path) == before
