"""benchmarks.json: how fast parts of cspbench are beside their peers, as `python -m benchmarks` measured."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from cspbench.results.encoding import SCHEMA
from cspbench.results.schema import Positive, Session

FILE = "benchmarks.json"


class Ratio(Struct, frozen=True):
    """One comparison."""

    part: str
    name: str
    """Of both sides: "cspbench to pycocotools"."""
    times_as_fast: Annotated[float, Meta(gt=0, le=1e9)]


class Benchmarks(Struct, frozen=True, kw_only=True):
    """The ratios of one machine; quick ones are of sizes that say little."""

    schema: int = SCHEMA
    session: Session
    processor: str
    cores: Positive
    load: Annotated[float, Meta(ge=0, le=1e6)]
    """Processes that were busy before the start."""
    quick: bool
    ratios: list[Ratio]

    def __post_init__(self) -> None:
        if len({(ratio.part, ratio.name) for ratio in self.ratios}) != len(self.ratios):
            raise ValueError("a ratio twice")
