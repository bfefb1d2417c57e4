"""Computes the recorded cases of YOLOX again, and prints how far every kind of array is off.

    python -m tests.replay_yolox FOLDER [--images DIR]

A file's kind is the beginning of its name: forward-, keys-, preprocess-, postprocess, simota-, schedule. The images of
preprocess- lie in DIR, by default in ../../data/coco-mini/val2017 of the folder. The exit code is 1 where something is
off by more than its tolerance, 2 where the folder has no case, or one that cannot be read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from cspbench.data.decode import decode
from cspbench.data.detection_presets import PRESETS
from cspbench.data.opencv import letterbox_ratio
from cspbench.detection.candidates import Candidates
from cspbench.detection.decode_yolox import activated, limit, points, selected
from cspbench.detection.nms import nms
from cspbench.errors import CspbenchError
from cspbench.network.modular.network import ModuleNetwork
from cspbench.training.yolox import boxes
from cspbench.training.yolox.assignment import assign, truths_of
from cspbench.training.yolox.average import decay
from cspbench.training.yolox.losses import losses
from cspbench.training.yolox.rules import R15, R25, Rules
from cspbench.training.yolox.schedule import Schedule
from cspbench.zoo.registry import MODELS
from cspbench.zoo.yolox.keys import in_mmdetections_order, to_mmdetection

Arrays = Mapping[str, NDArray[Any]]
COUNTER = "num_batches_tracked"
INPUT_STREAM = 10**6
"""The input's place among the streams of random numbers."""
LOSSES = ("total", "box", "objectness", "classes", "l1", "positives per truth")
RULES = {"r25": R25, "r15": R15}


@dataclass(frozen=True)
class Difference:
    """How far an array is off: of exact ones the number of values that differ; infinite for another shape."""

    case: str
    key: str
    off: float
    tolerance: float = 0.0

    @property
    def good(self) -> bool:
        return self.off <= self.tolerance


def unequal(left: Any, right: Any) -> float:
    """How many values differ."""
    left, right = np.asarray(left), np.asarray(right)
    return float(np.count_nonzero(left != right)) if left.shape == right.shape else np.inf


def largest(left: Any, right: Any, scale: Callable[[NDArray[Any]], Any] = np.ones_like) -> float:
    """The largest difference, each divided by the scale of the recorded value; infinite where one is not finite."""
    left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    if left.shape != right.shape:
        return np.inf
    if not left.size:
        return 0.0
    off = float((np.abs(left - right) / scale(right)).max())
    return off if np.isfinite(off) else np.inf


def relative(left: Any, right: Any) -> float:
    """The largest relative difference; of a recorded zero the absolute one."""
    return largest(left, right, lambda recorded: np.where(recorded == 0, 1, np.abs(recorded)))


# --- networks


def drawn(seed: int, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """An array of a forward case: it follows from the case's seed and its own name."""
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    if name.endswith(".bn.weight"):
        return random.uniform(0.6, 1.4, shape).astype(np.float32)
    values = random.standard_normal(shape).astype(np.float32)
    if name.endswith(".weight"):
        return values * np.float32((2.0 / np.prod(shape[1:])) ** 0.5)
    values = values * np.float32(0.2)
    return values - np.float32(2) if "cls_preds" in name or "obj_preds" in name else values


def module_of(name: str) -> nn.Module:
    """The catalogue's network, by the name of a file."""
    network = MODELS[name].architecture() if name in MODELS else None
    if not isinstance(network, ModuleNetwork):
        raise SystemExit(f"{name}: no such network")
    return network.design.module()


def with_arrays(module: nn.Module, case: Arrays) -> nn.Module:
    """The module in double with the case's arrays, whose digest must be the recorded one."""
    state = {name: array for name, array in module.state_dict().items() if not name.endswith(COUNTER)}
    numbers = {kind: np.split(case[f"bn_{kind}"], _ends(case, state)) for kind in ("mean", "var")}
    arrays = {name: drawn(int(case["seed"]), name, tuple(each.shape)) for name, each in state.items()}
    for place, norm in enumerate(map(str, case["bn_names"])):
        for kind, parts in numbers.items():
            arrays[f"{norm}.running_{kind}"] = parts[place]
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].astype("<f4").tobytes())
    if digest.hexdigest() != str(case["state_sha256"]):
        raise SystemExit("the arrays drawn anew have another digest than the original's")
    module = module.double().eval()
    module.load_state_dict({name: torch.from_numpy(array) for name, array in arrays.items()}, strict=False)
    return module


def _ends(case: Arrays, state: Mapping[str, Tensor]) -> NDArray[np.int64]:
    """Where the statistics of each batch norm end, but for the last."""
    return np.cumsum([len(state[f"{norm}.running_mean"]) for norm in map(str, case["bn_names"])])[:-1]


