"""`report --migrate`: results and runs on disk, all of a folder or nothing."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import schema1
import typer
from cspbench.inference.run import load_run

from cspbench.cli.app import app
from cspbench.errors import CspbenchError, MigrationError, RunError
from cspbench.evaluation.imagenet import directory
from cspbench.network import cfg
from cspbench.report.build import gather
from cspbench.results.folders import migrated
from cspbench.results.migrate import _digest_v1

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
    with pytest.raises(RunError) as refused:
        load_run(old)
    assert refused.value.remedy == f"Run `cspbench report --migrate {old}` once"
    (new,) = migrated(tmp_path / "runs")
    run = load_run(new)
    assert new == directory(tmp_path / "runs", run.identity)
    assert not old.exists()
    assert json.loads((new / "metrics.json").read_text())["identity"] == run.identity
    assert migrated(tmp_path / "runs") == []


def test_one_that_was_interrupted_goes_on(tmp_path: Path) -> None:
    place = old_run(tmp_path / "mine")
    whole = files(old_run(tmp_path / "other"))
    assert migrated(place) == [place]  # a name of one's own stays
    done = files(place)
    (place / "run.json").write_bytes(whole["run.json"])
    assert migrated(place) == [place]
    assert files(place) == done


def test_results_are_read_as_they_are_and_the_same_once_migrated(tmp_path: Path) -> None:
    results = old_results(tmp_path / "results")

    def shown() -> list[tuple[str | None, str]]:
        (line,) = (line for line in gather(results) if line.row == "sample-csp-classifier")
        return [(cell.measured, cell.mark) for cell in line.cells.values()]

    before = shown()
    assert before[0][0] is not None
    assert len(migrated(results)) == 2
    assert shown() == before
    assert json.loads((results / "params.json").read_text())["schema"] == 2
    (kept,) = (results / "evaluations").iterdir()
    identity = json.loads(kept.read_text())["run"]["identity"]
    assert kept.stem == directory(Path(), identity).name != OLD_NAME


def test_nothing_is_written_where_one_is_refused(tmp_path: Path) -> None:
    old_run(tmp_path / "a")
    old_run(tmp_path / "b", definition="e" * 64)
    before = files(tmp_path)
    with pytest.raises(MigrationError) as refused:
        migrated(tmp_path)
    assert str(tmp_path / "b") in str(refused.value)
    assert files(tmp_path) == before


def test_a_run_of_a_cfg_needs_the_cfg(tmp_path: Path) -> None:
    file = tmp_path / "mine.cfg"
    file.write_text("[net]\nchannels=3\nheight=8\nwidth=8\n[maxpool]\nsize=2\nstride=2\n")
    definition = _digest_v1(cfg.read(file).network)
    place = old_run(tmp_path / "run", model="mine", file=True, size=[8, 8], definition=definition)
    with pytest.raises(MigrationError):
        migrated(place)
    assert app(["report", "--migrate", str(place), "--cfg", str(file)], standalone_mode=False) in (None, 0)
    assert load_run(place).identity["definition"].startswith("v2:")


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
    for read in (migrated, gather):
        with pytest.raises(CspbenchError) as refused:
            read(tmp_path)
        assert str(tmp_path / "params.json") in str(refused.value)
    with pytest.raises(MigrationError):
        migrated(tmp_path / "nowhere")


def test_a_name_that_is_taken(tmp_path: Path) -> None:
    (new,) = migrated(old_run(tmp_path / OLD_NAME))
    again = old_run(tmp_path / OLD_NAME)
    with pytest.raises(MigrationError) as refused:
        migrated(again)
    assert refused.value.found == str(new)


@pytest.mark.parametrize("more", [["--save"], ["--format", "md"], ["x"], ["--only", "off"], ["--strict"]])
def test_it_goes_alone(tmp_path: Path, more: list[str]) -> None:
    with pytest.raises((CspbenchError, typer.Exit, SystemExit)) as refused:
        app(["report", "--migrate", str(tmp_path), *more], standalone_mode=False)
    assert getattr(refused.value, "exit_code", getattr(refused.value, "code", None)) == 2


def test_cfg_is_of_migrate(tmp_path: Path) -> None:
    with pytest.raises((CspbenchError, typer.Exit, SystemExit)) as refused:
        app(["report", "--cfg", str(tmp_path)], standalone_mode=False)
    assert getattr(refused.value, "exit_code", getattr(refused.value, "code", None)) == 2
