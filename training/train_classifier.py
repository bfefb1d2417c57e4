"""Train the sample's classifier with cross entropy on drawn pictures; held-out pictures are not used."""

from __future__ import annotations

import argparse
from pathlib import Path

import fitting
import numpy as np
import torch
from drawn_pictures import Pictures, for_classifier, pictures
from torch import Tensor, fx
from torch.nn import functional

from cspbench.zoo.registry import model

TRAINING, VALIDATION = 16_000, 1_000
"""Numbers of pictures; the seeds for validation follow those for training."""
BATCH = 64
RATE = 3e-3
SMOOTHING = 0.05
DECAY = 0.998


def main() -> None:
    """Parse the command line and train."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="folder of the .cfg, .weights and .log files")
    parser.add_argument("--pictures", type=Path, required=True, help="folder for the drawn pictures")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--bfloat16", action="store_true", help="convolutions in bfloat16, faster on some CPUs")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    options.output.mkdir(parents=True, exist_ok=True)
    with (options.output / "classifier.log").open("w") as stream:
        train(options.pictures, options.output, options.epochs, options.seed, options.bfloat16, fitting.Log(stream))


def train(place: Path, output: Path, epochs: int, seed: int, brief: bool, log: fitting.Log) -> None:
    """Train on pictures cached in `place`; writes the network and its weights to `output` after every epoch."""
    network = model("sample-csp-classifier").build()
    side = network.input[1]
    data = pictures(place, "classification", for_classifier, range(TRAINING), side)
    held = pictures(place, "classification", for_classifier, range(TRAINING, TRAINING + VALIDATION), side)
    # the layer before the softmax
    module, random = fitting.fresh(network, [len(network.layers) - 2]), np.random.default_rng(seed)
    mean, adam = fitting.Averaged(module, DECAY), fitting.optimizer(module, RATE)
    steps = epochs * len(data) // BATCH
    precision = "bfloat16" if brief else "float32"
    log.say(
        f"{network.name}: {len(data)} pictures, {epochs} epochs, {steps} steps of {BATCH}, seed {seed}, {precision}"
    )
    losses: list[float] = []
    for step, chosen in enumerate(fitting.batches(len(data), BATCH, steps, random), 1):
        for group in adam.param_groups:
            group["lr"] = fitting.rate_at(step - 1, steps, RATE)
        images = fitting.inputs(
            [fitting.turned(data.images[index], int(random.integers(8)), random) for index in chosen]
        )
        labels = torch.tensor([int(data.labels[index][0]) for index in chosen])
        with torch.autocast("cpu", torch.bfloat16, enabled=brief):
            scores = _logits(module, images)
        loss = functional.cross_entropy(scores.float(), labels, label_smoothing=SMOOTHING)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        mean.add(module)
        losses.append(loss.item())
        if step % (len(data) // BATCH) == 0 or step == steps:
            share = _accuracy(mean.module, held)
            rate = adam.param_groups[0]["lr"]
            log.say(f"step {step:5d}  rate {rate:.2e}  loss {np.mean(losses):.4f}  validation top-1 {share:.1%}")
            fitting.save(mean.module, network, output, step * BATCH)
            losses.clear()


def _logits(module: fx.GraphModule, images: Tensor) -> Tensor:
    """The network's values before its softmax, (N, classes)."""
    return torch.flatten(module(images), 1)


@torch.no_grad()
def _accuracy(module: fx.GraphModule, data: Pictures) -> float:
    right = 0
    for first in range(0, len(data), BATCH):
        scores = _logits(module, fitting.inputs(list(data.images[first : first + BATCH])))
        labels = np.array([label[0] for label in data.labels[first : first + BATCH]])
        right += int((scores.argmax(1).numpy() == labels).sum())
    return right / len(data)


if __name__ == "__main__":
    main()
