"""Pictures of detections and of what AP is made of: boxes on images, curves, sizes, thresholds.

Detections have solid lines in their class's colour, ground truth has dashed lines and names on black. The same input
gives the same bytes.
"""

from __future__ import annotations

import colorsys
import io
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cspbench.errors import CspbenchError, UsageError, brief
from cspbench.io import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from PIL import ImageDraw

    from cspbench.detection.ap.average_precision import AveragePrecision

Array = np.ndarray[Any, Any]

FORMATS = ("png", "svg", "pdf")
LEAST = 0.25
"""Score from which a detection is drawn: AP counts hundreds per image, most of them guesses."""
SMALLEST = 640
"""Pixels; an image with a shorter long side is enlarged, so that names can be read."""
ACROSS = 3
"""More bars side by side are too narrow for a horizontal number."""
DASH = 6
"""Pixels of a dash, and of a gap."""


class Box(NamedTuple):
    """Left, top, width, height in pixels of the image, a category, and the score of a detection."""

    bbox: tuple[float, float, float, float]
    category: str
    score: float | None = None


def draw(
    image: Array, detections: Sequence[Box], ground_truth: Sequence[Box], path: Path, *, least: float = LEAST
) -> None:
    """Write an image (H, W, 3) uint8 with boxes, class names and scores as PNG or JPEG, by the suffix of `path`."""
    from PIL import Image, ImageDraw, ImageFont

    form = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG"}.get(path.suffix.lower())
    if form is None:
        raise _other_suffix(path, ("png", "jpg"))
    height, width = image.shape[:2]
    scale = max(1.0, SMALLEST / max(height, width))
    picture = Image.fromarray(np.ascontiguousarray(image)).convert("RGB")
    picture = picture.resize((round(width * scale), round(height * scale)), Image.Resampling.BICUBIC)
    canvas = ImageDraw.Draw(picture)
    line = max(2, round(max(picture.size) / 400))
    font, small = (
        ImageFont.load_default(size=max(floor, max(picture.size) / part)) for floor, part in ((13, 50), (11, 58))
    )
    for box in ground_truth:
        _dashed(canvas, _corners(box, scale, picture.size), line)
    shown = sorted((box for box in detections if (box.score or 0.0) >= least), key=lambda box: box.score or 0.0)
    for box in shown:
        canvas.rectangle(_corners(box, scale, picture.size), outline=colour(box.category), width=line)
    taken: list[tuple[float, float, float, float]] = []
    # names after all boxes, so that no line crosses one; those of the best detections choose their place first
    for box in reversed(shown):
        text = f"{brief(box.category, 24)} {box.score:.2f}"
        _label(canvas, text, _corners(box, scale, picture.size), colour(box.category), font, taken, needed=True)
    for box in ground_truth:
        corners = _corners(box, scale, picture.size)
        _label(canvas, brief(box.category, 24), corners, (0, 0, 0), small, taken, needed=False)
    buffer = io.BytesIO()
    picture.save(buffer, form, **({"quality": 90} if form == "JPEG" else {}))
    write_bytes(path, buffer.getvalue())


def curves(result: AveragePrecision, path: Path, *, classes: Sequence[str] = ()) -> None:
    """Precision over recall: the mean of all classes at IoU 0.5, 0.75 and all ten thresholds, and some `classes`."""
    recalls = np.linspace(0, 1, result.precision.shape[2])
    precision = result.precision[:, :, :, 0]
    present = precision[0, :, 0] >= 0
    names = list(result.categories.values())

    def paint(axes: Axes) -> None:
        if present.any():
            for label, values in (
                ("IoU 0.50", precision[0, present].mean(0)),
                ("IoU 0.75", precision[5, present].mean(0)),
                ("IoU 0.50:0.95", precision[:, present].mean((0, 1))),
            ):
                axes.plot(recalls, values, label=f"{label}: AP {100 * values.mean():.1f}", lw=2)
        for name in classes:
            place = names.index(name)
            if present[place]:
                values = precision[:, place].mean(0)
                label = f"{name}: AP {100 * values.mean():.1f}"
                axes.plot(recalls, values, label=label, lw=1, ls="--", color=_share(colour(name)))
        axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
        axes.grid(alpha=0.3)
        if axes.lines:
            axes.legend(frameon=False, fontsize=8)

    unknown = [name for name in classes if name not in names]
    if unknown:
        raise UsageError(
            "usage.unknown-class", "no such class", expected="a class of the data set", found=brief(unknown[0])
        )
    _plot(path, paint)


def sizes(results: Mapping[str, AveragePrecision], path: Path) -> None:
    """AP of small, medium, large and all objects, side by side for each result by its label."""
    groups = ("small (< 32²)", "medium", "large (> 96²)", "all")

    def paint(axes: Axes) -> None:
        width = 0.8 / max(1, len(results))
        for number, (label, result) in enumerate(results.items()):
            stats = (*result.stats[3:6], result.stats[0])
            values = [max(0.0, 100 * value) for value in stats]
            places = np.arange(len(groups)) + (number - (len(results) - 1) / 2) * width
            bars = axes.bar(places, values, width * 0.95, label=label)
            texts = ["n/a" if value < 0 else f"{100 * value:.1f}" for value in stats]
            # narrow bars have vertical numbers
            narrow = len(results) > ACROSS
            axes.bar_label(bars, texts, fontsize=7 if narrow else 8, padding=3, rotation=90 if narrow else 0)
        axes.set_xticks(range(len(groups)), groups)
        axes.set(xlabel="area of the object in pixels", ylabel="AP (%)")
        axes.margins(y=0.15)
        axes.legend(frameon=False, fontsize=8, loc="upper left")

    _plot(path, paint)