def input_of(case: Arrays) -> Tensor:
    """(N, 3, H, W), in double."""
    random = np.random.default_rng([int(case["seed"]), INPUT_STREAM])
    return torch.from_numpy(random.random(tuple(case["input_shape"]), dtype=np.float32) * np.float32(255)).double()


def forward(name: str, case: Arrays) -> Iterator[Difference]:
    """Raw and decoded rows, and the mean of each channel of eight maps, in float64."""
    module = with_arrays(module_of(name), case)
    maps: dict[str, Tensor] = {}
    for key in ("stem", "dark2", "dark3", "dark4", "dark5"):
        part = module.get_submodule(f"backbone.backbone.{key}")
        part.register_forward_hook(lambda _part, _inputs, output, key=key: maps.__setitem__(key, output))
    neck = module.get_submodule("backbone")
    neck.register_forward_hook(
        lambda _part, _inputs, output: maps.update({f"pan{n}": each for n, each in enumerate(output)})
    )
    with torch.inference_mode():
        raw = module(input_of(case)).numpy()
    results = {"raw": raw, "decoded": activated(raw, points(tuple(case["input_shape"][2:].tolist())))}
    results |= {f"mean_{key}": output.mean((0, 2, 3)).numpy() for key, output in maps.items()}
    for key, value in results.items():
        if key in case:
            yield Difference(name, key, largest(value, case[key], lambda recorded: 1 + np.abs(recorded)), 1e-6)
    for key, output in maps.items():
        if f"shape_{key}" in case:
            yield Difference(name, f"shape_{key}", unequal(output.shape, case[f"shape_{key}"]))


def keys(name: str, recorded: list[list[Any]]) -> Iterator[Difference]:
    """Names and shapes in their order."""
    with torch.device("meta"):
        state = module_of(name.removeprefix("mmdet-")).state_dict()
    own = {key: list(array.shape) for key, array in state.items()}
    if name.startswith("mmdet-"):
        theirs = {to_mmdetection(key, detects=True): shape for key, shape in own.items()}
        own = {key: theirs[key] for key in in_mmdetections_order(theirs)}
    pairs = [[key, shape] for key, shape in own.items()]
    wrong = sum(left != right for left, right in zip(pairs, recorded, strict=False)) + abs(len(pairs) - len(recorded))
    yield Difference(f"keys-{name}", "names and shapes", wrong)


# --- pixels and boxes


def preprocess(name: str, case: Arrays, images: Path) -> Iterator[Difference]:
    """The network's input under both presets."""
    path = images / str(case["image"])
    if not path.is_file():
        raise SystemExit(f"{path}: no such image; name their folder with --images")
    image = decode(path, decoder="opencv")
    size = (int(case["size"]),) * 2
    yield Difference(name, "input", unequal(PRESETS["yolox"].prepare(image, size), case["input"]))
    yield Difference(name, "ratio", unequal(letterbox_ratio(size, image.shape[1::-1]), case["ratio"]))
    legacy = PRESETS["yolox-legacy"].prepare(image, size)
    yield Difference(name, "legacy mean", largest(legacy.mean((1, 2), dtype=np.float64), case["legacy_mean"]), 1e-5)
    yield Difference(name, "legacy corner", largest(legacy[:, :8, :8], case["legacy_corner"]), 1e-5)


def postprocess(name: str, case: Arrays) -> Iterator[Difference]:
    """The detections of every set of decoded rows, in their order."""
    for key in (key.removesuffix("_pred") for key in case if key.endswith("_pred")):
        _, conf, threshold, agnostic = case[f"{key}_args"].tolist()
        for number, rows in enumerate(case[f"{key}_pred"]):
            recorded = case[f"{key}_det{number}"].reshape(-1, 7)
            scores = recorded[:, 4] * recorded[:, 5]
            expected = np.column_stack((recorded[:, :4], scores, recorded[:, 6]))
            result = remaining(selected(rows, conf), threshold, bool(agnostic))
            yield Difference(f"{name} {key}", f"detections of image {number}", unequal(result, expected))


def remaining(image: Candidates, threshold: float, agnostic: bool = False) -> NDArray[np.float32]:
    """What suppression leaves, best first: left, top, right, bottom, score, class."""
    alike = Candidates(image.boxes, image.box, np.zeros_like(image.category), image.score) if agnostic else image
    kept = np.flatnonzero(nms(alike, limit(threshold)))
    kept = kept[np.argsort(-image.score[kept], kind="stable")]
    half = image.boxes[:, 2:] / np.float32(2)
    corners = np.concatenate((image.boxes[:, :2] - half, image.boxes[:, :2] + half), 1)[image.box]
    rows: NDArray[np.float32] = np.column_stack((corners, image.score, image.category))[kept].astype(np.float32)
    return rows


