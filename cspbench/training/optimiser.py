"""Darknet's momentum SGD and adam (spec training a.4, a.6, a.7).

Gradients are those of the loss summed over images, never a mean. A velocity collects them over the mini-batches of an
iteration, in order. Where Darknet adds minus the gradient and moves along it, all signs here are opposite.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby

import torch
from torch import Tensor, fx

from cspbench.network.network import Network
from cspbench.network.recipe import NetRecipe, Recipe
from cspbench.weights.loading import stored

DECAYED = ("weight", "fusion")
"""Roles of the arrays that decay; biases, scales and shifts do not. All do with adam."""
SHORTCUT_LIMIT = 1.0
"""Of the velocity of a weighted shortcut's factors."""


@dataclass(eq=False)
class Array:
    """A trained array with its velocity, in units of the gradient; with adam, its two moments beside."""

    layer: int
    role: str
    name: str
    """In the module."""
    values: torch.nn.Parameter
    velocity: Tensor
    moments: tuple[Tensor, ...] = field(default=())

    def tensors(self) -> dict[str, Tensor]:
        """All state of the optimiser, by name."""
        moments = {f"{self.name}.moment{at}": moment for at, moment in enumerate(self.moments)}
        return {f"{self.name}.velocity": self.velocity, **moments}


@dataclass(frozen=True)
class _Rule:
    """What arrays that are updated together have in common."""

    layer_rate: float
    decays: bool
    limited: bool
    clip: float


class Optimiser:
    """Velocities of a module's arrays, and the update of an iteration.

    Arrays at and before a layer with `stopbackward` have no gradient; of these, only that layer's decay.
    """

    def __init__(self, module: fx.GraphModule, network: Network, recipe: Recipe) -> None:
        self.recipe = recipe
        self.net: NetRecipe = recipe.net
        first = max(recipe.stop, recipe.statistics_only + 1)
        self.arrays = [
            Array(layer, role, name, values, torch.zeros_like(values), self._moments(values))
            for layer, role, name, values in stored(module, network)
            if isinstance(values, torch.nn.Parameter) and layer >= first
        ]
        self._weighted = {array.name for array in self.arrays if array.role == "fusion" and array.values.dim() == 2}

    def _moments(self, values: Tensor) -> tuple[Tensor, ...]:
        return (torch.zeros_like(values), torch.zeros_like(values)) if self.net.adam else ()

    def gradients(self) -> list[Tensor | None]:
        """The gradients of one mini-batch, one for each array, taken from the module."""
        taken = [array.values.grad for array in self.arrays]
        for array in self.arrays:
            array.values.grad = None
        return taken

    @contextmanager
    def collecting(self) -> Iterator[None]:
        """Within, backward passes add to the velocities themselves, as `accumulate` would, without another array."""
        for array in self.arrays:
            array.values.grad = array.velocity if array.values.requires_grad else None
        try:
            yield
        finally:
            for array in self.arrays:
                array.values.grad = None

    @torch.no_grad()
    def accumulate(self, gradients: Sequence[Tensor | None]) -> None:
        """Add the gradients of one mini-batch; mini-batches must come in the order of the iteration."""
        pairs = [
            (array.velocity, gradient)
            for array, gradient in zip(self.arrays, gradients, strict=True)
            if gradient is not None
        ]
        if pairs:
            velocities, given = zip(*pairs, strict=True)
            torch._foreach_add_(velocities, given)

    @torch.no_grad()
    def step(self, rate: float, iteration: int) -> None:
        """Update all arrays that the iteration updates."""
        updated = [array for array in self.arrays if self._updates(array.layer, iteration)]
        for rule, arrays in groupby(sorted(updated, key=self._order), key=self._rule):
            self._update(rule, list(arrays), rate, iteration)

    def _updates(self, layer: int, iteration: int) -> bool:
        own = self.recipe.layers[layer]
        return iteration > own.dont_update and iteration >= own.burnin_update * self.net.burn_in

    def _rule(self, array: Array) -> _Rule:
        own = self.recipe.layers[array.layer]
        limited = array.name in self._weighted
        clip = own.clip if array.role == "weight" else 0.0
        return _Rule(own.learning_rate, self.net.adam or array.role in DECAYED, limited, clip)

    def _order(self, array: Array) -> tuple[float, bool, bool, float]:
        rule = self._rule(array)
        return rule.layer_rate, rule.decays, rule.limited, rule.clip

    def _update(self, rule: _Rule, arrays: list[Array], rate: float, iteration: int) -> None:
        values: list[Tensor] = [array.values for array in arrays]
        velocities = [array.velocity for array in arrays]
        if rule.limited:
            torch._foreach_clamp_min_(velocities, -SHORTCUT_LIMIT)
            torch._foreach_clamp_max_(velocities, SHORTCUT_LIMIT)
        if rule.decays and self.net.decay:
            torch._foreach_add_(velocities, values, alpha=self.net.decay * self.net.images)
        if self.net.adam:
            self._adam(values, velocities, [array.moments for array in arrays], rate * rule.layer_rate, iteration)
        else:
            torch._foreach_add_(values, velocities, alpha=-rate * rule.layer_rate / self.net.images)
            torch._foreach_mul_(velocities, self.net.momentum)
        if rule.clip:
            torch._foreach_clamp_min_(values, -rule.clip)
            torch._foreach_clamp_max_(values, rule.clip)

    def _adam(
        self,
        values: Sequence[Tensor],
        gradients: Sequence[Tensor],
        moments: Iterable[tuple[Tensor, ...]],
        rate: float,
        iteration: int,
    ) -> None:
        """One step of adam, free of the gradients' scale; the velocities are the gradients and end at 0."""
        one, two = self.net.beta1, self.net.beta2
        for value, gradient, (mean, square) in zip(values, gradients, moments, strict=True):
            mean.mul_(one).add_(gradient, alpha=1 - one)
            square.mul_(two).addcmul_(gradient, gradient, value=1 - two)
            divisor = (square / (1 - two**iteration)).sqrt_().add_(self.net.eps)
            value.addcdiv_(mean, divisor, value=-rate / (1 - one**iteration))
            gradient.zero_()

    def state(self) -> dict[str, Tensor]:
        """Velocities and moments by name; the tensors themselves, so that they can be loaded into."""
        return {name: tensor for array in self.arrays for name, tensor in array.tensors().items()}
