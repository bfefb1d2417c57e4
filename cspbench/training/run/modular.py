"""The training of a module of the catalogue, as a session runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from torch import nn
from torch.optim import SGD

from cspbench.data.augment.minibatches import MiniBatches
from cspbench.errors import UsageError
from cspbench.evaluation.execution import Listener
from cspbench.inference import footprint
from cspbench.inference.engine import DTYPES
from cspbench.models.sources import Source, opened
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import digest as network_digest
from cspbench.results.schema import Session
from cspbench.retrained.record import Start, Training, TrainingData
from cspbench.training.distributed import Share
from cspbench.training.folder import Folder
from cspbench.training.learner import Learner
from cspbench.training.modular.criterion import Criterion
from cspbench.training.modular.freezing import Freezing, iterations_of, text_of
from cspbench.training.modular.learner import ModuleLearner, prepared
from cspbench.training.modular.module import ModuleChosen, shown_module
from cspbench.training.recipes.chosen import Images
from cspbench.training.record import data_digest
from cspbench.training.run import backbone
from cspbench.training.run.options import Options
from cspbench.training.start import load
from cspbench.weights.arrays import digest
from cspbench.zoo import registry


class ModuleProcedure(ABC):
    """Of a module fitted to its images. Raises `UsageError` for options of Darknet's training, `WeightsError`."""

    averaged: ClassVar[bool]
    """Whether the weights that are written are a moving average."""
    suffix = ".safetensors"
    cfg = None

    def __init__(self, chosen: ModuleChosen[Any], images: Images, options: Options, listener: Listener) -> None:
        self.chosen, self.images, self.options = chosen, images, options
        refuse({"--subdivisions auto": options.fit, "--gradients exact": options.exact, "--clear": options.clear})
        footprint.check(chosen.network)
        self._source: Source | None = None
        self.begun = Start(None, 0, 0)
        if options.weights is not None:
            source = opened(options.weights, chosen.network, chosen.original, registry.entry_of(chosen.original), None)
            for topic, words in source.weights.said.items():
                listener.note(f"{options.weights}: {topic} {words}")
            if source.missing:
                listener.note(source.warning(chosen.network))
            given = sum(1 for index in range(len(chosen.network.layers)) if chosen.network.weights(index))
            self.begun = Start(f"file:{digest(options.weights)}", given - len(source.missing), 0)
            self._source = source
        self._backbone: backbone.Begun | None = None
        if options.backbone is not None:
            self._backbone = backbone.begun(options.backbone, chosen.original, listener)
            self.begun = self._backbone.start

    @property
    def network(self) -> ModuleNetwork:
        return self.chosen.network

    @property
    def last(self) -> int:
        return self.chosen.last

    def settled(self, folder: Folder, device: torch.device, share: Share, listener: Listener) -> None:  # noqa: B027
        """The mini-batches are the recipe's: each has batch norm of its own."""

    def record(self, session: Session, *, compiled: bool) -> Training:
        chosen, images = self.chosen, self.images
        return Training(
            model=chosen.network.name,
            row=f"{chosen.row.table}:{chosen.row.id}" if chosen.row else None,
            network=network_digest(chosen.network),
            recipe=chosen.digest(),
            settings=[*(line["setting"] for line in shown_module(chosen)), *self._frozen],
            era=str(chosen.era),
            gradients="exact",
            seed=self.options.seed,
            data=TrainingData(len(images.images), len(images.names), data_digest(images)),
            start=self.begun,
            precision=self.options.execution.precision,
            compiled=compiled,
            sessions=[session],
            recipe_iterations=chosen.iterations,
            changed=[*chosen.changed, *self._frozen],
        )

    @property
    def _frozen(self) -> list[str]:
        """The setting as it is recorded."""
        epochs = self.options.freeze_backbone
        return [f"freeze_backbone={text_of(epochs)}"] if epochs else []

    def learner(self, device: torch.device, *, compiled: bool) -> ModuleLearner:
        recipe = self.chosen.recipe
        torch.manual_seed(self.options.seed)
        module = prepared(self.drawn())
        if self._source is not None:
            load(module, self.network, self._source)
        if self._backbone is not None:
            self._backbone.load(module)
        module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return ModuleLearner(
            self.network,
            module,
            self.criterion(),
            self.optimiser(module),
            self.rate,
            images=recipe.batch,
            subdivisions=recipe.subdivisions,
            averaged=self.averaged,
            precision=DTYPES[self.options.execution.precision],
            compiled=compiled,
            freezing=self._freezing(module),
        )

    def _freezing(self, module: nn.Module) -> Freezing | None:
        epochs = self.options.freeze_backbone
        return Freezing(module, backbone.PART, iterations_of(epochs, self.chosen.length)) if epochs else None

    def drawn(self) -> nn.Module:
        """The module with the values from which a training without weights begins."""
        return self.network.design.module()

    @abstractmethod
    def optimiser(self, module: nn.Module) -> SGD:
        """Of a module on its device."""

    @abstractmethod
    def rate(self, iteration: int) -> float:
        """The learning rate of an iteration, from 1."""

    @abstractmethod
    def criterion(self) -> Criterion:
        """The loss, and what becomes of those of an iteration."""

    @abstractmethod
    def mini_batches(self) -> MiniBatches: ...

    def finish(self, learner: Learner, folder: Folder) -> None:  # noqa: B027
        """The final weights are the average already, if there is one; the others are in the checkpoint."""


def refuse(options: dict[str, object]) -> None:
    """Raise `UsageError` for options that only Darknet's training has."""
    for name, value in options.items():
        if value:
            raise UsageError(
                "usage.darknets-option",
                f"{name} belongs to Darknet's training",
                expected="a network of Darknet's layers",
                found="a torch module of its own",
                remedy=f"Leave {name} out",
            )
