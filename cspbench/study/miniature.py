"""What a study trains in place of a table's network, by the kind of the variant: network, recipe, pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from cspbench.errors import UsageError
from cspbench.network.era import Era
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network
from cspbench.network.recipe import default
from cspbench.study.networks import mini_classifier, mini_detector, widened, with_activation
from cspbench.study.variants import LEAKY, Kind, Variant
from cspbench.training.modular.chosen import AnyChosen, of_module, with_module_settings
from cspbench.training.recipes.chosen import Chosen, with_settings
from cspbench.zoo import registry
from cspbench.zoo.yolox.designs import YoloxDesign

ITERATIONS: dict[Kind, int] = {"classifier": 500, "detector": 1000, "yolox": 1500}
"""Of a training, unless the study says otherwise."""
RECIPES: dict[Kind, str] = {
    "classifier": """batch=64 subdivisions=1 adam=1 learning_rate=0.003 policy=sgdr burn_in=20 power=1 momentum=0.9
        decay=0.0005 angle=7 hue=0.1 saturation=0.75 exposure=0.75 aspect=0.75""",
    "detector": """batch=16 subdivisions=1 adam=1 learning_rate=0.003 policy=sgdr burn_in=50 power=1 momentum=0.9
        decay=0.0005 saturation=1.5 exposure=1.5 hue=0.1
        yolo.jitter=0.2 yolo.ignore_thresh=0.7 yolo.random=0 yolo.max_delta=5""",
    "yolox": "batch=16 subdivisions=2 sizes=2,3 mosaic=1 mixup=none degrees=0 shear=0 shortest=1",
}
"""The README's augmentation; Adam and a cosine in place of its rates, which need more iterations than a study has."""
CROPS = (1.0, 1.25)
"""A classifier's smallest and largest crop, in sides of its input; 128 and 448 of 256 as published."""
YOLOX = YoloxDesign(channels=8, depth=1)
YOLOX_SIDE = 96


@dataclass(frozen=True)
class Mini:
    """How a study's networks are made: a model of the catalogue or a file in place of the miniature, width and size."""

    model: str | None = None
    width: float = 1.0
    size: int | None = None

    def network(self, kind: Kind) -> Network | ModuleNetwork:
        """The network of the base row. Raises `UsageError` for a model of another kind."""
        if kind == "yolox":
            return self._yolox()
        own = mini_classifier() if kind == "classifier" else mini_detector()
        network = own if self.model is None else registry.model(self.model).build()
        if network.detects != (kind == "detector"):
            raise other_kind(network.name, kind)
        network = widened(network, self.width)
        return network if self.size is None else network.resized(self.size, self.size)

    def _yolox(self) -> ModuleNetwork:
        network = ModuleNetwork("study-yolox", (3, YOLOX_SIDE, YOLOX_SIDE), YOLOX, "yolox-legacy")
        if self.model is not None:
            own = registry.model(self.model).architecture()
            if not isinstance(own, ModuleNetwork) or not isinstance(own.design, YoloxDesign):
                raise other_kind(own.name, "yolox")
            side = YOLOX_SIDE if self.size is None else self.size
            network = replace(own, input=(3, side, side), preset="yolox-legacy")
        elif self.size is not None:
            network = network.resized(self.size, self.size)
        design = network.design
        assert isinstance(design, YoloxDesign)
        channels = max(1, round(design.channels * self.width / 4)) * 4
        return replace(network, design=replace(design, channels=channels)) if self.width != 1 else network

    @property
    def shares_backbone(self) -> bool:
        """Whether the detector begins with the layers of the classifier."""
        return self.model is None

    def chosen(self, variant: Variant, iterations: int, images: int) -> AnyChosen:
        """The network and the recipe of a variant; an epoch has that many images."""
        network = self.network(variant.kind)
        settings = RECIPES[variant.kind].split()
        if isinstance(network, ModuleNetwork):
            chosen = with_module_settings(of_module(network, version=variant.era), settings)
            epochs = iterations / math.ceil(images / chosen.recipe.batch)
            shares = {key: getattr(chosen.recipe, key) / chosen.recipe.epochs for key in ("warmup", "closing")}
            settings = [f"{key}={share * epochs:.6g}" for key, share in shares.items()]
            settings += [f"epochs={epochs:.6g}", f"width={network.input[2]}", f"height={network.input[1]}"]
            return with_module_settings(chosen, [*settings, *variant.settings])
        if variant.activation != LEAKY:
            network = with_activation(network, variant.activation)
        if variant.kind == "classifier":
            side = network.input[2]
            settings += [f"min_crop={round(CROPS[0] * side)}", f"max_crop={round(CROPS[1] * side)}"]
        base = Chosen(network, default(network), Era(variant.era), network, iterations=iterations)
        return with_settings(base, [f"max_batches={iterations}", *settings, *variant.settings])


def other_kind(name: str, kind: Kind) -> UsageError:
    """The error for a model that cannot stand for the tables' networks."""
    words = {"classifier": "a classifier", "detector": "a detector of Darknet's", "yolox": "yolox-nano to yolox-x"}
    return UsageError(
        "usage.study-model",
        "the tables are not of this kind of network",
        where=name,
        expected=words[kind],
        found="another kind",
        remedy="Choose another --model, or leave it out",
    )
