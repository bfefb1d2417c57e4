"""Drawn sets to train on: pictures with seeds of their own, and beside them the held-out ones of the sample."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context, parent_process
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from cspbench.errors import IncompleteRunError, UsageError
from cspbench.io import own_folder, rename
from cspbench.lock import exclusive
from cspbench.sample import classification, detection
from cspbench.sample.place import Kind
from cspbench.sample.seeds import HELD_OUT

HELD = {"classification": classification.IMAGES, "detection": detection.IMAGES}
"""How many pictures are held out."""
AT_ONCE, WAITING = 2, 1024
"""Pictures that a process draws at a time, few so that an interrupt ends at once, and that wait in memory at most."""


def draw_training_set(
    kind: Kind, folder: Path, images: int, processes: int = 1, step: Callable[[int], None] = lambda _: None
) -> None:
    """Write `images` pictures to train on, with seeds from 0, and those held out, in ImageNet's or COCO's layout.

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
            _draw(kind, place, images, _Several(processes) if processes > 1 else map, step)
            rename(place, folder, "Name another folder")
        finally:
            shutil.rmtree(place, ignore_errors=True)


def _draw(kind: Kind, place: Path, images: int, run: Any, step: Callable[[int], None]) -> None:
    held = HELD[kind]
    write = classification.write if kind == "classification" else detection.write
    own = kind == "classification"  # COCO's layout has a folder of annotations for both parts
    write(place / "val" if own else place, held, step=step, run=run)
    write(place / "train" if own else place, images, 0, lambda done: step(held + done), part="train", run=run)


@dataclass(frozen=True)
class _Several:
    """`map` over processes, with few results waiting at a time."""

    processes: int

    def __call__(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        # started anew: a fork of a process with threads can wait for ever
        left = iter(tasks)
        try:
            with ProcessPoolExecutor(self.processes, get_context("spawn"), _begin) as pool:
                while some := list(islice(left, WAITING)):
                    yield from pool.map(function, some, chunksize=AT_ONCE)
        except BrokenProcessPool as error:
            raise IncompleteRunError(
                "incomplete.drawing-died",
                "a process that draws pictures died",
                found=str(error).splitlines()[0],
                remedy="Draw again; if memory is short, with fewer workers (-j)",
            ) from error


def _begin() -> None:
    """Leave an interrupt to the command, and end when it is killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(parent_process(),), daemon=True).start()


def _end_with(parent: BaseProcess | None) -> None:
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
