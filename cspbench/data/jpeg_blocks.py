"""JPEG's blocks of 8x8 samples: back to the coefficients that a file holds, and from them to stb_image's samples.

A coefficient is recovered by transforming libjpeg's samples back. Their rounding blurs it where a quantisation step is
small, so the file is decoded again with larger steps in its tables, some frequencies at a time, as strong ones take the
samples out of range. A block counts as recovered when libjpeg's own transform of its coefficients gives its samples;
the others, few, keep those.

Source: stb_image.h 2.x (stbi__idct_block), libjpeg's jidctint.c.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.uint8]
Integers = NDArray[np.int32]

_AMPLITUDES = np.sqrt(np.array([1] + [2] * 7) / 8)
COSINES = _AMPLITUDES[:, None] * np.cos(np.outer(np.arange(8), 2 * np.arange(8) + 1) * np.pi / 16)
"""The orthonormal 8-point transform, frequency by place."""

STB, LIBJPEG = 12, 13
"""Bits behind the point of the constants in the inverse transforms of the two."""


class Component:
    """The N blocks of a component, with what is known of their coefficients."""

    def __init__(self, blocks: Samples, steps: Integers) -> None:
        self.blocks, self.steps = blocks, steps
        self.coefficients = np.rint(_forward(blocks) / steps).astype(np.int32)
        self.known = self._right(self.coefficients, slice(None))

    def _right(self, coefficients: Integers, where: slice | NDArray[np.intp]) -> NDArray[np.bool_]:
        right: NDArray[np.bool_] = (_inverse(coefficients * self.steps, LIBJPEG) == self.blocks[where]).all((1, 2))
        return right

    def retry(self, views: Sequence[tuple[Samples, Integers]]) -> None:
        """Look again at the blocks not known, as other steps, without the constant term, show them."""
        left = np.flatnonzero(~self.known)
        trial = self.coefficients[left]
        for seen, steps in views:
            samples = seen[left]
            inside = np.flatnonzero(((samples > 0) & (samples < 255)).all((1, 2)))
            clear = steps > 0
            exact = np.rint(_forward(samples[inside]) / np.maximum(steps, 1)).astype(np.int32)
            trial[inside] = np.where(clear, exact, trial[inside])
        self._level(trial, self.blocks[left])
        for change in (0, 1, -2):  # the constant term may be off by one
            trial[:, 0, 0] += change
            right = self._right(trial, left)
            self.coefficients[left[right]] = trial[right]
            self.known[left[right]] = True

    def _level(self, coefficients: Integers, blocks: Samples) -> None:
        """Set the constant terms by the samples within their range, given all others."""
        others = (coefficients * self.steps).astype(np.float64)
        others[:, 0, 0] = 0
        offset = blocks - 128.0 - COSINES.T @ others @ COSINES
        inside = (blocks > 0) & (blocks < 255)
        mean = np.where(inside, offset, 0).sum((1, 2)) / np.maximum(inside.sum((1, 2)), 1)
        coefficients[:, 0, 0] = np.rint(8 * mean / self.steps[0, 0])

    def as_stb(self) -> Samples:
        """The samples (N, 8, 8)."""
        return np.where(self.known[:, None, None], _inverse(self.coefficients * self.steps, STB), self.blocks)


def blocks(plane: Samples) -> Samples:
    """The whole blocks of a plane, (N, 8, 8), row by row."""
    rows, columns = (side // 8 for side in plane.shape)
    whole = plane[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8)
    return np.ascontiguousarray(whole.transpose(0, 2, 1, 3)).reshape(-1, 8, 8)


def _forward(blocks: Samples) -> NDArray[np.float64]:
    """The cosine transform of blocks (N, 8, 8)."""
    found: NDArray[np.float64] = COSINES @ (blocks - 128.0) @ COSINES.T
    return found


def _inverse(coefficients: Integers, bits: int) -> Samples:
    """Samples (N, 8, 8) of coefficients, in the integers of stb_image or libjpeg.

    Both compute the same, after Loeffler, Ligtenberg and Moschytz, columns first; two bits are kept in between.
    """
    columns = [np.ascontiguousarray(coefficients[:, row]).T for row in range(8)]  # (8, N) each
    rows = _one_way(columns, bits, bits - 2, 0)
    across = [np.stack([row[column] for row in rows]) for column in range(8)]
    found = np.stack(_one_way(across, bits, bits + 5, 128), 2)  # (vertical, N, horizontal)
    return found.clip(0, 255).astype(np.uint8).transpose(1, 0, 2)


def _one_way(values: Sequence[Integers], bits: int, shift: int, level: int) -> list[Integers]:
    """The transform of eight numbers, rounded to `shift` bits less."""

    def fixed(number: float) -> np.int32:
        # stb_image cuts negative constants towards zero; libjpeg rounds them all, and subtracts
        scaled = number * (1 << bits)
        return np.int32(int(scaled + 0.5) if number > 0 or bits == STB else -int(0.5 - scaled))

    s0, s1, s2, s3, s4, s5, s6, s7 = values
    shared = (s2 + s6) * fixed(0.5411961)
    t2, t3 = shared + s6 * fixed(-1.847759065), shared + s2 * fixed(0.765366865)
    t0, t1 = (s0 + s4) << bits, (s0 - s4) << bits
    bias = (1 << (shift - 1)) + (level << shift)
    even = [each + np.int32(bias) for each in (t0 + t3, t1 + t2, t1 - t2, t0 - t3)]
    shared = (s7 + s3 + s5 + s1) * fixed(1.175875602)
    p1 = shared + (s7 + s1) * fixed(-0.899976223)
    p2 = shared + (s5 + s3) * fixed(-2.562915447)
    p3, p4 = (s7 + s3) * fixed(-1.961570560), (s5 + s1) * fixed(-0.390180644)
    odd = [
        s1 * fixed(1.501321110) + p1 + p4,
        s3 * fixed(3.072711026) + p2 + p3,
        s5 * fixed(2.053119869) + p2 + p4,
        s7 * fixed(0.298631336) + p1 + p3,
    ]
    first = [(a + b) >> shift for a, b in zip(even, odd, strict=True)]
    return first + [(a - b) >> shift for a, b in zip(reversed(even), reversed(odd), strict=True)]
