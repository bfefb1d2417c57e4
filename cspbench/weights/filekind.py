"""The kind of a file, from a few of its bytes before anything parses it: many supposed weight files are not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cspbench.errors import WeightsError
from cspbench.io import open_file, read_part
from cspbench.weights.header import SHORTEST, Header

SAMPLE = 4096
"""Bytes that are read at the beginning, in the middle and at the end."""


class Kind(Enum):
    """A format: its description, and the remedy where a weight file was expected."""

    DARKNET = "a Darknet weight file", ""
    SAFETENSORS = "a safetensors file", "Convert it: `cspbench weights convert FILE --to darknet`"
    ZIP = (
        "a zip archive, as torch.save writes (.pth)",
        "It is read for timm/* models, and if it is the state dict of our module; unpack any other archive",
    )
    PICKLE = (
        "a Python pickle, as old checkpoints are (.pth)",
        "It is read for timm/* models, and if it is the state dict of our module",
    )
    HTML = "an HTML page", "Download the file itself: Google Drive asks for confirmation of large files first"
    LFS = "a Git LFS pointer", "Download the file it stands for: `git lfs pull`"
    GZIP = "a gzip archive", "Unpack it first"
    HDF5 = "an HDF5 file, as Keras writes", "Use the file it was converted from"
    TEXT = "text", "Pass the weight file, not its cfg or another text"
    ZEROS = "nothing but zeros", "Download it again"
    ONNX = "an ONNX graph", "Pass the weights from which it was exported"
    UNKNOWN = "a file of an unknown format", "Pass the weight file itself, or download it again"


@dataclass(frozen=True)
class Examined:
    """A regular file that is not empty: its size, its first bytes and its kind.

    Darknet's files begin with version numbers only, so any file that could be one, and is not recognized as another
    kind, counts as one.
    """

    path: Path
    size: int
    head: bytes
    kind: Kind

    def refused(self, expected: Kind = Kind.DARKNET) -> WeightsError:
        """The error where a file of the kind `expected` is required."""
        found, remedy = self.kind.value
        what, kind = "the weight file has another format", expected.value[0]
        return WeightsError(
            "weights.other-kind", what, where=str(self.path), expected=kind, found=found, remedy=remedy or None
        )


def examine(path: Path) -> Examined:
    """Examine a file without reading more than a few pages of it; raises `WeightsError` if it cannot be read."""
    try:
        with open_file(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            head = read_part(stream, 0, SAMPLE)
            others = (read_part(stream, max(0, at), SAMPLE) for at in (size // 2, size - SAMPLE))
            zeros = not any(head) and not any(map(any, others))
    except OSError as error:
        what, found = "the weight file cannot be read", error.strerror or str(error)
        remedy = "Check the path and its permissions"
        raise WeightsError("weights.unreadable", what, where=str(path), found=found, remedy=remedy) from error
    if not head:
        raise WeightsError("weights.empty", "the file is empty", where=str(path), remedy="Download it again")
    return Examined(path, size, head, Kind.ZEROS if zeros else _kind(head, size))


def is_page(head: bytes) -> bool:
    """Whether a file with this beginning is a page: no weight file begins with `<` or blanks and `<`."""
    return head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def _kind(head: bytes, size: int) -> Kind:
    if is_page(head):
        return Kind.HTML
    if head.startswith(b"version https://git-lfs"):
        return Kind.LFS
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):  # the opcode for protocol 2 to 5
        return Kind.PICKLE
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return Kind.SAFETENSORS
    for start, kind in ((b"PK\x03\x04", Kind.ZIP), (b"\x1f\x8b", Kind.GZIP), (b"\x89HDF\r\n", Kind.HDF5)):
        if head.startswith(start):
            return kind
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head):
        return Kind.TEXT
    if head[0] == 0x08 and head[2:3] in (b"\x12", b"\x3a"):  # ir_version, then producer_name or graph
        return Kind.ONNX
    return Kind.DARKNET if size >= SHORTEST and Header.unpack(head).plausible else Kind.UNKNOWN
