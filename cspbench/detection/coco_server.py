"""COCO's evaluation server: the submission for its test set, and the result that it returns.

The ground truth of test-dev2017 is not public. The server reads a zip of one JSON file with a fixed name and returns
pycocotools' twelve lines, or the same numbers by name.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from cspbench.claims import numbers
from cspbench.detection import result_file
from cspbench.detection.ap.average_precision import METRICS
from cspbench.detection.ap.matching import Detections
from cspbench.errors import DatasetError, UsageError, brief
from cspbench.io import open_file, read_part, replacing

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time in a zip, so that equal detections give equal bytes."""
LARGEST = 1 << 20
"""Bytes of a server result."""
LONGEST_LINE = 200
"""Characters of a line `name: number`."""

ROUNDING = Decimal("0.11")
"""Percentage points by which two numbers rounded to a tenth may contradict each other."""

_SIZES = ("small", "medium", "large")
_LINES = dict(
    zip(
        (
            *(("AP", overlap, "all", "100") for overlap in ("0.50:0.95", "0.50", "0.75")),
            *(("AP", "0.50:0.95", size, "100") for size in _SIZES),
            *(("AR", "0.50:0.95", "all", cap) for cap in ("1", "10", "100")),
            *(("AR", "0.50:0.95", size, "100") for size in _SIZES),
        ),
        METRICS,
        strict=True,
    )
)
"""The metrics of pycocotools' lines, by kind, IoU, area and maximum detections."""
_LINE = re.compile(
    r"Average (?:Precision|Recall)\s*\((A[PR])\)\s*@\[\s*IoU=\s*(0\.50:0\.95|0\.50|0\.75)\s*\|\s*area=\s*(\w+)\s*\|"
    r"\s*maxDets=\s*(\d+)\s*\]\s*=\s*(\S+)"
)
_PAIR = re.compile(r"^\s*[\"']?([A-Za-z][\w@. ]*?)[\"']?\s*[:=]\s*(-?[0-9.]+(?:[eE]-?[0-9]+)?)\s*,?\s*$")
_NAMES = {
    **{name: name for name in METRICS},
    **{f"{kind}{size}": f"{kind}{size[0]}" for kind in ("ap", "ar") for size in _SIZES},
    **{f"armax{cap}": f"ar{cap}" for cap in (1, 10, 100)},
    **{f"ardets{cap}": f"ar{cap}" for cap in (1, 10, 100)},
}
"""Spellings of the metrics, in lower case without punctuation: AP_50, APs, AP_small, AR@100, AR_max_100."""


