"""What the benchmarks share: repeated runs in turns, processes with their peak memory, and the words of a table."""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cspbench.errors import CspbenchError
from cspbench.io import write_text
from cspbench.report.formats import grid

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable

Section = Callable[[bool], str]
"""A part of the benchmarks: whether to take sizes that only show that it works, to markdown without a heading."""


class BenchmarkError(CspbenchError):
    """Something that is to be measured does not run."""


@dataclass(frozen=True)
class Finished:
    """A process that came to its end."""

    seconds: float
    peak: float
    """Most resident memory in MB, of the process or of one that it started."""
    code: int
    output: str
    said: str = ""
    """What it wrote to stderr."""


def child(command: Sequence[str], codes: Sequence[int] = (0,)) -> Finished:
    """Run a process in the repository; raises `BenchmarkError` when it ends with another exit code than `codes`."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder) / "found"
        launcher = [PYTHON, "-I", "-S", str(ROOT / "benchmarks" / "launching.py"), str(found)]
        done = subprocess.run([*launcher, *command], capture_output=True, text=True, cwd=ROOT, check=False)
        said = found.read_text(encoding="ascii").split() if found.is_file() else ["0", "0", str(done.returncode)]
    seconds, peak, code = float(said[0]), int(said[1]), int(said[2])
    if code not in codes or done.returncode:
        raise BenchmarkError(
            "benchmark.process-failed",
            "a process failed",
            where=" ".join(command[:4]),
            expected=f"exit code {' or '.join(map(str, codes))}",
            found=f"{code}: {done.stderr.strip()[-2000:]}",
            remedy="Run it alone",
        )
    return Finished(seconds, peak / (1024 if sys.platform != "darwin" else 1024**2), code, done.stdout, done.stderr)


def in_turns(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every run of each call; the calls take turns, so that a slow minute slows all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - begin)
    return seconds


def medians(calls: Mapping[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call, after one run of each that does not count."""
    in_turns(calls, 1)
    return {name: statistics.median(values) for name, values in in_turns(calls, repeats).items()}


def judged(words: str, met: bool) -> str:
    """A target and whether it is met, for a table."""
    return f"{words}: {'met' if met else 'missed'}"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A markdown table; None is a dash."""
    return grid(columns, [["-" if value is None else str(value) for value in row] for row in rows])


_ratios: dict[str, float] = {}


def faster(name: str, ratio: float) -> float:
    """Keep `ratio`, how many times as fast as its peer something is, for the file of ratios; return it."""
    _ratios[name] = ratio
    return ratio


def parser(about: str | None) -> argparse.ArgumentParser:
    """The options of every part."""
    options = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="sizes that show that it works, and no more")
    options.add_argument("--ratios", type=Path, metavar="FILE", help="write what is compared to this JSON file, too")
    return options


def finish(text: str, ratios: Path | None) -> None:
    """Print a part's markdown, and write its ratios to a file if there is one."""
    print(text)
    if ratios is not None:
        write_text(ratios, json.dumps(_ratios))


def part(about: str | None, section: Section) -> None:
    """Run a part alone."""
    given = parser(about).parse_args()
    finish(section(given.quick), given.ratios)
