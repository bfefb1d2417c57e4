"""A picture for the networks to look at."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch_arrays import image

from cspbench.data.decode import decode
from cspbench.data.resize import resize_image

PHOTO = Path("data/imagenet-mini/val/n01440764/n01440764_tench.JPEG")


def _stretched(path: Path, size: int) -> Tensor:
    return torch.from_numpy(resize_image(decode(path), size, size))[None]


@pytest.fixture(scope="session")
def photo() -> Callable[[int], Tensor]:
    """One image, (1, 3, size, size) in [0, 1]: a photograph of the reference data where that is there, else noise."""
    shared = Path(os.environ.get("CSPBENCH_SHARED") or Path(__file__).resolve().parents[3] / "shared")
    return partial(_stretched, shared / PHOTO) if (shared / PHOTO).is_file() else image
