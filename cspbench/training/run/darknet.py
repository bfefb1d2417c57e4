"""Darknet's training, as a session runs it."""

from __future__ import annotations

from contextlib import suppress

import torch

from cspbench.data.augment.minibatches import MiniBatches
from cspbench.errors import DefinitionError
from cspbench.evaluation.execution import Listener
from cspbench.inference import footprint
from cspbench.inference.engine import DTYPES
from cspbench.models.sources import Source
from cspbench.network.cfg.writer import write as cfg_text
from cspbench.network.network import Network
from cspbench.results.schema import Session
from cspbench.retrained.record import Start, Training
from cspbench.training.distributed import Share
from cspbench.training.folder import Folder
from cspbench.training.hardware import subdivisions
from cspbench.training.iteration import Trainer
from cspbench.training.learner import Learner
from cspbench.training.losses.layers import losses
from cspbench.training.module import to_training_module
from cspbench.training.recipes.chosen import Chosen, Images
from cspbench.training.record import record
from cspbench.training.run.options import Options
from cspbench.training.run.preparation import check_end, mini_batches
from cspbench.training.start import from_file, load, start

DRAWN = Start(None, 0, 0)


class DarknetProcedure:
    """Of a network of Darknet's layers that `prepared` has fitted to its images.

    Raises `UsageError` for weights that have reached the last iteration, `WeightsError` for those that do not fit.
    """

    suffix = ".weights"

    def __init__(self, chosen: Chosen, images: Images, options: Options, listener: Listener) -> None:
        self.chosen, self.images, self.options = chosen, images, options
        footprint.check(chosen.network)
        self._source: Source | None = None
        self.begun = DRAWN
        if options.weights is not None:
            source, self.begun = from_file(options.weights, chosen.network, chosen.original, options.clear)
            self._source = source
            for topic, words in source.weights.said.items():
                listener.note(f"{options.weights}: {topic} {words}")
            if source.missing:
                listener.note(source.warning(chosen.network))
        check_end(chosen, self.begun, options)
        self._before = chosen.recipe.net

    @property
    def network(self) -> Network:
        return self.chosen.network

    @property
    def last(self) -> int:
        return self.chosen.recipe.net.max_batches

    @property
    def cfg(self) -> str | None:
        with suppress(DefinitionError):  # the layers of other frameworks have no cfg
            return cfg_text(self.chosen.network, self.chosen.recipe)
        return None

    def settled(self, folder: Folder, device: torch.device, share: Share, listener: Listener) -> None:
        if self.options.fit:
            precision = DTYPES[self.options.execution.precision]
            self.chosen = subdivisions.settled(self.chosen, folder, device, precision, share, listener)

    def record(self, session: Session, *, compiled: bool) -> Training:
        return record(
            self.chosen,
            self.images,
            self.begun,
            exact=self.options.exact,
            seed=self.options.seed,
            precision=self.options.execution.precision,
            compiled=compiled,
            recipe=self._before,
            session=session,
        )

    def learner(self, device: torch.device, *, compiled: bool) -> Trainer:
        network, recipe, era = self.chosen.network, self.chosen.recipe, self.chosen.era
        module = to_training_module(network, recipe, losses(network, recipe, era))
        torch.manual_seed(self.options.seed)
        start(module, network, recipe)
        if self._source is not None:
            load(module, network, self._source)
        module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        trainer = Trainer(
            network,
            recipe,
            era,
            exact=self.options.exact,
            module=module,
            seed=self.options.seed,
            precision=DTYPES[self.options.execution.precision],
            compiled=compiled,
        )
        trainer.seen = self.begun.seen
        return trainer

    def mini_batches(self) -> MiniBatches:
        return mini_batches(self.chosen, self.images, self.options.seed)

    def finish(self, learner: Learner, folder: Folder) -> None:
        """Write the average of the weights, if there is one."""
        assert isinstance(learner, Trainer)
        if learner.average.arrays:
            parameters = dict(learner.module.named_parameters())
            with torch.no_grad():
                for name, values in learner.average.arrays.items():
                    parameters[name].copy_(values)
            folder.write("ema", learner.module, self.network, learner.seen)
