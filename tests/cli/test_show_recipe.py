"""`cspbench show --recipe`: settings with their sources, and an estimate that is called one."""

from __future__ import annotations

import json
from pathlib import Path

from coco_runs import command
from training_sets import CLASSIFIER


def test_of_a_model() -> None:
    text = command("show", "csresnext50", "--recipe").stdout
    assert text.startswith("# csresnext50, trained with the Darknet of head\n")
    assert "| batch=128 | csresnext50.cfg |" in text
    *_, unknown, estimated = text.splitlines()
    assert unknown.startswith("Unknown: ")
    assert estimated.startswith("Estimated: 75 GPU hours (V100, fp32): 102,400,000 images, 3 x 7.929 G operations each")


def test_as_json() -> None:
    about = json.loads(command("show", "csresnext50", "--recipe", "--format", "json").stdout)
    assert about.keys() == {"model", "era", "settings", "unknown", "estimated"}
    cost = about["estimated"]
    assert (cost["images"], cost["passes"], cost["gpu"]) == (102_400_000, 3, "V100, fp32")
    seconds = cost["images"] * cost["passes"] * cost["operations_per_image"] / cost["operations_per_second"]
    assert abs(cost["gpu_hours"] - seconds / 3600) < 1e-9


def test_a_training_without_an_end_has_no_cost(tmp_path: Path) -> None:
    file = tmp_path / "net.cfg"
    file.write_text(CLASSIFIER.replace("max_batches=40\n", "").replace("policy=poly\n", ""))
    assert json.loads(command("show", str(file), "--recipe", "--format", "json").stdout)["estimated"] is None
    assert "Estimated" not in command("show", str(file), "--recipe").stdout
    assert "estimated" not in command("show", str(file), "--recipe", "--format", "csv").stdout.lower()


def test_of_a_yolox() -> None:
    text = command("show", "yolox-nano", "--recipe").stdout
    assert text.startswith("# yolox-nano, trained with Megvii's code of august2021\n")
    assert "| mosaic=0.5 | Megvii's code of august2021 |" in text
    assert "GPU hours" in text
    about = json.loads(command("show", "yolox-nano-legacy", "--recipe", "--format", "json").stdout)
    assert about["era"] == "july2021"
    assert {"setting": "mosaic=1", "source": "Megvii's code of july2021"} in about["settings"]


def test_of_a_classifier_of_its_backbone() -> None:
    text = command("show", "csp-darknet-s", "--recipe").stdout
    assert text.startswith("# cspdarknet-s, trained with mmcls 0.23.2\n")
    assert "| smoothing=original | mmcls 0.23.2, LabelSmoothLoss |" in text
    assert "128,116,700 images" in text
