"""Speed of training against a plain PyTorch loop, and where the time goes.

    python -m benchmarks.train [--quick] [--detector FILE.cfg]

Both sides train the same module in channels last, with the same mini-batches from a loader of their own with one
process, and take turns, an iteration each. The plain loop has autograd's cross entropy, for a detector the cheapest
loss there is (the mean square of its maps), and torch's SGD; cspbench's side is what `cspbench train` does after its
start: Darknet's losses and order of additions, the copy of the state that an interrupt leaves behind, and the log.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional

from benchmarks.measuring import faster, finish, in_turns, judged, parser, table
from cspbench.data.augment.minibatches import MiniBatch
from cspbench.inference.engine import exact_arithmetic
from cspbench.inference.memory import keep_freed_memory
from cspbench.sample import classification, detection
from cspbench.training.checkpoint import State
from cspbench.training.iteration import Trainer
from cspbench.training.loader import Loader
from cspbench.training.losses.layers import losses
from cspbench.training.module import to_training_module
from cspbench.training.recipes.chosen import Chosen, for_images, of_name, with_settings
from cspbench.training.run.preparation import mini_batches, open_images
from cspbench.training.start import start

TARGET = 0.95
"""Of the plain loop's images per second, at least."""
PICTURES = 64


@dataclass(frozen=True)
class Case:
    """A network of some size, trained with some mini-batches."""

    model: str
    side: int
    batch: int
    subdivisions: int

    def chosen(self) -> Chosen:
        """Its recipe at a rate at which random weights stay finite."""
        size = [f"width={self.side}", f"height={self.side}", f"batch={self.batch}"]
        recipe = with_settings(of_name(self.model), [*size, f"subdivisions={self.subdivisions}", "learning_rate=1e-5"])
        return with_settings(recipe, ["yolo.random=0"]) if recipe.detects else recipe


CASES = (Case("csdarknet53", 128, 16, 2), Case("yolov3-tiny", 320, 16, 2))
QUICK = (Case("sample-csp-classifier", 64, 4, 2), Case("sample-csp-detector", 64, 4, 2))


def module_of(chosen: Chosen) -> fx.GraphModule:
    """The module with values drawn as for a training, in channels last."""
    network, recipe = chosen.network, chosen.recipe
    module = to_training_module(network, recipe, losses(network, recipe, chosen.era))
    torch.manual_seed(0)
    start(module, network, recipe)
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def ours(chosen: Chosen, stream: Iterator[MiniBatch]) -> Callable[[], None]:
    """An iteration as `cspbench train` computes it."""
    net = chosen.recipe.net
    trainer = Trainer(chosen.network, chosen.recipe, chosen.era, module=module_of(chosen))

    def iteration() -> None:
        update = trainer.iterate((batch.x, batch.y) for batch in islice(stream, net.subdivisions))
        State.of(trainer, update.loss)

    return iteration


def plain(chosen: Chosen, stream: Iterator[MiniBatch]) -> Callable[[], None]:
    """An iteration of the loop that one writes without much thought."""
    net, module = chosen.recipe.net, module_of(chosen)
    sgd = torch.optim.SGD(module.parameters(), net.learning_rate, net.momentum, weight_decay=net.decay)

    def iteration() -> None:
        sgd.zero_grad()
        for batch in islice(stream, net.subdivisions):
            loss = _loss(module(batch.x), batch.y, chosen.detects) / net.subdivisions
            loss.backward()  # type: ignore[no-untyped-call]
        sgd.step()

    return iteration


def _loss(maps: Any, labels: Tensor, detects: bool) -> Tensor:
    outputs = maps if isinstance(maps, tuple | list) else (maps,)
    if detects:
        return torch.stack([output.square().mean() for output in outputs]).sum()
    return functional.cross_entropy(outputs[0].flatten(1), labels)