def thresholds(measured: Mapping[str, Mapping[float, float]], path: Path) -> None:
    """AP in percent over the NMS threshold, one line for each label ("AP", "AP50", or a network's name)."""

    def paint(axes: Axes) -> None:
        for label, points in measured.items():
            axes.plot(*zip(*sorted(points.items()), strict=True), marker="o", ms=4, label=label)
        axes.set(xlabel="NMS threshold (IoU)", ylabel="AP (%)")
        axes.grid(alpha=0.3)
        axes.legend(frameon=False, fontsize=8)

    _plot(path, paint)


def colour(category: str) -> tuple[int, int, int]:
    """A class's colour, the same in every picture and bright enough for dark text on it."""
    place = zlib.crc32(category.encode("utf-8", "replace"))
    red, green, blue = colorsys.hsv_to_rgb(place % 1009 / 1009, 0.55 + place % 3 * 0.2, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


def _share(rgb: tuple[int, int, int]) -> tuple[float, float, float]:
    # darker than on photos, for curves on white
    return rgb[0] / 330, rgb[1] / 330, rgb[2] / 330


def _corners(box: Box, scale: float, size: tuple[int, int]) -> tuple[float, float, float, float]:
    """Left, top, right, bottom, clipped to the picture; right >= left and bottom >= top."""
    x, y, width, height = (scale * value for value in box.bbox)
    left, top = min(max(x, 0.0), size[0] - 1.0), min(max(y, 0.0), size[1] - 1.0)
    return left, top, min(max(x + width, left), size[0] - 1.0), min(max(y + height, top), size[1] - 1.0)


def _dashed(canvas: ImageDraw.ImageDraw, corners: tuple[float, float, float, float], line: int) -> None:
    left, top, right, bottom = corners
    for begin, end in (
        ((left, top), (right, top)),
        ((right, top), (right, bottom)),
        ((left, bottom), (right, bottom)),
        ((left, top), (left, bottom)),
    ):
        length = max(abs(end[0] - begin[0]), abs(end[1] - begin[1]))
        # black between the white dashes: visible on any background
        canvas.line((begin, end), fill=(0, 0, 0), width=line)
        for at in np.arange(0, length, 2 * DASH).tolist():
            shares = at / length, min(at + DASH, length) / length
            ends = [tuple(a + share * (b - a) for a, b in zip(begin, end, strict=True)) for share in shares]
            canvas.line([(x, y) for x, y in ends], fill=(255, 255, 255), width=line)


def _label(
    canvas: ImageDraw.ImageDraw,
    text: str,
    corners: tuple[float, float, float, float],
    fill: tuple[int, int, int],
    font: Any,
    taken: list[tuple[float, float, float, float]],
    *,
    needed: bool,
) -> None:
    """Write a name on a colour, at the first free place around its box; without one only if `needed`."""
    size = canvas.im.size
    ends = canvas.textbbox((0, 0), text, font=font)
    width, height = ends[2] + 6, ends[3] + 4
    left, top, right, bottom = corners
    tries = [(left, top - height), (left, top), (right - width, top), (left, bottom - height), (left, bottom)]
    tries += [(left, top + step * height) for step in range(1, 8)]
    spots = []
    for x, y in tries:
        x, y = max(0.0, min(x, size[0] - width)), max(0.0, min(y, size[1] - height))
        spots.append((x, y, x + width, y + height))
    spot = next((spot for spot in spots if not any(_overlap(spot, place) for place in taken)), None)
    if spot is None:
        if not needed:
            return
        spot = spots[0]
    taken.append(spot)
    canvas.rectangle(spot, fill=fill)
    bright = 299 * fill[0] + 587 * fill[1] + 114 * fill[2] > 110_000
    canvas.text((spot[0] + 3, spot[1] + 1), text, fill=(0, 0, 0) if bright else (255, 255, 255), font=font)


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _plot(path: Path, paint: Callable[[Axes], None]) -> None:
    form = path.suffix[1:].lower()
    if form not in FORMATS:
        raise _other_suffix(path, FORMATS)
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(
            "usage.no-matplotlib",
            "plots need matplotlib",
            found="not installed",
            remedy="Install cspbench[plot], or leave the plots out",
        ) from None
    # a fixed salt, no date and no version: the same numbers give the same bytes
    metadata = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}[form]
    with mpl.rc_context({"svg.hashsalt": "cspbench", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        paint(figure.add_subplot())
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, dpi=120, metadata=metadata)
    write_bytes(path, buffer.getvalue())


def _other_suffix(path: Path, formats: Sequence[str]) -> CspbenchError:
    return UsageError(
        "usage.unknown-suffix",
        "unknown kind of picture",
        where=str(path),
        expected=", ".join(f".{name}" for name in formats),
        found=path.suffix or "no suffix",
        remedy="Choose such a suffix",
    )
