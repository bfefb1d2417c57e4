"""Evaluations of a run, on the way and at its end; the best weights are kept."""

from __future__ import annotations

from dataclasses import dataclass

from cspbench.inference.distributed import barrier
from cspbench.training.evaluated import Result, deciding, figure
from cspbench.training.folder import Folder
from cspbench.training.loop import Loop
from cspbench.training.modular.chosen import AnyChosen
from cspbench.training.run.monitor import Monitor
from cspbench.training.run.options import Evaluate


@dataclass(frozen=True)
class Evaluations:
    """Those that `measure` makes of a run's weight files, every `every` iterations (0: none) and of the final ones.

    `monitor` is that of the first process.
    """

    chosen: AnyChosen
    loop: Loop
    folder: Folder
    measure: Evaluate
    every: int
    monitor: Monitor | None = None

    def after(self, iteration: int) -> None:
        """Evaluate the last weights, if it is time; the final ones are evaluated by `final`."""
        if not self.every or iteration % self.every or iteration == self.loop.last:
            return
        if self.loop.folder is not None and self.loop.saved != iteration:
            self.loop.save()
        barrier((self.loop.share.number, self.loop.share.count), "the first process to write the weights")
        self._measured("last", iteration)

    def final(self) -> Result | None:
        """Evaluate the final weights."""
        return self._measured("final", self.loop.last)

    def _measured(self, kind: str, iteration: int) -> Result | None:
        result = self.measure(self.chosen, self.folder.weights(kind))
        if result is None or self.loop.folder is None:
            return result
        value = figure(result, deciding(self.chosen))
        if self.every and value > max((earlier for _, earlier in self.folder.evaluations()), default=-1.0):
            self.folder.copy(kind, "best")
        self.folder.note_evaluation(iteration, value)
        if self.monitor is not None:
            self.monitor.evaluated(iteration, value)
        return result
