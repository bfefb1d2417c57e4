"""The contract for hostile files can be broken, and a break is seen."""

from __future__ import annotations

import contract
import pytest


def test_an_earlier_peak_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    if not contract.forget_peak():
        pytest.skip("this system keeps a process's highest peak for good")
    monkeypatch.setattr(contract, "MEMORY", 60_000_000)
    assert contract.result_of(lambda: len(b"x" * 30_000_000)) == 30_000_000
    for _ in range(2):
        with pytest.raises(AssertionError, match="bytes more than before"):
            contract.result_of(lambda: len(b"x" * 120_000_000))


@pytest.mark.parametrize("limit", ["SECONDS", "PATIENCE"])
def test_what_does_not_end_is_ended(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contract, limit, 0.05)

    def endless() -> None:
        while True:
            pass

    with pytest.raises(contract.OverrunError):
        contract.result_of(endless)
