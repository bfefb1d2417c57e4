"""The rules by which batch normalisation avoids a division by zero."""

from __future__ import annotations

from enum import StrEnum


class Epsilon(StrEnum):
    """The divisor of batch normalisation; the rules differ where a variance is below about 1e-3.

    `inside`: sqrt(variance + e), in Darknet since May 2019 (1e-6) and February 2020 (1e-5), in Pelee's Caffe (1e-3).
    `outside`: sqrt(variance) + e, in the original engine.
    """

    INSIDE_1E3 = "inside-1e-3"
    INSIDE_1E5 = "inside-1e-5"
    INSIDE_1E6 = "inside-1e-6"
    OUTSIDE_1E6 = "outside-1e-6"
