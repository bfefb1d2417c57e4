"""A study as an array of a cluster, by submitit's local executor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from refusals import refuses
from result_files import WHO
from small_studies import SMALL, begun

from cspbench.evaluation.execution import SILENT
from cspbench.study import cluster, work
from cspbench.study.collected import studies

SMOOTH = "imagenet-smoothing"


def test_two_shards_as_local_processes(tmp_path: Path) -> None:
    folder, made = begun(tmp_path, SMOOTH)
    work.draw_all(folder, made, 1, SILENT)
    submitted = cluster.submit(folder, 2, "local", minutes=10, execution=SMALL)
    assert len(submitted) == 2
    cluster.wait(submitted)
    assert [study.seeds for study in studies(folder, made, WHO)] == [[0, 1]]
    assert work.unfinished(folder, made) == []
    assert sorted((folder / cluster.LOGS).glob("*.out"))


def test_a_worker_that_fails_is_named_with_its_log(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    submitted = cluster.submit(tmp_path / "run", 1, "local", minutes=10, execution=SMALL)
    with refuses("incomplete.study-shard-failed") as caught:
        cluster.wait(submitted)
    assert "the plan of a study cannot be read" in str(caught.value.found)


def test_without_slurm_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with refuses("usage.no-cluster", where="slurm"):
        cluster.submit(tmp_path, 2, "slurm", execution=SMALL)


def test_without_submitit_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    with refuses("usage.no-submitit", found="not installed"):
        cluster.submit(tmp_path, 2, execution=SMALL)
