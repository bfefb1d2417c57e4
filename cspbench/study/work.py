"""A study's run directory, and the workers that train in it.

RUN/study.json                      the plan (`cspbench.study.plan.Plan`)
RUN/data/imagenet, RUN/data/coco    drawn pictures, complete or absent
RUN/backbone.weights                the first layers of the classifier from which detectors begin
RUN/trainings/NAME/                 a run directory of `cspbench train` each
RUN/trainings/NAME/outcome.json     what it gave, written last

A worker takes the lock of a training before it begins it, so that any number of them, on any machines that share the
folder, never train the same. A killed worker's training goes on from its checkpoint, whoever takes it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cspbench.errors import LockedError, RunError, UsageError
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.io import argument_path, write_bytes
from cspbench.lock import exclusive
from cspbench.results.encoding import encode
from cspbench.study import job as jobs_of
from cspbench.study.pictures import LAYOUTS, LONGEST, draw, place
from cspbench.study.plan import FILE, Job, Plan, differences, jobs, read
from cspbench.study.processes import together
from cspbench.study.threads import one_thread

SECONDS = 1.0
"""Between two looks at what has been trained."""


@dataclass(frozen=True)
class Shard:
    """The trainings of one of several machines: number `number` of `count`, from 1."""

    number: int = 1
    count: int = 1

    def __post_init__(self) -> None:
        """Raise `UsageError` for a number that is not one of the count."""
        if not 1 <= self.number <= self.count <= 10_000:
            raise UsageError(
                "usage.shard",
                "no such shard",
                expected="i/n with i from 1 to n",
                found=f"{self.number}/{self.count}",
                remedy="Correct --shard",
            )

    def of(self, listed: Sequence[Job]) -> list[Job]:
        return [*listed[self.number - 1 :: self.count]]


def begin(folder: Path, plan: Plan) -> Path:
    """Write the plan into a run directory, or check that it is that of the study there; the directory.

    Raises `RunError` for a folder with another study.
    """
    folder = argument_path("run", folder)
    with exclusive(folder / ".begin.lock", wait=60):
        if (folder / FILE).exists():
            if changes := differences(read(folder), plan):
                raise RunError(
                    "run.other-study",
                    "the folder holds another study",
                    where=str(folder),
                    expected="the settings with which it began",
                    found="; ".join(changes),
                    remedy="Use those settings to resume it, or choose another --run",
                )
        else:
            write_bytes(folder / FILE, encode(plan))
    return folder


def work(
    folder: Path,
    shard: Shard | None = None,
    processes: int = 1,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> list[str]:
    """Train what is left of a study, or of a shard of it; returns the names of all trainings that are still left.

    With several `processes` each trains on its own. Trainings that other workers hold are theirs. Raises
    `IncompleteRunError` where a training diverges or a process dies.
    """
    plan = read(folder)
    execution = execution or Execution()
    listed = jobs(plan)
    draw_all(folder, plan, processes, listener)
    with _watched(folder, listed, listener):
        if processes > 1:
            together(one_worker, (folder, shard, execution), processes)
        else:
            one_worker(folder, shard, execution)
    return unfinished(folder, plan)


def unfinished(folder: Path, plan: Plan) -> list[str]:
    """The names of the trainings without an outcome."""
    return [job.name for job in jobs(plan) if jobs_of.outcome(folder, job) is None]


def draw_all(folder: Path, plan: Plan, processes: int, listener: Listener) -> None:
    """Draw the sets that the trainings need, where they are not there yet."""
    for layout in dict.fromkeys(LAYOUTS[job.variant.kind] for job in jobs(plan) if place(folder, plan, job)[1]):
        if not (folder / "data" / layout).exists():
            pictures = plan.classification if layout == "imagenet" else plan.detection
            with listener.progress("drawing", pictures.train + pictures.held) as reach:
                draw(folder, plan, layout, processes, reach)


def one_worker(folder: Path, shard: Shard | None, execution: Execution) -> None:
    """Train in this process, on one thread, every training of the shard that no other worker holds."""
    plan = read(folder)
    with one_thread():
        for job in (shard or Shard()).of(jobs(plan)):
            _finish(folder, plan, job, execution, wait=0.0)


def _finish(folder: Path, plan: Plan, job: Job, execution: Execution, wait: float) -> None:
    """Train a job, unless it has ended or, after `wait` seconds, another worker still has it."""
    if jobs_of.outcome(folder, job) is not None:
        return
    if job.start is not None:
        _finish(folder, plan, job.start, execution, LONGEST)
    try:
        with exclusive(folder / jobs_of.TRAININGS / f".{job.name}.lock", wait=wait, waiting=lambda _: None):
            if jobs_of.outcome(folder, job) is None:
                jobs_of.run(folder, plan, job, execution)
    except LockedError:
        if wait:
            raise


@contextmanager
def _watched(folder: Path, listed: Sequence[Job], listener: Listener) -> Iterator[None]:
    """Show the progress of all trainings, whoever makes them, while the block runs."""
    total = sum(job.iterations for job in listed)
    before = sum(jobs_of.iterations_of(folder, job) for job in listed)
    ended = threading.Event()
    with listener.progress(f"study of {len(listed)} trainings", max(1, total - before)) as reach:

        def look() -> None:
            while not ended.wait(SECONDS):
                counts = [jobs_of.iterations_of(folder, job) for job in listed]
                whole = sum(count == job.iterations for count, job in zip(counts, listed, strict=True))
                reach(max(0, sum(counts) - before), f"{whole} of {len(listed)} trained")

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()
