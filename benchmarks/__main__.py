"""Measure everything and write the tables: python -m benchmarks [--quick] [--only PART ...] [--out FILE]

Parts run one after the other, each in a process of its own. The file is written whole, at the end, or not at all; what
is only a part of the whole, or quick, goes to stdout unless a file is named. Beside it, benchmarks.json has the ratios,
which `cspbench ci --benchmarks` compares.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import PYTHON, ROOT, child, table
from cspbench.errors import CspbenchError
from cspbench.io import write_bytes, write_text
from cspbench.results import sessions
from cspbench.results.benchmarks import FILE, Benchmarks, Ratio
from cspbench.results.encoding import encode
from cspbench.results.store import without_folders
from cspbench.speed.hardware import processor

PARTS = {
    "commands": "Commands",
    "params": "Counting",
    "startup": "From the command to the first batch",
    "imagenet": "ImageNet evaluation end to end",
    "coco": "COCO evaluation end to end",
    "resize": "Resizing",
    "augment": "Training pictures",
    "train": "Training",
    "nms": "Suppression",
    "average_precision": "AP",
    "sweep": "Six NMS thresholds against one, of kept candidates",
    "scaling": "Growing with the images",
    "gpu": "On a GPU",
}
OUT = ROOT / "results" / "benchmarks.md"
PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow", "fvcore", "pycocotools")


IDLE = 0.5
"""Processes that may be busy before the start, on the average of a minute."""


def described(load: float) -> list[list[Any]]:
    """The machine and what runs on it, as rows of a table."""
    import torch

    from cspbench.provenance import installed

    facts: dict[str, str] = json.loads(child([PYTHON, "-m", "cspbench", "env", "--json"]).output)
    versions = ", ".join(f"{name} {version or '-'}" for name, version in installed(PACKAGES).items())
    return [
        ["date", datetime.now(UTC).date().isoformat()],
        ["cspbench", f"{facts['cspbench']}, commit {facts['commit'] or '-'}"],
        ["processor", processor()],
        ["cores", str(os.cpu_count())],
        ["threads of torch", str(torch.get_num_threads())],
        ["memory", f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"],
        ["accelerator", facts["accelerators"]],
        ["system", f"{facts['platform']}, Python {facts['python']}"],
        ["packages", versions],
        ["load before", f"{load:.2f} processes busy"],
    ]


def busy(load: float) -> str | None:
    """A warning where the machine does something else, so that neither times nor ratios can be trusted."""
    if load <= IDLE:
        return None
    return (
        f"**The machine was not idle: {load:.2f} processes were busy before the start, {IDLE:g} are allowed. Times are "
        "too long and ratios distorted: measure again on an idle one.**"
    )


def document(machine: list[list[Any]], sections: dict[str, str], warning: str | None = None) -> str:
    """The whole file: machine, warning, then the parts under their headings."""
    parts = [
        "# Benchmarks",
        "Made by `python -m benchmarks`. Ratios compare within one run, on one machine; every table says what it is "
        "the median of.",
        table(("machine", ""), machine),
        *([warning] if warning else []),
    ]
    for name, text in sections.items():
        parts += [f"## {PARTS[name]} (`benchmarks/{name}.py`)", text.strip()]
    return "\n\n".join(parts) + "\n"


def measured(name: str, quick: bool) -> tuple[str, dict[str, float]]:
    """A part's markdown and its ratios, from a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "ratios.json"
        options = ["--ratios", str(file), *(["--quick"] if quick else [])]
        text = child([PYTHON, "-m", f"benchmarks.{name}", *options]).output
        return text, json.loads(file.read_bytes())


def main() -> None:
    """Run the parts and write what they found."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="sizes that show that it works, and no more")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part; may be repeated")
    parser.add_argument("--out", type=Path, help="results/benchmarks.md if everything is measured in full")
    given = parser.parse_args()
    out = given.out or (None if given.quick or given.only else OUT)
    load = os.getloadavg()[0]
    warning, machine = busy(load), described(load)
    if warning:
        print(f"benchmarks: {warning}", file=sys.stderr)
    sections = {}
    ratios: list[Ratio] = []
    session = sessions.session(
        without_folders(["python", "-m", "benchmarks", *sys.argv[1:]]), device="cpu", when=sessions.now()
    )
    for name in PARTS:
        if given.only and name not in given.only:
            continue
        print(f"benchmarks: {name} ...", end="", file=sys.stderr, flush=True)
        begin = time.perf_counter()
        text, of_part = measured(name, given.quick)
        sections[name] = text
        ratios += [Ratio(name, what, value) for what, value in of_part.items()]
        print(f" {time.perf_counter() - begin:.0f} s", file=sys.stderr)
    text = document(machine, sections, warning)
    if warning:  # again, where it is not scrolled away
        print(f"benchmarks: {warning}", file=sys.stderr)
    if out is None:
        print(text, end="")
        return
    write_text(out, text)
    file = out.with_name(FILE)
    write_bytes(
        file,
        encode(
            Benchmarks(
                session=session,
                processor=processor(),
                cores=os.cpu_count() or 1,
                load=load,
                quick=given.quick,
                ratios=ratios,
            )
        ),
    )
    print(f"benchmarks: wrote {out} and {file}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except CspbenchError as error:
        print(f"\nbenchmarks: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
