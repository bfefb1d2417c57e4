"""Begins or resumes a run, in one process or several: computes its missing predictions, and stores its metrics."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.claims.metrics import ACCURACIES
from cspbench.data.source import Images
from cspbench.errors import printable
from cspbench.evaluation.execution import Execution, Listener
from cspbench.evaluation.subject import Subject
from cspbench.inference import footprint
from cspbench.inference.distributed import barrier, init, rank
from cspbench.inference.resume import StillValid, mark
from cspbench.inference.shards import SHARD, Shards
from cspbench.io import remove
from cspbench.lock import exclusive
from cspbench.results import runs, sessions
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import DetectionMetrics, DetectionSettings, Identity, Metrics, Run, Session, Weights
from cspbench.results.store import StoredEvaluation
from cspbench.weights import recognition
from cspbench.weights.arrays import first_names

if TYPE_CHECKING:
    from pandas import DataFrame

    from cspbench.inference.engine import Engine
    from cspbench.inference.predict_shards import Timing

Predict = Callable[["Shards", list[int], "Engine", int, int, Callable[["Timing"], None]], "Timing"]
"""Predicts shards: (shards, their numbers, engine, batch, workers, progress)."""


@dataclass(frozen=True, eq=False)
class ScoredRun:
    """A run with its metrics."""

    run: RunDirectory
    metrics: Metrics

    @property
    def stored(self) -> StoredEvaluation:
        """The run as reports read it."""
        return self.run.stored(self.metrics)

    def frame(self) -> DataFrame:
        """One line per number, with its interval, claim and verdict."""
        from cspbench.evaluation.frames import of_evaluation

        return of_evaluation(self.stored)


def run_or_resume(
    path: Path,
    subject: Subject,
    epsilon: str,
    identity: Identity,
    images: Images,
    predict: Predict,
    execution: Execution,
    listener: Listener,
    settings: DetectionSettings | None = None,
    place: str | None = None,
) -> RunDirectory | None:
    """The complete run of an identity at `path`; None in all processes of torchrun but the first.

    The processes of torchrun share the work. A complete run is only read.
    """
    from cspbench.inference.engine import choose_device, prepare

    if subject.network is not None:
        footprint.check(subject.network)
        if text := recognition.remark(subject.network, subject.weights_digest.removeprefix("arrays:")):
            listener.note(text)
    device = choose_device(execution.device)
    session = sessions.session(execution.command_line, device=str(device), when=sessions.now())
    share, name = rank(), subject.name
    first = share[0] == 0
    for line in subject.said if first else ():
        listener.note(line)
    record = Run(
        samples=len(images),
        shard=SHARD,
        identity=identity,
        sessions=[session],
        weights=Weights(subject.weights_digest, subject.weights_file, "retrained" if subject.retrained else "file"),
        place=place,
        files=mark(images),
        settings=settings,
    )
    complete = None if execution.fresh or share[1] > 1 else _complete(path, record, images)
    if complete is not None:
        _note_resumed(name, complete, session, complete.samples, [], listener)
        return complete
    remedy = "Wait for it to end, or choose another --run"
    advice = "Choose another --run, in a folder that can be written, with space left"
    lock = exclusive(path / ".lock", remedy=remedy, place=advice) if first else nullcontext()
    with _resumable(Shards(path, len(images)), session, listener if first else None), lock:
        init(share)
        if not first:
            barrier(share, "the first process to begin the run, or to discard an old one")
        resumed = not execution.fresh and (path / "run.json").exists()
        run = runs.open_run(path, record, execution.fresh and first)
        valid = StillValid(run.shards, images, run.record.files)
        missing = valid.missing()
        if first:
            if resumed:
                run = _resume(name, run, valid, missing, session, listener)
            barrier(share, "the other processes to join in")
        missing = [shard for shard in missing if shard % share[1] == share[0]]
        if missing:
            with footprint.enough_memory(f"the weights of {name}"):
                engine = prepare(subject.build(epsilon), device, execution.precision, compiled=execution.compiled)
            count = sum(len(run.shards.block(shard)) for shard in missing)
            with listener.progress(name, count) as reach, footprint.enough_memory(f"the evaluation of {name}"):

                def step(timing: Timing) -> None:
                    reach(timing.images, f"{timing.images / max(1e-9, timing.seconds):.1f} images/s")

                timing = predict(run.shards, missing, engine, *execution.batch_and_workers(device), step)
            listener.note(f"{name}: {timing}")
        barrier(share, "the other processes to finish their shards")
        if first:
            run.shards.tidy()
    return run if first else None


def _complete(path: Path, record: Run, images: Images) -> RunDirectory | None:
    """The run at `path`, if it is of this identity and complete; read without locking."""
    if not (path / "run.json").exists():
        return None
    run = runs.load_run(path)
    if run.identity != record.identity:
        return None
    valid = StillValid(run.shards, images, run.record.files)
    return run if not valid.missing() and not valid.elsewhere else None


@contextmanager
def _resumable(shards: Shards, session: Session, listener: Listener | None) -> Iterator[None]:
    """Say how to resume an interrupted run; `listener` is None in all processes but the first."""
    try:
        yield
    except KeyboardInterrupt:
        if listener is not None:
            command = shlex.join(argument for argument in session.command if argument != "--fresh")
            finished = [shards.block(at) for at in range(shards.count) if shards.shard_path(at).exists()]
            kept = f"{sum(map(len, finished))} of {shards.samples} images are kept in {shards.path}"
            listener.advise(
                f"interrupted; {kept}. To resume:"
                if finished
                else f"interrupted before the first {len(shards.block(0))} images were done: none are kept. Again:",
                command,
            )
        raise


def _resume(
    name: str, run: RunDirectory, valid: StillValid, missing: list[int], session: Session, listener: Listener
) -> RunDirectory:
    """Note which predictions are reused and from which sessions; record this session if it predicts the rest."""
    reused = run.samples - sum(len(run.shards.block(shard)) for shard in missing)
    if valid.changed:
        listener.note(
            f"{name}: {len(valid.changed)} image files have changed since, their shards are predicted again: "
            f"{first_names(valid.changed)}"
        )
    if reused:
        _note_resumed(name, run, session, reused, missing, listener)
    files = mark(valid.images)
    if missing:
        # the test server's answers are for the old predictions
        remove(run.path / "server.json")
        return (runs.add_session if reused else runs.begin_again)(run, session, files)
    return runs.record_files(run, files) if valid.elsewhere else run


def _note_resumed(
    name: str, run: RunDirectory, session: Session, reused: int, missing: list[int], listener: Listener
) -> None:
    programs = list(dict.fromkeys(map(program, run.record.sessions)))
    when = printable(run.record.sessions[-1].when or "an unknown time")
    listener.note(
        f"{name}: {reused} of {run.samples} images predicted on {when} by {' and '.join(programs)}: {run.path}; "
        "use --fresh to predict them again"
    )
    if programs != [program(session)]:
        warning = "this run mixes programs" if missing or len(programs) > 1 else "another program predicted them"
        listener.note(f"warning: {name}: {warning}, this one is {program(session)}")


def program(session: Session) -> str:
    """The program of a session in words: "cspbench 0.1.0, commit 89eef16, torch 2.9.0"."""
    return printable(f"{sessions.program(session)}, torch {session.packages.get('torch')}")


def store_metrics(
    run: RunDirectory,
    metrics: Metrics,
    execution: Execution,
    listener: Listener,
    numbers: Sequence[str] | None = None,
) -> RunDirectory:
    """Write a run's metrics, with a note where its directory cannot be written; the run with who scored it.

    `numbers` are the names of those that were computed, by default of all.
    """
    if numbers is None:
        numbers = list(ACCURACIES)
        if isinstance(metrics, DetectionMetrics):
            numbers = [f"{threshold.nms:g} {threshold.kind}" for threshold in metrics.thresholds]
    if runs.write_metrics(run, metrics, sessions.scored(execution.command_line, numbers)):
        return runs.load_run(run.path)
    listener.note(f"warning: {run.path} cannot be written: the metrics are shown but not stored")
    return run
