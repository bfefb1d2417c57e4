"""What every test may ask for: the folder beside the checkout and its cfg files; and one hypothesis profile."""

from __future__ import annotations

import os

if "PYTEST_XDIST_WORKER" in os.environ:
    # as many workers as processors already: more threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from collections.abc import Callable
from pathlib import Path

import pytest
from fuzzing import FUZZ, examples
from hypothesis import settings

from cspbench.network import cfg
from cspbench.network.network import Network

settings.register_profile("cspbench", deadline=None, derandomize=not FUZZ, max_examples=examples(100))
settings.load_profile("cspbench")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of published documents, reference files and golden cases; the test skips where it is not there."""
    folder = Path(os.environ.get("CSPBENCH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    if not folder.is_dir():
        pytest.skip(f"the reference files are not in {folder}: set CSPBENCH_SHARED to the folder that holds them")
    return folder


@pytest.fixture(scope="session")
def published(shared: Path) -> Callable[[str], Network]:
    """Reads a published cfg file by its stem."""
    return lambda stem: cfg.read(shared / "reference" / "cfg" / f"{stem}.cfg").network
