"""How a shell asks for completion."""

from __future__ import annotations

import os

VARIABLE = "_CSPBENCH_COMPLETE"
"""The environment variable by which a shell asks."""


def accept_every_spelling() -> None:
    """Take `bash_source` for `source_bash`, and the like: libraries disagree which is right."""
    shell, _, what = os.environ.get(VARIABLE, "").partition("_")
    if what in ("source", "complete"):
        os.environ[VARIABLE] = f"{what}_{shell}"
