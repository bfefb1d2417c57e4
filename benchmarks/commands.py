"""Times of the commands, as medians and as ratios against importing torch and fvcore in the same run.

    python benchmarks/commands.py [REPEATS]

Every command runs in a new process; the runs of all commands are interleaved, so that a slow minute of the machine
slows all of them alike. Prints a markdown table: wall seconds, ratio, peak resident memory, and the target.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

PYTHON = sys.executable
CSPBENCH = str(Path(PYTHON).with_name("cspbench"))
BASE = "import torch, fvcore.nn"

COMMANDS: dict[str, tuple[list[str], str]] = {
    BASE: ([PYTHON, "-c", "import torch, fvcore.nn"], "-"),
    "cspbench --help": ([CSPBENCH, "--help"], "0.3 s"),
    "cspbench list": ([CSPBENCH, "list"], "0.6 s"),
    "cspbench params --all": ([CSPBENCH, "params", "--all", "--format", "json"], "20 s, ratio 6"),
    "cspbench params csresnext50-panet-spp --size 608": (
        [CSPBENCH, "params", "csresnext50-panet-spp", "--size", "608"],
        "1500 MB",
    ),
}


def run(command: list[str]) -> tuple[float, float]:
    """Wall seconds and peak resident memory in MB of one run."""
    begin = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return time.perf_counter() - begin, usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def main() -> None:
    """Run and print."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    memory: dict[str, float] = dict.fromkeys(COMMANDS, 0.0)
    for _ in range(repeats):
        for name, (command, _) in COMMANDS.items():
            wall, peak = run(command)
            seconds[name].append(wall)
            memory[name] = max(memory[name], peak)
    base = statistics.median(seconds[BASE])
    print(
        f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
    )
    print(f"median of {repeats} interleaved runs\n")
    print("| command | seconds | ratio | peak MB | target |\n| --- | --- | --- | --- | --- |")
    for name, (_, target) in COMMANDS.items():
        middle = statistics.median(seconds[name])
        print(f"| `{name}` | {middle:.2f} | {middle / base:.2f} | {memory[name]:.0f} | {target} |")


if __name__ == "__main__":
    main()
