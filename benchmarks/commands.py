"""Times and peak memory of the commands, also as ratios against importing torch and fvcore in the same run.

    python -m benchmarks.commands [--quick]

Every command runs in new processes; the runs of all commands take turns, so that a slow minute of the machine slows
all of them alike.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import PYTHON, Finished, child, faster, judged, part, table

CSPBENCH = str(Path(PYTHON).with_name("cspbench"))
BASE = "import torch, fvcore.nn"
NO_SUCH_COMMAND = 2
FIRST = ("coco-[achl]*", "coco-nms", "coco-gpu", "imagenet-[abs]*", "mmpretrain", "timm")
"""The tables of the first version, of the README, timm and mmpretrain: 92 rows."""


@dataclass(frozen=True)
class Command:
    """What to run, the exit codes that are no failure, and what is promised of it."""

    words: tuple[str, ...]
    codes: tuple[int, ...] = (0,)
    seconds: float | None = None
    times: float | None = None
    """The base command's time, so often at most."""
    megabytes: float | None = None

    def target(self, middle: float, ratio: float, peak: float) -> str | None:
        """What is promised, and whether it is kept."""
        promised = (
            (self.seconds, middle, "s"),
            (self.times, ratio, "times the base"),
            (self.megabytes, peak, "MB"),
        )
        kept = [judged(f"at most {most:g} {unit}", found <= most) for most, found, unit in promised if most is not None]
        return "; ".join(kept) or None


def _cspbench(line: str, codes: tuple[int, ...] = (0,), **promised: float) -> tuple[str, Command]:
    return f"cspbench {line}", Command((CSPBENCH, *line.split()), codes, **promised)


COMMANDS: dict[str, Command] = {
    BASE: Command((PYTHON, "-c", BASE)),
    "import torch": Command((PYTHON, "-c", "import torch")),
    **dict(
        (
            _cspbench("--help", seconds=0.3),
            _cspbench("list", seconds=0.6),
            _cspbench("report --format json", seconds=1),
            _cspbench("ci --baseline results", seconds=1),
            _cspbench(f"params{''.join(f' --table {name}' for name in FIRST)} --format json", codes=(0, 1), times=3),
            _cspbench("params --all --format json", codes=(0, 1), seconds=12, times=6),
            _cspbench("params csresnext50-panet-spp --size 608", megabytes=1500),
        )
    ),
}


def missing(commands: Mapping[str, Command]) -> list[str]:
    """Those of the commands that this version of cspbench does not have."""
    names = {name: command.words[1] for name, command in commands.items() if command.words[0] == CSPBENCH}
    return [
        name
        for name, word in names.items()
        if word.isalpha() and child([CSPBENCH, word, "--help"], (0, NO_SUCH_COMMAND)).code == NO_SUCH_COMMAND
    ]


def measured(commands: Mapping[str, Command], repeats: int) -> str:
    """The table of these commands; the first is what the others are compared with."""
    without = missing(commands)
    there = {name: command for name, command in commands.items() if name not in without}
    runs: dict[str, list[Finished]] = {name: [] for name in there}
    for _ in range(repeats):
        for name, command in there.items():
            runs[name].append(child(command.words, command.codes))
    middle = {name: statistics.median(run.seconds for run in kept) for name, kept in runs.items()}
    peak = {name: max(run.peak for run in kept) for name, kept in runs.items()}
    base = next(iter(commands))
    for name in there:
        if name != base:
            faster(name, middle[base] / middle[name])
    rows = [
        [
            f"`{name}`",
            f"{middle[name]:.2f}",
            f"{middle[name] / middle[base]:.2f}",
            f"{peak[name]:.0f}",
            command.target(middle[name], middle[name] / middle[base], peak[name]),
        ]
        for name, command in there.items()
    ]
    rows += [[f"`{name}`", None, None, None, "not measured: no such command in this version"] for name in without]
    heading = (
        f"Medians of {repeats} runs in turns, start-up included; the ratio is to the base, the first line; peak is the "
        "most resident memory of a single process."
    )
    return f"{heading}\n\n" + table(("command", "seconds", "ratio", "peak MB", "target"), rows)


def section(quick: bool) -> str:
    """All commands."""
    return measured(COMMANDS, 1 if quick else 5)


if __name__ == "__main__":
    part(__doc__, section)
