"""`cspbench train --backbone` as a process: from a classifier's file to a run, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import cast

import torch
from faults.commands import Warm
from refusals import error_of
from safetensors.torch import load_file

from cspbench.network.modular.network import ModuleNetwork
from cspbench.sample import detection
from cspbench.zoo.registry import MODELS

SETTINGS = ["width=64", "height=64", "sizes=2,2", "batch=2", "subdivisions=2", "warmup=0", "closing=0", "mosaic=0"]


def test_from_a_classifier_to_a_run(warm: Warm, tmp_path: Path) -> None:
    """Exported without a prefix, and left as it is in the whole run."""
    torch.manual_seed(1)
    network = cast("ModuleNetwork", MODELS["cspdarknet-nano"].architecture())
    torch.save({"state_dict": network.design.module().state_dict()}, tmp_path / "classifier.pth")
    detection.write(tmp_path / "coco", 2, 0, part="train")
    export = ["export", "yolox-nano", "--weights", "classifier.pth", "--to", "yolox-backbone", "--no-prefix"]
    done = warm.run([*export, "--out", "backbone.safetensors"], tmp_path)
    assert done.returncode == 0, done.stderr
    arguments = ["train", "yolox-nano", "--data", "coco", "--backbone", "backbone.safetensors", "-j", "0"]
    arguments += [word for setting in SETTINGS for word in ("--set", setting)]
    warm.done([*arguments, "--freeze-backbone", "all", "--iterations", "2", "--run", "run"], tmp_path)
    (last,) = (tmp_path / "run").glob("*_final.safetensors")
    start, end = load_file(tmp_path / "backbone.safetensors"), load_file(last)
    assert all(torch.equal(end[f"backbone.backbone.{name}"], array) for name, array in start.items())
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    assert record["changed"][-1] == "freeze_backbone=all"


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
