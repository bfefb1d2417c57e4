"""The evaluation server's answers on a run, kept apart from what is computed here.

    RUN/server.json     a list: threshold, kind of NMS, the numbers, the answer's file and sha256, the zip, the time

So a later score, which has nothing but detections on a test split, finds them again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspbench.cli.coco_asked import Asked
from cspbench.errors import UsageError, brief

if TYPE_CHECKING:
    from cspbench.inference.run import Run

LARGEST = 1 << 22
"""Bytes of a server.json; an answer has less than 1 kB."""


def imported(run: Run, asked: Asked, file: Path) -> dict[str, Any]:
    """A run on a test split with the server's numbers for the zip of one threshold, which are kept."""
    from cspbench.claims.rounding import round_half_up
    from cspbench.cli.coco_results import about, keep, kind_of, shown
    from cspbench.cli.coco_written import submission
    from cspbench.detection.coco_server import LARGEST as LARGEST_ANSWER
    from cspbench.detection.coco_server import import_server, submission_path
    from cspbench.inference.record import now
    from cspbench.io import read_file, write_json

    split = str(run.identity["data"]["split"])
    if not split.startswith("test") or asked.partial or run.missing(stale=lambda *_: False):
        raise UsageError(
            "usage.server-split",
            "the server's numbers are of a whole test split",
            where=str(run.path),
            expected="a complete run on test-dev2017",
            found=f"a run on {split}",
            remedy="Name the run whose zip the server was given",
        )
    if len(asked.thresholds) != 1:
        raise UsageError(
            "usage.server-threshold",
            "the server's numbers are of one threshold",
            expected="one --nms",
            found=str(len(asked.thresholds)),
            remedy="Say with --nms which zip the server was given",
        )
    (nms,) = asked.thresholds
    zipped = submission_path(submission(run, asked, nms), run.path, split)
    if not zipped.is_file():
        there = ", ".join(sorted(path.name for path in run.path.glob("detections_*.zip"))[:4])
        raise UsageError(
            "usage.server-zip",
            f"no zip was written at NMS {nms:g}",
            where=str(run.path),
            expected=zipped.name,
            found=brief(there, 200) or "none",
            remedy="Say with --nms, and --nms-kind, which zip the server was given, or write it: cspbench score RUN",
        )
    percent = import_server(file)
    answer = {
        "nms": nms,
        "kind": kind_of(run, asked),
        "ap": {name: None if value is None else float(round_half_up(value, 4)) for name, value in percent.items()},
        "answer": {"name": file.name, "sha256": hashlib.sha256(read_file(file, LARGEST_ANSWER)).hexdigest()},
        "submission": zipped.name,
        "when": now(),
    }
    others = [each for key, each in known(run).items() if key != (nms, answer["kind"])]
    write_json(run.path / "server.json", [*others, answer])
    data = {**about(run, asked), "bad": [], "thresholds": [threshold(run, asked, answer)]}
    keep(run, data)
    return shown(run, data)


def known(run: Run) -> dict[tuple[float, str], dict[str, Any]]:
    """The answers that a run's server.json has, by threshold and kind of NMS; none where there is no such file.

    `UsageError` for one that cannot be read: what it held has been asked of the server.
    """
    from cspbench.detection.ap.average_precision import METRICS
    from cspbench.io import read_file

    path = run.path / "server.json"
    if not path.exists():
        return {}
    try:
        found = {}
        for each in json.loads(read_file(path, LARGEST)):
            numbers = {name: each["ap"][name] for name in METRICS if name in each["ap"]}
            if "ap" not in numbers or not all(value is None or 0 <= float(value) <= 100 for value in numbers.values()):
                raise ValueError(f"AP {numbers}")
            found[(float(each["nms"]), str(each["kind"]))] = {**each, "ap": numbers}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(
            "usage.server-answers",
            "the server's answers cannot be read",
            where=str(path),
            expected="what `cspbench score --import-server` wrote",
            found=brief(f"{type(error).__name__}: {error}", 120),
            remedy="Remove it and import the answers again",
        ) from error
    return found


def threshold(run: Run, asked: Asked, answer: Mapping[str, Any]) -> dict[str, Any]:
    """The entry of one threshold in a result, with the server's numbers."""
    from cspbench.cli import coco_results

    percent = {name: None if value is None else Decimal(str(value)) for name, value in answer["ap"].items()}
    return {
        **coco_results.threshold(run, asked, float(answer["nms"]), percent, {}),
        "engine": "server",
        "ap": dict(answer["ap"]),
        "per_class": None,
        "server": {key: answer[key] for key in ("answer", "submission", "when") if key in answer},
    }
