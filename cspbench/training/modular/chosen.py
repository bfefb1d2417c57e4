"""What one run trains of the catalogue's torch modules, and how."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from cspbench.claims.model import Row, unknown
from cspbench.data.augment.images import DetectorImages
from cspbench.data.augment.yolox.rules import HEAD
from cspbench.errors import DefinitionError, UsageError
from cspbench.models.own_modules import with_classes
from cspbench.network import canonical
from cspbench.network.modular.network import ModuleNetwork
from cspbench.training.modular.recipe import HEADS, Version, YoloxRecipe, of_version, pairs, with_settings
from cspbench.training.recipes.chosen import SET, Chosen
from cspbench.zoo import registry
from cspbench.zoo.yolox import LEGACY
from cspbench.zoo.yolox.designs import YoloxDarknetDesign, YoloxDesign

MODULE_SIZES = ("width", "height")
"""Settings that change the network's input, too."""
UNKNOWN = ("which commit and settings trained the published weights", "the number of seeds")


@dataclass(frozen=True)
class ModuleChosen:
    """A network with its recipe; `original` is the same network with its own head."""

    network: ModuleNetwork
    recipe: YoloxRecipe
    era: Version
    """Of Megvii's code."""
    original: ModuleNetwork
    row: Row | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """The source of each setting that the command changes."""
    notes: tuple[str, ...] = ()
    iterations: int = 0
    """Those of the recipe on the images, before any change."""
    changed: tuple[str, ...] = ()
    """What the command changes but the length, as key=value."""
    unknown: tuple[str, ...] = UNKNOWN
    length: int = 0
    """Iterations of an epoch; 0 before the images are known."""

    @property
    def last(self) -> int:
        """The last iteration."""
        return max(1, math.ceil(self.recipe.epochs * self.length - 1e-6))

    @property
    def detects(self) -> bool:
        return self.network.detects

    @property
    def subdivisions(self) -> int:
        return self.recipe.subdivisions

    @property
    def normalised(self) -> bool:
        """Whether the pictures are those of the first generation of weights."""
        return self.network.preset == LEGACY

    def digest(self) -> str:
        """Of the recipe, its length in iterations included."""
        form = canonical.text({**dict(pairs(self.recipe)), "length": self.length})
        return f"module-r1:{hashlib.sha256(form.encode()).hexdigest()}"


AnyChosen = Chosen | ModuleChosen


def of_module(network: ModuleNetwork, row: Row | None = None, version: str | None = None) -> ModuleChosen:
    """A network with the recipe of its weights' time, or of `version`. Raises `DefinitionError`, `UsageError`."""
    design = network.design
    if not isinstance(design, YoloxDesign | YoloxDarknetDesign) or not design.one_box or _nms_free(design):
        raise DefinitionError(
            "train.no-loss",
            "the network cannot be trained: its loss is unknown here",
            where=network.name,
            expected="a YOLOX with one box at each point",
            found=design.kind,
            remedy="Train a network that ends with one of these",
        )
    if version is not None and version not in tuple(Version):
        raise unknown("usage.unknown-era", "unknown version of Darknet", version, tuple(Version))
    chosen = Version(version) if version else _usual(network)
    recipe = of_version(_size(network), chosen)
    if isinstance(design, YoloxDarknetDesign):
        recipe = replace(recipe, head=design.head)
    changed = (f"era={chosen}",) if chosen is not _usual(network) else ()
    return ModuleChosen(network, recipe, chosen, network, row, changed=changed)


def with_module_settings(chosen: ModuleChosen, settings: Sequence[str]) -> ModuleChosen:
    """The same with settings as key=value, of which width, height and head change the network. Raises `UsageError`."""
    recipe = with_settings(chosen.recipe, settings, SET)
    keys = {setting.partition("=")[0].strip() for setting in settings}
    if recipe.positives != chosen.recipe.positives:
        keys.add("positives")  # comes with an assignment, too
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
    changes = ["".join(setting.split()) for setting in settings if setting.partition("=")[0].strip() != "epochs"]
    return replace(
        chosen,
        network=network,
        original=network,
        recipe=recipe,
        sources={**chosen.sources, **dict.fromkeys(keys, SET)},
        changed=(*chosen.changed, *changes),
    )


def for_module_images(
    chosen: ModuleChosen, images: DetectorImages, iterations: int | None = None, epochs: float | None = None
) -> ModuleChosen:
    """The same with a head for the images' classes, with its length, and with another end. Raises `UsageError`."""
    wanted, classes = len(images.names), chosen.network.design.classes
    if wanted == 0 or not len(images.images):
        raise UsageError(
            "usage.no-classes", "the data has no classes", remedy="Name the classes in its .names file, or names="
        )
    length = math.ceil(len(images.images) / chosen.recipe.batch)
    own = replace(chosen, length=length)
    own = replace(own, iterations=own.last)
    if iterations is not None:
        epochs = iterations / length
    if epochs is not None:
        own = replace(own, recipe=replace(own.recipe, epochs=float(epochs)), sources={**own.sources, "epochs": SET})
    notes = list(own.notes)
    if own.recipe.warmup + own.recipe.closing >= own.recipe.epochs:
        notes.append(
            f"{own.recipe.epochs:g} epochs have no room for warmup={own.recipe.warmup:g} and "
            f"closing={own.recipe.closing:g}: the rate never falls as a cosine; --set changes them"
        )
    if classes != wanted:
        notes.append(
            f"{own.network.name}: the data has {wanted} classes, so the head gets {wanted} in place of {classes}"
        )
        own = replace(own, network=with_classes(own.network, wanted))
    return replace(own, notes=tuple(notes))


def shown_module(chosen: ModuleChosen) -> list[dict[str, str]]:
    """Every setting with its source, and where the images are known the number of iterations."""
    own = f"Megvii's code, {chosen.era}"
    lines = [{"setting": f"{key}={text}", "source": chosen.sources.get(key, own)} for key, text in pairs(chosen.recipe)]
    if chosen.length:
        lines.append({"setting": f"max_batches={chosen.last}", "source": "epochs and images"})
    return lines


def _usual(network: ModuleNetwork) -> Version:
    return Version.JULY2021 if network.preset == LEGACY else Version.AUGUST2021


def _size(network: ModuleNetwork) -> str:
    """The size whose recipe a network has; s for one that is not of the catalogue."""
    entry = registry.entry_of(network)
    words = (entry.name if entry else network.name).split("-")
    return next((word for word in words if word in HEAD), "s")


def _nms_free(design: YoloxDesign | YoloxDarknetDesign) -> bool:
    """Whether a network is to do without suppression, for which it would need other positives."""
    return isinstance(design, YoloxDarknetDesign) and bool(design.more)
