"""A CSPDarknet classifier's training: mmcls's windows, smoothed labels and schedule by hand, and whole tiny runs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses
from safetensors.torch import load_file
from training_runs import Killed, kill_in

import cspbench
from cspbench.data.augment.draws import Counter, Recorded
from cspbench.data.augment.images import ClassifierImages, open_classifier_images
from cspbench.data.augment.mmcls.picture import Augmentation, Window, picture, window
from cspbench.data.presets import preset
from cspbench.evaluation.execution import SILENT, Execution
from cspbench.evaluation.imagenet import ClassificationResult
from cspbench.network.modular.network import ModuleNetwork
from cspbench.plots.augmented import preview
from cspbench.sample import classification
from cspbench.training import evaluated
from cspbench.training.mmcls.chosen import ClassifierChosen, for_classifier_images
from cspbench.training.mmcls.losses import Smoothing, loss
from cspbench.training.mmcls.recipe import SOURCES, ClassifierRecipe
from cspbench.training.modular.module import shown_module
from cspbench.training.modular.settings import pairs, with_settings
from cspbench.training.recipes.cost import estimate_module
from cspbench.training.run.classifier import ClassifierProcedure, classifier_mini_batches
from cspbench.training.run.options import Options
from cspbench.training.train import choose
from cspbench.zoo.yolox.designs import CspClassifierDesign

HERE = Execution(workers=0, device="cpu", command=("cspbench", "train"))
SMALL = ModuleNetwork("small", (3, 64, 64), CspClassifierDesign(channels=8, depth=1, separable=True), "mmcls")
SETTINGS = ["width=32", "height=32", "batch=8", "subdivisions=2"]
KEPT = ("checkpoint.safetensors", "log.jsonl", "small-16-classes_final.safetensors")
HALF = 1 << 30
"""The integer that stands for the middle of a range."""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    classification.write(tmp_path / "set", 16)
    return tmp_path / "set"


def chosen(*settings: str, name: str | ModuleNetwork = SMALL) -> ClassifierChosen:
    result = choose(name, [*SETTINGS, *settings] if name is SMALL else settings)
    assert isinstance(result, ClassifierChosen)
    return result


@pytest.mark.parametrize(
    ("smoothing", "expected"),
    [("original", 0.3365126862), ("classy_vision", 0.3213611711), ("multi_label", 1.4333372)],
)
def test_losses(smoothing: Smoothing, expected: float) -> None:
    """Spec yolox a.10; by hand: softplus(2) - 0.9 * 2 + softplus(0) + softplus(-1) + 0.1."""
    logits, labels = torch.tensor([[2.0, 0, -1]], dtype=torch.float64), torch.tensor([[1.0, 0, 0]], dtype=torch.float64)
    assert loss(logits, labels, smoothing, 0.1).item() == pytest.approx(expected, abs=1e-8 if expected < 1 else 1e-6)
    twice = loss(torch.cat([logits, logits]), torch.cat([labels, labels]), smoothing, 0.1)
    assert twice.item() == pytest.approx(expected, abs=1e-6)


def test_losses_of_torch_and_of_several_classes() -> None:
    torch.manual_seed(0)
    logits, classes = torch.randn(5, 7), torch.tensor([0, 6, 3, 3, 1])
    labels = torch.nn.functional.one_hot(classes, 7).float()
    theirs = torch.nn.functional.cross_entropy(logits, classes, label_smoothing=0.2)
    torch.testing.assert_close(loss(logits, labels, "original", 0.2), theirs)
    plain = torch.nn.functional.cross_entropy(logits, classes)
    torch.testing.assert_close(loss(logits, labels, "classy_vision", 0.0), plain)
    both = loss(torch.zeros(1, 3), torch.tensor([[1.0, 1, 0]]), "multi_label", 0.1)
    assert both.item() == pytest.approx(3 * math.log(2))


def test_window_by_hand() -> None:
    """Of 200x100 pixels half the area, and the middle of the ratios by their logarithms, is 1: 100x100 pixels."""
    rules = Augmentation((32, 32), area=(0.25, 0.75))
    # the offsets are integers modulo the places that there are: 7 % 1 down, 205 % 101 across
    assert window(Recorded([HALF, HALF, 7, 205]), rules, 200, 100) == Window(3, 0, 100, 100)
    wide = Augmentation((32, 32), area=(1, 1), ratio=(4, 4))
    # ten windows of 400x100 do not fit; neither does any other, so the widest of the image is taken
    assert window(Recorded([0] * 20), wide, 200, 200) == Window(0, 75, 200, 50)
    narrow = Augmentation((32, 32), area=(1, 1), ratio=(0.25, 0.25))
    assert window(Recorded([0] * 20), narrow, 201, 200) == Window(75, 0, 50, 200)
    assert window(Recorded([0] * 20), Augmentation((32, 32), area=(1, 1), ratio=(0.5, 2)), 100, 100).width == 100


@given(st.integers(0, 10**6), st.integers(1, 500), st.integers(1, 500))
def test_windows_are_inside(number: int, width: int, height: int) -> None:
    left, top, across, down = window(Counter(1, number), Augmentation((32, 32)), width, height)
    assert 0 <= left <= width - across < width
    assert 0 <= top <= height - down < height
    if min(width, height) >= 50 and 3 / 4 <= width / height <= 4 / 3:
        assert 0.95 * 3 / 4 < across / down < 1.05 * 4 / 3
        assert across * down > 0.95 * 0.08 * width * height


def test_pictures_of_one_colour() -> None:
    """Red 124, green 116, blue 104: near ImageNet's mean, in this order; and half of the pictures are mirrored."""
    pixels = np.tile(np.array([124, 116, 104], np.uint8), (40, 60, 1))
    expected = [(124 - 123.675) / 58.395, (116 - 116.28) / 57.12, (104 - 103.53) / 57.375]
    shown = picture(Counter(0, 0), Augmentation((32, 32)), pixels)
    assert shown.shape == (3, 32, 32)
    np.testing.assert_allclose(shown, np.broadcast_to(np.array(expected)[:, None, None], shown.shape), atol=1e-5)
    ramp = np.repeat(np.arange(32, dtype=np.uint8)[None, :, None], 3, 2).repeat(32, 0)
    whole = [Augmentation((32, 32), area=(1, 1), ratio=(1, 1), flip=flip) for flip in (0.0, 1.0)]
    plain, mirrored = (picture(Counter(0, 0), rules, ramp) for rules in whole)
    assert np.array_equal(plain[:, :, ::-1], mirrored)
    assert plain[0, 0, 0] < plain[0, 0, 31]
    counted = sum(
        float(picture(Counter(0, number), Augmentation((32, 32), (1, 1), (1, 1)), ramp)[0, 0, 0]) < -2
        for number in range(200)
    )
    assert 70 < counted < 130


