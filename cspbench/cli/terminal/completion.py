"""What a shell proposes for the names of models and tables; imports no torch."""

from __future__ import annotations

import glob
import os


def models(incomplete: str) -> list[str]:
    """Every name of a model that begins with this, TABLE:ROW after a colon, then folders and .cfg files."""
    from cspbench.zoo import names
    from cspbench.zoo.registry import MODELS

    return names.completions(incomplete, MODELS) + _files(incomplete)


def tables(incomplete: str) -> list[str]:
    """The tables whose names begin with this."""
    from cspbench.claims import tables

    return [name for name in tables.names(kind=None) if name.startswith(incomplete)]


def _files(incomplete: str) -> list[str]:
    if not incomplete:
        return []
    paths = sorted(glob.glob(f"{glob.escape(incomplete)}*"))
    return [f"{path}/" if os.path.isdir(path) else path for path in paths if os.path.isdir(path) or _is_cfg(path)]


def _is_cfg(path: str) -> bool:
    return path.casefold().endswith(".cfg")
