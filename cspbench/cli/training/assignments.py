"""`cspbench show --assign`: which points of an image learn which truth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspbench.cli.arguments import refuse_existing
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import print_table
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.training.yolox.shown import Point, Shown


def show_assignments(
    model: str,
    image: str | None,
    data: str | None,
    weights: Path | None,
    size: tuple[int, int] | None,
    out: Path | None,
    force: bool,
    form: Format,
) -> None:
    """Draw the assignments of an image to `out`, by default NAME-assigned.png in the current folder; print them."""
    from cspbench.plots.assignment import Mark, Truth, draw
    from cspbench.training.yolox.assignments import assignments

    if image is None:
        raise UsageError(
            "usage.without-assign",
            "only --assign reads data and weights",
            found="--data" if data is not None else "--weights",
            remedy="Name an image with --assign, or leave it out",
        )
    file = out or Path(f"{Path(image).stem}-assigned.png")
    if file.suffix.lower() != ".png":
        raise UsageError(
            "usage.png-only",
            "assignments are drawn as PNG files",
            where=str(file),
            expected=".png",
            found=file.suffix or "no suffix",
            remedy="Give --out that suffix",
        )
    refuse_existing(file, force)
    shown = assignments(model, image, data=data, weights=weights, size=size, listener=terminal())
    corners = [(x - width / 2, y - height / 2, width, height) for x, y, width, height in shown.boxes.tolist()]
    truths = [Truth(corner, name) for corner, name in zip(corners, shown.names, strict=True)]
    panels = {
        title: [Mark(point.x, point.y, point.stride, point.truth) for point in points]
        for title, points in shown.points.items()
    }
    draw(shown.pixels, truths, panels, file)
    terminal().note(f"wrote {file}: {' beside '.join(panels)}, on the input of {model}")
    print_table(_lines(shown), form)


def _lines(shown: Shown) -> list[dict[str, Any]]:
    lines = []
    for number, (name, box) in enumerate(zip(shown.names, shown.boxes.tolist(), strict=True)):
        line: dict[str, Any] = {"truth": number + 1, "class": name}
        line["box"] = " ".join(f"{value:.1f}" for value in box)
        for title, points in shown.points.items():
            line[title.partition(" ")[0].lower()] = _text([point for point in points if point.truth == number])
        lines.append(line)
    return lines


def _text(points: list[Point]) -> str | None:
    """How many points of each stride, or for anchors the stride with the anchor: "4 of 8, 2 of 16"."""
    counts = Counter(
        (point.stride, "" if point.anchor is None else f" ({point.anchor[0]:g}x{point.anchor[1]:g})")
        for point in points
    )
    return ", ".join(f"{count} of {stride:g}{anchor}" for (stride, anchor), count in sorted(counts.items())) or None
