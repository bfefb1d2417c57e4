"""End-to-end speed of eval-imagenet against timm's validation loop, where the time goes, and how far down it can go.

    python -m benchmarks.imagenet [--quick]

All evaluate the same CSPDarkNet-53 at 256x256 in fp32 on the same JPEG files of ImageNet's usual size, with the same
preparation, batch and threads, each in a process of its own, in turns. timm's side is what its validate.py does:
create_model, create_dataset, create_loader with the card's transform, a loop under inference_mode that reads top-1;
once with a worker, and once as it is fastest on two cores, channels last without one. cspbench's side calls what
eval-imagenet calls, at -b 8 and with the workers that it chooses. The weights are random, and the batch norm's
statistics those of such pictures, so that the network has something to say; cspbench reads them from timm's checkpoint.
Start-up is excluded on all sides.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.measuring import PYTHON, child, faster, judged, part, table
from benchmarks.pictures import draw

TIMM, OURS = "cspdarknet53", "timm/cspdarknet53"
SIDES = {
    "timm": "timm's validation loop",
    "timm-last": "timm's, channels_last=True, in one process",
    "cspbench": "cspbench eval-imagenet",
}
ALONE = "convolutions"
"""What is measured in turns with the sides: each convolution of the network by itself."""
RATE, SHARE = 1.7, 0.95
"""What is promised: times timm's images per second, and the share of the time spent in decoding and forward."""


AGREED = (
    "All have the same random weights, so this says that they compute the same function of the same pixels, "
    "and nothing of accuracy: trained weights on images of ImageNet are held against Darknet's own predictions in the "
    "tests."
)
WHY = (
    "What makes the ratio: batch norm folded into the convolutions, channels last throughout, activations fused into "
    "the convolutions, and an allocator that keeps freed memory instead of returning it after every layer. timm's loop "
    "does none of it, or the second alone with channels_last=True. Decoding is Pillow's on all sides, in one worker "
    "process in timm's first loop, in its own in the second, and in cspbench's as `eval-imagenet -b 8` chooses: on two "
    "cores in its own, since a worker beside the forward pass makes its threads wait for each other."
)


@dataclass(frozen=True)
class Setting:
    """What both sides are given."""

    images: int = 32
    batch: int = 8
    workers: int = 1
    side: int = 256


FULL, QUICK = Setting(), Setting(images=4, batch=2, workers=0, side=64)


def make_checkpoint(path: Path, folder: Path, setting: Setting) -> None:
    """Write a checkpoint of timm's model with the batch norm's statistics of some of the pictures."""
    import torch
    from torch import nn

    from cspbench.zoo.timm_import import import_timm

    torch.manual_seed(0)
    model = import_timm().create_model(TIMM, pretrained=False)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # averages over all batches
    with torch.no_grad():
        pixels, _ = next(iter(_loader(folder, setting)))
        model.train()(pixels)
    torch.save(model.state_dict(), path)


def timm_side(folder: Path, checkpoint: Path, setting: Setting, channels_last: bool = False) -> dict[str, Any]:
    """Timm's validation: seconds and predictions."""
    import torch

    from cspbench.zoo.timm_import import import_timm

    form = torch.channels_last if channels_last else torch.contiguous_format
    setting = replace(setting, workers=0) if channels_last else setting  # as it is fastest
    model = import_timm().create_model(TIMM, checkpoint_path=str(checkpoint)).eval().to(memory_format=form)
    predicted: list[int] = []
    with torch.inference_mode():
        model(torch.zeros(setting.batch, 3, setting.side, setting.side).contiguous(memory_format=form))
        begin = time.perf_counter()
        for pixels, _ in _loader(folder, setting):
            predicted += model(pixels.contiguous(memory_format=form)).argmax(1).tolist()
        seconds = time.perf_counter() - begin
    return {"seconds": seconds, "predicted": predicted, "threads": torch.get_num_threads()}


def _loader(folder: Path, setting: Setting) -> Any:
    """The files in timm's order, prepared as the card says."""
    from cspbench.zoo.timm_import import import_timm

    timm = import_timm()
    return timm.data.create_loader(
        timm.data.create_dataset("", root=str(folder), is_training=False),
        input_size=(3, setting.side, setting.side),
        batch_size=setting.batch,
        use_prefetcher=False,
        interpolation="bilinear",
        crop_pct=0.887,
        num_workers=setting.workers,
    )


def our_side(folder: Path, checkpoint: Path, setting: Setting) -> dict[str, Any]:
    """Cspbench's evaluation: seconds, where they went, and predictions."""
    import torch

    from cspbench.classification import predict
    from cspbench.data.imagenet import open_imagenet
    from cspbench.data.presets import preset
    from cspbench.evaluation.execution import Execution
    from cspbench.inference import engine
    from cspbench.inference.description import describe
    from cspbench.inference.shards import Shards
    from cspbench.network.epsilon import Epsilon
    from cspbench.network.module import to_module
    from cspbench.weights.loading import load
    from cspbench.weights.opening import open_weights

    like_timm = preset("timm")
    network = _network(setting)
    module = load(to_module(network), network, open_weights(checkpoint, network), Epsilon(like_timm.epsilon))
    ready = engine.prepare(module, torch.device("cpu"))
    source = open_imagenet(str(folder))
    images = predict.PreparedImages(source, like_timm, (setting.side, setting.side), describe(network).probabilities)
    with tempfile.TemporaryDirectory() as place:
        run = Shards(Path(place), len(source))
        shards = list(range(run.count))
        ready(torch.zeros(setting.batch, 3, setting.side, setting.side))
        begin = time.perf_counter()
        _, workers = Execution().batch_and_workers(ready.device)
        timing = images.predict(run, shards, ready, setting.batch, workers, lambda timing: None)
        seconds = time.perf_counter() - begin
        found = run.merged()
    begin = time.process_time()
    for index in range(len(source)):
        images[index]
    parts = ("waiting", "forward", "interpreting", "writing")
    return {
        "seconds": seconds,
        # timm sorts files by their folders, cspbench by their keys
        "predicted": [int(found["classes"][place, 0]) for place in _in_timms_order(found, source)],
        "spent": {name: getattr(timing, name) for name in parts},
        "prepare_ms": 1000 * (time.process_time() - begin) / len(source),
        "threads": torch.get_num_threads(),
    }


