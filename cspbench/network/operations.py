"""The operations of a layer by kind, before a counting weights them."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Operations:
    """Operations of one layer on one image, as integers, so that two counters can agree exactly.

    A counting (`cspbench.network.counting`) is a weighted sum of these.
    """

    conv: int = 0
    """Multiply-adds of convolutions (with antialiasing at stride 1, as computed)."""
    xnor: int = 0
    """Those of them with binary weights and input."""
    blur: int = 0
    """Multiply-adds of the fixed antialiasing kernels."""
    linear: int = 0
    """Multiply-adds of connected layers, locally connected ones too."""
    pool_taps: int = 0
    """Window positions times window area of max and local average pools, including taps outside the image."""
    pool_input: int = 0
    """Elements read by max and local average pools."""
    global_pool_input: int = 0
    """Elements read by global average pools."""
    global_pool_output: int = 0
    """Elements written by global average pools."""
    shortcut: int = 0
    """Additions of shortcuts: output elements times added sources, doubled for weighted shortcuts."""
    batch_norm: int = 0
    """Elements that pass through a batch normalisation."""
    activation: int = 0
    """Elements that pass through a non-linear activation."""
    upsample: int = 0
    """Elements read by upsampling: one per element written, four if bilinear."""


NAMES: tuple[str, ...] = tuple(field.name for field in fields(Operations))
