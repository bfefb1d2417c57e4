"""How the pages' templates are rendered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cspbench.errors import printable

if TYPE_CHECKING:
    from jinja2 import Environment


def environment(*, keep_trailing_newline: bool = False) -> Environment:
    """Text is escaped and made printable, and a name that does not exist is an error."""
    from jinja2 import Environment, StrictUndefined

    return Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=keep_trailing_newline,
        finalize=lambda value: printable(value) if type(value) is str else value,
    )
