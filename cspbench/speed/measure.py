"""Times groups of networks, one setting after the other; in each round every network of a group has its turn."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from cspbench.errors import UsageError
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.inference.engine import choose_device, exact_arithmetic
from cspbench.results import sessions
from cspbench.results.speeds.record import Setting, SpeedRun
from cspbench.speed.decoding import decoding
from cspbench.speed.hardware import machine_of
from cspbench.speed.picture import HEIGHT, WIDTH, jpeg
from cspbench.speed.ready import Ready, ready
from cspbench.speed.subjects import Group

FEWEST, MOST = 3, 500
"""Rounds."""
SECONDS = 10.0
"""Of each network under each setting, by default."""
MOST_SECONDS = 86_400.0


def measure(
    groups: Sequence[Group],
    settings: Sequence[Setting],
    *,
    device: str | None = None,
    seconds: float = SECONDS,
    command: Sequence[str] = (),
    listener: Listener = SILENT,
) -> Iterator[SpeedRun]:
    """A run for each group and setting, as soon as it is measured.

    The rounds of a run take about `seconds` for each of its networks; there are at least three and at most 500. Warm-up
    and the choice of the best batch come before. Raises `UsageError` and `IncompleteRunError` as `ready` does.
    """
    if not 0 < seconds <= MOST_SECONDS:  # also false for NaN
        raise UsageError(
            "usage.seconds",
            "no time to measure in",
            expected=f"more than 0 and at most {MOST_SECONDS:.0f} seconds",
            found=f"{seconds:g}",
            remedy=f"Try {SECONDS:g}",
        )
    chosen = choose_device(device)
    exact_arithmetic()
    machine, data = machine_of(chosen), jpeg()
    decoded = decoding(data)
    for group in groups:
        for setting in settings:
            when = sessions.now()
            with listener.progress(f"warming up {group.name}, {setting.name}", len(group.subjects)) as reach:
                subjects = []
                for number, subject in enumerate(group.subjects, 1):
                    subjects.append(ready(subject, setting, chosen, data, seconds / 4))
                    reach(number, subject.name)
            in_turns(subjects, seconds, f"timing {group.name}, {setting.name}", listener)
            yield SpeedRun(
                session=sessions.session(command, device=str(chosen), when=when),
                machine=machine,
                setting=setting,
                picture=(HEIGHT, WIDTH),
                timings=[each.timing() for each in subjects],
                decoding=decoded,
            )


def in_turns(subjects: Sequence[Ready], seconds: float, what: str, listener: Listener = SILENT) -> None:
    """Rounds over all subjects until their time is over."""
    budget = seconds * len(subjects)
    begin = time.perf_counter()
    # in tenths of a percent, since nobody knows the number of rounds before
    with listener.progress(what, 1000) as reach:
        for number in range(1, MOST + 1):
            for subject in subjects:
                subject.round()
            spent = time.perf_counter() - begin
            reach(min(1000, round(1000 * max(spent / budget, number / MOST))), f"round {number}")
            if number >= FEWEST and spent >= budget:
                break
