"""Train the sample's detector on drawn pictures, held-out ones untouched."""

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
from cspbench.zoo.sample import sample_csp_detector

TRAINING = 10_000
"""Pictures."""
BATCH = 16
RATE = 2e-3
DECAY = 0.998
RARE = 0.01
"""What objectness is at the start."""
LARGEST_GRADIENT = 10.0
SHOWN = 100
"""Steps between two lines of the log."""
SAVED = 400
"""Steps between two savings."""


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="folder of the .cfg, .weights and .log files")
    parser.add_argument("--pictures", type=Path, required=True, help="folder that keeps the drawn pictures")
    parser.add_argument("--steps", type=int, default=5600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true", help="convolutions in bfloat16, twice as fast on some CPUs")
    asked = parser.parse_args()
    torch.manual_seed(asked.seed)
    torch.set_num_threads(asked.threads)
    asked.output.mkdir(parents=True, exist_ok=True)
    with (asked.output / "detector.log").open("w") as stream:
        train(asked.pictures, asked.output, asked.steps, asked.seed, asked.bfloat16, fitting.Log(stream))


def train(place: Path, output: Path, steps: int, seed: int, brief: bool, log: fitting.Log) -> None:
    """Train on pictures kept in `place`; the network and its weights are in `output` again and again."""
    network = sample_csp_detector()
    data = pictures(place, "detection", for_detector, range(TRAINING), network.input[1])
    module, random = fitting.fresh(network), np.random.default_rng(seed)
    _expect_little(module, network)
    mean, adam, layers = fitting.Averaged(module, DECAY), fitting.optimizer(module, RATE), heads(network)
    precision = "bfloat16" if brief else "float32"
    log.say(f"{network.name}: {len(data)} pictures, {steps} steps of {BATCH}, seed {seed}, convolutions in {precision}")
    parts: list[list[float]] = []
    for step, chosen in enumerate(fitting.batches(len(data), BATCH, steps, random), 1):
        for group in adam.param_groups:
            group["lr"] = fitting.rate_at(step - 1, steps, RATE)
        images, found, crowds = _batch(data, chosen, random)
        with torch.autocast("cpu", torch.bfloat16, enabled=brief):
            outputs = module(images)
        loss = losses(tuple(each.float() for each in outputs), layers, found, crowds)
        adam.zero_grad()
        loss.total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(module.parameters(), LARGEST_GRADIENT)
        adam.step()
        mean.add(module)
        parts.append([part.item() for part in loss])
        if step % SHOWN == 0:
            box, objectness, category = np.mean(parts, 0)
            said = f"box {box:.4f}  objectness {objectness:.4f}  class {category:.4f}"
            log.say(f"step {step:5d}  rate {adam.param_groups[0]['lr']:.2e}  {said}")
            parts.clear()
        if step % SAVED == 0 or step == steps:
            fitting.save(mean.module, network, output, step * BATCH)


def _expect_little(module: fx.GraphModule, network: Network) -> None:
    """Set the biases so that the network begins with finding next to nothing."""
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Yolo):
            bias = module.get_parameter(f"layers.{layer.sources[0]}.conv.bias")
            with torch.no_grad():
                bias.view(len(layer.mask), -1)[:, 4:] = math.log(RARE / (1 - RARE))
                bias.view(len(layer.mask), -1)[:, 5:] = math.log(1 / (layer.classes - 1))
            assert layer.sources[0] == index - 1


def _batch(data: Pictures, chosen: NDArray[np.int64], random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """The pictures, what is to be found and the crowds, as `losses` reads them, turned at random."""
    images, found, crowds = [], [], []
    for place, at in enumerate(chosen):
        turns = int(random.integers(8))
        images.append(fitting.turned(data.images[at], turns, random))
        for category, left, top, right, bottom, crowd in data.found[at].tolist():
            box = _turned(turns, left, top, right, bottom)
            if crowd:
                crowds.append((place, *box))
            else:
                left, top, right, bottom = box
                found.append((place, category, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top))
    return (
        fitting.inputs(images),
        torch.tensor(found, dtype=torch.float32).reshape(-1, 6),
        torch.tensor(crowds, dtype=torch.float32).reshape(-1, 5),
    )


def _turned(turns: int, left: float, top: float, right: float, bottom: float) -> tuple[float, float, float, float]:
    """A box in a picture that `fitting.turned` turned."""
    if turns & 1:
        left, right = 1 - right, 1 - left
    if turns & 2:
        top, bottom = 1 - bottom, 1 - top
    if turns & 4:
        left, top, right, bottom = top, left, bottom, right
    return left, top, right, bottom


if __name__ == "__main__":
    main()
