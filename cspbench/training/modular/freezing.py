"""A part of a module that stays as it is at the beginning of a training."""

from __future__ import annotations

import math

from torch import nn


class Freezing:
    """In the first `iterations` the part's arrays have no gradient, and its batch norms use their running statistics.

    `at` changes the part in place. Those statistics do not change either: `Statistics` leaves out what is not in
    training mode.
    """

    def __init__(self, module: nn.Module, part: str, iterations: float) -> None:
        self.part, self.iterations = module.get_submodule(part), iterations
        self._names = frozenset(f"{part}.{name}" for name in self.part.state_dict())
        self.frozen: frozenset[str] = frozenset()
        """Names of the arrays in the module that stay as they are at present."""
        self._set(False)

    def at(self, iteration: int) -> None:
        """Make the part what it is in an iteration, from 1."""
        frozen = iteration <= self.iterations
        if frozen != bool(self.frozen):
            self._set(frozen)

    def _set(self, frozen: bool) -> None:
        self.frozen = self._names if frozen else frozenset()
        self.part.train(not frozen)
        self.part.requires_grad_(not frozen)


def iterations_of(epochs: float, length: int) -> float:
    """The whole iterations of so many epochs of `length` each; those of infinitely many are all."""
    return math.ceil(epochs * length - 1e-6) if math.isfinite(epochs) else math.inf


def text_of(epochs: float) -> str:
    """As the command line has it."""
    return f"{epochs:g}" if math.isfinite(epochs) else ALL


ALL = "all"
"""For a whole run."""
