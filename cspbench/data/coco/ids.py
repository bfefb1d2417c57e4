"""The ids of COCO's files as other programs write them: whole numbers, whole floats (1.0), and texts ("0042", "a7").

Everything after the reading counts with whole numbers. A text of digits is its number if that distinguishes all ids of
the file; otherwise every text gets a number of its own, above those that the file has.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Annotated

from msgspec import Meta

LARGEST_ID = 2**53
"""Above it floats skip integers, and JSON readers in other languages read another number."""
LONGEST_ID = 1024
"""Characters of an id that is a text; names of files are among them."""

Number = Annotated[int, Meta(ge=0, le=LARGEST_ID)] | Annotated[float, Meta(ge=0, le=LARGEST_ID)]
Id = Number | Annotated[str, Meta(min_length=1, max_length=LONGEST_ID)]
"""An id in an annotation file; `whole` says whether a float is one."""


class Ids:
    """The ids of one kind in a file, in its order, and their `numbers`."""

    def __init__(self, values: Sequence[int | float | str]) -> None:
        """Raises `ValueError` for a float that is not whole."""
        self.numbers: list[int]
        self.texts: dict[int, str] = {}
        """The text of each number whose id is one in the file."""
        self._numbers: dict[int | str, int]
        if set(map(type, values)) <= {int}:  # COCO's own files are large
            self.numbers = [int(value) for value in values]
            self._numbers = {number: number for number in self.numbers}
            return
        plain = [value if isinstance(value, str) else whole(value) for value in values]
        texts = list(dict.fromkeys(value for value in plain if isinstance(value, str)))
        taken = {value for value in plain if not isinstance(value, str)}
        meant = [digits(text) for text in texts]
        if None in meant or len({*taken, *meant}) < len(taken) + len(texts):
            meant = list(range(max(taken, default=0) + 1, max(taken, default=0) + 1 + len(texts)))
            by_digits: dict[int | str, int] = {}
        else:
            by_digits = {number: number for number in meant if number is not None}
        by_text: dict[int | str, int] = {
            text: number for text, number in zip(texts, meant, strict=True) if number is not None
        }
        self._numbers = {**by_digits, **{number: number for number in taken}, **by_text}
        self.numbers = [self._numbers[value] for value in plain]
        self.texts = {number: str(text) for text, number in by_text.items()}

    def find(self, value: int | float | str) -> int | None:
        """The number of an id that another record names; None for an unknown one, and for a float that is not whole."""
        if isinstance(value, float):
            if not value.is_integer():
                return None
            value = int(value)
        number = self._numbers.get(value)
        if number is None and isinstance(value, str) and (meant := digits(value)) is not None:
            number = self._numbers.get(meant)
        return number

    def more(self, others: Iterable[tuple[str, int]]) -> Ids:
        """These ids with other texts for them; a text that means two ids, or is one as it is, is left out."""
        added: dict[str, int | None] = {}
        for text, number in others:
            if text not in self._numbers and not (text == str(digits(text)) and digits(text) in self._numbers):
                added[text] = number if added.get(text, number) == number else None
        both = Ids(())
        both.numbers, both.texts = self.numbers, self.texts
        both._numbers = {**self._numbers, **{text: number for text, number in added.items() if number is not None}}
        return both


def whole(value: int | float) -> int:
    """A number without a fraction. Raises `ValueError`."""
    if not float(value).is_integer():
        raise ValueError(f"{value} is not a whole number")
    return int(value)


def digits(text: str) -> int | None:
    """The number that a text of up to 15 digits means, 9 or 9.0; None for any other text."""
    text = text.removesuffix(".0")
    return int(text) if len(text) < 16 and text.isascii() and text.isdecimal() else None


def as_json(number: int, texts: dict[int, str]) -> str:
    """An id as its file has it."""
    return json.dumps(texts[number]) if number in texts else str(number)
