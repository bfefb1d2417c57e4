"""The bundled sample: when an evaluating command uses it, and where its images are."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.cli.options import WEIGHTS
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Listener
    from cspbench.sample.place import Kind


def wanted(sample: bool, data: str | None, place: str | None, *options: object) -> bool:
    """Whether to use the sample: --sample was given, or nothing is named or configured.

    `data` is the named data set, `place` the named or configured one. Raises `UsageError` for --sample with `data`.
    """
    if not sample:
        return not (place is not None or any(options) or os.environ.get(WEIGHTS))
    if data is not None:
        raise UsageError(
            "usage.sample-and-data",
            "--sample brings its own images",
            expected="--sample or DATA",
            found=data,
            remedy="Leave out one",
        )
    return True


def images(kind: Kind, listener: Listener) -> Path:
    """The folder of the sample's images, which are drawn if they do not exist; notes what they are."""
    from cspbench.sample import classification, detection
    from cspbench.sample.place import ensure

    count = classification.IMAGES if kind == "classification" else detection.IMAGES
    listener.note(
        f"the bundled sample: {count} drawn images and a small network of our own, none of the published ones; "
        f"for those name the data and set ${WEIGHTS}"
    )
    with listener.progress("drawing the sample", count) as reach:
        return ensure(kind, lambda done: reach(done, ""))
