"""`cspbench train --backbone` as a process: from a classifier's file to a run, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from faults.commands import Warm
from refusals import error_of
from safetensors.torch import load_file

from cspbench.sample import detection
from cspbench.zoo.registry import MODELS

SETTINGS = ["width=64", "height=64", "sizes=2,2", "batch=2", "subdivisions=2", "warmup=0", "closing=0", "mosaic=0"]
STEM = "backbone.backbone.stem.conv.conv.weight"


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    server = Warm.start()
    yield server
    server.stop()


def test_from_a_classifier_to_a_run(warm: Warm, tmp_path: Path) -> None:
    """Exported without a prefix, begun with by one process and by two: the same bytes, the backbone as it was."""
    torch.manual_seed(1)
    network = MODELS["cspdarknet-nano"].architecture()
    torch.save({"state_dict": network.design.module().state_dict()}, tmp_path / "classifier.pth")  # type: ignore[union-attr]
    detection.write(tmp_path / "coco", 2, 0, part="train")
    export = ["export", "yolox-nano", "--weights", "classifier.pth", "--to", "yolox-backbone", "--no-prefix"]
    done = warm.run([*export, "--out", "backbone.safetensors"], tmp_path)
    assert done.returncode == 0, done.stderr
    arguments = ["train", "yolox-nano", "--data", "coco", "--backbone", "backbone.safetensors", "-j", "0"]
    arguments += [word for setting in SETTINGS for word in ("--set", setting)]
    arguments += ["--freeze-backbone", "1", "--iterations", "2", "--save-every", "1", "--run-dir"]
    for run, processes in (("one", 1), ("two", 2)):
        warm.done([*arguments, run], tmp_path, processes)
    states = [(tmp_path / run / "checkpoint.safetensors").read_bytes() for run in ("one", "two")]
    assert states[0] == states[1]
    (last,) = (tmp_path / "one").glob("*_final.safetensors")
    start = load_file(tmp_path / "backbone.safetensors")
    assert not torch.equal(load_file(last)[STEM], start[STEM.removeprefix("backbone.backbone.")])
    record = json.loads((tmp_path / "one" / "training.json").read_text())
    assert record["changed"][-1] == "freeze_backbone=1"


def test_refusals(warm: Warm, tmp_path: Path) -> None:
    begin = ["train", "yolox-nano", "--data", "nowhere"]
    cases = (
        ([*begin, "--backbone", "a", "--weights", "b"], "usage.not-together"),
        ([*begin, "--backbone", "a", "--freeze-backbone", "-1"], "usage.out-of-range"),
        ([*begin, "--backbone", "a", "--freeze-backbone", "inf"], "usage.out-of-range"),
        ([*begin, "--freeze-backbone", "all"], "usage.nothing-to-freeze"),
        (["train", "sample-csp-detector", "--data", "nowhere", "--backbone", "a"], "usage.no-csp-backbone"),
    )
    for arguments, code in cases:
        done = warm.run(arguments, tmp_path)
        assert (done.returncode, error_of(done)) == (2, code), done.stderr
        assert len(done.stderr.splitlines()) == 1
