"""What a layer does, in single operations, before any counting rule weighs them."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Operations:
    """Operations of one layer (or a sum of layers) on one image; integers, so that two counters can agree exactly.

    A counting (`cspbench.network.counting`) is a weighted sum of these.
    """

    conv: int = 0
    """Multiply-adds of convolutions (with antialiasing: at the stride-1 resolution that is really computed)."""
    blur: int = 0
    """Multiply-adds of the fixed antialiasing kernels."""
    linear: int = 0
    """Multiply-adds of connected layers."""
    pool_taps: int = 0
    """Window positions times window area of max and local average pools, taps outside the image included."""
    pool_input: int = 0
    """Elements read by max and local average pools."""
    pool_output: int = 0
    """Elements written by max and local average pools."""
    global_pool_input: int = 0
    """Elements read by global average pools."""
    global_pool_output: int = 0
    """Elements written by global average pools."""
    shortcut: int = 0
    """Additions of shortcuts: output elements times added sources, twice that when weighted."""
    batch_norm: int = 0
    """Elements that pass through a batch normalisation."""
    activation: int = 0
    """Elements that pass through a non-linear activation."""
    upsample: int = 0
    """Elements that an upsampling reads: one for each element written, four where it interpolates."""

    def __add__(self, other: Operations) -> Operations:
        return Operations(*(getattr(self, name) + getattr(other, name) for name in NAMES))


NAMES: tuple[str, ...] = tuple(field.name for field in fields(Operations))
