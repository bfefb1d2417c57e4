"""COCO's evaluation server: the file it takes for its test set, and the numbers it gives back.

The ground truth of test-dev2017 is not public. The server takes a zip of one JSON file by an agreed name and answers
with pycocotools' twelve lines, or with the same numbers by name.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Callable, Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from cspbench.detection.ap.average_precision import METRICS
from cspbench.detection.ap.matching import Detections
from cspbench.errors import DatasetError, UsageError, brief
from cspbench.io import open_file, read_part, replacing

CHUNK = 1 << 16
"""Detections written at a time: a whole test set's are gigabytes of text."""
EPOCH = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip can name: the same detections give the same bytes."""
LARGEST = 1 << 20
"""Bytes of a server's answer."""
LONGEST_LINE = 200
"""Characters of a line `name: number`."""

ROUNDING = Decimal("0.11")
"""Percent points by which two numbers that are printed to a tenth may contradict each other."""

_AREAS = {"all": "", "small": "s", "medium": "m", "large": "l"}
_LINE = re.compile(
    r"Average (?:Precision|Recall)\s*\((A[PR])\)\s*@\[\s*IoU=\s*(0\.50:0\.95|0\.50|0\.75)\s*\|\s*area=\s*(\w+)\s*\|"
    r"\s*maxDets=\s*(\d+)\s*\]\s*=\s*(\S+)"
)
_PAIR = re.compile(r"^\s*[\"']?([A-Za-z][\w@. ]*?)[\"']?\s*[:=]\s*(-?[0-9.]+(?:[eE]-?[0-9]+)?)\s*,?\s*$")
_NAMES = {
    **{name: name for name in METRICS},
    **{f"{kind}{size}": f"{kind}{size[0]}" for kind in ("ap", "ar") for size in ("small", "medium", "large")},
    **{f"armax{cap}": f"ar{cap}" for cap in (1, 10, 100)},
    **{f"ardets{cap}": f"ar{cap}" for cap in (1, 10, 100)},
}
"""Ways to write the metrics, in lower case without signs: AP_50, APs, AP_small, AR@100, AR_max_100."""


def submission_path(name: str, folder: Path, split: str = "test-dev2017") -> Path:
    """Where the server's zip of that name on the leaderboard lies: detections_SPLIT_NAME_results.zip."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.+-]{0,79}", name):
        raise UsageError(
            "usage.server-name",
            "not a name for the evaluation server",
            expected="letters, digits, dots, pluses and hyphens, at most 80",
            found=repr(brief(name)),
            remedy="Choose another name",
        )
    return folder / f"detections_{split}_{name}_results.zip"


def write_submission(
    detections: Detections,
    name: str,
    folder: Path,
    split: str = "test-dev2017",
    step: Callable[[int], None] = lambda done: None,
) -> Path:
    """Write the server's zip for detections in the order given, and say where: see `submission_path`.

    `name` is the algorithm's on the leaderboard; `step` is told how many detections are written.
    """
    path = submission_path(name, folder, split)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(f"{path.stem}.json", EPOCH)
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.create_system = 3  # Unix, wherever this runs
        entry.external_attr = 0o644 << 16
        with archive.open(entry, "w", force_zip64=True) as output:
            for number, part in enumerate(lines(detections)):
                output.write(part.encode("ascii"))
                step(min(number * CHUNK, len(detections.scores)))
    return path


def lines(detections: Detections) -> Iterator[str]:
    """COCO's result file in parts: six decimals, one detection per line, as Darknet prints them (spec b.4)."""
    boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)
    count = len(boxes)
    yield "[\n"
    for begin in range(0, count, CHUNK):
        part = slice(begin, begin + CHUNK)
        rows = zip(
            np.asarray(detections.image_ids)[part].tolist(),
            np.asarray(detections.category_ids)[part].tolist(),
            boxes[part].tolist(),
            np.asarray(detections.scores)[part].tolist(),
            strict=True,
        )
        text = ",\n".join(
            f'{{"image_id":{image}, "category_id":{kind}, '
            f'"bbox":[{box[0]:f}, {box[1]:f}, {box[2]:f}, {box[3]:f}], "score":{score:f}}}'
            for image, kind, box, score in rows
        )
        yield text + (",\n" if begin + CHUNK < count else "\n")
    yield "]\n"


