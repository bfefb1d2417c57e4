"""The whole state of a training between two iterations, in one safetensors file; no pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from cspbench.errors import RunError, WeightsError
from cspbench.io import replacing
from cspbench.training.learner import Learner
from cspbench.weights.safetensors_file import opened

NO_AVERAGE = -1.0
"""The average loss before the first iteration."""


@dataclass(frozen=True)
class State:
    """Copies of all arrays, by name, images seen, and the average loss that is printed.

    Random numbers have no state: those of an iteration depend on the seed and its number alone.
    """

    tensors: Mapping[str, Tensor]
    seen: int
    average: float

    @classmethod
    def of(cls, trainer: Learner, average: float) -> State:
        """The state of a trainer, copied."""
        return cls({name: tensor.detach().clone() for name, tensor in trainer.tensors()}, trainer.seen, average)

    def finite(self) -> bool:
        """Whether all numbers are."""
        return all(bool(tensor.isfinite().all()) for tensor in self.tensors.values() if tensor.is_floating_point())

    @torch.no_grad()
    def put_back(self, trainer: Learner) -> None:
        """Make the trainer's module what it was, in the middle of an iteration."""
        for name, tensor in trainer.tensors():
            if name in self.tensors:
                tensor.copy_(self.tensors[name])

    def save(self, path: Path) -> None:
        """Write a file, whole or not at all. Raises `CspbenchError`."""
        tensors = {name: tensor.cpu().contiguous() for name, tensor in self.tensors.items()}
        with replacing(path) as temporary:
            try:
                save_file(
                    tensors, temporary, {"training": json.dumps([self.seen, self.average])}
                )  # one: keys have no order
            except SafetensorError as error:
                raise OSError(str(error)) from error


def restore(path: Path, trainer: Learner) -> float:
    """Put a file's state into a trainer of the same network and recipe; the average loss. Raises `RunError`."""
    try:
        with opened(path, "pt") as file, torch.no_grad():
            seen, average = json.loads((file.metadata() or {})["training"])
            names = set(file.keys())
            trainer.make_room(names - dict(trainer.tensors()).keys())
            wanted = dict(trainer.tensors())
            if names != wanted.keys():
                raise ValueError("other arrays than this training's")
            for name in names:
                values = file.get_tensor(name)
                if values.shape != wanted[name].shape or values.dtype != wanted[name].dtype:
                    raise ValueError(f"{name} has another shape or type")
                wanted[name].copy_(values)
        trainer.seen = int(seen)
        return float(average)
    except (WeightsError, ValueError, TypeError, KeyError, OverflowError) as error:
        raise RunError(
            "run.checkpoint-unreadable",
            "the checkpoint cannot be read",
            where=str(path),
            found=str(error).splitlines()[0][:160] if str(error) else type(error).__name__,
            remedy="Begin again in another --run, from the folder's _last.weights if it has one",
        ) from error
