"""What the catalogue says about a network: where its definition comes from and how well it is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from cspbench.network.network import Network
from cspbench.zoo.recipe import Recipe

Definition = Literal["cfg", "paper", "reconstruction", "stand-in", "file"]
"""cfg: equals a published file layer by layer. paper: another complete public definition. reconstruction: forced by
independent evidence. stand-in: ours, since too little is known, and made to carry the published totals where there are
any, so that agreement proves nothing. file: a cfg the user gave."""

Confidence = Literal["certain", "very high", "high", "medium", "low"]
"""That the network is the one behind the published numbers."""


@dataclass(frozen=True)
class Model:
    """A network of the catalogue. `source` says in a few words what the definition rests on.

    `unknown` is a sentence on what nobody knows of it, `why` the evidence for it, a few lines. `namesakes` are models
    that go by the same name elsewhere: where a row's number is off, they are tried as well.
    """

    name: str
    build: Callable[[], Network]
    definition: Definition
    source: str
    confidence: Confidence = "certain"
    unknown: str | None = None
    why: str = ""
    namesakes: tuple[str, ...] = ()
    recipe: Recipe | None = None
    """How a detector is used that is none of Darknet's."""
