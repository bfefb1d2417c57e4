"""The run directory of a training: its record, its log, its checkpoint, and weights that Darknet loads."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from torch import nn

from cspbench.errors import RunError
from cspbench.io import append_text, open_file, remove_leftovers, write_bytes, write_text
from cspbench.network.modular.architecture import Architecture
from cspbench.network.network import Network
from cspbench.results.encoding import encode
from cspbench.retrained.record import RECORD, Training, load
from cspbench.training.learner import Update
from cspbench.training.record import differences
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.header import Header
from cspbench.weights.loading import extract


@dataclass(frozen=True)
class Folder:
    """The files of one run; `stem` begins the names of those that Darknet reads."""

    path: Path
    stem: str
    suffix: str = ".weights"
    """Of those by which an evaluation knows the weights; a module has safetensors alone."""

    @property
    def record(self) -> Path:
        return self.path / RECORD

    @property
    def log(self) -> Path:
        return self.path / "log.jsonl"

    @property
    def checkpoint(self) -> Path:
        return self.path / "checkpoint.safetensors"

    @property
    def cfg(self) -> Path:
        return self.path / f"{self.stem}.cfg"

    def weights(self, kind: str) -> Path:
        """The weight file of a kind: last, best, final, ema."""
        return self.path / f"{self.stem}_{kind}{self.suffix}"

    def begin(self, training: Training, cfg: str | None) -> bool:
        """Write the record and the cfg, or add this session to that of a run to resume; whether there is one.

        Raises `RunError` for a record that cannot be read or is that of another training.
        """
        stored = self.stored()
        if stored is not None:
            self._check(stored, training)
        elif self.checkpoint.exists():
            raise RunError(
                "run.checkpoint-alone",
                "a checkpoint without the record of its training",
                where=str(self.path),
                expected=self.record.name,
                found=f"{self.checkpoint.name} alone",
                remedy="Put the record back, or choose another --run",
            )
        resumed = stored is not None and self.checkpoint.is_file()
        for suffix in (".json", ".jsonl", ".safetensors", ".weights", ".cfg", ".png", ".svg"):
            remove_leftovers(self.path, suffix)
        if stored is not None and resumed:
            training = msgspec.structs.replace(stored, sessions=[*stored.sessions, *training.sessions])
        write_bytes(self.record, encode(training))
        if not resumed:
            write_text(self.log, "")
            if cfg is not None:
                write_text(self.cfg, cfg)
        return resumed

    def stored(self) -> Training | None:
        """The record of the run that is there, if any. Raises `RunError`."""
        return load(self.record) if self.record.exists() else None

    def _check(self, stored: Training, training: Training) -> None:
        changes = differences(stored, training)
        if changes:
            last = self.weights("last")
            others = f"; --weights {last} begins from where it is" if last.is_file() else ""
            raise RunError(
                "run.other-settings",
                "the folder holds another training",
                where=str(self.path),
                expected="the settings with which it began",
                found="; ".join(changes),
                remedy=f"Use those settings to resume it, or choose another --run{others}",
            )

    def lines(self) -> Iterator[dict[str, Any]]:
        """The lines of the log."""
        return _lines(self.log)

    def evaluations(self) -> list[tuple[int, float]]:
        """The evaluations so far: iteration, and the figure by which weights are the best."""
        pairs = [(line.get("iteration"), line.get("figure")) for line in _lines(self.path / "evaluations.jsonl")]
        return [(at, float(value)) for at, value in pairs if isinstance(at, int) and isinstance(value, int | float)]

    def note_evaluation(self, iteration: int, figure: float) -> None:
        """Log an evaluation, once."""
        if all(earlier != iteration for earlier, _ in self.evaluations()):
            append_text(self.path / "evaluations.jsonl", f"{json.dumps({'iteration': iteration, 'figure': figure})}\n")

    def keep(self, iteration: int) -> None:
        """Remove the lines of iterations after this one, which will be computed again."""
        lines = [line for line in self.lines() if line.get("iteration", 0) <= iteration]
        write_text(self.log, "".join(f"{json.dumps(line)}\n" for line in lines))

    def add(self, update: Update, average: float, images: int) -> None:
        """Log an iteration of `images` images, and the average loss at its end."""
        loss, mean = _number(update.loss), _number(average)
        line: dict[str, Any] = {"iteration": update.iteration, "loss": loss, "average": mean}
        line |= {"rate": update.rate, "images": images}
        if update.parts:
            line["parts"] = {name: _number(value) for name, value in update.parts.items()}
        if update.positives is not None:
            line["positives_per_truth"] = update.positives
        line |= {"skipped": True} if update.skipped else {}
        append_text(self.log, f"{json.dumps(line)}\n")

    def write(self, kind: str, module: nn.Module, network: Architecture, seen: int) -> Path:
        """Write the arrays as safetensors, those of Darknet's layers as .weights, too; the path of `weights`.

        Raises `WeightsError` for numbers that are not finite.
        """
        arrays = extract(module, network)
        # a module's file has no counter: several keys have no order, and equal trainings are to write equal bytes
        header = Header(seen=seen) if isinstance(network, Network) else None
        path = self.weights(kind)
        if isinstance(network, Network) and header is not None:
            darknet.write(path, network, arrays, header, named=False)
        safetensors_file.write(path.with_suffix(".safetensors"), network, arrays, header, named=False)
        return path

    def copy(self, kind: str, other: str) -> None:
        """Write the weights of one kind under the name of another."""
        for suffix in dict.fromkeys((self.suffix, ".safetensors")):
            with open_file(self.weights(kind).with_suffix(suffix)) as stream:
                write_bytes(self.weights(other).with_suffix(suffix), stream.readall())


def _number(value: float) -> float | None:
    """The value, or None if it is not finite: JSON has no such numbers."""
    return value if math.isfinite(value) else None


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a file of JSON lines, up to one that a killed process left unfinished."""
    if not path.is_file():
        return
    with open_file(path) as stream:
        for line in stream.readall().splitlines():
            try:
                read = json.loads(line)
            except ValueError:
                return
            if not isinstance(read, dict):
                return
            yield read
