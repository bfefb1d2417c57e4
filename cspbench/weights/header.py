"""The header of a Darknet weight file."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SHORTEST = 16
"""Bytes of the shorter header."""


@dataclass(frozen=True)
class Header:
    """Version, and images seen in training; by default the version that Darknet writes today.

    `seen` takes 8 bytes from version 0.2 on and 4 before it, so the header has 20 or 16 bytes. It also takes 4 where
    `major` or `minor` serves as a flag (1000 and more, as in the original engine).
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def wide(self) -> bool:
        """Whether `seen` has 64 bits."""
        return self.major * 10 + self.minor >= 2 and self.major < 1000 and self.minor < 1000

    @property
    def size(self) -> int:
        return 20 if self.wide else SHORTEST

    @property
    def transposed(self) -> bool:
        """Whether the weights of connected layers are stored input by input."""
        return self.major > 1000 or self.minor > 1000

    @property
    def plausible(self) -> bool:
        """Whether any Darknet may have written these numbers; bytes of other files read as huge ones."""
        versions = (self.major, self.minor, self.revision)
        return all(0 <= number < 10_000 for number in versions) and 0 <= self.seen < 2 ** (64 if self.wide else 32)

    @property
    def version(self) -> str:
        return f"{self.major}.{self.minor}.{self.revision}"

    def pack(self) -> bytes:
        """The bytes of the header; raises `struct.error` for numbers that are out of range."""
        return struct.pack("<iiiQ" if self.wide else "<iiiI", self.major, self.minor, self.revision, self.seen)

    @classmethod
    def unpack(cls, data: bytes) -> Header:
        """The header at the beginning of `data`, at least `SHORTEST` bytes; `seen` is 0 if its bytes are missing."""
        version = cls(*struct.unpack_from("<iii", data))
        form = "<Q" if version.wide else "<I"
        seen = struct.unpack_from(form, data, 12)[0] if len(data) >= version.size else 0
        return cls(version.major, version.minor, version.revision, seen)
