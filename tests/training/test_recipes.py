"""The recipes of published rows, and changes to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from refusals import refuses
from training_sets import CLASSIFIER, DETECTOR

from cspbench.network import cfg
from cspbench.network.cfg.settings import changed
from cspbench.network.era import Era
from cspbench.network.recipe import Policy, Recipe, YoloRecipe, default
from cspbench.training.recipes import published
from cspbench.training.recipes.chosen import Chosen, of_name, shown, with_settings
from cspbench.training.recipes.cost import Estimate, estimate
from cspbench.weights.catalogue import SHIPPED
from cspbench.zoo.registry import model


def last(recipe: Recipe) -> YoloRecipe:
    found = recipe.layers[-1]
    assert isinstance(found, YoloRecipe)
    return found


@pytest.mark.parametrize(
    ("name", "settings", "era"),
    [
        ("csresnext50", {"batch": 128, "subdivisions": 4, "max_batches": 800_000, "policy": Policy.POLY}, "head"),
        ("csdarknet53-omega", {"max_batches": 1_200_000, "label_smooth_eps": 0.1, "mixing": 4}, "head"),
        ("enetb0", {"images": 120, "learning_rate": 0.256, "policy": Policy.STEP, "step": 10_000}, "head"),
        ("imagenet-augmentation:cspresnext-50-normal", {"mixing": 0, "blur": 0}, "head"),
        ("imagenet-augmentation:cspresnext-50-mosaic", {"mixing": 3}, "head"),
        ("imagenet-augmentation:cspresnext-50-blur", {"blur": 1, "max_batches": 800_000}, "nov2019"),
        ("imagenet-augmentation:cspresnext-50-cutmix-mixup", {"mixup": 1, "cutmix": True}, "nov2019"),
        ("imagenet-smoothing:cspresnext-50-smooth", {"label_smooth_eps": 0.1}, "head"),
    ],
)
def test_published_classifiers(name: str, settings: dict[str, Any], era: str) -> None:
    chosen = of_name(name)
    assert {key: getattr(chosen.recipe.net, key) for key in settings} == settings
    assert chosen.era is Era(era)


@pytest.mark.parametrize(
    ("row", "loss", "normalizer", "era"),
    [("mse", "mse", 0.75, "oct2019"), ("giou", "giou", 0.5, "oct2019"), ("diou", "diou", 0.5, "nov2019")],
)
def test_published_losses(row: str, loss: str, normalizer: float, era: str) -> None:
    chosen = of_name(f"coco-loss:cspresnext50-panet-spp-512-{row}")
    found = last(chosen.recipe)
    assert (found.iou_loss, found.iou_normalizer, found.random) == (loss, normalizer, 1)
    assert (chosen.era, chosen.network.input) == (Era(era), (3, 416, 416))
    assert chosen.recipe.net.steps == (400_000, 450_000)


def test_what_is_assumed_says_so() -> None:
    sources = {line["setting"]: line["source"] for line in shown(of_name("coco-loss:cspresnext50-panet-spp-512-diou"))}
    assert sources["yolo.iou_loss=diou"] == "coco-loss: DIoU"
    assert sources["yolo.iou_normalizer=0.5"] == "assumed"
    assert sources["batch=64"] == "csresnext50-panet-spp-giou.cfg"
    assert {line["source"] for line in shown(of_name("peleenet"))} == {"assumed", "the network"}
    assert len(of_name("peleenet").unknown) == 2


def test_every_model_has_a_recipe() -> None:
    for name in ("csdarknet53-elastic", "yolov3-tiny-prn", "csppeleenet-prn", "pelee-304"):
        assert of_name(name).recipe.net.batch > 1


def test_a_bundled_network_is_trained_as_its_own_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sample-csp-classifier", "sample-csp-detector"):
        text = (SHIPPED / f"{name}.cfg").read_text()
        text = text.replace("[net]\n", "[net]\nmax_batches=77\nlearning_rate=0.3\nmosaic=1\n", 1)
        (tmp_path / f"{name}.cfg").write_text(text.replace("[yolo]\n", "[yolo]\njitter=0.25\n"))
    monkeypatch.setattr(published, "SHIPPED", tmp_path)
    chosen = of_name("sample-csp-classifier")
    assert (chosen.recipe.net.max_batches, chosen.recipe.net.learning_rate) == (77, 0.3)
    assert chosen.unknown == ()
    chosen = of_name("sample-csp-detector")
    assert chosen.network == model("sample-csp-detector").build()
    assert (chosen.recipe.net.mosaic, last(chosen.recipe).jitter) == (True, 0.25)
    sources = {line["setting"]: line["source"] for line in shown(chosen)}
    file = "sample-csp-detector.cfg"
    own = {setting: source for setting, source in sources.items() if source == file}
    assert {"max_batches=77", "learning_rate=0.3", "mosaic=1", "yolo.jitter=0.25", "width=224"} <= own.keys()
    assert "assumed" not in sources.values()
    assert set(sources.values()) == {file}


def test_an_unknown_version_and_frozen_layers_that_cannot_be() -> None:
    with refuses("usage.unknown-era"):
        with_settings(of_name("csresnext50"), [], era="2019")
    for count in (-1, 84):
        with refuses("usage.out-of-range"):
            with_settings(of_name("csresnext50"), [], freeze=count)


# --- what it costs


def chosen_of(text: str) -> Chosen:
    reading = cfg.parse(text, "net")
    return Chosen(reading.network, reading.training.recipe, Era.HEAD, reading.network)


def test_the_cost_of_a_classifier_by_hand() -> None:
    """Convolutions of 8x8 outputs, 8 filters of 3x3 over 3 channels, and 3 of 1x1 over 8: 15,360 multiply-adds."""
    cost = estimate(chosen_of(CLASSIFIER))
    assert cost is not None
    assert cost.operations == 2 * (64 * 8 * 27 + 64 * 3 * 8) == 30_720
    assert cost.images == 40 * 8
    assert cost.hours == pytest.approx(320 * 3 * 30_720 / 9.00618e12 / 3600)
    assert cost.as_json()["gpu_hours"] == cost.hours
    assert estimate(chosen_of(CLASSIFIER.replace("max_batches=40", "").replace("policy=poly", ""))) is None


def test_the_cost_of_a_network_of_which_it_is_published() -> None:
    """ResNet-50 over 90 epochs of ImageNet: 92 hours, as NVIDIA says."""
    cost = Estimate(90 * 1_281_167, 2 * 4.09e9)
    assert cost.hours == pytest.approx(92, rel=0.06)
    assert str(cost).startswith("87 GPU hours (V100, fp32): 115,305,030 images, 3 x 8.18 G operations each, at 9.0 T")
    assert str(Estimate(1_000_000, 1e9)).startswith("0.093 GPU hours")


def test_the_cost_of_a_detector_is_that_of_its_sizes() -> None:
    """One size without random=; with it the mean over those of the run, which are up to 1.4 times as wide, plus 32."""
    still, changing = (estimate(chosen_of(DETECTOR.replace("random=1", f"random={on}"))) for on in (0, 1))
    assert still is not None
    assert changing is not None
    assert still.operations == 2 * (64 * 8 * 27 + 16 * 8 * 72 + 16 * 24 * 8)
    areas = [(width // 16) * (height // 16) for width, height in [(128, 128), (128, 128)]]
    assert changing.operations == still.operations * sum(areas) / len(areas) / 16  # 20 iterations: all are the last


def test_settings() -> None:
    network, recipe, notes = changed(
        model("csresnext50-panet-spp").build(),
        default(model("csresnext50-panet-spp").build()),
        ["policy=steps", "steps=10,20", "scales=.1,.5", "width=320", "iou_loss=ciou", "yolo.label_smooth_eps=.1"],
    )
    assert network.input == (3, 416, 320)
    assert (recipe.net.policy, recipe.net.steps, recipe.net.scales) == (Policy.STEPS, (10, 20), (0.1, 0.5))
    assert (last(recipe).iou_loss, last(recipe).label_smooth_eps, recipe.net.label_smooth_eps) == ("ciou", 0.1, 0)
    assert notes == ()


@pytest.mark.parametrize(
    ("setting", "code"),
    [
        ("nothing=1", "usage.unknown-setting"),
        ("yolo.batch=1", "usage.unknown-setting"),
        ("net.iou_loss=ciou", "usage.unknown-setting"),
        ("batch=", "usage.setting"),
        ("=1", "usage.setting"),
        ("momentum=much", "cfg.bad-value"),
        ("subdivisions=0", "cfg.out-of-range"),
        ("policy=steps", None),
    ],
)
def test_settings_that_cannot_be_read(setting: str, code: str | None) -> None:
    reading = cfg.parse(DETECTOR, "net")
    if code is None:
        changed(reading.network, reading.training.recipe, [setting])
        return
    with refuses(code):
        changed(reading.network, reading.training.recipe, [setting])


def test_frozen_layers_are_never_updated() -> None:
    chosen = with_settings(of_name("csresnext50"), [], freeze=10)
    layer = chosen.recipe.layers[9]
    assert (layer.stopbackward, layer.dont_update) == (True, 2**31 - 1)
    assert chosen.recipe.untrained == 10
