"""Small image files for tests, written and never copied from anywhere."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

TENCH, GOLDFISH, SEA_SNAKE, ALP = "n01440764", "n01443537", "n01751748", "n09193705"


def jpeg(seed: int, mode: str = "RGB", size: tuple[int, int] = (50, 40), **options: Any) -> bytes:
    """A JPEG of noise; each seed gives another file."""
    bands = len(Image.new(mode, (1, 1)).getbands())
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], bands), dtype=np.uint8)
    stream = io.BytesIO()
    Image.frombytes(mode, size, noise.tobytes()).save(stream, "JPEG", **options)
    return stream.getvalue()


def fill(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a folder and return the folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def archive(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a tar, in the order given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path
