"""The recipes of published rows, and changes to them."""

from __future__ import annotations

from typing import Any

import pytest
from refusals import refuses
from training_sets import DETECTOR

from cspbench.network import cfg
from cspbench.network.cfg.settings import changed
from cspbench.network.era import Era
from cspbench.network.recipe import Policy, Recipe, YoloRecipe, default
from cspbench.training.recipes.chosen import of_name, shown, with_settings
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
    assert {line["source"] for line in shown(of_name("peleenet"))} == {"assumed", "Darknet's default"}
    assert len(of_name("peleenet").unknown) == 2


def test_every_model_has_a_recipe() -> None:
    for name in ("csdarknet53-elastic", "yolov3-tiny-prn", "csppeleenet-prn", "sample-csp-detector", "pelee-304"):
        assert of_name(name).recipe.net.batch > 1


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