def convolutions_alone(setting: Setting, repeats: int) -> dict[str, Any]:
    """The convolutions of the same network, one by one: seconds an image of each."""
    from benchmarks.floor import alone

    return {"alone": alone(_network(setting), setting.batch, repeats)}


def _network(setting: Setting) -> Any:
    from cspbench.zoo.registry import model

    return model(OURS).build().resized(setting.side, setting.side)


def _in_timms_order(found: dict[str, Any], source: Any) -> list[int]:
    keys = list(zip(found["wnid"].tolist(), found["key"].tolist(), strict=True))
    return sorted(range(len(source)), key=keys.__getitem__)


def report(runs: dict[str, list[dict[str, Any]]], setting: Setting) -> str:
    """The table, from all runs of both sides."""
    rates = {side: [setting.images / run["seconds"] for run in kept] for side, kept in runs.items()}
    middle = {side: statistics.median(values) for side, values in rates.items()}
    ratio = faster("cspbench to timm's validation loop", middle["cspbench"] / middle["timm"])
    targets = {"cspbench": judged(f"at least {RATE:g}", ratio >= RATE)}
    rows = [
        [
            SIDES[side],
            f"{middle[side]:.2f}",
            f"{middle[side] / middle['timm']:.2f}",
            ", ".join(f"{rate:.2f}" for rate in rates[side]),
            targets.get(side),
        ]
        for side in rates
    ]
    pairs = list(zip(runs["timm"][0]["predicted"], runs["cspbench"][0]["predicted"], strict=True))
    same = sum(one == other for one, other in pairs)
    kinds = len({one for one, _ in pairs})
    top1 = judged("the same top-1", same == len(pairs))
    heading = (
        f"CSPDarkNet-53, {setting.side}x{setting.side}, fp32, CPU, {setting.images} images, batch {setting.batch}, "
        f"{runs['cspbench'][0]['threads']} threads, medians of {len(rates['timm'])} runs in turns."
    )
    return (
        f"{heading}\n\n{table(('', 'images/s', 'ratio', 'runs', 'target'), rows)}\n\n"
        f"Predictions: {same} of {len(pairs)} the same, {kinds} different classes among them ({top1}). {AGREED}"
        f"\n\n{WHY}"
    )


def _spent(runs: list[dict[str, Any]]) -> str:
    """Where cspbench's time goes."""
    shares = {name: statistics.median(run["spent"][name] / run["seconds"] for run in runs) for name in runs[0]["spent"]}
    useful = shares["waiting"] + shares["forward"]
    words = ", ".join(f"{name} {100 * share:.1f} %" for name, share in shares.items())
    return (
        f"Of cspbench's time: {words}. Waiting for decoding and forward together: {100 * useful:.1f} % "
        f"({judged(f'at least {100 * SHARE:g} %', useful >= SHARE)})."
    )


def once(side: str, folder: Path, checkpoint: Path, quick: bool) -> dict[str, Any]:
    """One side in a new process."""
    command = [PYTHON, "-m", "benchmarks.imagenet", "--side", side, str(folder), str(checkpoint)]
    output = child([*command, *(["--quick"] if quick else [])]).output
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def section(quick: bool) -> str:
    """All sides and the convolutions in turns; then the floor."""
    setting, repeats = (QUICK, 1) if quick else (FULL, 5)
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in (*SIDES, ALONE)}
    with tempfile.TemporaryDirectory() as place:
        folder, checkpoint = Path(place) / "val", Path(place) / "checkpoint.pth"
        draw(folder, setting.images)
        make_checkpoint(checkpoint, folder, setting)
        for _ in range(repeats):
            for side, kept in runs.items():
                kept.append(once(side, folder, checkpoint, quick))
    from benchmarks.floor import Turn, floor

    ours, convolutions = runs["cspbench"], runs.pop(ALONE)
    prepare = statistics.median(run["prepare_ms"] for run in ours) / 1000
    turns = [
        Turn(run["seconds"] / setting.images, run["spent"]["forward"] / setting.images, other["alone"])
        for run, other in zip(ours, convolutions, strict=True)
    ]
    bound = floor(_network(setting), setting.batch, turns, prepare, quick)
    return f"{report(runs, setting)}\n\n### Where the time goes\n\n{_spent(ours)}\n\n{bound}"


def main() -> None:
    """The whole part; or, in a process of its own, one side of it, whose findings are JSON."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--side", nargs=3)
    parser.add_argument("--quick", action="store_true")
    given, _ = parser.parse_known_args()
    if given.side is None:
        part(__doc__, section)
        return
    side, folder, checkpoint = given.side
    setting = QUICK if given.quick else FULL
    if side == ALONE:
        print(json.dumps(convolutions_alone(setting, 1 if given.quick else 3)))
        return
    runs: dict[str, Callable[[Path, Path, Setting], dict[str, Any]]]
    runs = {"timm": timm_side, "timm-last": partial(timm_side, channels_last=True), "cspbench": our_side}
    print(json.dumps(runs[side](Path(folder), Path(checkpoint), setting)))


if __name__ == "__main__":
    main()
