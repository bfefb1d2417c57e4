"""A network drawn as a graph: layers from top to bottom, connections that skip layers as arcs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.errors import UsageError
from cspbench.io import write_bytes
from cspbench.network.layers import (
    AvgPool,
    Connected,
    Convolution,
    Detection,
    LocalAvgPool,
    MaxPool,
    Route,
    Sam,
    ScaleChannels,
    Shortcut,
    Softmax,
    Upsample,
)
from cspbench.network.layers.base import Layer
from cspbench.network.network import Network
from cspbench.plots.style import FORMATS, file_of, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PITCH = 0.3
"""Inches from one layer to the next."""
LARGEST = 2000
"""Layers; a larger image could hardly be opened."""

_COLOURS: tuple[tuple[tuple[type[Layer], ...], str, str], ...] = (
    ((Convolution, Connected), "#dbe9f6", "convolution"),
    ((MaxPool, LocalAvgPool, AvgPool, Upsample), "#fde7c8", "pooling, upsampling"),
    ((Shortcut, ScaleChannels, Sam), "#d9f0d3", "sum, product"),
    ((Route,), "#e7e1ef", "route"),
    ((Detection, Softmax), "#f8d5d5", "head"),
)
_OTHER = "#eeeeee"


def arcs(network: Network) -> list[tuple[int, int, int]]:
    """The connections that skip layers, as (source, target, lane).

    Arcs on one lane do not overlap; short arcs take the inner lanes, so that few cross.
    """
    skips = [
        (source, index) for index, layer in enumerate(network.layers) for source in layer.sources if source != index - 1
    ]
    lanes: list[list[tuple[int, int]]] = []
    placed = []
    for source, target in sorted(skips, key=lambda skip: (skip[1] - skip[0], skip)):
        free = (at for at, taken in enumerate(lanes) if all(target <= begin or end <= source for begin, end in taken))
        lane = next(free, len(lanes))
        if lane == len(lanes):
            lanes.append([])
        lanes[lane].append((source, target))
        placed.append((source, target, lane))
    return placed


def _colour(layer: Layer) -> str:
    return next((colour for kinds, colour, _ in _COLOURS if isinstance(layer, kinds)), _OTHER)


def draw(network: Network, path: Path) -> None:
    """Write the drawing in the format of the suffix (svg, png, pdf). Needs matplotlib."""
    form = path.suffix[1:].lower()
    if form not in FORMATS:
        raise UsageError(
            "usage.unknown-suffix",
            "unknown kind of drawing",
            where=str(path),
            expected=", ".join(f".{name}" for name in FORMATS),
            found=path.suffix or "no suffix",
            remedy="Choose such a suffix",
        )
    if len(network.layers) > LARGEST:
        raise UsageError(
            "usage.too-many-layers",
            "too many layers to draw",
            where=network.name,
            expected=f"at most {LARGEST}",
            found=str(len(network.layers)),
        )
    with styled():
        from matplotlib.figure import Figure

        placed = arcs(network)
        lanes = 1 + max((lane for *_, lane in placed), default=0)
        size = 7.0 + 0.16 * lanes, PITCH * (len(network.layers) + 4)
        figure = Figure(figsize=size, dpi=100, layout="constrained")
        _paint(figure.add_subplot(), network, placed, lanes)
    write_bytes(path, file_of(figure, form), named=True)


def _paint(axes: Axes, network: Network, placed: list[tuple[int, int, int]], lanes: int) -> None:
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Patch

    right = 6.0
    for index, layer in enumerate(network.layers):
        shape = "×".join(map(str, network.shape(index)))
        style = "round,pad=0,rounding_size=0.15"
        axes.add_patch(FancyBboxPatch((0, -index - 0.36), right, 0.72, boxstyle=style, fc=_colour(layer), ec="#555555"))
        axes.text(0.1, -index, str(index), fontsize=7, va="center", color="#777777")
        axes.text(0.65, -index, f"{layer.section} {layer.describe()}".strip(), fontsize=8, va="center")
        axes.text(right - 0.1, -index, shape, fontsize=7, va="center", ha="right", color="#333333")
        if index - 1 in layer.sources and index > 0:
            axes.add_patch(
                FancyArrowPatch((3.0, -index + 0.64), (3.0, -index + 0.36), arrowstyle="-|>", mutation_scale=5, lw=0.7)
            )
    for source, target, lane in placed:
        x = right + 0.25 + 0.22 * lane
        # arcs leave a box below its middle and arrive above it, so that consecutive ones stay apart
        start, end = -source - 0.17, -target + 0.17
        axes.plot([right, x, x], [start, start, end], color="#888888", lw=0.8, solid_joinstyle="round")
        axes.add_patch(
            FancyArrowPatch((x, end), (right, end), arrowstyle="-|>", mutation_scale=6, lw=0.8, color="#888888")
        )
    axes.set_xlim(-0.2, right + 0.4 + 0.22 * lanes)
    axes.set_ylim(-len(network.layers) - 0.2, 1.6)
    axes.set_title(f"{network.name}, input {'×'.join(map(str, network.input))} (channels×height×width)", fontsize=10)
    handles = [Patch(facecolor=colour, edgecolor="#555555", label=label) for _, colour, label in _COLOURS]
    axes.legend(handles=handles, loc="upper left", ncols=len(handles), fontsize=7, frameon=False, borderaxespad=0)
    axes.axis("off")