def test_settings_are_read_back() -> None:
    recipe = ClassifierRecipe()
    assert recipe.rate(1, 10) == pytest.approx(0.1)
    assert with_settings(ClassifierRecipe(batch=8), [f"{key}={text}" for key, text in pairs(recipe)], "--set") == recipe
    assert {key for key, _ in pairs(recipe)} == SOURCES.keys()
    rates = [recipe.rate(iteration, 10) for iteration in (300, 301, 600, 601, 901)]
    assert rates == pytest.approx([0.1, 0.01, 0.01, 0.001, 0.0001])
    assert with_settings(recipe, ["steps=none", "batch=64"], "--set").rate(10**6, 10) == pytest.approx(0.025)


@pytest.mark.parametrize(
    "setting",
    "batch=7 width=33 height=96 area=0,1 area=0.5,1.5 area=1,0.5 ratio=1 steps=3,2 steps=2,2 smoothing=darknet "
    "epsilon=0.6 epsilon=nan flip=2 momentum=-1 epochs=0".split(),
)
def test_values_that_cannot_be(setting: str) -> None:
    with refuses("usage.setting-value"):
        chosen(setting, name="cspdarknet-s")


def test_the_recipe_of_a_name() -> None:
    own = chosen(name="CSP-DarkNet-s")
    assert (own.network.name, own.era, own.subdivisions, own.detects) == ("cspdarknet-s", "mmcls 0.23.2", 8, False)
    assert {"setting": "steps=30,60,90", "source": "mmcls 0.23.2, imagenet_bs256"} in shown_module(own)
    assert estimate_module(own).images == 100 * 1_281_167
    changed = chosen("width=96", "height=96", "smoothing=multi_label", name="cspdarknet-s")
    assert changed.network.input == (3, 96, 96)
    assert changed.changed == ("width=96", "height=96", "smoothing=multi_label")
    assert {"setting": "smoothing=multi_label", "source": "--set"} in shown_module(changed)
    with refuses("usage.unknown-setting"):
        chosen("mosaic=1", name="cspdarknet-s")
    with refuses("usage.unknown-era"):
        choose("cspdarknet-s", era="head")


