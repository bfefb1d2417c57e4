"""What one run trains of the CSPDarknet classifiers, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cspbench.claims.model import Row, unknown
from cspbench.data.augment.images import ClassifierImages
from cspbench.errors import DatasetError
from cspbench.network.modular.network import ModuleNetwork
from cspbench.training.mmcls.recipe import SOURCES, ClassifierRecipe
from cspbench.training.modular.module import ModuleChosen, fitted, with_recipe
from cspbench.training.modular.settings import with_settings
from cspbench.training.recipes.chosen import SET

ERA = "mmcls 0.23.2"
UNKNOWN = (
    "which of the six sizes was trained, with which settings and for how long: no code and no numbers were published",
    "whether the weights were rewritten for the detector's pixels",
)


@dataclass(frozen=True)
class ClassifierChosen(ModuleChosen[ClassifierRecipe]):
    """A CSPDarknet classifier with its recipe."""

    @property
    def code(self) -> str:
        return self.era


def of_classifier(network: ModuleNetwork, row: Row | None = None, version: str | None = None) -> ClassifierChosen:
    """A classifier with the recipe of mmcls, of which one `version` is known. Raises `UsageError` for another."""
    if version not in (None, ERA):
        raise unknown("usage.unknown-era", "unknown version of the original", str(version), (ERA,))
    _, height, width = network.input
    return ClassifierChosen(
        network,
        ClassifierRecipe(height=height, width=width),
        ERA,
        network,
        row,
        SOURCES,
        unknown=UNKNOWN,
    )


def with_classifier_settings(chosen: ClassifierChosen, settings: Sequence[str]) -> ClassifierChosen:
    """The same with settings as key=value. Raises `UsageError`."""
    recipe = with_settings(chosen.recipe, settings, SET)
    return with_recipe(chosen, recipe, settings, chosen.network.resized(recipe.height, recipe.width))


def for_classifier_images(
    chosen: ClassifierChosen, images: ClassifierImages, iterations: int | None = None, epochs: float | None = None
) -> ClassifierChosen:
    """The same with a head for the images' classes, with its length, and with another end.

    Raises `UsageError`, and `DatasetError` for an image with no class or several, unless the loss is `multi_label`.
    """
    own = fitted(chosen, images, iterations, epochs)
    steps = own.recipe.steps
    if steps and steps[0] >= own.recipe.epochs:
        note = (
            f"{own.recipe.epochs:g} epochs end before the rate falls at epoch {steps[0]:g}; --set steps= changes that"
        )
        own = replace(own, notes=(*own.notes, note))
    if own.recipe.mode != "multi_label":
        for index in range(len(images.images)):
            if len(images.of(index)) != 1:
                raise DatasetError(
                    "train.not-one-class",
                    "an image for training has no class, or several",
                    where=images.images.path(index),
                    expected=f"one class, as smoothing={own.recipe.smoothing} takes",
                    found=", ".join(images.names[number] for number in images.of(index)) or "none",
                    remedy="Correct its label, or train with --set smoothing=multi_label",
                )
    return own
