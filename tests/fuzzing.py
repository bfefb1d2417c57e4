"""How many random examples a property is tried on.

`CSPBENCH_FUZZ=100` runs a hundred times as many, others each time; 0.5 half as many. Without it the examples are the
same on every machine: a suite that fails now and then tells nobody anything.
"""

from __future__ import annotations

import os

FUZZ = float(os.environ.get("CSPBENCH_FUZZ", "0"))


def examples(count: int) -> int:
    """As many as that, or as many times as FUZZ asks for."""
    return max(1, int(count * (FUZZ or 1)))
