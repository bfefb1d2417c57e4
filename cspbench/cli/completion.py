"""What the shell proposes for models and tables."""

from __future__ import annotations

import os

VARIABLE = "_CSPBENCH_COMPLETE"
"""The environment variable by which the shell asks."""


def accept_every_spelling() -> None:
    """Take `bash_source` for `source_bash`: libraries disagree which is right."""
    shell, _, what = os.environ.get(VARIABLE, "").partition("_")
    if what in ("source", "complete"):
        os.environ[VARIABLE] = f"{what}_{shell}"


def models(incomplete: str) -> list[str]:
    """The names of models that begin so."""
    from cspbench.zoo.registry import MODELS

    return [name for name in MODELS if name.startswith(incomplete)]


def tables(incomplete: str) -> list[str]:
    """The names of tables that begin so."""
    from cspbench.claims.tables import load_all

    return [table.name for table in load_all(kind=None) if table.name.startswith(incomplete)]
