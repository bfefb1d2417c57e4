"""How a network is trained: the keys of a cfg that affect training alone (spec training a.1, a.7, d.1).

A field has the name of its key and Darknet's default; `NAMES` lists those whose names differ. The probability of
[dropout] is a field of its layer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, ClassVar

from cspbench.errors import DefinitionError
from cspbench.network import canonical, layers
from cspbench.network.network import Network

VERSION = "r1"
"""Prefix of a recipe's digest."""
NAMES: Mapping[str, str] = MappingProxyType({"max_boxes": "max", "beta1": "B1", "beta2": "B2", "kind_of_cost": "type"})
"""Keys of the fields that have another name."""


class Policy(StrEnum):
    """How the learning rate changes."""

    CONSTANT = "constant"
    STEP = "step"
    STEPS = "steps"
    EXP = "exp"
    POLY = "poly"
    SIGMOID = "sigmoid"
    SGDR = "sgdr"
    RANDOM = "random"


@dataclass(frozen=True, kw_only=True)
class NetRecipe:
    """The training keys of [net]. None stands for a default that depends on other keys."""

    kind: ClassVar[str] = "net"
    batch: int = 1
    """Images of an iteration, if `subdivisions` divides it."""
    subdivisions: int = 1
    max_batches: int = 0
    """Iterations; 0: without end."""
    learning_rate: float = 0.001
    momentum: float = 0.9
    decay: float = 0.0001
    policy: Policy = Policy.CONSTANT
    burn_in: int = 0
    power: float = 4.0
    """Of `burn_in`, `poly` and `random` alike."""
    steps: tuple[int, ...] = ()
    scales: tuple[float, ...] = ()
    step: int = 1
    scale: float = 1.0
    gamma: float = 1.0
    sgdr_cycle: int | None = None
    """`max_batches` by default."""
    sgdr_mult: int = 2
    learning_rate_min: float = 1e-5
    adam: bool = False
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-6
    ema_alpha: float = 0.0
    label_smooth_eps: float = 0.0
    """Of a classifier's labels."""
    mixup: int = 0
    cutmix: bool = False
    mosaic: bool = False
    mosaic_bound: bool = False
    blur: int = 0
    flip: bool = True
    angle: float = 0.0
    aspect: float = 1.0
    saturation: float = 1.0
    exposure: float = 1.0
    hue: float = 0.0
    min_crop: int | None = None
    """The width of the network by default."""
    max_crop: int | None = None
    """Twice the width of the network by default."""
    resize_step: int = 32
    unsupported: tuple[str, ...] = ()
    """Settings that training here does not implement, as `key=value`."""

    def __post_init__(self) -> None:
        _positive("subdivisions", self.subdivisions)
        if self.batch < self.subdivisions:
            raise _out_of_range("batch", f"at least subdivisions={self.subdivisions}", str(self.batch))
        _positive("resize_step", self.resize_step)
        match self.policy:
            case Policy.STEP:
                _positive("step", self.step)
            case Policy.STEPS if len(self.scales) < len(self.steps):
                raise _out_of_range("scales", f"{len(self.steps)} numbers, as in steps=", str(len(self.scales)))
            case Policy.POLY:
                _positive("max_batches", self.max_batches)
            case Policy.SGDR:
                _positive("sgdr_cycle", self.cycle)
                _positive("sgdr_mult", self.sgdr_mult)

    @property
    def mini_batch(self) -> int:
        """Images of one forward pass."""
        return self.batch // self.subdivisions

    @property
    def images(self) -> int:
        """Images of one iteration."""
        return self.mini_batch * self.subdivisions

    @property
    def mixing(self) -> int:
        """How images are mixed, as today: 0 not, 1 mixup, 2 cutmix, 3 mosaic, 4 cutmix or mosaic."""
        if self.cutmix or self.mosaic:
            return {(True, False): 2, (False, True): 3, (True, True): 4}[self.cutmix, self.mosaic]
        return self.mixup

    @property
    def cycle(self) -> int:
        """Iterations of the first cycle of `sgdr`."""
        return self.max_batches if self.sgdr_cycle is None else self.sgdr_cycle


