"""What shows a run while it goes on: the figure of its loss, and TensorBoard's files.

Neither reads nor changes anything of the training, and none of their failures ends it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Self

from cspbench.errors import printable
from cspbench.plots.training import save
from cspbench.training.folder import Folder
from cspbench.training.loop import Standing
from cspbench.training.run.scalars import Scalars

SECONDS = 60.0
"""Between two drawings at least."""
SHARE = 50
"""The time between two drawings, at least, relative to that of the last one: a long log takes longer to draw."""


@dataclass
class Monitor:
    """Draws the loss of a run, and passes its numbers on to TensorBoard. `metric` is the name of its evaluations'."""

    folder: Folder
    title: str
    metric: str
    percent: float
    """By which an evaluation's figure is multiplied."""
    note: Callable[[str], None]
    scalars: Scalars | None = None
    clock: Callable[[], float] = time.monotonic
    _next: float = field(init=False)
    _draws: bool = field(init=False)

    def __post_init__(self) -> None:
        self._next = self.clock() + SECONDS
        self._draws = find_spec("matplotlib") is not None
        if not self._draws:
            self.note("no loss.png: it needs matplotlib, install cspbench[plot]")

    def reached(self, standing: Standing, saved: bool) -> None:
        """An iteration has ended, with a checkpoint if `saved`."""
        with self._harmless():
            if self.scalars is not None:
                self.scalars.add(standing)
        if saved and self.clock() >= self._next:
            self.draw()

    def evaluated(self, iteration: int, figure: float) -> None:
        """Weights have been evaluated."""
        with self._harmless():
            if self.scalars is not None:
                self.scalars.add_evaluation(self.metric, iteration, self.percent * figure)

    def draw(self) -> None:
        """Write loss.png and loss.svg, if there is something to draw."""
        if not self._draws:
            return
        begun = self.clock()
        try:
            evaluations = [(iteration, self.percent * figure) for iteration, figure in self.folder.evaluations()]
            save(self.folder.path / "loss", self.folder.lines(), evaluations, self.title, self.metric)
        except Exception as error:  # of a damaged log, a full disk, or of matplotlib
            self._draws = False
            self.note(f"no more loss.png: {_text(error)}")
        self._next = self.clock() + max(SECONDS, SHARE * (self.clock() - begun))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Draw the whole run, unless it was interrupted and is to end at once, and close TensorBoard's files."""
        if kind is None or issubclass(kind, Exception):
            self.draw()
        with self._harmless():
            if self.scalars is not None:
                self.scalars.close()

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # of a full disk, which TensorBoard reports in its own ways
            self.scalars = None
            self.note(f"no more scalars for TensorBoard: {_text(error)}")


def _text(error: Exception) -> str:
    return printable(str(error) or type(error).__name__).splitlines()[0]