def parts(chosen: Chosen, batch: MiniBatch, repeats: int) -> list[tuple[str, float]]:
    """Median seconds of the parts of an iteration, one after the other."""
    net = chosen.recipe.net
    trainer = Trainer(chosen.network, chosen.recipe, chosen.era, module=module_of(chosen))
    size = (batch.x.shape[2], batch.x.shape[3])
    seconds: dict[str, list[float]] = {}

    def timed(name: str, call: Callable[[], Any], times: int = 1) -> Any:
        begun = time.perf_counter()
        result = call()
        seconds.setdefault(name, []).append(times * (time.perf_counter() - begun))
        return result

    def one() -> None:
        maps = timed("forward", lambda: trainer.module(batch.x), net.subdivisions)
        outcomes = timed(
            "losses and their gradients",
            lambda: [loss(raw.float(), batch.y, size) for loss, raw in zip(trainer.losses.values(), maps, strict=True)],
            net.subdivisions,
        )
        gradients = [outcome.gradient for outcome in outcomes]
        with trainer.optimiser.collecting():
            timed("backward", lambda: torch.autograd.backward(maps, gradients), net.subdivisions)
        timed("statistics", lambda: trainer.statistics.add(trainer.statistics.taken()), net.subdivisions)
        trainer.seen += net.images
        timed("update", lambda: trainer.update(torch.zeros(1, dtype=torch.float64)))
        timed("copy of the state", lambda: State.of(trainer, 0.0))

    for _ in range(repeats + 1):
        one()
    return [(name, statistics.median(values[1:])) for name, values in seconds.items()]


def compare(case: Case, repeats: int) -> tuple[list[list[str]], list[list[str]], float]:
    """Rows on speed and on where the time goes, and the median ratio of pairs."""
    with tempfile.TemporaryDirectory() as folder:
        chosen = case.chosen()
        write = detection.write if chosen.detects else classification.write
        place = Path(folder) if chosen.detects else Path(folder) / "train"
        write(place, PICTURES, 0, part="train")
        images = open_images(chosen, folder)
        # the head of the drawn pictures' classes, in place of the file's
        chosen = for_images(replace(chosen, sections=()), images)
        batches = mini_batches(chosen, images, 0)
        streams = [Loader(batches, 1).iterations(1, 1_000_000) for _ in range(2)]
        calls = {
            "cspbench train": ours(chosen, streams[0]),
            "a plain PyTorch loop": plain(chosen, streams[1]),
        }
        try:
            in_turns(calls, 2)
            seconds = in_turns(calls, repeats)
        finally:
            for stream in streams:
                stream.close()
        shares = parts(chosen, batches.make(1, 0), max(1, repeats // 2))
        loading = Loader(batches, 0)
        numbers = count(1)
        load = statistics.median(in_turns({"load": lambda: [*loading.iterations(n := next(numbers), n)]}, 3)["load"])
    name = f"{case.model} at {case.side}, {case.batch} images in {case.subdivisions} mini-batches"
    own, other = (seconds[key] for key in calls)
    ratio = statistics.median(b / a for a, b in zip(own, other, strict=True))
    speed = [
        [name, side, f"{case.batch / statistics.median(values):.2f}", f"{min(values):.3f} to {max(values):.3f}"]
        for side, values in seconds.items()
    ]
    whole = sum(value for _, value in shares)
    rows = [[name, part, f"{1e3 * value:.1f}", f"{value / whole:.1%}"] for part, value in shares]
    rows.append([name, "making the pictures, in another process", f"{1e3 * load:.1f}", f"({load / whole:.1%})"])
    return speed, rows, ratio


def section(quick: bool, detector: str | None = None) -> str:
    """The comparison of a classifier and a detector."""
    exact_arithmetic()
    keep_freed_memory()
    cases = list(QUICK if quick else CASES)
    if detector:
        cases[1] = Case(detector, 320, 16, 2)
    speeds, rows, texts = [], [], []
    for case in cases:
        speed, where, ratio = compare(case, 1 if quick else 5)
        faster(f"{case.model} at {case.side} to the plain loop", ratio)
        speeds += speed
        rows += where
        words = f"{case.model}: {ratio:.3f} of the plain loop's images per second (median of pairs), at least {TARGET}"
        texts.append(judged(words, ratio >= TARGET))
    columns = ["training", "side", "images/s", "seconds an iteration"]
    lines = "\n".join(f"- {text}" for text in texts)
    return f"{table(columns, speeds)}\n\n{lines}\n\n{table(['training', 'part of an iteration', 'ms', 'share'], rows)}"


def main() -> None:
    """Run this part alone."""
    options = parser(__doc__)
    options.add_argument("--detector", metavar="FILE", help="a detector's .cfg file in place of yolov3-tiny")
    given = options.parse_args()
    finish(section(given.quick, given.detector), given.ratios)


if __name__ == "__main__":
    main()
