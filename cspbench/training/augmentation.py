"""How a recipe wants its pictures, in the versions of Darknet (spec training 0.2, b, c)."""

from __future__ import annotations

from cspbench.data.augment import classifier, detector, mixing
from cspbench.data.augment.sizes import Sizes
from cspbench.network import layers
from cspbench.network.era import Era
from cspbench.network.network import Network
from cspbench.network.recipe import NetRecipe, Recipe, YoloRecipe


def of_classifier(
    network: Network, net: NetRecipe, era: Era, *, cut: mixing.Cut = mixing.Cut.FREE, mix_always: bool = False
) -> classifier.Augmentation:
    """Of [net]; the earlier versions stand for that of December 2019, which trained the published classifiers.

    `cut` and `mix_always` are choices for rows that may have been trained with the code of days before.
    """
    _, height, width = network.input
    early = era is not Era.HEAD
    blur = (classifier.Blur.published() if early else classifier.Blur.head(net.blur)) if net.blur else None
    return classifier.Augmentation(
        width=width,
        height=height,
        angle=net.angle,
        aspect=net.aspect,
        min_crop=net.min_crop or 0,
        max_crop=net.max_crop or 0,
        flip=net.flip,
        hue=net.hue,
        saturation=net.saturation,
        exposure=net.exposure,
        mixing=mixing.of_keys(net.mixup, net.cutmix, net.mosaic, combined=early),
        mix_always=mix_always,
        cut=cut,
        blur=blur,
        smoothing=net.label_smooth_eps,
    )


def of_detector(network: Network, recipe: Recipe) -> detector.Augmentation:
    """Of [net] and the last [yolo] layer."""
    net, (layer, last) = recipe.net, last_yolo(network, recipe)
    return detector.Augmentation(
        classes=layer.classes,
        most=last.max_boxes,
        jitter=last.jitter,
        resize=last.resize,
        flip=net.flip,
        hue=net.hue,
        saturation=net.saturation,
        exposure=net.exposure,
        letterbox=network.letter_box,
        mixing=_detector_mixing(net.mixing),
        mosaic_bound=net.mosaic_bound,
        blur=net.blur,
    )


def _detector_mixing(number: int) -> detector.Mixing:
    """CutMix and its combination are none of a detector's."""
    return {1: detector.Mixing.MIXUP, 3: detector.Mixing.MOSAIC}.get(number, detector.Mixing.NONE)


def sizes(network: Network, recipe: Recipe, era: Era) -> Sizes:
    """The sizes of a detector's run."""
    _, height, width = network.input
    net, (_, last) = recipe.net, last_yolo(network, recipe)
    return Sizes(width, height, last.random, net.resize_step, net.max_batches, era)


def last_yolo(network: Network, recipe: Recipe) -> tuple[layers.Yolo, YoloRecipe]:
    """The last detection layer and its recipe, whose keys count for the pictures; `LookupError` without one."""
    for layer, its in zip(reversed(network.layers), reversed(recipe.layers), strict=True):
        if isinstance(layer, layers.Yolo) and isinstance(its, YoloRecipe):
            return layer, its
    raise LookupError(f"{network.name} has no [yolo]")
