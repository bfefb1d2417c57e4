"""ImageNet's classes by their names in words, such as "tench" or "kit fox, Vulpes macrotis"."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from cspbench.data.classes import is_class, places

LIST = "data/_info/imagenet_synset_to_lemma.txt"
"""WordNet's names of ImageNet's synsets in timm's package, which is not imported: that takes seconds."""


def wnid_of(text: str) -> str | None:
    """The WordNet id of a class by its id or any of its names; None for other texts, and for names of two classes."""
    return text if is_class(text) else _ids().get(_plain(text))


@cache
def _ids() -> dict[str, str | None]:
    """The id of every name, None for a name of two classes, as crane and maillot; empty where timm has no list."""
    package = find_spec("timm")
    folders = package.submodule_search_locations if package is not None else None
    try:
        lines = (Path(next(iter(folders or ()))) / LIST).read_text("utf-8").splitlines()
    except (OSError, StopIteration, UnicodeDecodeError):
        return {}
    ids: dict[str, str | None] = {}
    for wnid, _, description in (line.partition("\t") for line in lines):
        if wnid in places("sorted"):
            for name in {_plain(each) for each in (description, *description.split(","))}:
                ids[name] = wnid if ids.setdefault(name, wnid) == wnid else None
    return ids


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split())