@dataclass(frozen=True, kw_only=True)
class LayerRecipe:
    """The training keys of every layer."""

    kind: ClassVar[str] = "layer"
    learning_rate: float = 1.0
    """A factor of the network's rate."""
    stopbackward: bool = False
    """This layer and all earlier ones have no gradient; the earlier ones keep their statistics and weights."""
    onlyforward: bool = False
    dont_update: int = 0
    """Its arrays are updated after this iteration only."""
    burnin_update: int = 0
    """Its arrays are updated from this multiple of `burn_in` only."""
    train_only_bn: bool = False
    """Of this layer and all earlier ones only the running statistics change."""
    clip: float = 0.0
    unsupported: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class YoloRecipe(LayerRecipe):
    """The training keys of [yolo]."""

    kind: ClassVar[str] = "yolo"
    max_boxes: int = 200
    jitter: float = 0.2
    resize: float = 1.0
    random: float = 0.0
    ignore_thresh: float = 0.5
    truth_thresh: float = 1.0
    iou_thresh: float = 1.0
    iou_thresh_kind: str = "iou"
    iou_loss: str = "mse"
    iou_normalizer: float = 0.75
    obj_normalizer: float = 1.0
    cls_normalizer: float = 1.0
    delta_normalizer: float = 1.0
    label_smooth_eps: float = 0.0
    focal_loss: bool = False
    objectness_smooth: bool = False
    max_delta: float = float("inf")
    counters_per_class: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class SoftmaxRecipe(LayerRecipe):
    """The training keys of [softmax]."""

    kind: ClassVar[str] = "softmax"
    noloss: bool = False


@dataclass(frozen=True, kw_only=True)
class CostRecipe(LayerRecipe):
    """The training keys of [cost]."""

    kind: ClassVar[str] = "cost"
    kind_of_cost: str = "sse"
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ImplicitRecipe(LayerRecipe):
    """The training keys of [implicit]: mean and half width of the interval from which its vector is drawn."""

    kind: ClassVar[str] = "implicit"
    mean: float = 0.0
    std: float = 0.02


RECIPES: dict[type[layers.Layer], type[LayerRecipe]] = {
    layers.Yolo: YoloRecipe,
    layers.GaussianYolo: YoloRecipe,
    layers.Softmax: SoftmaxRecipe,
    layers.Loss: CostRecipe,
    layers.Implicit: ImplicitRecipe,
}
"""By layer, the recipe of those that have keys of their own."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; `layers` has one item for each of the network's."""

    net: NetRecipe
    layers: tuple[LayerRecipe, ...]

    @property
    def stop(self) -> int:
        """The last layer with `stopbackward`, at which gradients end; -1 if there is none."""
        return max((index for index, layer in enumerate(self.layers) if layer.stopbackward), default=-1)

    @property
    def statistics_only(self) -> int:
        """The last layer with `train_only_bn`; -1 if there is none."""
        return max((index for index, layer in enumerate(self.layers) if layer.train_only_bn), default=-1)

    @property
    def untrained(self) -> int:
        """How many of the first layers have no gradient."""
        return max(self.stop, self.statistics_only) + 1

    def unsupported(self) -> tuple[tuple[int, str], ...]:
        """Layer (-1 for [net]) and setting of all that training here does not implement."""
        owners = [(-1, self.net.unsupported), *((at, layer.unsupported) for at, layer in enumerate(self.layers))]
        return tuple((index, setting) for index, settings in owners for setting in settings)


def default(network: Network, net: NetRecipe | None = None) -> Recipe:
    """The recipe of a network without training keys, or with those of [net] only."""
    return Recipe(net or NetRecipe(), tuple(kind_of(layer)() for layer in network.layers))


def kind_of(layer: layers.Layer) -> type[LayerRecipe]:
    """The class of a layer's recipe."""
    return RECIPES.get(type(layer), LayerRecipe)


def digest(network: Network, recipe: Recipe) -> str:
    """The sha256 of all training settings, with the probabilities of [dropout], as "r1:" and 64 hexadecimal digits.

    The network itself is not part of it: its own digest says what is trained.
    """
    form: dict[str, Any] = {
        "net": recipe.net,
        "layers": tuple((index, layer) for index, layer in enumerate(recipe.layers) if canonical.settings(layer)),
        "dropout": tuple(
            (index, layer.probability)
            for index, layer in enumerate(network.layers)
            if isinstance(layer, layers.Dropout)
        ),
    }
    return f"{VERSION}:{hashlib.sha256(canonical.text(form).encode()).hexdigest()}"


def _positive(key: str, value: int) -> None:
    if value < 1:
        raise _out_of_range(key, "at least 1", str(value))


def _out_of_range(key: str, expected: str, found: str) -> DefinitionError:
    what, remedy = f"{key} is out of range", f"Correct {key}="
    return DefinitionError("cfg.out-of-range", what, expected=expected, found=found, remedy=remedy)
