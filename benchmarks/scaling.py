"""Time and peak memory with 1, 4 and 16 times as many images: eval-imagenet, eval-coco, AP.

    python -m benchmarks.scaling [--quick]

Drawn pictures and the small networks of the bundled sample, whole commands in new processes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks.measuring import PYTHON, Finished, child, judged, part, table
from benchmarks.random_weights import weights

TIMES = (1, 9)
FLAT = 1.2
"""Memory counts as flat when 9 times as many images take no more than this many times as much."""
CLASSIFIER, DETECTOR = "sample-csp-classifier", "sample-csp-detector"


def evaluated(command: str, model: str, file: Path, folder: Path, images: int) -> Finished:
    """A whole command from nothing; its accuracy does not matter here."""
    data, run = folder / f"{command}-{images}", folder / f"run-{command}"
    options = ("-m", model, "--weights", str(file), "--run", str(run), "-j", "1", "-b", "16", "--format", "json")
    shutil.rmtree(run, ignore_errors=True)
    return child([PYTHON, "-m", "cspbench", command, str(data), *options], (0, 1))


def matched(images: int) -> Finished:
    """AP of 100 detections in each image, in a process of its own."""
    return child([PYTHON, "-m", "benchmarks.scaling", "--match", str(images)])


def _rows(words: str, runs: dict[int, list[Finished]], flat: bool) -> list[list[object]]:
    """A line for each number of images, from all its runs: the median seconds, the highest peak."""
    rows: list[list[object]] = []
    first: tuple[int, float, float] | None = None
    for count, kept in runs.items():
        seconds, peak = statistics.median(run.seconds for run in kept), max(run.peak for run in kept)
        first = first or (count, seconds, peak)
        more = count - first[0]
        each = f"{1000 * (seconds - first[1]) / more:.2f}" if more else None
        ratio = peak / first[2]
        target = judged(f"at most {FLAT:g} times the first", ratio <= FLAT) if flat and more else None
        rows.append([words, count, f"{seconds:.2f}", each, f"{peak:.0f}", f"{ratio:.2f}", target])
    return rows


def in_turns(counts: Sequence[int], run: Callable[[int], Finished], repeats: int) -> dict[int, list[Finished]]:
    """All runs of each number of images; the numbers take turns."""
    runs: dict[int, list[Finished]] = {count: [] for count in counts}
    for _ in range(repeats):
        for count, kept in runs.items():
            kept.append(run(count))
    return runs


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
    from cspbench.inference.shards import SHARD
    from cspbench.sample import classification, detection

    repeats = 1 if quick else 3
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
            for each in TIMES:
                repeated(folder / command, folder / f"{command}-{small * each}", each)
            run = partial(evaluated, command, model, file, folder)
            rows += _rows(f"{command}, {model}", in_turns([small * each for each in TIMES], run, repeats), flat=True)
    runs = in_turns([large * each for each in TIMES], matched, repeats)
    rows += _rows("AP of 100 detections an image", runs, flat=False)
    columns = ("", "images", "seconds", "ms a further image", "peak MB", "times the first", "target")
    return (
        f"Medians of {repeats} runs in turns, start-up included; peak is the most resident memory of a single process "
        f"in any of them. A run holds the predictions of {SHARD} images at a time. All detections are in memory for "
        "AP, 56 bytes each, so that its peak must grow with them.\n\n" + table(columns, rows)
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
    from cspbench.detection.ap.average_precision import average_precision

    print(average_precision(*drawn(given.match, BOXES)).stats[0])


if __name__ == "__main__":
    main()