def import_server(file: Path) -> dict[str, Decimal | None]:
    """The server's numbers by metric, in percent with the decimals that it gave; None for its -1.

    Reads pycocotools' lines, JSON and `name: number` lines, shares or percent. A metric that is not named is left out;
    without an AP, or with two different ones, it is a `DatasetError`.
    """
    try:
        with open_file(file) as stream:
            data = read_part(stream, 0, LARGEST + 1)
        text = data.decode("utf-8-sig") if len(data) <= LARGEST else ""
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(file, "text", str(error)) from error
    if len(data) > LARGEST:
        raise _unreadable(file, f"at most {LARGEST:,} bytes", "more; this may be a result file")
    values: dict[str, Decimal] = {}
    for name, number in _named(text, file):
        value = _number(number, name, file)
        if values.setdefault(name, value) != value:
            raise _unreadable(file, "the numbers of one result", f"{name.upper()} {values[name]} and {value}")
    if "ap" not in values:
        raise _unreadable(file, "AP, AP_50 and so on, or pycocotools' lines", "no AP")
    percent = max(values.values()) > 1
    if max(values.values()) > (100 if percent else 1) or min(values.values()) < -1:
        raise _unreadable(file, "shares or percent", f"{min(values.values())} to {max(values.values())}")
    found = {
        name: None if values[name] < 0 else values[name] if percent else 100 * values[name]
        for name in METRICS
        if name in values
    }
    _consistent(found, file)
    return found


def _consistent(found: dict[str, Decimal | None], file: Path) -> None:
    """Raise `DatasetError` for numbers that no result has together: of several results, or partly shares.

    AP is the mean of ten thresholds, of which AP50 is the best and one, and AP75 no better than those up to 0.75.
    """
    for less, more, share in (
        *(("ap", "ap50", 1), ("ap75", "ap50", 1), ("ar1", "ar10", 1), ("ar10", "ar100", 1)),
        *(("ap50", "ap", Decimal("0.1")), ("ap75", "ap", Decimal("0.6"))),
    ):
        one, other = found.get(less), found.get(more)
        if one is not None and other is not None and share * one > other + ROUNDING:
            least = f"{share} * {less.upper()}" if share != 1 else less.upper()
            raise _unreadable(
                file,
                f"{more.upper()} of at least {least}, all shares or all percent",
                f"{more.upper()} {other:f} and {less.upper()} {one:f} percent",
            )


def _named(text: str, file: Path) -> Iterator[tuple[str, Any]]:
    """(metric, number) of everything that looks like one."""
    if text.lstrip().startswith(("{", "[")):
        try:
            # NaN and Infinity are no JSON, but Python reads them
            data = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=Decimal)
        except (ValueError, RecursionError, InvalidOperation) as error:
            raise _unreadable(file, "JSON", brief(str(error), 120)) from error
        yield from _in(data)
        return
    for kind, overlap, area, cap, number in _LINE.findall(text):
        name = _line_name(kind, overlap, area, cap)
        if name:
            yield name, number
    for line in text.splitlines():
        pair = _PAIR.match(line) if len(line) <= LONGEST_LINE else None
        if pair and (name := _name(pair[1])):
            yield name, pair[2]


def _in(data: Any) -> Iterator[tuple[str, Any]]:
    """Every named number, in order. Lists and objects may lie deeper within each other than functions may."""
    pending = [("", data)]
    while pending:
        label, value = pending.pop()
        if isinstance(value, list):
            pending.extend(("", each) for each in reversed(value))
        elif isinstance(value, dict):
            pending.extend(reversed(value.items()))
        elif name := _name(label):
            yield name, value


def _name(label: str) -> str | None:
    return _NAMES.get(re.sub(r"[^a-z0-9]", "", label.lower()))


def _line_name(kind: str, overlap: str, area: str, cap: str) -> str | None:
    """The metric of one of pycocotools' lines; those that are none of the twelve are nobody's."""
    if area not in _AREAS:
        return None
    if overlap == "0.50:0.95":
        name = f"{kind.lower()}{_AREAS[area]}"
        name = f"ar{cap}" if name == "ar" else name
    else:
        name = f"{kind.lower()}{overlap[2:]}{_AREAS[area]}"
    capped = kind == "AP" or area != "all"
    return name if name in METRICS and (cap == "100" or not capped) else None


def _number(value: Any, name: str, file: Path) -> Decimal:
    try:
        number = Decimal(value) if isinstance(value, str | Decimal) else Decimal("NaN")
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite():
        raise _unreadable(file, f"a number for {name.upper()}", brief(repr(value)))
    return number


def _unreadable(file: Path, expected: str, found: str) -> DatasetError:
    remedy = "Give what the evaluation server printed, or its scores as JSON"
    return DatasetError(
        "server.not-an-answer",
        "is no answer of COCO's server",
        where=str(file),
        expected=expected,
        found=brief(found, 120),
        remedy=remedy,
    )
