"""The pictures of a study: the user's, or a drawn set in the run directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from cspbench.lock import exclusive
from cspbench.sample.place import Kind
from cspbench.sample.training import draw_training_set
from cspbench.study.plan import Job, Plan

Layout = Literal["imagenet", "coco"]
LAYOUTS: dict[str, Layout] = {"classifier": "imagenet", "detector": "coco", "yolox": "coco"}
"""By kind of network."""
LONGEST = 24 * 3600.0
"""Seconds to wait for another worker, which draws the pictures or trains what is needed."""


def place(folder: Path, plan: Plan, job: Job) -> tuple[str, bool]:
    """The data set of a training, and whether it is drawn."""
    drawn = plan.data is None
    return (str(folder / "data" / LAYOUTS[job.variant.kind]), True) if drawn else (str(plan.data), False)


def draw(folder: Path, plan: Plan, layout: Layout, processes: int, step: Callable[[int], None]) -> None:
    """Draw a set, unless it is there; another worker that draws it is waited for."""
    where = folder / "data" / layout
    with exclusive(folder / "data" / ".drawing.lock", wait=LONGEST):
        if not where.exists():
            kind: Kind = "classification" if layout == "imagenet" else "detection"
            pictures = getattr(plan, kind)
            draw_training_set(kind, where, pictures.train, processes, step, held=pictures.held, hard=True)
