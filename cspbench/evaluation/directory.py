"""Where a run of an identity is kept."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cspbench.results.schema import Identity, encode

LONGEST = 100
"""Characters of a model's name in a directory's: file systems allow 255 bytes."""


def run_path(root: Path, identity: Identity, preset: str) -> Path:
    """The directory of a run of that identity below `root`: MODEL-PRESET-DIGEST."""
    digest = hashlib.sha256(encode(identity) + preset.encode()).hexdigest()[:8]
    name = identity.model.replace("/", "-")
    while len(name.encode("utf-8", "surrogateescape")) > LONGEST:
        name = name[:-1]
    return root / f"{name}-{preset}-{digest}"
