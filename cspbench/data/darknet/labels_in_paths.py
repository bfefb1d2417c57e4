"""Darknet's rule for the class of an image: the first label that its path contains."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence


class Classes:
    """The labels of classes, to be found in paths."""

    def __init__(self, labels: Sequence[str]) -> None:
        self.numbers: dict[int, dict[str, int]] = defaultdict(dict)
        """The class of each label, by the label's length."""
        for number, label in enumerate(labels):
            self.numbers[len(label)].setdefault(label, number)

    def of(self, path: str) -> list[int]:
        """The classes whose labels a path contains, ascending; Darknet takes the first."""
        return sorted(
            {
                numbers[part]
                for length, numbers in self.numbers.items()
                for begin in range(len(path) - length + 1)
                if (part := path[begin : begin + length]) in numbers
            }
        )
