"""What every test may ask for: the folder beside the checkout and its cfg files; and one hypothesis profile."""

from __future__ import annotations

import importlib.util
import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # as many workers as processors already: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from fuzzing import FUZZ, examples
from hypothesis import settings
from numpy.typing import NDArray

from cspbench.data.decode import decode
from cspbench.data.resize import resize_image
from cspbench.network import cfg
from cspbench.network.network import Network

settings.register_profile("cspbench", deadline=None, derandomize=not FUZZ, max_examples=examples(100))
settings.load_profile("cspbench")


SHARED = Path(os.environ.get("CSPBENCH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
PHOTO = SHARED / "data/imagenet-mini/val/n01440764/n01440764_tench.JPEG"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published documents, reference files and golden cases; the test skips where it is not there."""
    if not SHARED.is_dir():
        pytest.skip(f"the reference files are not in {SHARED}: set CSPBENCH_SHARED to the folder that holds them")
    return SHARED


@pytest.fixture(scope="session")
def golden(shared: Path) -> ModuleType:
    """What rebuilds the weights that the original Darknet was given, and holds what it computed."""
    spec = importlib.util.spec_from_file_location("golden", shared / "golden" / "golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def photo() -> Callable[[int], NDArray[np.float32]]:
    """One image, (1, 3, size, size) in [0, 1]: a photograph of the reference data where that is there, else noise."""
    if PHOTO.is_file():
        return lambda size: resize_image(decode(PHOTO), size, size)[None]
    return lambda size: np.random.default_rng(1).random((1, 3, size, size), np.float32)


@pytest.fixture(scope="session")
def published(shared: Path) -> Callable[[str], Network]:
    """Reads a published cfg file by its stem."""
    return lambda stem: cfg.read(shared / "reference" / "cfg" / f"{stem}.cfg").network
