"""The versions of Darknet whose training differs (spec training 0.2, 0.3)."""

from __future__ import annotations

from enum import StrEnum


class Era(StrEnum):
    """The code that trained a network.

    `oct2019` (2019-10-15) made the rows MSE and GIoU, `nov2019` (2019-11-26) the rows DIoU and CIoU; `head` is the
    Darknet of today.
    """

    OCT2019 = "oct2019"
    NOV2019 = "nov2019"
    HEAD = "head"
