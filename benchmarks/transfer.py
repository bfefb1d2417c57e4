"""Does a backbone trained as a classifier help a YOLOX? In miniature, on drawn pictures.

    python -m benchmarks.transfer [--work FOLDER] [--out FOLDER] [--seeds N] [--frozen-first] [--iterations N] [--quick]

Draws the pictures, trains one cspdarknet-nano with label smoothing, rewrites its backbone for the detector's pixels,
and trains yolox-nano from scratch and from the backbone, also left as it is at first if that is asked for. With one
seed all have the same pictures in the same order and the same drawn head. Everything is kept in the folder of work, and
the same command goes on with it. Writes transfer.json, .md, .png and .svg.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.__main__ import described
from benchmarks.measuring import ROOT, BenchmarkError
from benchmarks.transfer_results import FROZEN, FULL, SCRATCH, Arm, Measured, figure, text
from cspbench.errors import CspbenchError
from cspbench.evaluation.execution import Execution, Listener
from cspbench.io import write_bytes, write_text

OUT = ROOT / "results"
POINTS = 6
"""Evaluations of a training."""


@dataclass(frozen=True)
class Setting:
    """Sizes of the data sets and of the trainings."""

    labelled: int = 3200
    """Pictures with a class."""
    classifier_side: int = 96
    classifier_batch: int = 32
    classifier_iterations: int = 400
    pictures: int = 2400
    """Pictures with boxes."""
    side: int = 128
    batch: int = 8
    iterations: int = 1200
    every: int = 200
    """Iterations between two evaluations."""
    frozen: int = 120
    """Iterations at the beginning in which `FROZEN` leaves the backbone as it is."""
    warmup: int = 18
    closing: int = 18

    @property
    def epoch(self) -> int:
        """Iterations."""
        return -(-self.pictures // self.batch)

    @property
    def of_classifier(self) -> list[str]:
        """Settings of the classifier's training."""
        epochs = self.classifier_iterations * self.classifier_batch / self.labelled
        return [
            f"width={self.classifier_side}",
            f"height={self.classifier_side}",
            f"batch={self.classifier_batch}",
            "subdivisions=1",
            "rate_of_image=0.001",
            f"steps={epochs * 0.6:g},{epochs * 0.85:g}",
            "area=0.35,1",
        ]

    @property
    def of_detector(self) -> list[str]:
        """Settings of each of the detector's trainings."""
        side = self.side // 32
        return [
            f"width={self.side}",
            f"height={self.side}",
            f"sizes={side},{side}",
            f"batch={self.batch}",
            "subdivisions=1",
            "mosaic=0",
            "rate_of_image=0.00125",
            f"warmup={self.warmup / self.epoch:.6g}",
            f"closing={self.closing / self.epoch:.6g}",
        ]


QUICK = Setting(
    labelled=16, classifier_side=32, classifier_batch=8, classifier_iterations=2, pictures=8, side=64, batch=4,
    iterations=2, every=2, frozen=1, warmup=0, closing=0,
)  # fmt: skip
"""Sizes that show that it works, and no more."""


class Said(Listener):
    """Passes notes on to stderr."""

    def note(self, text: str) -> None:
        print(f"transfer: {text}", file=sys.stderr, flush=True)


def measured(setting: Setting, seeds: int, work: Path, frozen_first: bool = False) -> Measured:
    """Everything that is not yet in the folder of work. Raises `BenchmarkError` for seeds that show no spread."""
    if seeds < 2:
        raise BenchmarkError(
            "benchmark.one-seed",
            "one training of each kind shows no spread, so there is no interval",
            expected="--seeds 2 or more",
            found=str(seeds),
            remedy="Train with more seeds",
        )
    _same(work, setting)
    labelled, pictures = _drawn(work, "classification", setting.labelled), _drawn(work, "detection", setting.pictures)
    top1, backbone = _classifier(setting, labelled, work)
    options: dict[str, dict[str, Any]] = {
        SCRATCH: {},
        FULL: {"backbone": backbone},
    }
    if frozen_first:
        options[FROZEN] = {"backbone": backbone, "freeze_backbone": setting.frozen / setting.epoch}
    arms: dict[str, dict[int, Arm]] = {name: {} for name in options}
    for seed in range(seeds):  # whole pairs first
        for name, own in options.items():
            run = work / f"{name.replace(', ', '-').replace(' ', '-')}-{seed}"
            arms[name][seed] = _detector(setting, pictures, run, seed, own)
    return Measured(asdict(setting), setting.of_detector, setting.of_classifier, top1, arms, _cost(work / "classifier"))


