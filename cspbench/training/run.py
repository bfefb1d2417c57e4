"""Begins or resumes a training, in one process or several."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from cspbench.classification.classifiers import class_order
from cspbench.data.augment.images import ClassifierImages, open_classifier_images, open_detector_images
from cspbench.data.augment.minibatches import ClassifierMiniBatches, DetectorMiniBatches, Layout, MiniBatches
from cspbench.errors import UsageError
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.inference import footprint
from cspbench.inference.distributed import barrier, init, rank
from cspbench.inference.engine import DTYPES, choose_device, exact_arithmetic
from cspbench.inference.memory import keep_freed_memory
from cspbench.io import argument_path
from cspbench.lock import exclusive
from cspbench.models.heads import classes_of
from cspbench.models.sources import Source
from cspbench.results import sessions
from cspbench.training import augmentation
from cspbench.training.checkpoint import NO_AVERAGE, restore
from cspbench.training.distributed import Share
from cspbench.training.folder import Folder
from cspbench.training.hardware import compilation, precision, subdivisions
from cspbench.training.iteration import Trainer, check
from cspbench.training.loader import Loader
from cspbench.training.loop import Loop, Standing
from cspbench.training.losses.layers import losses
from cspbench.training.module import to_training_module
from cspbench.training.recipes.chosen import Chosen, Images, for_images
from cspbench.training.record import Start, Training, record
from cspbench.training.start import from_file, load, start

DRAWN = Start(None, 0, 0)
Evaluate = Callable[[Chosen, Path], float | None]


@dataclass(frozen=True)
class Options:
    """How a training is run, beside its recipe and data."""

    weights: Path | None = None
    clear: bool = False
    """Start the schedule at iteration 0, whatever the weight file has seen."""
    exact: bool = False
    """Gradients by autograd in place of Darknet's."""
    seed: int = 0
    iterations: int | None = None
    epochs: float | None = None
    every: int = 100
    """Iterations between two checkpoints."""
    eval_every: int = 0
    """Iterations between two evaluations; 0: none."""
    allow_bad: int = 0
    fit: bool = False
    """Raise subdivisions to what the device's memory has room for (`--subdivisions auto`)."""
    execution: Execution = field(default_factory=Execution)


@dataclass(frozen=True)
class Trained:
    """A finished training: its network, the final weight file, and the last standing, if this run had any."""

    chosen: Chosen
    weights: Path
    record: Training
    standing: Standing | None


def open_images(chosen: Chosen, data: str | Path, allowed: int = 0) -> Images:
    """The images for training, of the kind that the network needs. Raises `DatasetError`, `UsageError`."""
    if chosen.detects:
        return open_detector_images(data, classes=classes_of(chosen.network), allowed=allowed)
    return open_classifier_images(data, class_order=class_order(chosen.network.name), allowed=allowed)


def mini_batches(chosen: Chosen, images: Images, seed: int) -> MiniBatches:
    """The mini-batches of a run."""
    net = chosen.recipe.net
    layout = Layout(seed, net.batch, net.subdivisions)
    if isinstance(images, ClassifierImages):
        pictures = augmentation.of_classifier(chosen.network, net, chosen.era)
        return ClassifierMiniBatches(images, pictures, layout)
    sizes = augmentation.sizes(chosen.network, chosen.recipe, chosen.era)
    return DetectorMiniBatches(images, augmentation.of_detector(chosen.network, chosen.recipe), layout, sizes)


def prepared(chosen: Chosen, data: str | Path, options: Options, listener: Listener) -> tuple[Chosen, Images]:
    """The images, and the network with a head for their classes, with its number of iterations.

    Raises `DefinitionError` for a network that cannot be trained, before any image is read.
    """
    check(chosen.network, chosen.recipe)
    losses(chosen.network, chosen.recipe, chosen.era)
    images = open_images(chosen, data, options.allow_bad)
    chosen = for_images(chosen, images)
    for note in (*images.notes, *chosen.notes):
        listener.note(note)
    count = options.iterations
    if options.epochs is not None:
        count = max(1, math.ceil(options.epochs * len(images.images) / chosen.recipe.net.images))
    if count is not None:
        net = replace(chosen.recipe.net, max_batches=count)
        chosen = replace(chosen, recipe=replace(chosen.recipe, net=net))
    if chosen.recipe.net.max_batches < 1:
        raise UsageError(
            "usage.no-end",
            "the training has no end",
            expected="max_batches= in [net], --iterations or --epochs",
            found=f"max_batches={chosen.recipe.net.max_batches}",
            remedy="Name the number of iterations",
        )
    return chosen, images


def train(
    chosen: Chosen,
    data: str | Path,
    run: str | Path,
    options: Options | None = None,
    listener: Listener = SILENT,
    evaluate: Evaluate | None = None,
) -> Trained:
    """Train a network in a run directory, or go on where a run of the same settings was interrupted.

    `evaluate`, if any, is called with a weight file every `options.eval_every` iterations and gives the number that the
    best weights have. Returns in every process of torchrun. Raises `RunError` for a folder with another training,
    `LockedError` while another process trains in it, `IncompleteRunError` for a loss that is not a number.
    """
    options = options or Options()
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
    _check_end(chosen, begun, options)
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
        with _resumable(path, options.execution, listener if first else None):
            standing = _run(loop, listener, _best(chosen, loop, folder, options, evaluate))
        if first:
            _finish(chosen, loop, folder)
        barrier((share.number, share.count), "the first process to write the weights")
        return Trained(chosen, folder.weights("final"), new, standing)


def _stem(chosen: Chosen) -> str:
    return chosen.network.name.replace("/", "-")


def _check_end(chosen: Chosen, begun: Start, options: Options) -> None:
    reached, net = begun.seen // chosen.recipe.net.images, chosen.recipe.net
    if reached >= net.max_batches:
        raise UsageError(
            "usage.nothing-left",
            "the weights have reached the last iteration",
            where=str(options.weights),
            expected=f"fewer than {net.max_batches:,} iterations of {net.images} images",
            found=f"{begun.seen:,} images seen, {reached:,} iterations",
            remedy="Start the schedule at iteration 0 with --clear",
        )


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


def _best(
    chosen: Chosen, loop: Loop, folder: Folder, options: Options, evaluate: Evaluate | None
) -> Callable[[int], None] | None:
    """What evaluates now and then, and keeps the best weights."""
    if evaluate is None or not options.eval_every:
        return None

    def after(iteration: int) -> None:
        share = loop.share.number, loop.share.count
        if iteration % options.eval_every or iteration == loop.last:
            return
        if loop.folder is not None and loop.saved != iteration:
            loop.save()
        barrier(share, "the first process to write the weights")
        figure = evaluate(chosen, folder.weights("last"))
        if figure is None or loop.folder is None:
            return
        if figure > max((line["figure"] for line in folder.evaluations()), default=-1.0):
            folder.write("best", loop.trainer.module, chosen.network, loop.trainer.seen)
        folder.note_evaluation(iteration, figure)

    return after


def _run(loop: Loop, listener: Listener, after: Callable[[int], None] | None) -> Standing | None:
    last: list[Standing] = []
    name = loop.trainer.network.name
    before = loop.trainer.iteration
    with listener.progress(f"training {name}", loop.last - before) as reach:

        def reached(standing: Standing) -> None:
            last[:] = [standing]
            reach(standing.update.iteration - before, str(standing))
            if loop.saved == standing.update.iteration:
                listener.note(f"iteration {standing.update.iteration:,} of {loop.last:,}: {standing}")

        loop.run(reached, after)
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