def test_mini_batches(tmp_path: Path, data: Path) -> None:
    """Every image once in a pass, labels of the images, each mini-batch alone as after the others."""
    images = open_classifier_images(data)
    own = for_classifier_images(chosen("epochs=40"), images)
    assert (own.length, own.last, len(own.notes)) == (2, 80, 1)
    assert len(for_classifier_images(chosen("epochs=30"), images).notes) == 2  # ends before the rate falls
    batches = classifier_mini_batches(own, images, 3)
    made = [batches.make(iteration, part) for iteration in (1, 2) for part in (0, 1)]
    assert made[0].x.shape == (4, 3, 32, 32)
    assert made[0].x.is_contiguous(memory_format=torch.channels_last)
    order = [batches.passes.image(number) for number in range(16)]
    assert sorted(order) == list(range(16))
    labels = torch.cat([batch.y for batch in made])
    assert labels.sum(1).tolist() == [1] * 16
    assert labels.argmax(1).tolist() == [images.classes[image] for image in order]
    assert torch.equal(classifier_mini_batches(own, images, 3).make(2, 1).x, made[3].x)
    assert not torch.equal(classifier_mini_batches(own, images, 4).make(2, 1).x, made[3].x)
    assert len(preview(batches, images.names, tmp_path / "out", 2)) == 2


def test_images_of_several_classes(data: Path) -> None:
    images = open_classifier_images(data)
    names = images.names
    for classes, found in (((0, 1), f"{names[0]}, {names[1]}"), ((), "none")):
        odd = ClassifierImages(images.images, names, images.classes, {2: classes}, ())
        with refuses("train.not-one-class", found=found):
            for_classifier_images(chosen(), odd)
        batches = classifier_mini_batches(for_classifier_images(chosen("smoothing=multi_label"), odd), odd, 0)
        labels = torch.cat([batches.make(iteration, part).y for iteration in (1, 2) for part in (0, 1)])
        at = [batches.passes.image(number) for number in range(16)].index(2)
        assert labels[at].nonzero().flatten().tolist() == list(classes)
        assert labels.sum() == 15 + len(classes)


def test_the_last_layer_at_first(data: Path) -> None:
    """As mmcls draws it; and every array decays, without Nesterov's momentum."""
    images = open_classifier_images(data)
    own = for_classifier_images(chosen("decay=0.002"), images)
    learner = ClassifierProcedure(own, images, Options(execution=HERE), SILENT).learner(
        torch.device("cpu"), compiled=False
    )
    head = learner.module.state_dict()
    assert not head["head.fc.bias"].any()
    assert head["head.fc.weight"].std().item() == pytest.approx(0.01, rel=0.1)
    (group,) = learner.optimiser.param_groups
    assert (group["weight_decay"], group["momentum"], group["nesterov"]) == (0.002, 0.9, False)
    assert len(group["params"]) == len(learner.arrays)
    assert not any(name.startswith("average.") for name, _ in learner.tensors())
    assert learner.written() is learner.module


def test_killed_and_resumed(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bytes, the raw weights, and an evaluation of retrained ones."""

    def trained(run: Path) -> Any:
        return cspbench.train(SMALL, data, run, settings=SETTINGS, iterations=4, save_every=2, execution=HERE)

    done = trained(tmp_path / "whole")
    assert isinstance(done.result, ClassificationResult)
    assert done.result.run.record.weights.origin == "retrained"
    assert done.result.run.record.identity.preset["name"] == "mmcls"
    assert evaluated.metric(done.chosen) == ("top-1", 100.0)
    assert (done.record.model, done.record.era, done.record.data.classes) == ("small-16-classes", "mmcls 0.23.2", 16)
    with monkeypatch.context() as patch:
        kill_in(patch, lambda iteration: iteration == 4)
        with pytest.raises(Killed):
            trained(tmp_path / "killed")
    assert len((tmp_path / "killed" / "log.jsonl").read_text().splitlines()) == 3
    trained(tmp_path / "killed")
    for name in KEPT:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    stored, state = load_file(done.weights), load_file(tmp_path / "whole" / KEPT[0])
    assert torch.equal(stored["head.fc.weight"], state["module.head.fc.weight"])
    first = json.loads((tmp_path / "whole" / "log.jsonl").read_text().splitlines()[0])
    assert first["rate"] == pytest.approx(8 * 0.1 / 256)
    assert first["loss"] == pytest.approx(math.log(16), abs=0.1)


def test_preset() -> None:
    """Short side 256, centre crop of 224, as OpenCV resizes: of a ramp that already has this size, its pixels."""
    own = preset("mmcls")
    assert (own.resized_side(224), own.decoder, own.epsilon) == (256, "opencv", "inside-1e-3")
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, 2).repeat(256, 0)
    made = own.prepare(ramp, 224)
    np.testing.assert_allclose(made[0, 5], (np.arange(16, 240) / 255 - 0.485) / 0.229, atol=1e-5)
    checks = np.zeros((512, 512, 3), np.uint8)
    checks[1::4] = 255  # of four rows two neighbours are read: 0, 255 / 2 and 0 / 2 in turns
    rows = own.prepare(checks, 224)[1, :, 0] * 0.224 + 0.456
    assert sorted(set(np.round(rows * 255).tolist())) == [0, 128]
