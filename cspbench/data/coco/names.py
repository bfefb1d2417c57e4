"""The file names in COCO's annotations as other programs write them, as paths inside the image folder.

On Windows names have backslashes and drives. Tools for labelling write absolute paths of the machine they ran on, or
paths that begin with "..". None of these is followed: what all such paths have in common is cut off, and the rest is
looked for in the image folder.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from typing import NamedTuple

TAILS = 8
"""The most folders above an image that are looked for."""
_ODD = re.compile(r"[\\:]|(?:^|/)\.{0,2}(?:/|$)")
"""What a path inside a folder does not have: backslashes, drives, and parts that are empty, "." or ".."."""


class Names(NamedTuple):
    """Paths inside the image folder, without "..", and the folders that were cut off absolute ones."""

    paths: list[str]
    cut: tuple[str, ...] = ()

    def folders(self) -> list[str]:
        """Where, below the image folder, paths may lie that were absolute: "c", "b/c" and "a/b/c" of /a/b/c."""
        last = self.cut[-TAILS:]
        return ["/".join(last[begin:]) for begin in reversed(range(len(last)))]


def inside(names: Sequence[str]) -> Names:
    """The names as paths inside a folder. Empty ones stay, which stand for images without a name."""
    split = [_split(name) for name in names]
    foreign = [parts[:-1] for parts, elsewhere in split if elsewhere]
    cut = tuple(posixpath.commonprefix(foreign)) if foreign else ()
    return Names(["/".join(parts[len(cut) :] if elsewhere else parts) for parts, elsewhere in split], cut)


def is_name(text: str) -> bool:
    """Whether a text can be a file's name."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        return False
    return bool(_split(text)[0]) and text[-1] not in "/\\"


def _split(name: str) -> tuple[list[str], bool]:
    """The parts of a path, and whether it is an absolute one or begins above its folder."""
    if not _ODD.search(name):
        return name.split("/"), False
    text = re.sub(r"^(?:[A-Za-z]:|[A-Za-z][A-Za-z0-9+.-]*://)", "/", name.replace("\\", "/"))
    parts = [part for part in posixpath.normpath(text).split("/") if part not in ("", ".")] if text else []
    elsewhere = text.startswith("/") or parts[:1] == [".."]
    return [part for part in parts if part != ".."], elsewhere
