"""YOLOv3-tiny's published weights under their own cfg, under the one that circulates beside them, and by name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processes import run

from cspbench.network.cfg.writer import write
from cspbench.sample import detection
from cspbench.weights.catalogue import shipped
from cspbench.zoo.registry import model

METRICS = ("ap", "ap50", "ap75")
AUTHORS = (23.317, 47.695, 20.209)
"""With masks 3,4,5 and 1,2,3: AP, AP50 and AP75 of the 79 images, preset readme, decoder stb."""
CIRCULATING = (18.072, 35.146, 17.349)
"""With masks 3,4,5 and 0,1,2."""

needs_published = pytest.mark.reference("data/coco-mini", "weights/yolov3-tiny.weights")


def cfg_file(folder: Path, mask: str) -> Path:
    """YOLOv3-tiny's cfg with another mask in its second head."""
    path = folder / "net.cfg"
    text = write(model("yolov3-tiny").build())
    assert text.count("mask=1,2,3") == 1
    path.write_text(text.replace("mask=1,2,3", f"mask={mask}"))
    return path


@needs_published
@pytest.mark.parametrize(("mask", "expected"), [("1,2,3", AUTHORS), ("0,1,2", CIRCULATING)])
def test_masks(shared: Path, tmp_path: Path, mask: str, expected: tuple[float, ...]) -> None:
    files = ["--cfg", str(cfg_file(tmp_path, mask)), "--weights", str(shared / "weights" / "yolov3-tiny.weights")]
    protocol = ["--preset", "readme", "--decoder", "stb", "--format", "json"]
    done = run(["eval-coco", str(shared / "data" / "coco-mini"), *files, *protocol], tmp_path)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    measured = result["thresholds"][0]["ap"]
    assert [measured[name] for name in METRICS] == pytest.approx(expected, abs=0.05)
    assert ("[yolo] mask: this one has 0,1,2" in done.stderr) is (mask == "0,1,2")
    assert ("net is yolov3-tiny as published" in done.stderr) is (mask == "1,2,3")


@needs_published
def test_the_row_stands_beside_the_number_unjudged(shared: Path, tmp_path: Path) -> None:
    """The claim is of test-dev2017, the images are of val2017."""
    files = ["-m", "yolov3-tiny", "--weights", str(shared / "weights" / "yolov3-tiny.weights")]
    protocol = ["--preset", "readme", "--decoder", "stb", "--format", "json"]
    done = run(["eval-coco", str(shared / "data" / "coco-mini"), *files, *protocol], tmp_path)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["thresholds"][0]["ap"]["ap50"] == pytest.approx(AUTHORS[1], abs=0.05)
    assert "as published" not in done.stderr  # of the model itself nothing needs to be said
    (claim,) = result["thresholds"][0]["claims"]
    assert (claim["id"], claim["metric"], claim["published"]) == ("yolov3-tiny-416", "ap50", "33.1")
    assert (claim["delta"], claim["verdict"], claim["reason"]) == (None, "unmeasured", "split-mismatch")


def test_bundled_weights_under_another_cfg(tmp_path: Path) -> None:
    detection.write(tmp_path / "coco", 4)
    weights = str(shipped("sample-csp-detector"))
    text = write(model("sample-csp-detector").build())
    assert text.count("activation=leaky") > 1
    for name, cfg in (("same", text), ("other", text.replace("activation=leaky", "activation=mish", 1))):
        path = tmp_path / f"{name}.cfg"
        path.write_text(cfg)
        evaluated = run(["eval-coco", str(tmp_path / "coco"), "--cfg", str(path), "--weights", weights], tmp_path)
        verified = run(["weights", "verify", weights, "--cfg", str(path)], tmp_path)
        for done in (evaluated, verified):
            assert done.returncode == 0, done.stderr
            assert ("same is sample-csp-detector as published" in done.stderr) is (name == "same")
            said = "activation: this one has mish, the published one has leaky" in done.stderr
            assert said is (name == "other")
