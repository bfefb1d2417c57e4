"""Time and peak memory with 1, 4 and 16 times as many images: eval-imagenet, eval-coco, AP.

    python -m benchmarks.scaling [--quick]

Drawn pictures and the small networks of the bundled sample, whole commands in new processes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from benchmarks.measuring import PYTHON, Finished, child, judged, part, table

TIMES = (1, 4, 16)
FLAT = 1.2
"""Memory counts as flat when 16 times as many images take no more than this many times as much."""
CLASSIFIER, DETECTOR = "sample-csp-classifier", "sample-csp-detector"


def weights(name: str, folder: Path) -> Path:
    """The weight file that comes with the package; without it, random weights that find little."""
    from cspbench.weights import darknet
    from cspbench.weights.catalogue import shipped
    from cspbench.zoo.catalogue import model

    path = shipped(name)
    if path is not None:
        return path
    network = model(name).build()
    generator = np.random.default_rng(0)
    arrays = []
    for index in range(len(network.layers)):
        stored = network.weights(index)
        normalised = any(weight.role == "scale" for weight in stored)
        values = {"scale": 1.0, "variance": 1.0, "mean": 0.0, "bias": 0.0 if normalised else -6.0}
        arrays.append(
            {
                weight.role: (
                    generator.normal(0, weight.size**-0.5, weight.shape)
                    if weight.role == "weight"
                    else np.full(weight.shape, values[weight.role])
                ).astype(np.float32)
                for weight in stored
            }
        )
    made = folder / f"{name}.weights"
    darknet.write(made, network, arrays)
    return made


def evaluated(command: str, model: str, data: Path, file: Path, run: Path) -> Finished:
    """A whole command; its accuracy does not matter here."""
    options = ("-m", model, "--weights", str(file), "--run", str(run), "-j", "1", "-b", "16", "--format", "json")
    return child([PYTHON, "-m", "cspbench", command, str(data), *options], (0, 1))


def matched(images: int) -> Finished:
    """AP of 100 detections in each image, in a process of its own."""
    return child([PYTHON, "-m", "benchmarks.scaling", "--match", str(images)])


def _rows(words: str, counts: list[int], runs: list[Finished], flat: bool) -> list[list[object]]:
    rows: list[list[object]] = []
    first = (counts[0], runs[0])
    for count, run in zip(counts, runs, strict=True):
        more = count - first[0]
        each = f"{1000 * (run.seconds - first[1].seconds) / more:.2f}" if more else None
        ratio = run.peak / first[1].peak
        target = judged(f"at most {FLAT:g} times the first", ratio <= FLAT) if flat and more else None
        rows.append([words, count, f"{run.seconds:.2f}", each, f"{run.peak:.0f}", f"{ratio:.2f}", target])
    return rows


def repeated(base: Path, folder: Path, times: int) -> None:
    """The set in `base`, every picture of it `times` times, as further names of the same files."""
    for path in sorted(base.rglob("*")):
        if path.suffix.lower() in (".jpg", ".jpeg"):
            for each in range(times):
                copy = folder / path.parent.relative_to(base) / f"{each}-{path.name}"
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.hardlink_to(path)
        elif path.suffix == ".json":
            data = json.loads(path.read_bytes())
            for kind in ("images", "annotations"):
                rows, most = data[kind], max(row["id"] for row in data[kind])
                data[kind] = [{**row, "id": row["id"] + most * each} for each in range(times) for row in rows]
                if kind == "images":
                    for row in data[kind]:
                        row["file_name"] = f"{(row['id'] - 1) // most}-{row['file_name']}"
                    shift = most
            for place, row in enumerate(data["annotations"]):
                row["image_id"] += shift * (place * times // len(data["annotations"]))
            target = folder / path.relative_to(base)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(json.dumps(data))


def section(quick: bool) -> str:
    """All three, largest last."""
    from cspbench.evaluate.run import SHARD
    from cspbench.sample import classification, detection

    times = TIMES[:2] if quick else TIMES
    # a whole shard from the start: what a run holds is that of one shard
    small, large = (2, 4) if quick else (SHARD, 312)
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for command, model, write in (
            ("eval-imagenet", CLASSIFIER, classification.write),
            ("eval-coco", DETECTOR, detection.write),
        ):
            file = weights(model, folder)
            write(folder / command, images=small)
            counts, runs = [small * each for each in times], []
            for count, each in zip(counts, times, strict=True):
                data = folder / f"{command}-{count}"
                repeated(folder / command, data, each)
                runs.append(evaluated(command, model, data, file, folder / f"run-{command}-{count}"))
            rows += _rows(f"{command}, {model}", counts, runs, flat=True)
    counts = [large * each for each in times]
    rows += _rows("AP of 100 detections an image", counts, [matched(count) for count in counts], flat=False)
    columns = ("", "images", "seconds", "ms a further image", "peak MB", "times the first", "target")
    return (
        f"One run each, start-up included; peak is the most resident memory of a single process. A run holds the "
        f"predictions of {SHARD} images at a time. All detections are in memory for AP, 56 bytes each, so that its "
        "peak must grow with them.\n\n" + table(columns, rows)
    )


def main() -> None:
    """The whole part, or the child that matches."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--match", type=int)
    given, _ = parser.parse_known_args()
    if given.match is None:
        part(__doc__, section)
        return
    from benchmarks.average_precision import BOXES, drawn
    from cspbench.evaluate.average_precision import average_precision

    print(average_precision(*drawn(given.match, BOXES)).stats[0])


if __name__ == "__main__":
    main()
