"""`cspbench eval-imagenet` with the file of a CSPDarknet classifier that has classes of its own."""

from __future__ import annotations

from pathlib import Path

import torch
from processes import run
from safetensors.torch import save_file

from cspbench.sample import classification
from cspbench.zoo.yolox.designs import CspClassifierDesign


def test_the_command_takes_the_files_classes(tmp_path: Path) -> None:
    classification.write(tmp_path / "set", 2)
    torch.manual_seed(0)
    module = CspClassifierDesign(channels=16, depth=1, separable=True, classes=16).module()
    save_file(module.state_dict(), tmp_path / "own.safetensors")
    named = ["-m", "csp-darknet-nano", "--weights", "own.safetensors", "--size", "64"]
    done = run(["eval-imagenet", "set", *named], tmp_path)
    assert "| cspdarknet-nano-16-classes | file | - | 2 |" in done.stdout, done.stderr
