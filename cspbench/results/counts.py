"""The records of counted parameters and operations: params.json."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta, Struct, field

from cspbench.results.encoding import SCHEMA
from cspbench.results.schema import Session, Size

Number = Annotated[int, Meta(ge=0, le=10**18)]


class CountedCell(Struct, frozen=True, omit_defaults=True):
    """One count, in single parameters or operations, beside the claim as it was printed at the time."""

    counting: str
    count: Number | None
    printed: str
    """The whole cell as published, "27.61M (-34%)"; "-" without a claim."""
    unit: str
    rounding: str
    namesakes: dict[str, Number] = field(default_factory=dict)
    """The counts of other networks of the same name: one that has the published number explains a miss."""


class CountedRow(Struct, frozen=True, omit_defaults=True):
    """A counted row; `table` and `id` are None for a model without a published row."""

    model: str | None
    params: CountedCell
    bflops: CountedCell
    table: str | None = None
    id: str | None = None
    row: str | None = None
    """Its label in the table."""
    settings: dict[str, str] = field(default_factory=dict)
    size: Size | None = None
    network: str | None = None
    """The digest of the counted network."""
    definition: str | None = None
    """The kind of the network's definition when it was counted: `cfg`, `stand-in`, ..."""

    @property
    def catalogue_model(self) -> str:
        """The catalogue's model; "" for a row without one, and for a user's file, whatever its name."""
        return self.model or "" if self.definition != "file" else ""


class Counts(Struct, frozen=True, kw_only=True):
    """params.json."""

    schema: int = SCHEMA
    session: Session
    rows: list[CountedRow]
    layers: list[str] = field(default_factory=list)
    """The different layers of the models; `cspbench.results.layers` explains them."""
    networks: dict[str, str] = field(default_factory=dict)
    """By model the numbers of its layers in `layers`, joined by spaces."""

    def __post_init__(self) -> None:
        for numbers in self.networks.values():
            if not re.fullmatch(r"[0-9]{1,9}( [0-9]{1,9})*", numbers, re.ASCII):
                raise ValueError("a network that is not a list of layers")
            if max(map(int, numbers.split(" "))) >= len(self.layers):
                raise ValueError("a network with a layer that is not recorded")
