"""One iteration: mini-batches forward and backward, then the update (spec training a.2, a.4, a.5, e.3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, fx, nn

from cspbench.errors import DefinitionError
from cspbench.network import layers
from cspbench.network.era import Era
from cspbench.network.network import Network
from cspbench.network.recipe import Recipe, YoloRecipe
from cspbench.training.ema import Average
from cspbench.training.hardware.compilation import compiled as compiled_module
from cspbench.training.hardware.loss_scale import LossScale
from cspbench.training.learner import Update
from cspbench.training.losses.layers import losses
from cspbench.training.losses.outcome import Outcome
from cspbench.training.module import to_training_module
from cspbench.training.optimiser import Optimiser
from cspbench.training.schedule import rate
from cspbench.training.statistics import Statistics


@dataclass(frozen=True)
class MiniBatch:
    """What one forward and backward pass gave: gradients by array of the optimiser, and outcomes by loss layer."""

    gradients: list[Tensor | None]
    statistics: Tensor
    """Means and variances of batch norms."""
    outcomes: dict[int, Outcome]

    @property
    def figures(self) -> Tensor:
        return torch.tensor([mean_cost(self.outcomes)], dtype=torch.float64)


def mean_cost(outcomes: Mapping[int, Outcome]) -> float:
    """The mean cost of the loss layers in one mini-batch."""
    return sum(float(outcome.cost) for outcome in outcomes.values()) / len(outcomes)


class Trainer:
    """A network in training: its module, losses and optimiser, and the images seen.

    `module` is one from `to_training_module`, on its device and in its memory format; by default a new one without
    values. `seed` decides the rates of the policy `random`. A `precision` below float32 is that of the forward and
    backward pass alone (autocast); arrays and losses stay float32. `compiled` has torch.compile write both passes.
    Raises `DefinitionError` for a network or a recipe that cannot be trained.
    """

    def __init__(
        self,
        network: Network,
        recipe: Recipe,
        era: Era = Era.HEAD,
        *,
        exact: bool = False,
        module: fx.GraphModule | None = None,
        seed: int = 0,
        precision: torch.dtype = torch.float32,
        compiled: bool = False,
    ) -> None:
        check(network, recipe)
        self.network, self.recipe, self.seed = network, recipe, seed
        self.losses = losses(network, recipe, era, exact=exact)
        self.module: nn.Module = module or to_training_module(network, recipe, self.losses)
        self._forward = compiled_module(self.module) if compiled else self.module
        self.optimiser = Optimiser(self.module, network, recipe)
        self.statistics = Statistics(self.module)
        self.average = Average(network, recipe.net)
        self.precision = precision
        self.scale: LossScale | None = None
        """Of half precision alone."""
        if precision == torch.float16:
            velocities = [array.velocity for array in self.optimiser.arrays]
            self.scale = LossScale([*velocities, *self.statistics.running])
        self.seen = 0
        """Images of all mini-batches so far; a weight file keeps it."""

    @property
    def device(self) -> torch.device:
        """Where the arrays are."""
        return next(iter(self.module.parameters())).device

    @property
    def images(self) -> int:
        return self.recipe.net.images

    @property
    def subdivisions(self) -> int:
        return self.recipe.net.subdivisions

    @property
    def figures(self) -> int:
        return 1

    @property
    def arrays(self) -> Sequence[Tensor]:
        return [array.values for array in self.optimiser.arrays]

    @property
    def iteration(self) -> int:
        """The iteration that the images seen so far have reached; the first update is that of iteration 1."""
        return self.seen // self.recipe.net.images

    def mini_batch(self, images: Tensor, truths: Tensor) -> MiniBatch:
        """Forward and backward of (N, C, H, W) images in [0, 1] with labels (N, classes) or boxes (N, max, 6).

        Changes no array; `add` does, when all mini-batches before have been added.
        """
        outcomes = self._backward(images, truths)
        gradients = self.optimiser.gradients()
        if self.scale is not None:
            gradients = self.scale.unscaled(gradients)
        return MiniBatch(gradients, self.statistics.taken(), outcomes)

    def _backward(self, images: Tensor, truths: Tensor) -> dict[int, Outcome]:
        with torch.autocast(images.device.type, self.precision, enabled=self.precision != torch.float32):
            maps = self._forward(images)
        size = (images.shape[2], images.shape[3])
        outcomes = {
            layer: loss(raw.float(), truths, size) for (layer, loss), raw in zip(self.losses.items(), maps, strict=True)
        }
        given = [
            (raw, self._handed_on(layer, outcome.gradient).to(raw.dtype))
            for raw, (layer, outcome) in zip(maps, outcomes.items(), strict=True)
            if raw.requires_grad and not self.recipe.layers[layer].onlyforward
        ]
        if given:
            tensors, gradients = zip(*given, strict=True)
            torch.autograd.backward(tensors, gradients)
        return outcomes

    def add(self, gradients: list[Tensor | None], statistics: Tensor) -> None:
        """Add what a mini-batch gave, in the order of the iteration, whichever process computed it.

        The arrays are then the same bytes as after `iterate`.
        """
        if self.scale is not None:
            self.scale.begin()
        self.optimiser.accumulate(gradients)
        self.statistics.add(statistics)

    def _handed_on(self, layer: int, gradient: Tensor) -> Tensor:
        own = self.recipe.layers[layer]
        if isinstance(own, YoloRecipe) and own.delta_normalizer != 1:
            gradient = gradient * own.delta_normalizer
        return gradient if self.scale is None else gradient * self.scale.value

    def update(self, figures: Tensor) -> Update:
        """Update all arrays after the mini-batches of an iteration; `figures` (1,) is the sum of their mean costs."""
        iteration = self.iteration
        now = rate(self.recipe.net, iteration, self.seed)
        finite = self.scale is None or self.scale.end()
        if finite:
            self.optimiser.step(now, iteration)
        else:
            self.statistics.forget()
        self.average.update(self.optimiser, iteration)
        return Update(iteration, float(figures) / self.recipe.net.images, now, skipped=not finite)

    def iterate(self, mini_batches: Iterable[tuple[Tensor, Tensor]]) -> Update:
        """One iteration over `subdivisions` mini-batches of images and truths."""
        total = torch.zeros(1, dtype=torch.float64)
        with self.optimiser.collecting() if self.scale is None else nullcontext():
            for images, truths in mini_batches:
                self.seen += len(images)
                if self.scale is None:
                    total += mean_cost(self._backward(images, truths))
                    self.statistics.add(self.statistics.taken())
                else:
                    result = self.mini_batch(images, truths)
                    self.add(result.gradients, result.statistics)
                    total += result.figures
        return self.update(total)

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Everything that resuming needs, by name; averages once there are some."""
        for name, tensor in self.module.state_dict(keep_vars=True).items():
            yield f"module.{name}", tensor
        for name, tensor in self.optimiser.state().items():
            yield f"optimiser.{name}", tensor
        for name, tensor in self.average.arrays.items():
            yield f"average.{name}", tensor
        if self.scale is not None:
            yield "loss_scale", self.scale.state

    def make_room(self, names: Iterable[str]) -> None:
        """Make the averages with these names; `KeyError` for one of an unknown array."""
        state = self.module.state_dict(keep_vars=True)
        for name in sorted(name.removeprefix("average.") for name in names if name.startswith("average.")):
            self.average.arrays[name] = torch.empty_like(state[name])

    def written(self) -> nn.Module:
        """The module itself; `Average` has its own files."""
        return self.module


def check(network: Network, recipe: Recipe) -> None:
    """Raise `DefinitionError` for a layer or a setting with which training here would not be Darknet's."""
    network.check_evaluable()
    crops = [(at, "[crop]") for at, layer in enumerate(network.layers) if isinstance(layer, layers.Crop)]
    for index, setting in (*recipe.unsupported(), *crops):
        raise DefinitionError(
            "train.unsupported",
            "training with this is not implemented",
            where=network.place(index) if index >= 0 else f"{network.origin or network.name}, [net]",
            found=setting,
            remedy="Remove it",
        )
    for index, layer in enumerate(network.layers):
        normalised = isinstance(layer, layers.Convolution | layers.Connected) and layer.batch_normalize
        alone = recipe.net.mini_batch == 1 and network.shape(index)[1:] == (1, 1)
        if (normalised or isinstance(layer, layers.BatchNorm)) and alone and index >= recipe.stop:
            raise DefinitionError(
                "train.batch-norm-of-one",
                "a batch norm over one value divides by 0",
                where=network.place(index),
                expected="a mini-batch of at least 2 images, or a larger map",
                found=f"batch={recipe.net.batch}, subdivisions={recipe.net.subdivisions}",
                remedy="Lower subdivisions=",
            )
