"""Iterations and seeds that fit into a number of minutes, from a measured rate."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from cspbench.errors import UsageError
from cspbench.evaluation.execution import SILENT, Execution
from cspbench.study.job import fitted as chosen_for
from cspbench.study.pictures import place
from cspbench.study.plan import Job, Plan, jobs, with_numbers
from cspbench.study.threads import one_thread
from cspbench.study.variants import Kind
from cspbench.training.run.options import Options
from cspbench.training.run.session import train

LEAST = 200
"""Iterations below which rolling variances, which begin at 0, give nothing."""
FEWEST = 2
"""Seeds that give an interval."""
USUAL_MOST = 10
"""Seeds beyond which a budget is not spent."""
PROBES = (4, 16)
"""Iterations of two trainings, whose difference is the rate."""
PASS = 0.5
"""Seconds of an evaluated picture, in those of one that is trained on: assumed, a half to a third on CPUs."""
SPARE = 1.1
"""The budget is divided by this: pictures are drawn, processes start, and machines have other work."""


@dataclass(frozen=True)
class Rate:
    """Of one kind of network."""

    iteration: float
    """Seconds."""
    fixed: float
    """Seconds of a training beside its iterations: evaluations, start and end."""


def rates(folder: Path, plan: Plan, execution: Execution) -> dict[Kind, Rate]:
    """Measured with the base variant of each kind, on one thread, on the study's own pictures, which must be there."""
    own = replace(execution, device=plan.device, precision=plan.precision, workers=0)
    first = {job.variant.kind: job for job in reversed(jobs(plan))}
    return {kind: _rate(folder, plan, first[kind], own) for kind in reversed(first)}


def _rate(folder: Path, plan: Plan, job: Job, execution: Execution) -> Rate:
    data, drawn = place(folder, plan, job)
    times = []
    for count in PROBES:
        chosen = chosen_for(plan, replace(job, iterations=count), data)
        with TemporaryDirectory() as place_of_run, one_thread():
            begun = time.perf_counter()
            trained = train(chosen, data, place_of_run, Options(iterations=count, execution=execution), SILENT)
            times.append(time.perf_counter() - begun)
    iteration = max(1e-6, (times[1] - times[0]) / (PROBES[1] - PROBES[0]))
    pictures = plan.classification if job.variant.kind == "classifier" else plan.detection
    held = pictures.held if drawn else trained.record.data.images
    net = getattr(chosen.recipe, "net", None)
    batch = net.images if net is not None else chosen.recipe.batch  # type: ignore[union-attr]
    evaluation = PASS * held * iteration / batch
    return Rate(iteration, max(0.0, times[0] - PROBES[0] * iteration) + max(1, plan.evaluations) * evaluation)


def seconds(plan: Plan, rates: Mapping[Kind, Rate], workers: int) -> float:
    """How long a study takes, by the rates."""
    spent = [rates[job.variant.kind].fixed + job.iterations * rates[job.variant.kind].iteration for job in jobs(plan)]
    # the workers end together, but for one training at most
    return max(sum(spent) / min(workers, len(spent)), max(spent))


def fitted(
    plan: Plan, minutes: float, rates: Mapping[Kind, Rate], workers: int, *, seeds: bool = True, iterations: bool = True
) -> Plan:
    """The plan with the most seeds and iterations that fit; what is fixed by the user stays.

    First the plan's iterations with its seeds, then more seeds; where these do not fit, fewer iterations, and at last
    fewer seeds. Raises `UsageError` where not even that fits.
    """
    room = 60 * minutes / SPARE

    def fits(candidate: Plan) -> bool:
        return seconds(candidate, rates, workers) <= room

    if fits(plan):
        counts = range(plan.seeds, USUAL_MOST + 1) if seeds else ()
        return max((more for count in counts if fits(more := with_numbers(plan, count, 1.0))), key=_seeds, default=plan)
    least = max(min(1.0, LEAST / count) for count in plan.iterations.values()) if iterations else 1.0
    for count in range(plan.seeds, FEWEST - 1, -1) if seeds and plan.seeds > FEWEST else (plan.seeds,):
        low, high = least, 1.0
        if not fits(with_numbers(plan, count, low)):
            continue
        for _ in range(20):
            middle = (low + high) / 2
            low, high = (middle, high) if fits(with_numbers(plan, count, middle)) else (low, middle)
        return with_numbers(plan, count, low)
    smallest = with_numbers(plan, FEWEST if seeds else plan.seeds, least)
    raise UsageError(
        "usage.budget",
        "the budget is too small",
        expected=f"at least {math.ceil(SPARE * seconds(smallest, rates, workers) / 60)} minutes for "
        f"{len(jobs(smallest))} trainings of {min(job.iterations for job in jobs(smallest))} iterations or more",
        found=f"{minutes:g} minutes",
        remedy="Raise --budget, or study fewer tables",
    )


def _seeds(plan: Plan) -> int:
    return plan.seeds
