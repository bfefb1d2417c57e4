"""What each step does to the accuracy, on the images that every preset can read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import refuses

from cspbench.classification import ablation as module
from cspbench.classification.ablation import Classifier, explain
from cspbench.classification.predict import PreparedImages, faults
from cspbench.data.classes import order
from cspbench.data.presets import ClassificationPreset, preset
from cspbench.data.source import Entry, FileSource, Region
from cspbench.evaluation.part import limit_of

WNIDS = list(order("darknet")[:4])
SUBJECT = Classifier(lambda epsilon: torch.nn.Identity(), (64, 64), "darknet", torch.device("cpu"))


def predicting(classes: Callable[[ClassificationPreset], list[int]]) -> Callable[..., Any]:
    def predict(subject: Any, source: Any, preset: ClassificationPreset, engines: Any) -> Any:
        return module._Predicted(np.array(classes(preset)), WNIDS, list("abcd"))

    return predict


def test_unreadable_images_are_left_out_of_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # the second image is wrong under the preset, the last can be read by none, the third not by stb
    monkeypatch.setattr(module, "_predict", predicting(lambda own: [0, 7, -2 if own.decoder == "stb" else 2, -2]))
    result = explain(SUBJECT, FileSource("list", [], []), preset("readme"))
    assert (result.images, result.bad) == (2, ("c", "d"))
    assert {step.top1 for step in result.steps if not step.label.startswith("class order")} == {50.0}
    monkeypatch.setattr(module, "_predict", predicting(lambda own: [-2] * 4))
    with refuses("image.none-readable"):
        explain(SUBJECT, FileSource("list", [], []), preset("readme"))


def test_why_an_image_could_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    names = ["a.png", "gone.png", "other.png"]
    source = FileSource("list", [Entry(name, None) for name in names], [Region(str(tmp_path / name)) for name in names])
    result = faults(PreparedImages(source, preset("readme"), (8, 8)), ["a.png", "gone.png"])
    assert list(result) == ["a.png", "gone.png"]
    assert "No such file" in result["gone.png"]
    assert "\n" not in "".join(result.values())


def test_a_limit_is_at_most_all() -> None:
    assert (limit_of("100%", 7), limit_of("50%", 7), limit_of("9", 7)) == (7, 3, 7)
    for text in ("150%", "0", "-1", "1.5", "nan", "inf", "", "%", "1e9", "5 %%"):
        with refuses("usage.limit", found=repr(text)):
            limit_of(text, 7)
    assert (limit_of("0.001%", 7), limit_of("1e1%", 70)) == (1, 7)
