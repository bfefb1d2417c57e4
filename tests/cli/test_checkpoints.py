"""Checkpoints of training scripts on the command line: which weights were taken is said, and can be chosen."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import processes
import pytest
import torch
from PIL import Image
from refusals import error_of

from cspbench.evaluation.subject import subject_of
from cspbench.models.create import create_model

# the tensors of timm's networks
sys.path.append(str(Path(__file__).parents[1] / "weights"))
from timm_cspnet import constants

NAME = "timm/cspresnext50"


def tamed(value: float) -> dict[str, torch.Tensor]:
    """Constants with kernels so small that the outputs are finite."""
    return {
        name: torch.tensor(1e-4).expand(tensor.shape) if tensor.ndim == 4 else tensor
        for name, tensor in constants(NAME, value).items()
    }


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("train") / "model_best.pth.tar"
    sets = {"state_dict": tamed(0.5), "state_dict_ema": tamed(0.25)}
    torch.save({"epoch": 3, "arch": "cspresnext50", "args": argparse.Namespace(lr=0.1), **sets}, path)
    return path


def facts(*arguments: str | Path) -> dict[str, str]:
    done = processes.run(["weights", "verify", *map(str, arguments), "--format", "json"])
    assert done.returncode == 0, done.stderr
    result: dict[str, str] = json.loads(done.stdout)
    return result


def test_verify_says_which_set_it_read(file: Path) -> None:
    default, averaged, last = (facts(file, "-m", NAME, *option) for option in ((), ("--ema",), ("--no-ema",)))
    assert default["taken"] == averaged["taken"] == "state_dict_ema, not state_dict; --no-ema takes state_dict"
    assert last["taken"] == "state_dict, not state_dict_ema; --ema takes state_dict_ema"
    assert default["arrays"] == averaged["arrays"] != last["arrays"]
    # the first tensors of `constants` hold its value, or a little more
    assert default["mean"].startswith("0.25")
    assert last["mean"].startswith("0.50")


def test_files_without_averaged_weights(tmp_path: Path) -> None:
    torch.save(constants(NAME), tmp_path / "plain.pth")
    done = processes.run(["weights", "verify", str(tmp_path / "plain.pth"), "-m", NAME, "--ema"])
    assert (done.returncode, error_of(done)) == (3, "checkpoint.no-averaged")
    assert "taken" not in facts(tmp_path / "plain.pth", "-m", NAME, "--no-ema")


def test_a_head_of_other_classes_beside_a_whole_backbone(tmp_path: Path) -> None:
    head = {"head.fc.weight": torch.zeros(1).expand(10, 2048), "head.fc.bias": torch.zeros(10)}
    torch.save({"state_dict": {**constants(NAME), **head}}, tmp_path / "own.pth")
    arguments = ["weights", "verify", str(tmp_path / "own.pth"), "-m", NAME]
    done = processes.run(arguments)
    assert (done.returncode, error_of(done)) == (3, "checkpoint.other-classes")
    assert "1000 classes" in done.stderr
    assert "10 classes" in done.stderr
    assert facts(tmp_path / "own.pth", "-m", NAME, "--partial")["head"] == "a classifier of 10 classes, left out"


def test_an_evaluation_says_which_set_it_took(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "val" / "n01440764"
    folder.mkdir(parents=True)
    Image.fromarray(np.full((32, 32, 3), 99, np.uint8)).save(folder / "one.JPEG")
    arguments = ["eval-imagenet", "val", "-m", NAME, "--weights", str(file), "--size", "32", "-j", "0"]
    for option in ((), ("--no-ema",)):
        done = processes.run([*arguments, *option], tmp_path)
        assert done.returncode in (0, 1), done.stderr
        assert f"taken {'state_dict' if option else 'state_dict_ema'}, not" in done.stderr
    records = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*/run.json")]
    assert len({record["identity"]["weights"] for record in records}) == 2


def test_the_library_chooses_alike(file: Path) -> None:
    default, averaged, last = (subject_of(NAME, file, ema=ema) for ema in (None, True, False))
    assert default.weights_digest == averaged.weights_digest != last.weights_digest
    assert default.weights_file == last.weights_file
    assert "state_dict_ema, not state_dict" in default.said[0]
    scale = create_model(NAME, file, ema=False).state_dict()["layers.0.bn.weight"]
    assert float(scale[0]) == pytest.approx(0.5, abs=0.01)
