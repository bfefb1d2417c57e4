"""Darknet's mAP on the command line: its options, and its table below that of AP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from cspbench.cli.choices import Format, MapPoints
from cspbench.cli.terminal.printing import Style, print_blocks

if TYPE_CHECKING:
    from cspbench.evaluation.darknet_map import MapOptions
    from cspbench.evaluation.runner import ScoredRun


def map_options(points: MapPoints | None, iou: float, conf: float) -> MapOptions | None:
    """The options --map, --map-iou and --map-conf; None where none of them was given."""
    from cspbench.evaluation.darknet_map import MapOptions

    options = MapOptions(points or "area", iou, conf)
    return options if points or options != MapOptions() else None


def print_maps(results: Sequence[ScoredRun], style: Style) -> None:
    """Darknet's mAP of the results that have one, below the table of AP; CSV has it in a column."""
    from cspbench.report.tables.darknet_map import blocks
    from cspbench.results.schema import DetectionMetrics

    maps = [
        (result.run.identity.model, result.metrics.darknet_map)
        for result in results
        if isinstance(result.metrics, DetectionMetrics) and result.metrics.darknet_map is not None
    ]
    if maps and style.form is not Format.CSV:
        if style.form is not Format.RICH:
            typer.echo()
        print_blocks(blocks(maps), style)