def submission_path(name: str, folder: Path, split: str) -> Path:
    """The path of the submission with this name on the leaderboard: detections_SPLIT_NAME_results.zip.

    Raises `UsageError`.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,79}", name):
        raise UsageError(
            "usage.server-name",
            "invalid name for the evaluation server",
            expected="at most 80 letters, digits, dots, pluses and hyphens",
            found=repr(brief(name)),
            remedy="Choose another name",
        )
    return folder / f"detections_{split}_{name}_results.zip"


def write_submission(
    detections: Detections, name: str, folder: Path, split: str, step: Callable[[int], None] = lambda done: None
) -> Path:
    """Write the submission with detections in the given order; returns its path, see `submission_path`.

    `name` is the algorithm's name on the leaderboard; `step` receives the number of detections written so far.
    """
    path = submission_path(name, folder, split)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(f"{path.stem}.json", EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 3  # Unix, on every system
        entry.external_attr = 0o644 << 16
        with archive.open(entry, "w", force_zip64=True) as output:
            for number, part in enumerate(result_file.lines(detections)):
                output.write(part.encode("ascii"))
                step(min(number * result_file.CHUNK, len(detections.scores)))
    return path


def import_server(file: Path) -> dict[str, Decimal | None]:
    """The server's numbers by metric, in percent with their original decimals; None for -1.

    Reads pycocotools' lines, JSON and `name: number` lines, with shares or percentages. Absent metrics are omitted.
    Raises `DatasetError` for other files, and without AP or with two different values of a metric.
    """
    try:
        with open_file(file) as stream:
            data = read_part(stream, 0, LARGEST + 1)
        text = data.decode("utf-8-sig") if len(data) <= LARGEST else ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, "text", str(error)) from error
    if len(data) > LARGEST:
        raise _unreadable(file, f"at most {LARGEST:,} bytes", "more; possibly a result file")
    values: dict[str, Decimal] = {}
    for name, number in _named(text, file):
        value = _number(number, name, file)
        if values.setdefault(name, value) != value:
            raise _unreadable(file, "the numbers of one result", f"{name.upper()} {values[name]} and {value}")
    if "ap" not in values:
        raise _unreadable(file, "AP, AP_50 and so on, or pycocotools' lines", "no AP")
    percent = max(values.values()) > 1
    if max(values.values()) > (100 if percent else 1) or min(values.values()) < -1:
        raise _unreadable(file, "shares or percentages", f"{min(values.values())} to {max(values.values())}")
    percentages = {
        name: None if values[name] < 0 else values[name] if percent else 100 * values[name]
        for name in METRICS
        if name in values
    }
    _consistent(percentages, file)
    return percentages


def _consistent(percentages: dict[str, Decimal | None], file: Path) -> None:
    """Raise `DatasetError` for inconsistent numbers: of several results, or a mixture of shares and percentages.

    AP is the mean over ten thresholds. AP50 is the largest term of it, and the six terms up to 0.75 are at least AP75.
    """
    for less, more, share in (
        *(("ap", "ap50", 1), ("ap75", "ap50", 1), ("ar1", "ar10", 1), ("ar10", "ar100", 1)),
        *(("ap50", "ap", Decimal("0.1")), ("ap75", "ap", Decimal("0.6"))),
    ):
        one, other = percentages.get(less), percentages.get(more)
        if one is not None and other is not None and share * one > other + ROUNDING:
            least = f"{share} * {less.upper()}" if share != 1 else less.upper()
            raise _unreadable(
                file,
                f"{more.upper()} of at least {least}, all shares or all percentages",
                f"{more.upper()} {other:f} and {less.upper()} {one:f} percent",
            )


def _named(text: str, file: Path) -> Iterator[tuple[str, Any]]:
    """(metric, number) of everything that looks like a metric."""
    if text.lstrip().startswith(("{", "[")):
        try:
            # as texts; NaN and Infinity are not JSON, but Python reads them
            data = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        except (ValueError, RecursionError) as error:
            raise _unreadable(file, "JSON", brief(str(error), 120)) from error
        yield from _in(data)
        return
    for *line, number in _LINE.findall(text):
        if name := _LINES.get(tuple(line)):
            yield name, number
    for line in text.splitlines():
        pair = _PAIR.match(line) if len(line) <= LONGEST_LINE else None
        if pair and (name := _name(pair[1])):
            yield name, pair[2]


def _in(data: Any) -> Iterator[tuple[str, Any]]:
    """Every named number, in order. Not recursive, because lists and objects may be nested deeper than functions."""
    pending = [("", data)]
    while pending:
        label, value = pending.pop()
        if isinstance(value, list):
            pending.extend(("", item) for item in reversed(value))
        elif isinstance(value, dict):
            pending.extend(reversed(value.items()))
        elif name := _name(label):
            yield name, value


def _name(label: str) -> str | None:
    return _NAMES.get(re.sub(r"[^a-z0-9]", "", label.lower()))


def _number(value: Any, name: str, file: Path) -> Decimal:
    try:
        return numbers.parse(value if isinstance(value, str) else "")
    except ValueError:
        raise _unreadable(file, f"a number for {name.upper()}", brief(repr(value))) from None


def _unreadable(file: Path, expected: str, found: str) -> DatasetError:
    remedy = "Use the output of the evaluation server, or its scores as JSON"
    return DatasetError(
        "server.not-an-answer",
        "not a COCO evaluation server result",
        where=str(file),
        expected=expected,
        found=brief(found, 120),
        remedy=remedy,
    )
