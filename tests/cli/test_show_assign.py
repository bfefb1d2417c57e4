"""cspbench show --assign, and export of backbones, as processes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image
from processes import run
from refusals import error_of


def test_a_drawing_and_a_table(tmp_path: Path) -> None:
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("16 0.5 0.5 0.25 0.25\n")
    arguments = ["show", "yolov3-tiny", "--assign", "a.png", "--format", "json"]
    done = run(arguments, tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        {"truth": 1, "class": "dog", "box": "208.0 208.0 104.0 104.0", "darknet": "1 of 16 (81x82), 1 of 32 (81x82)"}
    ]
    with Image.open(tmp_path / "a-assigned.png") as picture:
        assert picture.format == "PNG"
    low = run([*arguments, "--size", "224x416", "--force"], tmp_path)
    assert json.loads(low.stdout)[0]["box"] == "208.0 112.0 104.0 56.0", low.stderr
    with Image.open(tmp_path / "a-assigned.png") as smaller:
        assert smaller.height < picture.height
    again = run(["show", "yolov3-tiny", "--assign", "a.png"], tmp_path)
    assert (again.returncode, error_of(again)) == (2, "usage.file-exists")


def test_mistakes_are_one_line(tmp_path: Path) -> None:
    for arguments, code in (
        (["--data", "coco"], "usage.without-assign"),
        (["--weights", "a.pth"], "usage.without-assign"),
        (["--assign", "a.png", "--out", "a.svg"], "usage.png-only"),
        (["--assign", "a.png", "--why"], "usage.not-together"),
        (["--assign", "a.png", "--size", "x"], "usage.size"),
    ):
        done = run(["show", "yolov3-tiny", *arguments], tmp_path)
        assert (done.returncode, error_of(done), done.stdout) == (2, code, ""), done.stderr
    assert not list(tmp_path.iterdir())


def test_a_backbone_option_reaches_the_export(tmp_path: Path) -> None:
    for option in (["--no-prefix"], ["--fold-pixels", "imagenet"]):
        done = run(["export", "sample-csp-detector", "--out", "a.safetensors", *option], tmp_path)
        assert (done.returncode, error_of(done)) == (2, "usage.not-a-backbone-option"), done.stderr
    done = run(["export", "csdarknet53", "--to", "yolox-backbone", "--out", "a.pth"], tmp_path)
    assert (done.returncode, error_of(done)) == (2, "usage.no-csp-backbone"), done.stderr
