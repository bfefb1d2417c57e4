"""What a session asks of a way of training: Darknet's, or that of modules."""

from __future__ import annotations

from typing import Protocol

import torch

from cspbench.data.augment.minibatches import MiniBatches
from cspbench.evaluation.execution import Listener
from cspbench.network.modular.architecture import Architecture
from cspbench.results.schema import Session
from cspbench.retrained.record import Start, Training
from cspbench.training.distributed import Share
from cspbench.training.folder import Folder
from cspbench.training.learner import Learner


class Procedure(Protocol):
    """A training that is prepared: its images, network and recipe, with the options of the command."""

    @property
    def network(self) -> Architecture: ...

    @property
    def last(self) -> int:
        """The last iteration."""

    @property
    def suffix(self) -> str:
        """Of the weight files by which an evaluation knows them."""

    @property
    def cfg(self) -> str | None:
        """The network and its recipe as a cfg, if it has one."""

    @property
    def begun(self) -> Start:
        """The values from which the training begins."""

    def settled(self, folder: Folder, device: torch.device, share: Share, listener: Listener) -> None:
        """Fit the mini-batches to the memory of the device, if that is asked for."""

    def record(self, session: Session, *, compiled: bool) -> Training:
        """The record of a new training."""

    def learner(self, device: torch.device, *, compiled: bool) -> Learner:
        """The network on its device, with the values from which it begins."""

    def mini_batches(self) -> MiniBatches: ...

    def finish(self, learner: Learner, folder: Folder) -> None:
        """Write what a finished run has beside its final weights."""
