"""What one run trains of the catalogue's torch modules, whatever kind of module it is."""

from __future__ import annotations

import hashlib
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import Field, dataclass, field, replace
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from cspbench.claims.model import Row
from cspbench.errors import UsageError
from cspbench.models.own_modules import with_classes
from cspbench.network import canonical
from cspbench.network.modular.network import ModuleNetwork
from cspbench.training.modular.settings import pairs
from cspbench.training.recipes.chosen import SET, Images


class ModuleRecipe(Protocol):
    """A frozen dataclass, whose fields are the settings of a training."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def batch(self) -> int:
        """Images of an iteration."""

    @property
    def subdivisions(self) -> int:
        """Mini-batches of an iteration."""

    @property
    def epochs(self) -> float: ...


R = TypeVar("R", bound=ModuleRecipe)


@dataclass(frozen=True)
class ModuleChosen(ABC, Generic[R]):
    """A network with its recipe; `original` is the same network with its own head."""

    network: ModuleNetwork
    recipe: R
    era: str
    """The version of the code whose recipe it is."""
    original: ModuleNetwork
    row: Row | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """The source of each setting that is not simply that of the code."""
    notes: tuple[str, ...] = ()
    iterations: int = 0
    """Those of the recipe on the images, before any change."""
    changed: tuple[str, ...] = ()
    """What the command changes but the length, as key=value."""
    unknown: tuple[str, ...] = ()
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
    @abstractmethod
    def code(self) -> str:
        """The code whose recipe it is, in words."""

    def digest(self) -> str:
        """Of the recipe, its length in iterations included."""
        form = canonical.text({**dict(pairs(self.recipe)), "length": self.length})
        return f"module-r1:{hashlib.sha256(form.encode()).hexdigest()}"


C = TypeVar("C", bound=ModuleChosen[Any])


def with_recipe(chosen: C, recipe: ModuleRecipe, settings: Sequence[str], network: ModuleNetwork) -> C:
    """The same with the recipe and the network that settings (key=value) lead to."""
    keys = [setting.partition("=")[0].strip() for setting in settings]
    changes = ["".join(setting.split()) for key, setting in zip(keys, settings, strict=True) if key != "epochs"]
    return replace(
        chosen,
        network=network,
        original=network,
        recipe=recipe,
        sources={**chosen.sources, **dict.fromkeys(keys, SET)},
        changed=(*chosen.changed, *changes),
    )


def fitted(chosen: C, images: Images, iterations: int | None = None, epochs: float | None = None) -> C:
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
    if classes != wanted:
        note = f"{own.network.name}: the data has {wanted} classes, so the head gets {wanted} in place of {classes}"
        own = replace(own, network=with_classes(own.network, wanted), notes=(*own.notes, note))
    return own


def shown_module(chosen: ModuleChosen[Any]) -> list[dict[str, str]]:
    """Every setting with its source, and where the images are known the number of iterations."""
    lines = [
        {"setting": f"{key}={text}", "source": chosen.sources.get(key, chosen.code)}
        for key, text in pairs(chosen.recipe)
    ]
    if chosen.length:
        lines.append({"setting": f"max_batches={chosen.last}", "source": "epochs and images"})
    return lines
