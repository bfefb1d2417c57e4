"""Train the sample's detector on drawn pictures; held-out pictures are not used."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import fitting
import numpy as np
import torch
from detector_loss import heads, losses
from drawn_pictures import Pictures, for_detector, pictures
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from cspbench.network.layers import Yolo
from cspbench.network.network import Network
from cspbench.zoo.registry import model

TRAINING = 10_000
"""Number of pictures."""
BATCH = 16
RATE = 2e-3
DECAY = 0.998
INITIAL_OBJECTNESS = 0.01
LARGEST_GRADIENT = 10.0
LOG_STEPS = 100
"""Steps between two lines of the log."""
SAVE_STEPS = 400
"""Steps between two checkpoints."""


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="folder of the .cfg, .weights and .log files")
    parser.add_argument("--pictures", type=Path, required=True, help="folder for the drawn pictures")
    parser.add_argument("--steps", type=int, default=5600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true", help="convolutions in bfloat16, twice as fast on some CPUs")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "detector.log").open("w") as stream:
        train(options.pictures, options.output, options.steps, options.seed, options.bfloat16, fitting.Log(stream))


def train(place: Path, output: Path, steps: int, seed: int, brief: bool, log: fitting.Log) -> None:
    """Train on pictures cached in `place`; writes the network and its weights to `output` every `SAVE_STEPS`."""
    network = model("sample-csp-detector").build()
    data = pictures(place, "detection", for_detector, range(TRAINING), network.input[1])
    module, random = fitting.fresh(network), np.random.default_rng(seed)
    _initialize_biases(module, network)
    mean, adam, layers = fitting.Averaged(module, DECAY), fitting.optimizer(module, RATE), heads(network)
    precision = "bfloat16" if brief else "float32"
    log.say(f"{network.name}: {len(data)} pictures, {steps} steps of {BATCH}, seed {seed}, convolutions in {precision}")
    parts: list[list[float]] = []
    for step, chosen in enumerate(fitting.batches(len(data), BATCH, steps, random), 1):
        for group in adam.param_groups:
            group["lr"] = fitting.rate_at(step - 1, steps, RATE)
        images, objects, crowds = _batch(data, chosen, random)
        with torch.autocast("cpu", torch.bfloat16, enabled=brief):
            outputs = module(images)
        loss = losses(tuple(output.float() for output in outputs), layers, objects, crowds)
        adam.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
        adam.step()
        mean.add(module)
        parts.append([part.item() for part in loss])
        if step % LOG_STEPS == 0:
            box, objectness, category = np.mean(parts, 0)
            text = f"box {box:.4f}  objectness {objectness:.4f}  class {category:.4f}"
            log.say(f"step {step:5d}  rate {adam.param_groups[0]['lr']:.2e}  {text}")
            parts.clear()
        if step % SAVE_STEPS == 0 or step == steps:
            fitting.save(mean.module, network, output, step * BATCH)


def _initialize_biases(module: fx.GraphModule, network: Network) -> None:
    """Set the biases so that the network initially detects almost nothing."""
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Yolo):
            bias = module.get_parameter(f"layers.{layer.sources[0]}.conv.bias")
            with torch.no_grad():
                bias.view(len(layer.mask), -1)[:, 4:] = math.log(INITIAL_OBJECTNESS / (1 - INITIAL_OBJECTNESS))
                bias.view(len(layer.mask), -1)[:, 5:] = math.log(1 / (layer.classes - 1))
            assert layer.sources[0] == index - 1


def _batch(data: Pictures, chosen: NDArray[np.int64], random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures, turned at random, with their objects and crowds in the form that `losses` expects."""
    images, objects, crowds = [], [], []
    for place, index in enumerate(chosen):
        turns = int(random.integers(8))
        images.append(fitting.turned(data.images[index], turns, random))
        for category, left, top, right, bottom, crowd in data.labels[index].tolist():
            box = _turned(turns, left, top, right, bottom)
            if crowd:
                crowds.append((place, *box))
            else:
                left, top, right, bottom = box
                objects.append((place, category, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top))
    return (
        fitting.inputs(images),
        torch.tensor(objects, dtype=torch.float32).reshape(-1, 6),
        torch.tensor(crowds, dtype=torch.float32).reshape(-1, 5),
    )


def _turned(turns: int, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """A box after `fitting.turned`."""
    if turns & 1:
        left, right = 1 - right, 1 - left
    if turns & 2:
        top, bottom = 1 - bottom, 1 - top
    if turns & 4:
        left, top, right, bottom = top, left, bottom, right
    return left, top, right, bottom


if __name__ == "__main__":
    main()
