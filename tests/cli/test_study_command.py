"""`cspbench study` as users type it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from faults.commands import PATIENCE
from processes import run
from refusals import error_of
from small_studies import CLASSIFIER, write_own
from training_sets import classifier, detector

from cspbench.retrained.studies import stored


def own_study(folder: Path, iterations: int, *more: str) -> list[str]:
    """The arguments for a study of a network of two layers on six pictures, scored on three."""
    write_own(folder)
    own = ["--data", "own.data", "--model", "small.cfg", "--iterations", str(iterations)]
    return ["study", "imagenet-smoothing", *own, *more]


def test_a_study_on_ones_own_pictures(tmp_path: Path) -> None:
    arguments = own_study(tmp_path, 3, "--seeds", "2", "--run", "own", "--save")
    done = run([*arguments, "--format", "json"], tmp_path)
    assert done.returncode == 0, done.stderr
    (document,) = json.loads(done.stdout)
    assert document["miniature"]["drawn"] is False
    assert [row["seeds"] for row in document["rows"]] == [2, 2]
    assert {row["metric"] for row in document["rows"]} == {"top1"}  # a top-5 of three classes says nothing
    (study,), _ = stored(tmp_path / "results")
    assert study.outcomes[0].held == 3
    again = run(arguments, tmp_path)
    assert again.returncode == 0
    assert "| undecided |" in again.stdout
    assert stored(tmp_path / "results")[0][0].digest == study.digest


def test_pictures_to_score_that_are_trained_on_are_refused(tmp_path: Path) -> None:
    classifier(tmp_path)
    (tmp_path / "small.cfg").write_text(CLASSIFIER)
    done = run(["study", "imagenet-smoothing", "--data", "set.data", "--model", "small.cfg"], tmp_path)
    assert (done.returncode, error_of(done)) == (3, "study.not-held-out")
    assert "9 of 9" in done.stderr


def test_so_are_those_of_a_roadmap(tmp_path: Path) -> None:
    detector(tmp_path)
    done = run(["study", "yolox-roadmap", "--data", "obj.data"], tmp_path)
    assert (done.returncode, error_of(done)) == (3, "study.not-held-out"), done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["imagenet-smoothing", "--partition", "gpu"], "usage.partition"),
        (["imagenet-smoothing", "--submit", "2", "--processes", "2"], "usage.not-together"),
        (["imagenet-big"], "usage.nothing-to-study"),
        (["imagenet-smoothing", "coco-loss", "--size", "32"], "usage.study-kinds"),
        (["coco-loss", "--model", "csresnext50"], "usage.study-model"),
        (["imagenet-smoothing", "--shard", "0/2"], "usage.shard"),
        (["imagenet-smoothing", "--shard", "half"], "usage.shard"),
        (["imagenet-smoothing", "--budget", "5", "--seeds", "2", "--iterations", "5"], "usage.not-together"),
        (["imagenet-smoothing", "--budget", "-1"], "usage.out-of-range"),
        (["imagenet-smoothing", "--width", "0"], "usage.out-of-range"),
        (["imagenet-smoothing", "--size", "32x64"], "usage.size"),
        (["imagenet-smoothing", "--submit", "2", "--shard", "1/2"], "usage.not-together"),
        (["imagenet-smoothing", "--cluster", "local"], "usage.partition"),
    ],
)
def test_bad_arguments_are_one_line(arguments: list[str], code: str, tmp_path: Path) -> None:
    done = run(["study", *arguments], tmp_path)
    assert (done.returncode, error_of(done)) == (2, code)
    assert len(done.stderr.strip().splitlines()) == 1
    assert not done.stdout


def test_data_of_another_kind_is_one_line(tmp_path: Path) -> None:
    classifier(tmp_path)
    done = run(["study", "coco-activation", "--data", "set.data"], tmp_path)
    assert done.returncode in (2, 3)
    assert len(done.stderr.strip().splitlines()) == 1


def test_one_seed_on_two_machines(tmp_path: Path) -> None:
    arguments = own_study(tmp_path, 3, "--seeds", "1")
    done = run([*arguments, "--shard", "2/2"], tmp_path)
    assert done.returncode == 4, done.stderr
    assert "1 training left, or with other workers: classifier-base-seed0" in done.stderr
    done = run([*arguments, "--shard", "1/2"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "1 seed: there is no interval" in done.stderr
    assert "no interval" in done.stdout


def test_interrupted_with_two_processes_and_resumed(tmp_path: Path) -> None:
    arguments = own_study(tmp_path, 10, "--seeds", "2", "--save")
    process = subprocess.Popen(
        [sys.executable, "-m", "cspbench", *arguments, "--run", "run", "--processes", "2"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # which a shell in the background ignores
    )
    deadline = time.monotonic() + PATIENCE
    while not list((tmp_path / "run").glob("trainings/*/log.jsonl")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=PATIENCE)
    assert process.returncode in (130, -signal.SIGINT), text
    assert "Traceback" not in text
    assert not stored(tmp_path / "results")[0]
    assert len(list((tmp_path / "run").glob("trainings/*/outcome.json"))) < 4
    done = run([*arguments, "--run", "run"], tmp_path)
    assert done.returncode == 0, done.stderr
    resumed = stored(tmp_path / "results")[0][0]
    done = run([*arguments, "--run", "whole"], tmp_path)  # in one process, as the rest of the other
    assert done.returncode == 0, done.stderr
    assert resumed.digest == stored(tmp_path / "results")[0][0].digest
