"""Begins or resumes a training, in one process or several."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.inference import footprint
from cspbench.inference.distributed import barrier, init, rank
from cspbench.inference.engine import DTYPES, choose_device, exact_arithmetic
from cspbench.inference.memory import keep_freed_memory
from cspbench.io import argument_path
from cspbench.lock import exclusive
from cspbench.models.sources import Source
from cspbench.results import sessions
from cspbench.retrained.record import Start
from cspbench.training.checkpoint import NO_AVERAGE, restore
from cspbench.training.distributed import Share
from cspbench.training.evaluated import metric
from cspbench.training.folder import Folder
from cspbench.training.hardware import compilation, precision, subdivisions
from cspbench.training.iteration import Trainer
from cspbench.training.loader import Loader
from cspbench.training.loop import Loop, Standing
from cspbench.training.losses.layers import losses
from cspbench.training.module import to_training_module
from cspbench.training.recipes.chosen import Chosen, Images
from cspbench.training.record import record
from cspbench.training.run import scalars
from cspbench.training.run.evaluations import Evaluations
from cspbench.training.run.monitor import Monitor
from cspbench.training.run.options import Evaluate, Options, Trained
from cspbench.training.run.preparation import check_end, mini_batches, prepared
from cspbench.training.start import from_file, load, start

DRAWN = Start(None, 0, 0)


def train(
    chosen: Chosen,
    data: str | Path,
    run: str | Path,
    options: Options | None = None,
    listener: Listener = SILENT,
    evaluate: Evaluate | None = None,
) -> Trained:
    """Train a network in a run directory, or go on where a run of the same settings was interrupted.

    `evaluate`, if any, is called with the final weight file, and with the last one every `options.eval_every`
    iterations. Returns in every process of torchrun. Raises `RunError` for a folder with another training,
    `LockedError` while another process trains in it, `IncompleteRunError` for a loss that is not a number.
    """
    options = options or Options()
    if options.tensorboard:
        scalars.check()
    share = Share(*rank())
    device = choose_device(options.execution.device)
    path = argument_path("run", run)
    precision.check(device, DTYPES[options.execution.precision])
    if not options.fit:
        share.check(chosen.recipe.net.subdivisions)
    chosen, images = prepared(chosen, data, options, listener)
    footprint.check(chosen.network)
    source, begun = None, DRAWN
    if options.weights is not None:
        source, begun = from_file(options.weights, chosen.network, chosen.original, options.clear)
        for topic, words in source.weights.said.items():
            listener.note(f"{options.weights}: {topic} {words}")
        if source.missing:
            listener.note(source.warning(chosen.network))
    check_end(chosen, begun, options)
    session = sessions.session(options.execution.command_line, device=str(device), when=sessions.now())
    folder, first = Folder(path, _stem(chosen)), share.number == 0
    lock = exclusive(path / ".lock", remedy="Wait for it to end, or choose another --run") if first else nullcontext()
    with lock, footprint.enough_memory(f"the training of {chosen.network.name}"):
        init((share.number, share.count))
        recipe = chosen.recipe.net
        if options.fit:
            chosen = subdivisions.settled(chosen, folder, device, DTYPES[options.execution.precision], share, listener)
        compiled = options.execution.compiled and compilation.available(device, listener)
        new = record(
            chosen,
            images,
            begun,
            exact=options.exact,
            seed=options.seed,
            precision=options.execution.precision,
            compiled=compiled,
            recipe=recipe,
            session=session,
        )
        if first:
            folder.begin(new, chosen.network, chosen.recipe)
        barrier((share.number, share.count), "the first process to begin the run")
        loop = _loop(chosen, images, source, begun, options, folder, share, device, compiled)
        barrier((share.number, share.count), "the other processes to begin")
        if first:
            folder.keep(loop.trainer.iteration)
            if loop.trainer.seen > begun.seen:
                listener.note(f"{path}: resumed after iteration {loop.trainer.iteration}")
        watching = _monitor(chosen, folder, loop, options, listener) if first else nullcontext()
        with _resumable(path, options.execution, listener if first else None), watching as monitor:
            evaluations = evaluate and Evaluations(chosen, loop, folder, evaluate, options.eval_every, monitor)
            standing = _run(loop, listener, monitor, evaluations)
            if first:
                _finish(chosen, loop, folder)
            barrier((share.number, share.count), "the first process to write the weights")
            result = evaluations.final() if evaluations else None
        return Trained(chosen, folder.weights("final"), new, standing, result)


def _stem(chosen: Chosen) -> str:
    return chosen.network.name.replace("/", "-")


def _loop(
    chosen: Chosen,
    images: Images,
    source: Source | None,
    begun: Start,
    options: Options,
    folder: Folder,
    share: Share,
    device: torch.device,
    compiled: bool,
) -> Loop:
    """The loop, at its beginning or where the checkpoint is."""
    network, recipe = chosen.network, chosen.recipe
    exact_arithmetic()
    if device.type == "cpu":
        keep_freed_memory()
    module = to_training_module(network, recipe, losses(network, recipe, chosen.era))
    torch.manual_seed(options.seed)
    start(module, network, recipe)
    if source is not None:
        load(module, network, source)
    module = module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    trainer = Trainer(
        network,
        recipe,
        chosen.era,
        exact=options.exact,
        module=module,
        seed=options.seed,
        precision=DTYPES[options.execution.precision],
        compiled=compiled,
    )
    trainer.seen = begun.seen
    average = restore(folder.checkpoint, trainer) if folder.checkpoint.is_file() else NO_AVERAGE
    _, workers = options.execution.batch_and_workers(device)
    loader = Loader(mini_batches(chosen, images, options.seed), workers, options.allow_bad)
    return Loop(
        trainer,
        loader,
        share,
        folder if share.number == 0 else None,
        options.seed,
        recipe.net.max_batches,
        options.every,
        average,
    )


def _monitor(chosen: Chosen, folder: Folder, loop: Loop, options: Options, listener: Listener) -> Monitor:
    name, percent = metric(chosen)
    title = f"{chosen.network.name}, retrained with seed {options.seed}"
    files = scalars.Scalars(folder.path / scalars.FOLDER, loop.trainer.iteration + 1) if options.tensorboard else None
    return Monitor(folder, title, name, percent, listener.note, files)


def _run(loop: Loop, listener: Listener, monitor: Monitor | None, evaluations: Evaluations | None) -> Standing | None:
    last: list[Standing] = []
    name = loop.trainer.network.name
    before = loop.trainer.iteration
    with listener.progress(f"training {name}", loop.last - before) as reach:

        def reached(standing: Standing) -> None:
            last[:] = [standing]
            reach(standing.update.iteration - before, str(standing))
            saved = loop.saved == standing.update.iteration
            if saved:
                listener.note(f"iteration {standing.update.iteration:,} of {loop.last:,}: {standing}")
            if monitor is not None:
                monitor.reached(standing, saved)

        loop.run(reached, evaluations.after if evaluations else None)
    return last[0] if last else None


def _finish(chosen: Chosen, loop: Loop, folder: Folder) -> None:
    trainer = loop.trainer
    folder.write("final", trainer.module, chosen.network, trainer.seen)
    if trainer.average.arrays:
        parameters = dict(trainer.module.named_parameters())
        with torch.no_grad():
            for name, values in trainer.average.arrays.items():
                parameters[name].copy_(values)
        folder.write("ema", trainer.module, chosen.network, trainer.seen)


@contextmanager
def _resumable(path: Path, execution: Execution, listener: Listener | None) -> Iterator[None]:
    """Say how to resume an interrupted training; `listener` is None in all processes but the first."""
    try:
        yield
    except KeyboardInterrupt:
        if listener is not None:
            command = shlex.join(execution.command_line)
            listener.advise(f"interrupted; the last whole iteration is kept in {path}. To resume:", command)
        raise
