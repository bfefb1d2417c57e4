"""`cspbench.study`: a table of tricks in miniature, from its plan to what can be said from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec import structs

from cspbench.errors import UsageError
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.io import argument_path
from cspbench.lock import exclusive
from cspbench.results import sessions
from cspbench.results.schema import Precision
from cspbench.retrained.studies import Study
from cspbench.study import work
from cspbench.study.budget import FEWEST, fitted, rates, seconds
from cspbench.study.collected import studies
from cspbench.study.held_out import check
from cspbench.study.pictures import LONGEST
from cspbench.study.plan import FILE, SEEDS, Plan, jobs, planned, read
from cspbench.study.variants import expanded
from cspbench.study.work import Shard

_CHOOSING = "waiting for iterations and seeds, which another process chooses: "


@dataclass(frozen=True)
class Studied:
    """What a run directory holds: a study for each table with trainings, and the names of trainings that are left."""

    studies: tuple[Study, ...]
    left: tuple[str, ...]
    plan: Plan


def study(
    tables: str | Sequence[str],
    run: str | Path = "study",
    *,
    data: str | Path | None = None,
    model: str | None = None,
    width: float = 1.0,
    size: int | None = None,
    iterations: int | None = None,
    seeds: int | None = None,
    budget: float | None = None,
    shard: tuple[int, int] = (1, 1),
    processes: int = 1,
    device: str | None = None,
    precision: Precision = "fp32",
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Studied:
    """Train the variants of published tables of tricks in miniature, with several seeds; the same call resumes.

    `tables` are names as `cspbench study` takes them. Each variant is trained with seeds 0 to `seeds` - 1, 3 by
    default, from the same initial values and in the same order of pictures, on drawn pictures or on `data`. `model`
    stands in place of the miniature network, with `width` times the filters, for inputs of `size` pixels. `budget` is
    the minutes that iterations and seeds are chosen for. `processes` train at once here; `shard` (i, n) are the
    trainings of one of n machines that share the folder. Raises `UsageError`, `RunError` for a folder with another
    study, `DatasetError` for data that does not fit.
    """
    plan = begin(
        tables,
        run,
        data=data,
        model=model,
        width=width,
        size=size,
        iterations=iterations,
        seeds=seeds,
        budget=budget,
        processes=processes,
        device=device,
        precision=precision,
        execution=execution,
        listener=listener,
    )
    folder, execution = argument_path("run", run), execution or Execution()
    left = work.work(folder, Shard(*shard), processes, execution, listener)
    return collected(folder, execution, left, plan)


def begin(
    tables: str | Sequence[str],
    run: str | Path,
    *,
    data: str | Path | None = None,
    model: str | None = None,
    width: float = 1.0,
    size: int | None = None,
    iterations: int | None = None,
    seeds: int | None = None,
    budget: float | None = None,
    processes: int = 1,
    device: str | None = None,
    precision: Precision = "fp32",
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Plan:
    """Write the plan of a study into its run directory, or check that it is the one there; see `study`."""
    if not 0 < width <= 16:
        raise _out_of_range("width", "more than 0, and at most 16", width)
    folder, names = argument_path("run", run), expanded([tables] if isinstance(tables, str) else tables)
    plan = planned(
        names,
        data=None if data is None else str(argument_path("data", data).absolute()),
        model=model,
        width=width,
        size=size,
        iterations=iterations,
        seeds=SEEDS if seeds is None else seeds,
        precision=precision,
        device=device,
    )
    if plan.data is not None:
        check(plan)
    if budget is None:
        work.begin(folder, plan)
    else:  # machines that begin at once share the choice of the first
        with exclusive(folder / ".budget.lock", wait=LONGEST, waiting=lambda holder: listener.note(_CHOOSING + holder)):
            plan = _budgeted(folder, plan, budget, processes, execution or Execution(), listener, seeds, iterations)
            work.begin(folder, plan)
    if plan.seeds < FEWEST:
        listener.note("1 seed: there is no interval, and every row stays undecided; --seeds 3 gives one")
    return plan


def collected(folder: Path, execution: Execution, left: Sequence[str], plan: Plan | None = None) -> Studied:
    """What the trainings in a run directory gave so far."""
    plan = plan or read(folder)
    session = sessions.session(execution.command_line, device=plan.device, when=sessions.now())
    return Studied(tuple(studies(folder, plan, session)), tuple(left), plan)


def _budgeted(
    folder: Path,
    plan: Plan,
    minutes: float,
    processes: int,
    execution: Execution,
    listener: Listener,
    seeds: int | None,
    iterations: int | None,
) -> Plan:
    """The plan that fits; the one that is there already where a study with these settings was begun."""
    if seeds is not None and iterations is not None:
        one, other = "--budget", "both --seeds and --iterations"
        raise UsageError("usage.not-together", f"{one} does not go with {other}", remedy="Leave one of them out")
    if not (0 < minutes < 1e6 and math.isfinite(minutes)):
        raise _out_of_range("budget", "minutes, more than 0", minutes)
    if (folder / FILE).exists():
        there = read(folder)
        same = structs.replace(there, seeds=plan.seeds, iterations=plan.iterations) == plan
        same &= (seeds is None or there.seeds == seeds) and (iterations is None or there.iterations == plan.iterations)
        if same:
            listener.note(f"{folder}: the study there goes on, with its own iterations and seeds")
            return there
    work.draw_all(folder, plan, processes, listener)
    rate = rates(folder, plan, execution)
    fitting = fitted(plan, minutes, rate, processes, seeds=seeds is None, iterations=iterations is None)
    counts = ", ".join(f"{count:,} iterations of a {kind}" for kind, count in fitting.iterations.items())
    took = f"about {seconds(fitting, rate, processes) / 60:.0f} minutes"
    listener.note(f"{minutes:g} minutes: {len(jobs(fitting))} trainings, {counts}, {fitting.seeds} seeds; {took}")
    return fitting


def _out_of_range(name: str, expected: str, found: object) -> UsageError:
    what = f"{name} is out of range"
    return UsageError("usage.out-of-range", what, expected=expected, found=str(found), remedy=f"Correct --{name}")
