"""What a file is, told by its first bytes before anyone parses it: what passes for weights is often something else."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from cspbench.errors import WeightsError
from cspbench.io import open_file, read_part

SAMPLE = 4096
"""Bytes looked at in the beginning, the middle and the end."""


class Kind(Enum):
    """A format: what it is called, and what to do when a weight file was wanted."""

    DARKNET = "a Darknet weight file", ""
    SAFETENSORS = "a safetensors file", "Convert it: `cspbench weights convert FILE --to darknet`"
    ZIP = "a zip archive, as torch.save writes (.pth)", "It is read for timm/* models only; unpack any other archive"
    PICKLE = "a Python pickle, as old checkpoints are (.pth)", "It is read for timm/* models only"
    HTML = "an HTML page", "Download the file itself: large files at Google Drive ask to confirm first"
    LFS = "a Git LFS pointer", "Fetch the file behind it: `git lfs pull`"
    GZIP = "a gzip archive", "Unpack it first"
    HDF5 = "an HDF5 file, as Keras writes", "Take the file it was converted from"
    TEXT = "text", "Give the weight file and not, say, its cfg"
    ZEROS = "nothing but zeros", "The download has failed: fetch it again"


@dataclass(frozen=True)
class Examined:
    """A regular file that is not empty: its size, its first bytes and its kind.

    Whatever is not known to be anything else counts as Darknet's, whose files begin with version numbers only.
    """

    path: Path
    size: int
    head: bytes
    kind: Kind

    def refused(self, wanted: Kind = Kind.DARKNET) -> WeightsError:
        """The error for a file that is not of the kind wanted."""
        found, remedy = self.kind.value
        return WeightsError(
            "weights.other-kind",
            "not a weight file of that kind",
            where=str(self.path),
            expected=wanted.value[0],
            found=found,
            remedy=remedy or None,
        )


def examine(path: Path) -> Examined:
    """Look at a file without reading more than a few pages of it, however large it says to be."""
    try:
        with open_file(path) as stream:
            size = os.fstat(stream.fileno()).st_size
            head = read_part(stream, 0, SAMPLE)
            zeros = not any(head) and not any(
                any(read_part(stream, max(0, at), SAMPLE)) for at in (size // 2, size - SAMPLE)
            )
    except IsADirectoryError as error:
        raise _unusable(path, "weights.not-a-file", "not a file", "a folder", "Name the weight file itself") from error
    except OSError as error:
        found = error.strerror or str(error)
        raise _unusable(
            path, "weights.unreadable", "the weight file cannot be read", found, "Check the path and its permissions"
        ) from error
    if not head:
        raise _unusable(path, "weights.empty", "the file is empty", "0 bytes", "Download it again")
    return Examined(path, size, head, Kind.ZEROS if zeros else _kind(head, size))


def _unusable(path: Path, code: str, what: str, found: str, remedy: str) -> WeightsError:
    return WeightsError(code, what, where=str(path), expected="a readable weight file", found=found, remedy=remedy)


def _kind(head: bytes, size: int) -> Kind:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<!--")):
        return Kind.HTML
    if text.startswith(b"version https://git-lfs"):
        return Kind.LFS
    if head.startswith(b"PK\x03\x04"):
        return Kind.ZIP
    if head[0] == 0x80 and head[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):  # the opcode for protocol 2 to 5
        return Kind.PICKLE
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8:
        return Kind.SAFETENSORS
    if head.startswith(b"\x1f\x8b"):
        return Kind.GZIP
    if head.startswith(b"\x89HDF\r\n"):
        return Kind.HDF5
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head):
        return Kind.TEXT
    return Kind.DARKNET
