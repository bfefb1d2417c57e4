"""From the command to the first batch of an evaluation: how long, and what takes it.

    python -m benchmarks.startup [--quick]

A process runs the command's own code with a clock around what it calls, and ends when the first batch has passed the
network. Each term is without the others that it contains. Beside it stands importing torch alone, the floor of whatever
computes with torch.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.measuring import PYTHON, child, part, table

COMMANDS = {"eval-imagenet": "sample-csp-classifier", "eval-coco": "sample-csp-detector"}
IMAGES = 64
PROCESS = "start Python"
TORCH = "import torch"
REST = "import cspbench and what else it needs"
DATA = "read the list of images"
SUBJECT = "define the network, read its weights"
BUILD = "build the module and load its arrays"
PREPARE = "fold batch norms, fuse kernels"
FORWARD = "the first forward pass"
OTHER = "wait for the first decoded batch, and all else"


class FirstBatch(BaseException):
    """The first batch has passed the network."""


class Clock:
    """Seconds by term; a term that is called within another is not part of it."""

    def __init__(self, begin: float) -> None:
        self.begin = begin
        self.spent: dict[str, float] = {}
        self._inside: list[float] = []

    @contextmanager
    def term(self, name: str) -> Iterator[None]:
        """Add the time of the block to a term."""
        begin = time.time()
        self._inside.append(0.0)
        try:
            yield
        finally:
            whole = time.time() - begin
            self.spent[name] = self.spent.get(name, 0.0) + whole - self._inside.pop()
            if self._inside:
                self._inside[-1] += whole

    def around(self, module: Any, name: str, term: str) -> None:
        """Add the time of all calls of a module's function to a term."""
        function: Callable[..., Any] = getattr(module, name)

        def timed(*arguments: Any, **options: Any) -> Any:
            with self.term(term):
                return function(*arguments, **options)

        setattr(module, name, timed)


def traced(command: Sequence[str], begin: float) -> dict[str, float]:
    """Run a command up to its first batch in this process, which its starter began at `begin`; seconds by term."""
    clock = Clock(begin)
    clock.spent[PROCESS] = time.time() - begin
    with clock.term(TORCH):
        import torch  # noqa: F401
    with clock.term(REST):
        import cspbench.evaluation.coco as coco
        import cspbench.evaluation.imagenet as imagenet
        from cspbench.cli.app import main
        from cspbench.inference import engine
        from cspbench.network import module
        from cspbench.weights import loading
    clock.around(imagenet, "open_imagenet", DATA)
    clock.around(coco, "opened", DATA)
    clock.around(imagenet, "subject_of", SUBJECT)
    clock.around(coco, "subject_of", SUBJECT)
    clock.around(module, "to_module", BUILD)
    clock.around(loading, "load", BUILD)
    clock.around(engine, "prepare", PREPARE)
    start = engine.Engine.start

    def first(*arguments: Any, **options: Any) -> Any:
        with clock.term(FORWARD):
            start(*arguments, **options).wait()
        raise FirstBatch

    engine.Engine.start = first  # type: ignore[method-assign]
    sys.argv = ["cspbench", *command]
    try:
        main()
    except FirstBatch:
        whole = time.time() - begin
    clock.spent[OTHER] = whole - sum(clock.spent.values())
    return clock.spent


def once(command: Sequence[str]) -> dict[str, float]:
    """One start of a command, in a new process."""
    program = "import sys, json; from benchmarks.startup import side; side()"
    output = child([PYTHON, "-c", program, repr(time.time()), *command]).output
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    return found


def side() -> None:
    """The process of one start: seconds by term as JSON."""
    print(json.dumps(traced(sys.argv[2:], float(sys.argv[1]))))


def words(name: str, middle: dict[str, float], floor: float) -> str:
    """The whole, against the floor, and its three largest terms."""
    whole = sum(middle.values())
    largest = sorted(middle.items(), key=lambda item: -item[1])[:3]
    listed = ", ".join(f"{term} ({seconds:.2f} s)" for term, seconds in largest)
    return f"`{name}`: {whole:.2f} s, {whole / floor:.2f} times importing torch ({floor:.2f} s); most for: {listed}."


def section(quick: bool) -> str:
    """Both commands in turns."""
    from benchmarks.random_weights import weights
    from cspbench.sample import classification, detection

    repeats = 1 if quick else 5
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in COMMANDS}
    imports = []
    with TemporaryDirectory() as place:
        folder = Path(place)
        files = {name: weights(model, folder) for name, model in COMMANDS.items()}
        classification.write(folder / "eval-imagenet", images=IMAGES)
        detection.write(folder / "eval-coco", images=IMAGES)
        for repeat in range(repeats):
            imports.append(child([PYTHON, "-c", TORCH]).seconds)
            for name, model in COMMANDS.items():
                run = folder / f"run-{name}-{repeat}"
                options = ["-m", model, "--weights", str(files[name]), "--run", str(run)]
                runs[name].append(once([name, str(folder / name), *options]))
    floor = statistics.median(imports)
    terms = [PROCESS, TORCH, REST, DATA, SUBJECT, BUILD, PREPARE, OTHER, FORWARD]
    middle = {
        name: {term: statistics.median(run.get(term, 0.0) for run in of_command) for term in terms}
        for name, of_command in runs.items()
    }
    rows: list[list[object]] = [[term, *(f"{middle[name][term]:.2f}" for name in COMMANDS)] for term in terms]
    rows.append(["to the first batch", *(f"{sum(middle[name].values()):.2f}" for name in COMMANDS)])
    heading = f"Of the sample's two networks and {IMAGES} of its pictures, medians of {repeats} runs in turns."
    said = "\n\n".join(words(name, middle[name], floor) for name in COMMANDS)
    return f"{heading}\n\n{table(('seconds', *COMMANDS), rows)}\n\n{said}"


if __name__ == "__main__":
    part(__doc__, section)
