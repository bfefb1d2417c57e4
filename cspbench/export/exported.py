"""What an export gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cspbench.export.check import Difference
from cspbench.export.formats import Format


@dataclass(frozen=True)
class Exported:
    """A file that was written."""

    path: Path
    format: Format
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Of a graph, as in the file: model, preset, input, outputs, classes, digests."""
    differences: tuple[Difference, ...] = ()
    """Of the check: the file beside torch, output by output."""
    notes: tuple[str, ...] = ()
    """What a user has to know of how the weights were read, and of what the network does not allow."""

    @property
    def passed(self) -> bool:
        """False if a difference is larger than rounding explains."""
        return all(difference.passed for difference in self.differences)
