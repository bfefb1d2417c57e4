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
from cspbench.results import sessions
from cspbench.training.checkpoint import NO_AVERAGE, restore
from cspbench.training.distributed import Share
from cspbench.training.evaluated import metric
from cspbench.training.folder import Folder
from cspbench.training.hardware import compilation, precision
from cspbench.training.loader import Loader
from cspbench.training.loop import Loop, Standing
from cspbench.training.modular.chosen import AnyChosen
from cspbench.training.run import backbone, scalars
from cspbench.training.run.evaluations import Evaluations
from cspbench.training.run.monitor import Monitor
from cspbench.training.run.options import Evaluate, Options, Trained
from cspbench.training.run.preparation import prepared
from cspbench.training.run.procedure import Procedure
from cspbench.training.run.procedures import procedure


def train(
    chosen: AnyChosen,
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
        share.check(chosen.subdivisions)
    backbone.check(chosen, options)
    chosen, images = prepared(chosen, data, options, listener)
    work = procedure(chosen, images, options, listener)
    session = sessions.session(options.execution.command_line, device=str(device), when=sessions.now())
    folder, first = Folder(path, work.network.name.replace("/", "-"), work.suffix), share.number == 0
    lock = exclusive(path / ".lock", remedy="Wait for it to end, or choose another --run") if first else nullcontext()
    with lock, footprint.enough_memory(f"the training of {work.network.name}"):
        init((share.number, share.count))
        work.settled(folder, device, share, listener)
        compiled = options.execution.compiled and compilation.available(device, listener)
        new = work.record(session, compiled=compiled)
        if first:
            folder.begin(new, work.cfg)
        barrier((share.number, share.count), "the first process to begin the run")
        loop = _loop(work, options, folder, share, device, compiled)
        barrier((share.number, share.count), "the other processes to begin")
        if first:
            folder.keep(loop.trainer.iteration)
            if loop.trainer.seen > work.begun.seen:
                listener.note(f"{path}: resumed after iteration {loop.trainer.iteration}")
        watching = _monitor(chosen, folder, loop, options, listener) if first else nullcontext()
        with _resumable(path, options.execution, listener if first else None), watching as monitor:
            evaluations = evaluate and Evaluations(chosen, loop, folder, evaluate, options.eval_every, monitor)
            standing = _run(loop, listener, monitor, evaluations)
            if first:
                folder.write("final", loop.trainer.written(), work.network, loop.trainer.seen)
                work.finish(loop.trainer, folder)
            barrier((share.number, share.count), "the first process to write the weights")
            result = evaluations.final() if evaluations else None
        return Trained(chosen, folder.weights("final"), new, standing, result)


def _loop(
    work: Procedure, options: Options, folder: Folder, share: Share, device: torch.device, compiled: bool
) -> Loop:
    """The loop, at its beginning or where the checkpoint is."""
    exact_arithmetic()
    if device.type == "cpu":
        keep_freed_memory()
    trainer = work.learner(device, compiled=compiled)
    average = restore(folder.checkpoint, trainer) if folder.checkpoint.is_file() else NO_AVERAGE
    _, workers = options.execution.batch_and_workers(device)
    loader = Loader(work.mini_batches(), workers, options.allow_bad)
    own = folder if share.number == 0 else None
    return Loop(trainer, loader, share, own, options.seed, work.last, options.every, average)


def _monitor(chosen: AnyChosen, folder: Folder, loop: Loop, options: Options, listener: Listener) -> Monitor:
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
