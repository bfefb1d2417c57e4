"""Trainings of tiny networks in this process: begun, killed, resumed, and compared byte by byte."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from training_sets import classifier, detector

from cspbench.evaluation.execution import Execution, Listener
from cspbench.training.loop import Loop
from cspbench.training.recipes.chosen import Chosen, of_cfg, with_settings
from cspbench.training.run.options import Options, Trained
from cspbench.training.run.session import train

KEPT = ("log.jsonl", "net_final.weights", "net_last.weights", "checkpoint.safetensors")
SMALL = Options(execution=Execution(workers=0, device="cpu"), every=3)
KINDS = {"classifier": classifier, "detector": detector}


class Killed(BaseException):
    """The end of a process at any moment, which nothing of the package catches."""


class Heard(Listener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def chosen(folder: Path, kind: str, *settings: str) -> tuple[Chosen, Path]:
    """The network of a kind with its data set, in a folder."""
    arguments = KINDS[kind](folder)
    return with_settings(of_cfg(arguments[2]), settings), Path(arguments[4])


def trained(work: tuple[Chosen, Path], run: Path, **options: Any) -> Trained:
    """A training to its end; options of `Execution` are its own."""
    execution = {name: options.pop(name) for name in ("precision", "compiled") if name in options}
    return train(*work, run, replace(SMALL, execution=replace(SMALL.execution, **execution), **options))


def files(run: Path) -> dict[str, bytes]:
    """What an undisturbed run and an interrupted one must have alike."""
    return {name: (run / name).read_bytes() for name in KEPT}


def kill_in(monkeypatch: Any, iterations: Callable[[int], bool]) -> None:
    """End the process in the middle of such iterations."""
    original = Loop._mini_batches

    def until(self: Loop, stream: Any, iteration: int) -> Any:
        for pair in original(self, stream, iteration):
            yield pair
            if iterations(iteration):
                raise Killed

    monkeypatch.setattr(Loop, "_mini_batches", until)
