"""Makes the pictures of recorded random numbers, and prints how far every kind of array is off.

    python -m tests.replay_augment FOLDER

The folder holds augment.npz, blur.npz or both. Where a file has an array `stride`, pictures are kept as every so
manieth value only. The exit code is 1 where an array is off by more than its tolerance, 2 where the folder has neither.
"""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cspbench.data.augment import blur, classifier, colour, detector, window
from cspbench.data.augment.draws import Recorded
from cspbench.data.augment.mixing import Mixing

Array = NDArray[Any]
FLOATS, LABELS, BOXES, LEVELS = 2e-6, 1e-6, 1e-6, 1.001
"""Tolerances; the last in levels of 255, and pictures that were averaged are not whole levels."""
CLASSIFIER, DETECTOR, CHUNK = 32, 64, 3
CLASSIFIERS = classifier.Augmentation(
    CLASSIFIER, CLASSIFIER, angle=7, aspect=0.75, min_crop=16, max_crop=56, hue=0.1, saturation=0.75, exposure=0.75
)
MOST, CLASSES = 12, 10
MODES = {0: Mixing.NONE, 1: Mixing.MIXUP, 2: Mixing.CUTMIX, 3: Mixing.MOSAIC, 4: Mixing.CUTMIX_MOSAIC}
DETECTOR_MODES = {0: detector.Mixing.NONE, 1: detector.Mixing.MIXUP, 3: detector.Mixing.MOSAIC}
TRACKS = 4000
"""A recorded number of an object is that in its image, plus a multiple of this for the image's name."""


@dataclass(frozen=True)
class Difference:
    """How far an array is off in its own units; infinite where its shape is another one."""

    kind: str
    name: str
    off: float
    tolerance: float

    @property
    def good(self) -> bool:
        return self.off <= self.tolerance


@dataclass
class Record:
    """The arrays of a file, and how far what is made again is off."""

    arrays: Mapping[str, Array]
    differences: list[Difference] = field(default_factory=list)

    def compare(self, kind: str, name: str, made: Array, tolerance: float, recorded: Array | None = None) -> None:
        whole = np.asarray(made, np.float64).ravel()
        expected = np.asarray(self.arrays[name] if recorded is None else recorded, np.float64).ravel()
        if recorded is None and "stride" in self.arrays and len(whole) > len(expected):
            whole = whole[:: int(self.arrays["stride"])]
        off = float(np.abs(whole - expected).max(initial=0)) if whole.shape == expected.shape else float("inf")
        self.differences.append(Difference(kind, name, off, tolerance))

    def numbered(self, name: str) -> list[int]:
        """The K of all arrays NAME.K.out or NAME.K."""
        result = (re.fullmatch(rf"{re.escape(name)}\.(\d+)(\.\w+)?", key) for key in self.arrays)
        return sorted({int(match[1]) for match in result if match})


def replay(folder: Path) -> list[Difference]:
    """All differences of a folder; none where it has neither file."""
    result: list[Difference] = []
    for name, parts in FILES.items():
        if (folder / name).is_file():
            with np.load(folder / name) as arrays:
                record = Record(dict(arrays))
            for part in parts:
                part(record)
            result += record.differences
    return result


def functions(record: Record) -> None:
    if "float_image" not in record.arrays:
        return
    image = torch.from_numpy(record.arrays["float_image"])
    for number in record.numbered("rotate"):
        angle, scale, size, _, across, down, aspect = record.arrays[f"rotate.{number}.args"]
        shown = window.sample(image, window.Window(int(size), scale, angle, across, down, aspect))
        record.compare("rotate", f"rotate.{number}.out", shown.numpy(), FLOATS)
    for number in record.numbered("distort"):
        shown = colour.distort(image, *map(float, record.arrays[f"distort.{number}.args"]))
        record.compare("distort", f"distort.{number}.out", shown.numpy(), FLOATS)
    if "flip.out" in record.arrays:
        record.compare("flip", "flip.out", image.flip(2).numpy(), FLOATS)
    wanted = CLASSIFIERS
    for number in record.numbered("augment"):
        view = classifier.view(Recorded(record.arrays[f"augment.{number}.all_draws"].tolist()), wanted, 0)
        place = classifier.window(view, CLASSIFIER, image.shape[2], image.shape[1])
        record.compare("augment crop", f"augment.{number}.crop", window.sample(image, place).numpy(), FLOATS)
        record.compare("augment", f"augment.{number}.out", classifier.picture(view, wanted, image).numpy(), FLOATS)


