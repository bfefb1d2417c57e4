"""What one run trains of the catalogue's torch modules, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cspbench.claims.model import Row, unknown
from cspbench.data.augment.images import DetectorImages
from cspbench.data.augment.yolox.rules import HEAD
from cspbench.errors import DefinitionError, UsageError
from cspbench.network.modular.network import ModuleNetwork
from cspbench.training.mmcls.chosen import ClassifierChosen
from cspbench.training.modular import steps
from cspbench.training.modular.module import ModuleChosen, fitted, with_recipe
from cspbench.training.modular.recipe import HEADS, MMDETECTIONS, Version, YoloxRecipe, of_version
from cspbench.training.modular.settings import with_settings
from cspbench.training.recipes.chosen import SET, Chosen
from cspbench.zoo import registry
from cspbench.zoo.yolox import NORMALISED
from cspbench.zoo.yolox.designs import YoloxDarknetDesign, YoloxDesign

MODULE_SIZES = ("width", "height")
"""Settings that change the network's input, too."""
UNKNOWN = ("which commit and settings trained the published weights", "the number of seeds")


@dataclass(frozen=True)
class YoloxChosen(ModuleChosen[YoloxRecipe]):
    """A YOLOX with its recipe."""

    @property
    def normalised(self) -> bool:
        """Whether the pictures are those of the first generation of weights."""
        return self.network.preset in NORMALISED

    @property
    def code(self) -> str:
        return f"Megvii's code of {self.era}"


AnyChosen = Chosen | YoloxChosen | ClassifierChosen


def of_module(network: ModuleNetwork, row: Row | None = None, version: str | None = None) -> YoloxChosen:
    """A network with the recipe of its weights' time, or of `version`. Raises `DefinitionError`, `UsageError`."""
    design = network.design
    if not isinstance(design, YoloxDesign | YoloxDarknetDesign):
        raise DefinitionError(
            "train.no-loss",
            "the network cannot be trained: its loss is unknown here",
            where=network.name,
            expected="a YOLOX",
            found=design.kind,
            remedy="Train a network that ends with one of these",
        )
    if version is not None and version not in tuple(Version):
        raise unknown("usage.unknown-era", "unknown version of the original", version, tuple(Version))
    chosen = Version(version) if version else _usual(network)
    recipe = of_version(_size(network), chosen)
    if isinstance(design, YoloxDarknetDesign):
        recipe = replace(recipe, head=design.head)
    recipe, sources = steps.of_network(recipe, design)
    recipe, of_row = steps.of_row(recipe, row)
    changed = (f"era={chosen}",) if chosen is not _usual(network) else ()
    unknown_ones = steps.unknown_of(design) or UNKNOWN
    return YoloxChosen(
        network, recipe, chosen, network, row, {**sources, **of_row}, changed=changed, unknown=unknown_ones
    )


def with_module_settings(chosen: YoloxChosen, settings: Sequence[str]) -> YoloxChosen:
    """The same with settings as key=value, of which width, height and head change the network. Raises `UsageError`."""
    keys = {setting.partition("=")[0].strip() for setting in settings}
    recipe = with_settings(chosen.recipe, settings, SET)
    if "assignment" in keys and recipe.assignment == MMDETECTIONS and "positives" not in keys:
        settings = [*settings, "positives=mean"]  # its own divisor comes with it
        recipe = with_settings(recipe, settings[-1:], SET)
    network = chosen.network
    if keys & set(MODULE_SIZES):
        network = network.resized(recipe.height, recipe.width)
    if recipe.head != chosen.recipe.head:
        if not isinstance(network.design, YoloxDarknetDesign):
            raise UsageError(
                "usage.setting-value",
                "a setting has no such value",
                where="head",
                expected=f"{HEADS[0]}, but of yolox-darknet53",
                found=recipe.head,
                remedy="Correct --set",
            )
        design = replace(network.design, head="coupled" if recipe.head == "coupled" else "decoupled")
        network = replace(network, name=f"{network.name}-{recipe.head}-head", design=design)
    assert isinstance(network.design, YoloxDesign | YoloxDarknetDesign)
    steps.check_assignment(network.name, recipe.assignment, network.design)
    return with_recipe(chosen, recipe, settings, network)


def for_module_images(
    chosen: YoloxChosen, images: DetectorImages, iterations: int | None = None, epochs: float | None = None
) -> YoloxChosen:
    """The same with a head for the images' classes, with its length, and with another end. Raises `UsageError`."""
    own = fitted(chosen, images, iterations, epochs)
    recipe = own.recipe
    if recipe.warmup + recipe.closing >= recipe.epochs:
        note = (
            f"{recipe.epochs:g} epochs have no room for warmup={recipe.warmup:g} and closing={recipe.closing:g}: the "
            "rate never falls as a cosine; --set changes them"
        )
        own = replace(own, notes=(*own.notes, note))
    return own


def _usual(network: ModuleNetwork) -> Version:
    return Version.JULY2021 if network.preset in NORMALISED else Version.AUGUST2021


def _size(network: ModuleNetwork) -> str:
    """The size whose recipe a network has; s for one that is not of the catalogue."""
    entry = registry.entry_of(network)
    words = (entry.name if entry else network.name).split("-")
    return next((word for word in words if word in HEAD), "s")
