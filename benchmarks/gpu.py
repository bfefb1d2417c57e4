"""On a GPU: how fast the forward is, how much of it a whole evaluation reaches, and that fp32 gives the CPU's metrics.

    python -m benchmarks.gpu [--quick]

CSPDarkNet-53 at 256x256 with random weights in bf16, channels last, compiled. The forward is measured on pixels that
lie on the GPU; the evaluation takes decoded pictures from memory, so that no decoder holds it up, and does all else:
batches in worker processes, the copy to the GPU and back, predictions, shards on the disk. Without a GPU nothing is
measured.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.measuring import PYTHON, child, faster, judged, part, table
from benchmarks.random_weights import write
from cspbench.classification import predict
from cspbench.data.presets import preset
from cspbench.data.source import FileSource
from cspbench.inference.description import describe
from cspbench.inference.engine import DTYPES, Engine, Precision, prepare
from cspbench.inference.predict_shards import Prepared
from cspbench.inference.shards import SHARD, Shards
from cspbench.network.epsilon import Epsilon
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.weights.loading import load
from cspbench.weights.opening import open_weights

MODEL, SIDE = "csdarknet53", 256
NONE = "no GPU here: not measured."
DIFFERENT = 64
"""Pictures in memory; an evaluation takes them again and again."""


@dataclass(frozen=True)
class Setting:
    """How the network is run, and how often."""

    images: int = 80 * SHARD
    batch: int = 128
    workers: int = 16
    steps: int = 30
    """Forwards that are timed together."""
    repeats: int = 5
    precision: Precision = "bf16"
    compiled: bool = True


FULL, QUICK = Setting(), Setting(images=2 * SHARD, steps=2, repeats=1, workers=2)


class InMemory(predict.PreparedImages):
    """So many decoded pictures, of which only a few differ."""

    def __init__(self, network: Network, count: int) -> None:
        generator = torch.Generator().manual_seed(0)
        about = describe(network)
        super().__init__(FileSource("list", [], []), preset("readme"), about.size, about.probabilities)
        self.count = count
        self.pixels = [torch.rand(network.input, generator=generator) for _ in range(min(count, DIFFERENT))]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Prepared:
        about = {"key": str(index), "wnid": "", "checksum": 0}
        return Prepared(index, self.pixels[index % len(self.pixels)], True, about)


def engine_of(network: Network, device: torch.device, setting: Setting) -> Engine:
    """The network with random weights, ready as an evaluation makes it."""
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder) / "random.weights", network)
        module = load(to_module(network), network, open_weights(file, network), Epsilon("inside-1e-5"))
    return prepare(module, device, setting.precision, compiled=setting.compiled)


def forward_rates(engine: Engine, network: Network, setting: Setting) -> list[float]:
    """Images per second of the forward alone, on pixels that are there already."""
    pixels = torch.rand(setting.batch, *network.input).to(
        engine.device, DTYPES[engine.precision], memory_format=torch.channels_last
    )
    wait: Callable[[], None] = torch.cuda.synchronize if engine.device.type == "cuda" else lambda: None
    rates = []
    with torch.inference_mode():
        for _ in range(3):  # compiles, and chooses kernels
            engine.module(pixels)
        for _ in range(setting.repeats):
            wait()
            begin = time.perf_counter()
            for _ in range(setting.steps):
                engine.module(pixels)
            wait()
            rates.append(setting.steps * setting.batch / (time.perf_counter() - begin))
    return rates


def evaluation_rates(engine: Engine, network: Network, setting: Setting) -> list[float]:
    """Images per second of whole evaluations of pictures in memory, the start of the worker processes included."""
    images, rates = InMemory(network, setting.images), []
    for _ in range(setting.repeats):
        with tempfile.TemporaryDirectory() as folder:
            run = Shards(Path(folder), len(images))
            begin = time.perf_counter()
            images.predict(run, list(range(run.count)), engine, setting.batch, setting.workers, lambda timing: None)
            rates.append(len(images) / (time.perf_counter() - begin))
            if run.missing():
                raise AssertionError("an evaluation left shards out")
    return rates


def metrics(command: str, device: str, folder: Path) -> Any:
    """The numbers of the bundled sample in fp32 on a device, by the whole command."""
    options = ("--sample", "--device", device, "--run", str(folder / device), "--format", "json")
    (found,) = json.loads(child([PYTHON, "-m", "cspbench", command, *options], (0, 1)).output)
    return [each["ap"] for each in found["thresholds"]] if "thresholds" in found else [found["top1"], found["top5"]]


def report(name: str, forward: list[float], whole: list[float], same: dict[str, bool], setting: Setting) -> str:
    """The table, and whether both devices agree."""
    best, reached = statistics.median(forward), statistics.median(whole)
    faster("a whole evaluation to the forward alone", reached / best)
    how = f"{setting.precision}, channels last, {'compiled' if setting.compiled else 'not compiled'}"
    rows = [
        ["the forward alone, pixels on the GPU", f"{best:.0f}", "1.00"],
        ["a whole evaluation, decoded pictures in memory", f"{reached:.0f}", f"{reached / best:.2f}"],
    ]
    words = "; ".join(f"{command} --sample: {judged('the same', agree)}" for command, agree in same.items())
    return (
        f"{name}. CSPDarkNet-53, {SIDE}x{SIDE}, {how}, batch {setting.batch}, {setting.images} images, "
        f"{setting.workers} workers, medians of {setting.repeats} runs.\n\n"
        f"{table(('', 'images/s', 'share of the forward'), rows)}\n\n"
        f"Metrics in fp32 on the GPU and on the CPU, to the last digit: {words}."
    )


def section(quick: bool) -> str:
    """Everything, where there is a GPU."""
    if not torch.cuda.is_available():
        return NONE
    from cspbench.zoo.registry import model

    setting, device = QUICK if quick else FULL, torch.device("cuda", torch.cuda.current_device())
    network = model(MODEL).build().resized(SIDE, SIDE)
    engine = engine_of(network, device, setting)
    forward = forward_rates(engine, network, setting)
    whole = evaluation_rates(engine, network, setting)
    same = {}
    for command in ("eval-imagenet", "eval-coco"):
        with tempfile.TemporaryDirectory() as folder:
            same[command] = metrics(command, "cuda", Path(folder)) == metrics(command, "cpu", Path(folder))
    return report(torch.cuda.get_device_name(device), forward, whole, same, setting)


if __name__ == "__main__":
    part(__doc__, section)
