"""Networks from the zoo's functions that append layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cspbench.network.builder import Builder
from cspbench.network.network import Network


def built(append: Callable[..., object], side: int, *arguments: Any, **keywords: Any) -> Network:
    """The network that `append` builds for an input of `side` pixels."""
    b = Builder("built", (3, side, side))
    append(b, *arguments, **keywords)
    return b.network()
