"""What a report takes of a figure: its element in a page, and the name of its file."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Svg(NamedTuple):
    """An svg element of a page, the style rules it needs, and what it shows in words."""

    element: str
    rules: str
    description: str


class Drawing(Protocol):
    """A figure; `name` is its file's, without suffix."""

    @property
    def name(self) -> str: ...

    @property
    def svg(self) -> Svg:
        """What stands for it in a page."""
