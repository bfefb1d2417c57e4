"""End-to-end speed of eval-imagenet against timm's validation loop, in one run on one machine.

    python benchmarks/imagenet.py [--images N] [--repeats N] [--batch N] [--workers N]

Both evaluate a CSPDarkNet-53 with random weights at 256x256 in fp32 on the same JPEG files (drawn at ImageNet's usual
500x375), with the same batch, workers and threads, each in a process of its own, one after the other, several times.
timm's side is what its validate.py does: create_model, create_dataset, create_loader with the card's transform, a loop
under inference_mode that reads top-1. Prints images per second end to end (start-up excluded on both sides), the ratio
of the medians, and where cspbench's time goes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WNIDS = ("n01440764", "n01443537", "n01484850", "n01491361")


def draw(folder: Path, count: int) -> None:
    """`count` JPEG files in class folders: noise over gradients, so that they compress and decode like photos."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[0:375, 0:500]
    for index in range(count):
        wave = np.sin(rows / rng.uniform(5, 40))[..., None] * np.cos(columns[..., None] / rng.uniform(5, 40, 3))
        pixels = 127 + 80 * wave + rng.normal(0, 18, (375, 500, 3))
        path = folder / WNIDS[index % len(WNIDS)] / f"{index:05d}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(path, quality=92)


def timm_side(folder: str, batch: int, workers: int) -> None:
    """Timm's validation; prints seconds as JSON."""
    import torch

    from cspbench.zoo.timm_import import import_timm

    timm = import_timm()

    model = timm.create_model("cspdarknet53", pretrained=False).eval()
    dataset = timm.data.create_dataset("", root=folder, is_training=False)
    loader = timm.data.create_loader(
        dataset,
        input_size=(3, 256, 256),
        batch_size=batch,
        use_prefetcher=False,
        interpolation="bilinear",
        crop_pct=0.887,
        num_workers=workers,
    )
    done = hits = 0
    with torch.inference_mode():
        model(torch.zeros(batch, 3, 256, 256))
        begin = time.perf_counter()
        for pixels, labels in loader:
            hits += int((model(pixels).argmax(1) == labels).sum())
            done += len(labels)
        seconds = time.perf_counter() - begin
    print(json.dumps({"images": done, "seconds": seconds, "threads": torch.get_num_threads()}))


def our_side(folder: str, batch: int, workers: int) -> None:
    """Cspbench's evaluation; prints seconds as JSON."""
    import torch

    from cspbench.data.imagenet import open_imagenet
    from cspbench.data.presets import preset
    from cspbench.evaluate import classification, engine
    from cspbench.evaluate.run import open_run
    from cspbench.network.module import to_module
    from cspbench.zoo.catalogue import model

    network = model("csdarknet53").build()
    module = to_module(network)
    torch.manual_seed(0)
    for parameter in module.parameters():
        if parameter.dim() == 4:
            torch.nn.init.kaiming_normal_(parameter)
        else:
            torch.nn.init.constant_(parameter, 0.5)
    ready = engine.prepare(module, torch.device("cpu"))
    source = open_imagenet(folder)
    images = classification.PreparedImages(source, preset("readme"), (256, 256))
    with tempfile.TemporaryDirectory() as place:
        run = open_run(Path(place), {}, len(source), {})
        ready(torch.zeros(batch, 3, 256, 256))
        begin = time.perf_counter()
        shards = list(range(run.shards))
        timing = classification.predict(run, shards, images, ready, network, batch, workers, lambda timing: None)
        seconds = time.perf_counter() - begin
    prepared = time.perf_counter()
    for index in range(min(32, len(source))):
        images[index]
    prepared = (time.perf_counter() - prepared) / min(32, len(source))
    print(
        json.dumps(
            {
                "images": timing.images,
                "seconds": seconds,
                "waiting": timing.waiting,
                "forward": timing.forward,
                "interpreting": timing.interpreting,
                "writing": timing.writing,
                "prepare_ms": 1000 * prepared,
                "threads": torch.get_num_threads(),
            }
        )
    )


def once(side: str, folder: str, batch: int, workers: int) -> dict[str, float]:
    """One run of one side in a new process."""
    command = [sys.executable, __file__, "--side", side, "--folder", folder, "--batch", str(batch)]
    done = subprocess.run([*command, "--workers", str(workers)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Run both sides in turn and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--side", choices=("timm", "ours"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        (timm_side if given.side == "timm" else our_side)(given.folder, given.batch, given.workers)
        return
    with tempfile.TemporaryDirectory() as folder:
        draw(Path(folder), given.images)
        runs: dict[str, list[dict[str, float]]] = {"timm": [], "ours": []}
        for _ in range(given.repeats):
            for side, kept in runs.items():
                kept.append(once(side, folder, given.batch, given.workers))
    rates = {side: [run["images"] / run["seconds"] for run in kept] for side, kept in runs.items()}
    middle = {side: statistics.median(values) for side, values in rates.items()}
    ours = runs["ours"]
    print(
        f"CSPDarkNet-53, 256x256, fp32, {given.images} images, batch {given.batch}, {given.workers} workers, "
        f"{ours[0]['threads']} threads, {os.cpu_count()} processors, median of {given.repeats} runs each\n"
    )
    print("| | images/s | ratio | runs |\n| --- | --- | --- | --- |")
    for side, label in (("timm", "timm validate loop"), ("ours", "cspbench eval-imagenet")):
        each = ", ".join(f"{rate:.2f}" for rate in rates[side])
        print(f"| {label} | {middle[side]:.2f} | {middle[side] / middle['timm']:.2f} | {each} |")
    spent = {
        part: statistics.median(run[part] / run["seconds"] for run in ours)
        for part in ("waiting", "forward", "interpreting", "writing")
    }
    print("\ncspbench's time: " + ", ".join(f"{part} {100 * share:.1f} %" for part, share in spent.items()), end="; ")
    print(f"decoding and preparing one image takes {statistics.median(run['prepare_ms'] for run in ours):.1f} ms")


if __name__ == "__main__":
    main()
