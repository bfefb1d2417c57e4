"""Processes that wait for others that never come, or that die before all have met."""

from __future__ import annotations

import socket
import threading
import time
from datetime import timedelta

import pytest
from refusals import refuses

from cspbench import waiting
from cspbench.inference import distributed

PATIENCE = 300
"""Seconds until a wait counts as endless."""


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> int:
    """The port of the first of two processes, which is this one; it waits two seconds and says so after a quarter."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(distributed, "RENDEZVOUS", timedelta(seconds=2))
    monkeypatch.setattr(waiting, "SOON", 0.25)
    return port


def test_another_that_never_comes(port: int, caplog: pytest.LogCaptureFixture) -> None:
    begun = time.monotonic()
    with refuses("incomplete.no-rendezvous", expected="2 processes, started by torchrun"):
        distributed.init(distributed.rank())
    assert time.monotonic() - begun < PATIENCE
    (line,) = caplog.messages
    assert line.startswith("cspbench: waiting for the other 1 of 2 processes to start")


def test_another_that_dies_before_they_meet(port: int, caplog: pytest.LogCaptureFixture) -> None:
    """It is known to the first one's store, and never tells where it can be reached."""
    from torch._C._distributed_c10d import TCPStore

    other = threading.Thread(target=lambda: TCPStore("127.0.0.1", port, 2, False, timedelta(seconds=PATIENCE)))
    other.start()
    begun = time.monotonic()
    with refuses("incomplete.no-rendezvous"):
        distributed.init(distributed.rank())
    assert time.monotonic() - begun < PATIENCE
    other.join()
    ours = [record.getMessage() for record in caplog.records if record.name == "cspbench"]
    assert [line.partition(" of ")[0] for line in ours] == ["cspbench: waiting for the other 1"]


def test_an_error_without_words_has_its_kind(port: int) -> None:
    with refuses("incomplete.no-rendezvous", found="RuntimeError"), distributed._connection((0, 2)):
        raise RuntimeError
