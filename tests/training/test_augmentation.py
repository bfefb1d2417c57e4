"""What a recipe's keys say about pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cspbench.data.augment import classifier, detector, mixing
from cspbench.network.era import Era
from cspbench.network.recipe import NetRecipe, Recipe, default
from cspbench.training import augmentation
from cspbench.zoo.registry import model


def net(**keys: Any) -> NetRecipe:
    return NetRecipe(**keys)


def test_a_classifiers() -> None:
    network = model("csresnext50").build()
    keys = {"angle": 7.0, "aspect": 0.75, "hue": 0.1, "saturation": 0.75, "exposure": 0.5, "min_crop": 128}
    result = augmentation.of_classifier(network, net(**keys, max_crop=448, label_smooth_eps=0.1), Era.HEAD)
    expected = classifier.Augmentation(256, 256, **keys, max_crop=448, smoothing=0.1)  # type: ignore[arg-type]
    assert result == expected
    assert augmentation.of_classifier(network, net(), Era.HEAD).crop == (256, 512)


@pytest.mark.parametrize(
    ("keys", "era", "mixed", "blur"),
    [
        ({}, Era.OCT2019, mixing.Mixing.NONE, None),
        ({"mixup": 1, "cutmix": True}, Era.HEAD, mixing.Mixing.CUTMIX, None),
        ({"mixup": 1, "cutmix": True}, Era.NOV2019, mixing.Mixing.CUTMIX_MIXUP, None),
        ({"cutmix": True, "mosaic": True}, Era.HEAD, mixing.Mixing.CUTMIX_MOSAIC, None),
        ({"blur": 1}, Era.HEAD, mixing.Mixing.NONE, (4, 15, False)),
        ({"blur": 1}, Era.NOV2019, mixing.Mixing.NONE, (2, 17, True)),
    ],
)
def test_mixing_and_blur_by_era(keys: dict[str, Any], era: Era, mixed: mixing.Mixing, blur: Any) -> None:
    result = augmentation.of_classifier(model("csresnext50").build(), net(**keys), era)
    assert (result.mixing, result.blur) == (mixed, blur)


def test_a_detectors_keys_are_those_of_its_last_layer() -> None:
    network = model("csresnext50-panet-spp").build()
    start = default(network, net(mosaic=True, blur=1, max_batches=500, resize_step=16))
    last = max(network.detections)
    layers = list(start.layers)
    layers[last] = replace(layers[last], max_boxes=7, jitter=0.1, random=1.0)  # type: ignore[call-arg]
    recipe = Recipe(start.net, tuple(layers))
    result = augmentation.of_detector(network, recipe)
    assert (result.classes, result.most, result.jitter) == (80, 7, 0.1)
    assert (result.mixing, result.blur) == (detector.Mixing.MOSAIC, 1)
    sizes = augmentation.sizes(network, recipe, Era.HEAD)
    _, height, width = network.input
    assert (sizes.width, sizes.height, sizes.limit, sizes.step, sizes.iterations) == (width, height, 1, 16, 500)
    classifying = model("csresnext50").build()
    with pytest.raises(LookupError):
        augmentation.last_yolo(classifying, default(classifying))


def test_of_cutmix_a_detector_has_nothing() -> None:
    network = model("csresnext50-panet-spp").build()
    for keys in ({"cutmix": True}, {"cutmix": True, "mosaic": True}):
        assert augmentation.of_detector(network, default(network, net(**keys))).mixing is detector.Mixing.NONE
