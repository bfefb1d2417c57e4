"""The pictures and plots of an evaluated detector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.cli.terminal.progress import listener as terminal

if TYPE_CHECKING:
    from cspbench.evaluation.coco import DetectionResult


def draw_result(result: DetectionResult, draw: str | None, out: Path | None, plots: Path | None) -> None:
    """Write the pictures and plots that the options name; pictures at the first NMS threshold."""
    if draw is None and plots is None:
        return  # before anything that draws is imported
    from cspbench.data.decode import decoder_named
    from cspbench.io import own_folder
    from cspbench.plots.detections import LEAST
    from cspbench.plots.samples import draw_samples, plot_curves

    first = result.at[0]
    if draw is not None:
        folder = out or own_folder(result.run.path, "pictures")
        decoder = decoder_named(result.run.identity.preset["decoder"])
        files = draw_samples(result.source, first.detections, draw, folder, decoder)
        terminal().note(f"drew {len(files)} images in {folder}: scores from {LEAST}, NMS {first.nms:g}")
    if plots is not None:
        written = plot_curves(result.at, result.metrics, plots)
        names = ", ".join(path.name for path in written if path.suffix == ".png")
        terminal().note(f"plotted in {plots}: {names or 'nothing, for lack of ground truth'}")