def _same(work: Path, setting: Setting) -> None:
    """Raise `BenchmarkError` for a folder of work with another setting."""
    place, wanted = work / "setting.json", json.dumps(asdict(setting))
    if place.is_file() and place.read_text(encoding="ascii") != wanted:
        raise BenchmarkError(
            "benchmark.other-setting", "the folder has another setting", where=str(work), remedy="Name another --work"
        )
    write_text(place, wanted)


def _drawn(work: Path, kind: Any, images: int) -> Path:
    from cspbench.sample.training import draw_training_set

    folder = work / f"{kind}-pictures"
    if not folder.exists():
        draw_training_set(kind, folder, images)
    return folder


def _classifier(setting: Setting, data: Path, work: Path) -> tuple[float, Path]:
    """The top-1 of the classifier in percent, and its backbone for the detector's pixels."""
    import cspbench

    run, path = work / "classifier", work / "backbone.safetensors"
    with _timed(run):
        trained = cspbench.train(
            "cspdarknet-nano", data, run, settings=setting.of_classifier, iterations=setting.classifier_iterations,
            seed=0, execution=_execution(), listener=Said(),
        )  # fmt: skip
    cspbench.export_model(
        "yolox-nano", path, "yolox-backbone", weights=trained.weights, pixels="imagenet", force=path.exists()
    )
    top1 = trained.result.metrics.top1  # type: ignore[union-attr]
    return 100 * top1.correct / top1.total, path


def _detector(setting: Setting, data: Path, run: Path, seed: int, options: dict[str, Any]) -> Arm:
    """The evaluations of one training."""
    import cspbench
    from cspbench.training.folder import Folder

    folder = Folder(run, "yolox-nano")
    if setting.iterations not in dict(folder.evaluations()):
        with _timed(run):
            cspbench.train(
                "yolox-nano", data, run, settings=setting.of_detector, iterations=setting.iterations, seed=seed,
                eval_every=setting.every, save_every=setting.every, execution=_execution(), listener=Said(), **options,
            )  # fmt: skip
    return Arm(folder.evaluations(), _cost(run))


def _execution() -> Execution:
    return Execution(workers=0, device="cpu", command=("python", "-m", "benchmarks.transfer"))


@contextmanager
def _timed(run: Path) -> Iterator[None]:
    """Add the processor's seconds to those of earlier sessions of a run."""
    before, begun = _cost(run), time.process_time()
    try:
        yield
    finally:
        write_text(run / "seconds.json", json.dumps(before + time.process_time() - begun))


def _cost(run: Path) -> float:
    place = run / "seconds.json"
    return float(json.loads(place.read_text(encoding="ascii"))) if place.is_file() else 0.0


def main() -> None:
    """Train what is missing, and write the results."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.transfer", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("transfer"), help="a folder for pictures and trainings")
    parser.add_argument("--out", type=Path, help="results/; of a quick run the folder of work")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each kind")
    parser.add_argument("--frozen-first", action="store_true", help="also with the backbone left as it is at first")
    parser.add_argument("--iterations", type=int, default=Setting.iterations, help="of a training, a multiple of 6")
    parser.add_argument("--quick", action="store_true", help="sizes that show that it works, and no more")
    given = parser.parse_args()
    machine = described(os.getloadavg()[0])
    setting = (
        QUICK
        if given.quick
        else replace(Setting(), iterations=given.iterations, every=max(1, given.iterations // POINTS))
    )
    found = measured(setting, given.seeds, given.work, given.frozen_first)
    out = given.out or (given.work if given.quick else OUT)
    write_text(out / "transfer.json", json.dumps(found.record(machine), indent=1) + "\n")
    write_text(out / "transfer.md", text(found, machine))
    for form, data in figure(found).items():
        write_bytes(out / f"transfer.{form}", data)
    print(f"transfer: wrote {out / 'transfer.md'}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except CspbenchError as error:
        print(f"transfer: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
