"""What the evaluating commands share, without a process for each case."""

from __future__ import annotations

from typing import Any

import pytest

from cspbench.cli import evaluating
from cspbench.errors import CspbenchError, UsageError
from cspbench.evaluate.classification import OutputError
from cspbench.evaluate.run import IncompleteRunError
from cspbench.weights.arrays import WeightsError


def failing(error: Exception) -> Any:
    def evaluate() -> dict[str, Any]:
        raise error

    return evaluate


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([OutputError("values that are not finite")], 3),
        ([IncompleteRunError("the disk is full")], 4),
        ([UsageError("other classes")], 2),
        ([IncompleteRunError("the disk is full"), WeightsError("a Python pickle")], 3),
        ([], 0),
    ],
)
def test_what_is_wrong_with_one_model_is_no_end_of_the_others(
    errors: list[CspbenchError], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    named = [(f"net{at}", failing(error)) for at, error in enumerate(errors)]
    results, left_out = evaluating.each([*named, ("good", lambda: {"top1": 1}), ("fine", lambda: {"top1": 2})])
    assert results == [{"top1": 1}, {"top1": 2}]
    assert left_out == code
    words = capsys.readouterr().err
    assert all(f"net{at} is left out: {error}" in words for at, error in enumerate(errors))


def test_the_error_of_the_only_model_is_raised_and_names_it() -> None:
    with pytest.raises(OutputError, match=r"^net, image: values that are not finite"):
        evaluating.each([("net", failing(OutputError("values that are not finite", where="image")))])
    with pytest.raises(WeightsError, match=r"^/net\.weights: a Python pickle$"):
        evaluating.each([("net", failing(WeightsError("a Python pickle", where="/net.weights")))])


def test_processes_of_one_group_do_not_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    good = ("good", lambda: {"top1": 1})
    assert evaluating.each([("net", failing(WeightsError("a Python pickle"))), good]) == ([{"top1": 1}], 3)
    with pytest.raises(OutputError, match=r"^net: "):
        evaluating.each([("net", failing(OutputError("values that are not finite"))), good])
