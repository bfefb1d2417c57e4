"""`cspbench data draw`: pictures to train the bundled networks and others on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cspbench.cli import options
from cspbench.cli.arguments import checking_threads
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.io import argument_path

if TYPE_CHECKING:
    from cspbench.sample.place import Kind

Layout = Literal["imagenet", "coco"]


def draw(
    layout: Annotated[Layout, typer.Argument(help="Of classifiers or of detectors.")],
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder.")],
    images: Annotated[int, typer.Option("--images", min=1, metavar="N", help="Pictures to train on.")] = 10_000,
    workers: options.WorkersOption = "auto",
) -> None:
    """Draw pictures like the sample's, to train on.

    In the folders of ImageNet or COCO, with the sample's pictures as those for validation. The same for any number of
    workers.
    """
    from cspbench.sample.training import HELD, draw_training_set

    kind: Kind = "classification" if layout == "imagenet" else "detection"
    processes = checking_threads(workers) or os.cpu_count() or 1
    place = argument_path("DIR", folder)
    with terminal().progress("drawing", images + HELD[kind]) as reach:
        draw_training_set(kind, place, images, processes, lambda done: reach(done, ""))
    terminal().note(f"wrote {images:,} pictures to train on and {HELD[kind]:,} to {place}")
