"""Items made ahead: in order, and by workers whose memory does not grow with their number."""

from __future__ import annotations

import multiprocessing
import sys
from typing import Any

import pytest
from torch.utils.data import Dataset

from cspbench.inference import workers
from cspbench.inference.memory import TRIM

COUNT = 2 * TRIM + 1


class Numbers(Dataset[int]):
    """Its own indices."""

    def __getitem__(self, index: int) -> int:
        return index


@pytest.mark.skipif(sys.platform != "linux", reason="a spawned worker would not have the counter")
@pytest.mark.parametrize(("processes", "trims"), [(0, 0), (1, 2)])
def test_a_worker_returns_free_memory_now_and_then(processes: int, trims: int, monkeypatch: pytest.MonkeyPatch) -> None:
    counter: Any = multiprocessing.Value("i", 0)

    def trim() -> None:
        counter.value += 1

    monkeypatch.setattr(workers, "give_back", trim)
    items = workers.ahead(Numbers(), processes, batch_size=None, sampler=range(COUNT))
    assert list(items) == list(range(COUNT))
    assert counter.value == trims
