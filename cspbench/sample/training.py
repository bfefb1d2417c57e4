"""Drawn sets to train on: pictures with seeds of their own, and beside them the held-out ones of the sample."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cspbench.errors import IncompleteRunError, UsageError
from cspbench.io import own_folder, rename
from cspbench.lock import exclusive
from cspbench.sample import classification, detection
from cspbench.sample.place import Kind, Part
from cspbench.sample.processes import end_with_parent
from cspbench.sample.seeds import HELD_OUT

HELD = {"classification": classification.IMAGES, "detection": detection.IMAGES}
"""How many pictures are held out."""
AT_ONCE, WAITING = 2, 1024
"""Pictures that a process draws at a time, few so that an interrupt ends at once, and that wait in memory at most."""


def draw_training_set(
    kind: Kind,
    folder: Path,
    images: int,
    processes: int = 1,
    step: Callable[[int], None] = lambda _: None,
    *,
    held: int | None = None,
    hard: bool = False,
) -> None:
    """Write `images` pictures to train on, with seeds from 0, and those held out, in ImageNet's or COCO's layout.

    `held` is the number of the latter, by default the sample's; `hard` pictures are those of studies.

    The files are the same for any number of processes, and the folder is complete or absent. `step` receives the number
    of pictures drawn so far. Raises `UsageError`, `LockedError` while another process draws there, and
    `IncompleteRunError` where a process dies.
    """
    if not 1 <= images <= HELD_OUT:
        raise UsageError(
            "usage.out-of-range",
            "no such number of pictures",
            expected=f"1 to {HELD_OUT:,}",
            found=f"{images:,}",
            remedy="Draw another number with --images",
        )
    if folder.exists():
        raise UsageError(
            "usage.folder-exists", "the folder exists", where=str(folder), remedy="Name another one, or remove it"
        )
    with exclusive(folder.with_name(f".{folder.name}.lock")):
        place = own_folder(folder.parent, f".{folder.name}.part")
        shutil.rmtree(place, ignore_errors=True)
        try:
            parts: dict[Part, int] = {"val": HELD[kind] if held is None else held, "train": images}
            _draw(kind, place, parts, hard, _Several(processes) if processes > 1 else map, step)
            rename(place, folder, "Name another folder")
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _draw(
    kind: Kind, place: Path, parts: Mapping[Part, int], hard: bool, run: Any, step: Callable[[int], None]
) -> None:
    before = 0
    for part, images in parts.items():
        seed = HELD_OUT if part == "val" else 0
        how: dict[str, Any] = {"part": part, "run": run}

        def reached(done: int, before: int = before) -> None:
            step(before + done)

        if kind == "classification":
            scene = classification.STUDY if hard else classification.SAMPLE
            classification.write(place / part, images, seed, reached, scene=scene, **how)
        else:  # COCO's layout has a folder of annotations for both parts
            detection.write(place, images, seed, reached, scene=detection.STUDY if hard else detection.SAMPLE, **how)
        before += images


@dataclass(frozen=True)
class _Several:
    """`map` over processes, with few results waiting at a time."""

    processes: int

    def __call__(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        # spawned: a forked process that has threads can deadlock
        left = iter(tasks)
        try:
            with ProcessPoolExecutor(self.processes, get_context("spawn"), end_with_parent) as pool:
                while some := list(islice(left, WAITING)):
                    yield from pool.map(function, some, chunksize=AT_ONCE)
        except BrokenProcessPool as error:
            raise IncompleteRunError(
                "incomplete.drawing-died",
                "a process that draws pictures died",
                found=str(error).splitlines()[0],
                remedy="Draw again; if memory is short, with fewer workers (-j)",
            ) from error
