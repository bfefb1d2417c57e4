"""Iterations until the end of a training, with what is printed and kept on the way (spec training e.2, e.3)."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice

import torch
from torch import Tensor

from cspbench.data.augment.minibatches import MiniBatch
from cspbench.errors import IncompleteRunError
from cspbench.training.checkpoint import NO_AVERAGE, State
from cspbench.training.distributed import Share, iterate
from cspbench.training.folder import Folder
from cspbench.training.learner import Learner, Update
from cspbench.training.loader import Loader

SECONDS = 600.0
"""Between two checkpoints at most, whatever the number of iterations."""
MEMORY = 0.9
"""The share of the earlier losses in the printed average."""


@dataclass(frozen=True)
class Standing:
    """What is printed after an iteration."""

    update: Update
    average: float
    images_per_second: float

    def __str__(self) -> str:
        parts = [f"{name} {value:.4f}" for name, value in self.update.parts.items()]
        if self.update.positives is not None:
            parts.append(f"{self.update.positives:.2f} positives a truth")
        text = f" ({', '.join(parts)})" if parts else ""
        return (
            f"loss {self.update.loss:.4f}{text}, average {self.average:.4f}, rate {self.update.rate:.6g}, "
            f"{self.images_per_second:.1f} images/s"
        )


@dataclass
class Loop:
    """A training's iterations; `folder` is None in all processes but the first, which alone writes."""

    trainer: Learner
    loader: Loader
    share: Share
    folder: Folder | None
    seed: int
    last: int
    """The last iteration."""
    every: int = 100
    """Iterations between two checkpoints."""
    average: float = NO_AVERAGE
    saved: int = 0
    """The iteration of the last checkpoint."""
    _kept: State | None = field(default=None, init=False)

    def run(self, reached: Callable[[Standing], None], after: Callable[[int], None] | None = None) -> None:
        """All iterations that are left; `reached` is called after each, `after` with its number, where all is saved.

        An interrupt writes a checkpoint of the last whole iteration. Raises `IncompleteRunError` where the loss is not
        a number, with the last checkpoint as it was.
        """
        trainer = self.trainer
        first = trainer.iteration + 1
        self.saved = first - 1
        self._kept = State.of(trainer, self.average) if self.folder else None
        stream = self.loader.iterations(first, self.last, self.share.of(trainer.subdivisions))
        written, begun = time.monotonic(), time.monotonic()
        try:
            with closing(stream):
                for iteration in range(first, self.last + 1):
                    update = iterate(trainer, self._mini_batches(stream, iteration), self.share)
                    now = time.monotonic()
                    self._check(update)
                    self.average = self._averaged(update)
                    if self.folder is not None:
                        self.folder.add(update, self.average, trainer.images)
                        self._kept = State.of(trainer, self.average)
                    done = iteration == self.last
                    if done or iteration % self.every == 0 or now - written > SECONDS:
                        self.save()
                        written = time.monotonic()
                    reached(Standing(update, self.average, trainer.images / max(now - begun, 1e-9)))
                    if after is not None:
                        after(iteration)
                    begun = time.monotonic()
        except KeyboardInterrupt:
            if self._kept is not None and self._kept.seen // trainer.images > self.saved:
                self._kept.put_back(trainer)
                self.save()
            raise

    def save(self) -> None:
        """Write the checkpoint and the last weights. Raises `CspbenchError`."""
        if self.folder is None or self._kept is None:
            return
        state = self._kept
        iteration = state.seen // self.trainer.images
        if not state.finite():
            raise self._diverged(iteration, "numbers that are not finite in the weights")
        state.save(self.folder.checkpoint)
        self.folder.write("last", self.trainer.written(), self.trainer.network, state.seen)
        self.saved = iteration

    def _mini_batches(self, stream: Iterator[MiniBatch], iteration: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The process's mini-batches of an iteration, on the device; what a layer draws depends on its number."""
        device = self.trainer.device
        for batch in islice(stream, len(self.share.of(self.trainer.subdivisions))):
            assert batch.iteration == iteration
            torch.manual_seed(_number(self.seed, iteration, batch.subdivision))
            yield batch.x.to(device, non_blocking=True), batch.y.to(device, non_blocking=True)

    def _averaged(self, update: Update) -> float:
        if update.skipped:
            return self.average
        return update.loss if self.average == NO_AVERAGE else MEMORY * self.average + (1 - MEMORY) * update.loss

    def _check(self, update: Update) -> None:
        if update.skipped:
            if self.trainer.scale is not None and self.trainer.scale.exhausted:
                raise self._diverged(update.iteration, "numbers that are not finite at any loss scale")
        elif math.isnan(update.loss) or (math.isinf(update.loss) and not State.of(self.trainer, 0.0).finite()):
            raise self._diverged(update.iteration, f"a loss of {update.loss}")

    def _diverged(self, iteration: int, found: str) -> IncompleteRunError:
        kept = f"the checkpoint of iteration {self.saved} is kept" if self.saved else "there is no checkpoint before it"
        return IncompleteRunError(
            "incomplete.diverged",
            f"the training diverged; {kept}",
            where=f"iteration {iteration}",
            expected="finite numbers",
            found=found,
            remedy="Train with a lower rate or a longer warm-up, which show --recipe names, in another --run",
        )


def _number(seed: int, iteration: int, subdivision: int) -> int:
    """A seed of torch's generator for one mini-batch."""
    digest = hashlib.sha256(f"{seed} {iteration} {subdivision}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