def classifiers(record: Record) -> None:
    images = len(record.numbered("classifier_image"))
    smoothed = [partial(_label, smoothing) for smoothing in (0, 0.1)]
    for name, (mode, blurred, smooth) in cases(record, r"classifier\.mix(\d)_blur(\d+)_smooth(\d)"):
        wanted = replace(
            CLASSIFIERS,
            mixing=MODES[mode],
            blur=classifier.Blur.head(blurred),
            smoothing=0.1 * smooth,
        )
        draws = Recorded(record.arrays[f"{name}.draws"].tolist())
        chunk = record.arrays[f"{name}.y"].size // CLASSES
        plans = classifier.plan(draws, wanted, chunk, images)
        made = [
            classifier.mixed(
                plan,
                wanted,
                lambda index: record.arrays[f"classifier_image.{index}"],
                smoothed[smooth],
            )
            for plan in plans
        ]
        record.compare("draws left", f"{name}.draws", np.array([len(draws.numbers) - draws.used]), 0, np.zeros(1))
        record.compare("classifier x", f"{name}.x", np.stack([x.numpy() for x, _ in made]), FLOATS)
        record.compare("classifier y", f"{name}.y", np.stack([y.numpy() for _, y in made]), LABELS)


def _label(smoothing: float, index: int) -> Tensor:
    return classifier.label_of([index], CLASSES, smoothing)


def detectors(record: Record) -> None:
    images = len(record.numbered("detector_image"))
    labels = [record.arrays[f"detector_label.{index}"] for index in range(images)]
    for name, (mode, bound, taps, letter) in cases(record, r"detector\.mix(\d)_bound(\d)_blur(\d+)_letter(\d)"):
        wanted = detector.Augmentation(
            classes=80,
            most=MOST,
            jitter=0.3,
            hue=0.1,
            saturation=1.5,
            exposure=1.5,
            letterbox=bool(letter),
            mixing=DETECTOR_MODES[mode],
            mosaic_bound=bool(bound),
            blur=taps,
        )
        draws, size = Recorded(record.arrays[f"{name}.draws"].tolist()), (DETECTOR, DETECTOR)
        plans = detector.plan(draws, wanted, CHUNK, images, size, lambda index: len(labels[index]))
        made = [
            detector.picture(
                plan, wanted, size, lambda index: record.arrays[f"detector_image.{index}"], labels.__getitem__
            )
            for plan in plans
        ]
        record.compare("draws left", f"{name}.draws", np.array([len(draws.numbers) - draws.used]), 0, np.zeros(1))
        pictures, expected = np.stack([x.numpy() for x, _ in made]) * 255, record.arrays[f"{name}.x"]
        # uint8 where the recorded values were whole levels; else they are parts of 1
        stride = int(record.arrays.get("stride", 1)) if expected.size < pictures.size else 1
        scale = 1 if expected.dtype == np.uint8 else 255
        record.compare("detector x", f"{name}.x", pictures.ravel()[::stride], LEVELS, expected * np.float64(scale))
        truths = np.zeros((len(made), MOST, 6), np.float32)
        for row, (_, result) in zip(truths, made, strict=True):
            row[: len(result)] = result
        recorded = record.arrays[f"{name}.y"].reshape(-1, MOST, 6).copy()
        recorded[..., 5] %= TRACKS
        record.compare("detector y", f"{name}.y", truths, BOXES, recorded)


def blurs(record: Record) -> None:
    for key in record.arrays:
        name, _, kind = key.rpartition(".")
        taps = re.fullmatch(r"gauss(\d+)", kind)
        if taps:
            record.compare("gaussian", key, blur.gaussian(record.arrays[f"{name}.source"], int(taps[1])), LEVELS)
        elif across := re.fullmatch(r"bilateral(\d+)", kind):
            record.compare("bilateral", key, blur.bilateral(record.arrays[f"{name}.source"], int(across[1])), LEVELS)


FILES = {"augment.npz": (functions, classifiers, detectors), "blur.npz": (blurs,)}


def cases(record: Record, pattern: str) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The names of all cases, with the numbers in them."""
    for key in record.arrays:
        match = re.fullmatch(rf"({pattern}\.\d+)\.draws", key)
        if match:
            yield match[1], tuple(map(int, match.groups()[1:]))


def show(found: Sequence[Difference]) -> None:
    """Print the largest difference of each kind."""
    kinds: dict[str, list[Difference]] = defaultdict(list)
    for difference in found:
        kinds[difference.kind].append(difference)
    for kind, differences in kinds.items():
        worst = max(differences, key=lambda each: each.off / (each.tolerance or 1))
        verdict = "good" if all(each.good for each in differences) else "FAILS"
        print(f"{kind:14} {worst.off:.3g} of {worst.tolerance:.3g} in {worst.name}, of {len(differences)}: {verdict}")


def main(arguments: Sequence[str]) -> int:
    """The exit code for a folder."""
    result = replay(Path(arguments[0])) if arguments else []
    show(result)
    if not result:
        print(f"{arguments[0]}: neither augment.npz nor blur.npz" if arguments else __doc__, file=sys.stderr)
        return 2
    return 0 if all(difference.good for difference in result) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