# --- training


def simota(name: str, case: Arrays, presets: Mapping[str, Rules]) -> Iterator[Difference]:
    """Positives, their truths and IoU, the losses, and the gradient of the total by the raw rows."""
    raw, labels = torch.from_numpy(case["raw"]).requires_grad_(), torch.from_numpy(case["labels"])
    height, width = case["input_hw"].tolist()
    at = boxes.points((height, width))
    for preset, rules in presets.items():
        result = losses(raw, labels, at, rules, l1=bool(case["use_l1"]))
        (gradient,) = torch.autograd.grad(result.total, raw)
        truths, overlaps = np.full(raw.shape[:2], -1), np.zeros(raw.shape[:2])
        for image, (rows, of_image) in enumerate(zip(raw, map(truths_of, labels), strict=True)):
            own = assign(rows, of_image, at, rules)
            truths[image, own.point], overlaps[image, own.point] = own.truth, own.overlap
        positives = case[f"{preset}_fg"]
        yield Difference(name, f"{preset} points", unequal(truths >= 0, positives))
        yield Difference(name, f"{preset} truths", unequal(truths, case[f"{preset}_gt"]))
        yield Difference(name, f"{preset} IoU", relative(overlaps, np.where(positives, case[f"{preset}_iou"], 0)), 1e-6)
        values = [*torch.stack(result[:5]).tolist(), result.positives]
        for part, value, recorded in zip(LOSSES, values, case[f"{preset}_loss"], strict=True):
            yield Difference(name, f"{preset} {part}", relative(value, recorded), 1e-6)
        yield Difference(name, f"{preset} gradient", largest(gradient, case[f"{preset}_grad"]), 1e-5)


def schedule(name: str, recorded: Mapping[str, Any]) -> Iterator[Difference]:
    """Learning rates after so many iterations of 1,000 an epoch, and the average's decays."""
    rates = Schedule(1000)
    for iteration, rate in recorded.get("lr", ()):
        yield Difference(name, f"rate after {iteration}", relative(rates.after(iteration), rate), 1e-12)
    for update, share in recorded.get("ema", ()):
        yield Difference(name, f"decay at {update}", relative(decay(update), share), 1e-12)


# --- folders


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def replay(path: Path, images: Path) -> list[Difference] | None:
    """The differences of a file; None for one that is not a case."""
    kind, _, rest = path.stem.partition("-")
    match kind, path.suffix:
        case "forward", ".npz":
            return list(forward(rest, _arrays(path)))
        case "preprocess", ".npz":
            return list(preprocess(path.stem, _arrays(path), images))
        case "postprocess", ".npz":
            return list(postprocess(path.stem, _arrays(path)))
        case "simota", ".npz":
            return list(simota(path.stem, _arrays(path), RULES))
        case "keys", ".json":
            return list(keys(rest, json.loads(path.read_text("utf-8"))))
        case "schedule", ".json":
            return list(schedule(path.stem, json.loads(path.read_text("utf-8"))))
    return None


def show(differences: Iterable[Difference]) -> None:
    """A line for each case, of the array that is off most, and one for each beyond its tolerance."""
    for case, group in groupby(differences, lambda each: each.case):
        of_case = list(group)
        worst = max(of_case, key=lambda each: each.off / each.tolerance if each.tolerance else each.off)
        print(f"{case:34} {len(of_case):3} arrays, at most {worst.off:7.1e} of {worst.tolerance:.0e}: {worst.key}")
        for each in of_case:
            if not each.good:
                print(f"  FAILS: {each.key} is off by {each.off:.3g}, beyond {each.tolerance:g}")


def main(arguments: list[str]) -> int:
    """The exit code for a folder of cases."""
    parser = argparse.ArgumentParser("python -m tests.replay_yolox", description=__doc__, usage=argparse.SUPPRESS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=Path)
    given = parser.parse_args(arguments)
    images = given.images or given.folder.resolve().parents[1] / "data" / "coco-mini" / "val2017"
    differences: list[Difference] = []
    unreadable = False
    for path in sorted(given.folder.iterdir()) if given.folder.is_dir() else ():
        try:
            of_file = replay(path, images)
        except (SystemExit, CspbenchError, BadZipFile, KeyError, ValueError, TypeError, OSError, IndexError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            unreadable = True
            continue
        show(of_file or ())
        differences += of_file or ()
    if unreadable:
        return 2
    if not differences:
        print(f"{given.folder}: no case", file=sys.stderr)
        return 2
    failures = sum(not difference.good for difference in differences)
    print(f"{len(differences)} arrays, {failures} beyond the tolerance")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
