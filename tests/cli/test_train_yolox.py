"""`cspbench train` of a YOLOX as processes: shared out, killed and resumed."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from faults.commands import Warm, state

from cspbench.sample import detection

NAME = "yolox-nano-10-classes"
KEPT = ("log.jsonl", f"{NAME}_final.safetensors", f"{NAME}_last.safetensors", "checkpoint.safetensors")
SETTINGS = "width=64 height=64 sizes=2,2 batch=4 subdivisions=2 warmup=0 closing=1 assignment=simota-mmdet".split()


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in KEPT}


def test_two_processes_killed_and_resumed(warm: Warm, tmp_path: Path) -> None:
    """The bytes of one undisturbed process, though the losses of both have one divisor."""
    detection.write(tmp_path / "coco", 8)
    arguments = ["train", "yolox-nano", "--data", "coco", "--iterations", "6", "--save-every", "2", "-j", "0"]
    arguments += [part for setting in SETTINGS for part in ("--set", setting)]
    warm.done([*arguments, "--run", "whole"], tmp_path)
    expected = files(tmp_path / "whole")
    lines = [json.loads(line) for line in expected["log.jsonl"].splitlines()]
    assert [line["iteration"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(sum(line["parts"].values()) == pytest.approx(line["loss"], rel=1e-5) for line in lines)
    assert [bool(line["parts"]["l1"]) for line in lines] == [False, False, True, True, True, True]
    both, log = [*arguments, "--run-dir", "two"], tmp_path / "two" / "log.jsonl"
    first, second = warm.together(both, tmp_path, 2)
    while state(first.number) not in ("", "Z") and (not log.exists() or log.read_bytes().count(b"\n") < 3):
        time.sleep(0.002)
    assert first.kill()
    second.kill()  # unless it has noticed
    done = warm.done(both, tmp_path, 2)
    assert "resumed after iteration 2" in done.words or "resumed after iteration 4" in done.words
    assert files(tmp_path / "two") == expected
