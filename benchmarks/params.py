"""Where the time of `params --all` goes, and how `params` scales with the number of models.

    python -m benchmarks.params [--quick]

The steps run in a process of their own, the scaling is of whole commands.
"""

from __future__ import annotations

import json
import statistics

from benchmarks.commands import BASE, CSPBENCH
from benchmarks.measuring import PYTHON, child, part, table

SIZES = (1, 4, 16)
STEPS = (
    "import cspbench, read the tables and build the networks",
    "count every graph, by both counters",
    "hold the counts against the claims",
)


def steps(*names: str) -> dict[str, float]:
    """Seconds of each step of `params` of these tables, or all; the clock starts after Python's own start.

    Counting contains the start of the processes that count, which import torch and fvcore: this one never does, unless
    it counts alone.
    """
    import os
    import time

    marks = [time.perf_counter()]
    from cspbench.claims import tables
    from cspbench.evaluation.counts import count_rows, published
    from cspbench.network.counter import WORTH_A_PROCESS, Counter
    from cspbench.report.judged_counts import judged
    from cspbench.results import sessions

    subjects = published(map(tables.load, names) if names else tables.load_all())
    for subject in subjects:
        if subject.model:
            subject.model.architecture()
    marks.append(time.perf_counter())
    graphs: list[str] = []
    counted = count_rows(subjects, Counter(), progress=graphs.append)
    marks.append(time.perf_counter())
    judged(counted, sessions.session(["cspbench", "params", "--all"], device="cpu", when=sessions.now()))
    marks.append(time.perf_counter())
    spent = {name: end - begin for name, begin, end in zip(STEPS, marks, marks[1:], strict=False)}
    processes = max(1, min(os.cpu_count() or 1, len(graphs) // WORTH_A_PROCESS))
    return {**spent, "graphs": len(graphs), "rows": len(subjects), "processes": processes}


def _steps(repeats: int) -> str:
    program = "import json; from benchmarks.params import steps; print(json.dumps(steps()))"
    runs = [json.loads(child([PYTHON, "-c", program]).output.splitlines()[-1]) for _ in range(repeats)]
    imports = statistics.median(child([PYTHON, "-c", BASE]).seconds for _ in range(repeats))
    middle = {step: statistics.median(run[step] for run in runs) for step in STEPS}
    whole = sum(middle.values())
    rows = [
        [step, f"{seconds:.2f}", f"{100 * seconds / whole:.0f} %"]
        for step, seconds in sorted(middle.items(), key=lambda item: -item[1])
    ]
    graphs, lines, processes = (int(runs[0][name]) for name in ("graphs", "rows", "processes"))
    counting = middle[STEPS[1]] - imports
    words = f"{lines} rows need {graphs} graphs, each counted once by both counters in {processes} processes"
    if graphs and counting > 0:
        words += f", {1000 * counting / graphs:.0f} ms a graph once they have started"
    words += (
        f". Importing torch and fvcore alone takes {imports:.2f} s, {100 * imports / whole:.0f} % of the time: the "
        "floor of any count by them."
    )
    return f"{words}\n\n{table(('step of params --all', 'seconds', 'share'), rows)}"


def _scaling(repeats: int, sizes: tuple[int, ...], every: bool) -> str:
    from cspbench.zoo.registry import MODELS

    names = [name for name in MODELS if "/" not in name]
    counts = [*sizes, len(names)] if every else list(sizes)
    rows, first = [], None
    for count in counts:
        runs = [child([CSPBENCH, "params", *names[:count], "--format", "json"], (0, 1)) for _ in range(repeats)]
        seconds = statistics.median(run.seconds for run in runs)
        first = first or (count, seconds)
        more = count - first[0]
        each = f"{1000 * (seconds - first[1]) / more:.0f}" if more else None
        rows.append([count, f"{seconds:.2f}", each, f"{max(run.peak for run in runs):.0f}"])
    return table(("models", "seconds", "ms a further model", "peak MB"), rows)


def section(quick: bool) -> str:
    """The steps, then the scaling."""
    repeats = 1 if quick else 3
    scaling = _scaling(repeats, SIZES[:1] if quick else SIZES, not quick)
    return f"Medians of {repeats} runs.\n\n{_steps(repeats)}\n\n{scaling}"


if __name__ == "__main__":
    part(__doc__, section)
