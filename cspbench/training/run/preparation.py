"""What a run needs before its first iteration: images, a head for their classes, a number of iterations."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from cspbench.classification.classifiers import class_order
from cspbench.data.augment.images import ClassifierImages, open_classifier_images, open_detector_images
from cspbench.data.augment.minibatches import ClassifierMiniBatches, DetectorMiniBatches, Layout, MiniBatches
from cspbench.errors import UsageError
from cspbench.evaluation.execution import Listener
from cspbench.models.heads import classes_of
from cspbench.retrained.record import Start
from cspbench.training import augmentation
from cspbench.training.iteration import check
from cspbench.training.losses.layers import losses
from cspbench.training.mmcls.chosen import ClassifierChosen, for_classifier_images
from cspbench.training.modular.chosen import AnyChosen, YoloxChosen, for_module_images
from cspbench.training.recipes.chosen import Chosen, Images, for_images
from cspbench.training.run.options import Options


def open_images(chosen: Chosen, data: str | Path, allowed: int = 0) -> Images:
    """The images for training, of the kind that the network needs. Raises `DatasetError`, `UsageError`."""
    if chosen.detects:
        return open_detector_images(data, classes=classes_of(chosen.network), allowed=allowed)
    return open_classifier_images(data, class_order=class_order(chosen.network.name), allowed=allowed)


def mini_batches(chosen: Chosen, images: Images, seed: int) -> MiniBatches:
    """The mini-batches of a run."""
    net = chosen.recipe.net
    layout = Layout(seed, net.batch, net.subdivisions)
    if isinstance(images, ClassifierImages):
        pictures = augmentation.of_classifier(chosen.network, net, chosen.era)
        return ClassifierMiniBatches(images, pictures, layout)
    sizes = augmentation.sizes(chosen.network, chosen.recipe, chosen.era)
    return DetectorMiniBatches(images, augmentation.of_detector(chosen.network, chosen.recipe), layout, sizes)


def prepared(chosen: AnyChosen, data: str | Path, options: Options, listener: Listener) -> tuple[AnyChosen, Images]:
    """The images, and the network with a head for their classes, with its number of iterations.

    Raises `DefinitionError` for a network that cannot be trained, before any image is read.
    """
    if isinstance(chosen, YoloxChosen | ClassifierChosen):
        return _prepared_module(chosen, data, options, listener)
    check(chosen.network, chosen.recipe)
    losses(chosen.network, chosen.recipe, chosen.era)
    images = open_images(chosen, data, options.allow_bad)
    chosen = for_images(chosen, images)
    for note in (*images.notes, *chosen.notes):
        listener.note(note)
    count = options.iterations
    if options.epochs is not None:
        count = max(1, math.ceil(options.epochs * len(images.images) / chosen.recipe.net.images))
    if count is not None:
        net = replace(chosen.recipe.net, max_batches=count)
        chosen = replace(chosen, recipe=replace(chosen.recipe, net=net))
    if chosen.recipe.net.max_batches < 1:
        raise UsageError(
            "usage.no-end",
            "the training has no end",
            expected="max_batches= in [net], --iterations or --epochs",
            found=f"max_batches={chosen.recipe.net.max_batches}",
            remedy="Name the number of iterations",
        )
    return chosen, images


def _prepared_module(
    chosen: YoloxChosen | ClassifierChosen, data: str | Path, options: Options, listener: Listener
) -> tuple[AnyChosen, Images]:
    images: Images
    fitted: AnyChosen
    if isinstance(chosen, ClassifierChosen):
        order = class_order(chosen.network.name)
        images = open_classifier_images(data, class_order=order, allowed=options.allow_bad)
        fitted = for_classifier_images(chosen, images, options.iterations, options.epochs)
    else:
        images = open_detector_images(data, classes=chosen.network.design.classes, allowed=options.allow_bad)
        fitted = for_module_images(chosen, images, options.iterations, options.epochs)
    for note in (*images.notes, *fitted.notes):
        listener.note(note)
    return fitted, images


def check_end(chosen: Chosen, begun: Start, options: Options) -> None:
    """Raise `UsageError` for weights that have reached the last iteration."""
    reached, net = begun.seen // chosen.recipe.net.images, chosen.recipe.net
    if reached >= net.max_batches:
        raise UsageError(
            "usage.nothing-left",
            "the weights have reached the last iteration",
            where=str(options.weights),
            expected=f"fewer than {net.max_batches:,} iterations of {net.images} images",
            found=f"{begun.seen:,} images seen, {reached:,} iterations",
            remedy="Start the schedule at iteration 0 with --clear",
        )
