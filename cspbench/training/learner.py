"""What the loop, the processes and the checkpoint of a run ask of a network in training, whatever its kind.

`cspbench.training.iteration.Trainer` is Darknet's, `cspbench.training.modular.learner.ModuleLearner` that of modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor, nn

from cspbench.network.modular.architecture import Architecture
from cspbench.training.hardware.loss_scale import LossScale
from cspbench.training.statistics import Statistics


@dataclass(frozen=True)
class Update:
    """What is printed after an iteration."""

    iteration: int
    """Counted from 1."""
    loss: float
    """Of an image, in the mean over loss layers, or of a mini-batch."""
    rate: float
    skipped: bool = False
    """Whether numbers were not finite in half precision, so that the iteration changed nothing but the loss scale."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """What the loss is the sum of, by name, where that is known."""
    positives: float | None = None
    """For each truth, of a network that assigns them."""


class Passed(Protocol):
    """What one forward and backward pass gave; nothing has changed by it yet."""

    @property
    def gradients(self) -> Sequence[Tensor | None]:
        """Of `Learner.arrays`."""

    @property
    def statistics(self) -> Tensor:
        """Means and variances of batch norms."""

    @property
    def figures(self) -> Tensor:
        """(`Learner.figures`,) float64 on the CPU, for `Learner.update`."""


class Learner(Protocol):
    """A network in training. An iteration has `images` images in `subdivisions` mini-batches."""

    module: nn.Module
    statistics: Statistics
    scale: LossScale | None
    """Of half precision alone."""
    seen: int
    """Images of all mini-batches so far."""

    @property
    def network(self) -> Architecture: ...

    @property
    def images(self) -> int: ...

    @property
    def subdivisions(self) -> int: ...

    @property
    def figures(self) -> int:
        """How many numbers a mini-batch gives beside its gradients."""

    @property
    def device(self) -> torch.device: ...

    @property
    def iteration(self) -> int:
        """The iteration that the images seen so far have reached."""

    @property
    def arrays(self) -> Sequence[Tensor]:
        """Those that gradients are taken of, in a fixed order; one may require none."""

    def mini_batch(self, images: Tensor, truths: Tensor, /) -> Passed:
        """Forward and backward of a mini-batch; changes no array."""

    def add(self, gradients: list[Tensor | None], statistics: Tensor) -> None:
        """Add what a mini-batch gave, in the order of the iteration, whichever process computed it."""

    def update(self, figures: Tensor) -> Update:
        """Update all arrays after the mini-batches of an iteration, which `seen` has counted.

        `figures` are those of the mini-batches, added up in their order.
        """

    def iterate(self, mini_batches: Iterable[tuple[Tensor, Tensor]]) -> Update:
        """One iteration over its mini-batches of images and truths."""

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Everything that resuming needs, by name; the tensors themselves, so that they can be loaded into."""

    def make_room(self, names: Iterable[str]) -> None:
        """Make those of `tensors` with these names that come into being on the way; `KeyError` for an unknown one."""

    def written(self) -> nn.Module:
        """The module whose arrays a weight file gets."""
