"""What the evaluating commands are about: the data set, or the bundled sample, and the models."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.cli import options
from cspbench.cli.arguments import place_of_data, read_cfg
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Listener
    from cspbench.evaluation.selection import Selection, Task
    from cspbench.sample.place import Kind


def chosen(
    task: Task,
    data: str | None,
    data_option: str | None,
    sample: bool,
    models: list[str] | None,
    cfg: Path | None,
    weights: Path | None,
    open_data: Callable[[str], object],
    listener: Listener,
) -> tuple[str, Selection]:
    """The path of the data set and the models to evaluate on it; the sample if nothing is named or configured.

    Raises `UsageError` without a data set, and for --sample with one.
    """
    from cspbench.evaluation import selection

    variable = options.IMAGENET if task == "imagenet" else options.COCO
    place = place_of_data(data, data_option, variable)
    named = data if data is not None else data_option
    if sample and named is not None:
        raise UsageError("usage.sample-and-data", "--sample brings its own images", found=named, remedy="Leave out one")
    if place is None and not (models or cfg or weights or os.environ.get(options.WEIGHTS)):
        sample = True
    if sample:
        place = str(_sample("classification" if task == "imagenet" else "detection", listener))
    if place is None:
        raise UsageError(
            "usage.no-data", "no images to evaluate on", remedy=f"Name the data set, set ${variable}, or use --sample"
        )
    there = os.path.exists(os.path.expanduser(place))  # Path would raise an error for an unknown user
    if not there and not place.startswith(("hfds/", "tfds/", "wds/")):
        open_data(place)  # raises: report a mistyped path before missing weights
    if cfg is not None:
        return place, selection.of_file(read_cfg(cfg, listener), weights, models or [], task)
    return place, selection.of_models(models or [], weights, task, sample=sample, listener=listener)


def _sample(kind: Kind, listener: Listener) -> Path:
    """The folder of the sample's images, which are drawn if they do not exist; notes what they are."""
    from cspbench.sample import classification, detection
    from cspbench.sample.place import ensure

    count = classification.IMAGES if kind == "classification" else detection.IMAGES
    listener.note(
        f"the bundled sample: {count} drawn images and a small network of our own, none of the published ones; "
        f"for those name the data and set ${options.WEIGHTS}"
    )
    with listener.progress("drawing the sample", count) as reach:
        return ensure(kind, reach)


def check_single(evaluations: int) -> None:
    """Raise `UsageError` for several evaluations, of which one can be written or drawn."""
    if evaluations > 1:
        raise UsageError(
            "usage.one-evaluation",
            "--save-json, --draw and --plots take a single evaluation",
            found=f"{evaluations} evaluations",
            remedy="Name one with -m and --size",
        )
