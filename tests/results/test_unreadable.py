"""What is said of a file that cannot be read as results."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import pytest

from cspbench.results.unreadable import words


@pytest.mark.parametrize(
    ("read", "said"),
    [
        (lambda: json.loads("{\n"), "no JSON in line 2, column 1"),
        (lambda: dict[str, int]()["rows"], "no 'rows' in it"),
        (lambda: list[int]()[0], "an entry is missing"),
        (lambda: Decimal("x"), "a number that is none, or too large"),
        (lambda: int("x"), "a value of another type"),
        (lambda: len(7), "a value of another type"),  # type: ignore[arg-type]
        (lambda: b"\xff".decode(), "bytes that are no UTF-8"),
    ],
)
def test_pythons_words_are_not_passed_on(read: Callable[[], object], said: str) -> None:
    with pytest.raises((ValueError, TypeError, LookupError, InvalidOperation)) as caught:
        read()
    assert words(caught.value) == said


def test_our_own_words_are() -> None:
    assert words(ValueError("metrics of another run")) == "metrics of another run"
