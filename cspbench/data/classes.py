"""ImageNet's 1000 classes: their WordNet ids in the two orders in which networks number them, and their names.

The classes of the bundled sample have ids, too.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path

from cspbench.claims.model import unknown

ORDERS = ("darknet", "sorted")
"""The orders of ImageNet's classes."""
SAMPLE = "sample"
"""The order of the classes of the bundled sample, which are not ImageNet's."""
SAMPLE_WNIDS = tuple(f"n{90_000_001 + number}" for number in range(16))
"""Their ids, in the order of the classifier's outputs: in WordNet's form, and not used by WordNet."""

NAMES = "data/_info/imagenet_synset_to_lemma.txt"
"""WordNet's names of ImageNet's synsets in timm's package, which is not imported: that takes seconds."""


@cache
def order(name: str) -> tuple[str, ...]:
    """The 1000 WordNet ids in one of the orders, or the ids of other classes. Raises `UsageError`.

    `darknet`: the order of Darknet's networks and of the ILSVRC2012 development kit, whose ground truth counts from 1
    (validation image 1 has number 490, n01751748). `sorted`: the order of torchvision, timm, mmpretrain and Caffe.
    """
    if name == SAMPLE:
        return SAMPLE_WNIDS
    if own := re.fullmatch(r"own-([1-9][0-9]{0,5})", name):
        return tuple(map(str, range(int(own[1]))))
    if name not in ORDERS:
        raise unknown("usage.unknown-class-order", "unknown class order", name, (*ORDERS, SAMPLE))
    wnids = tuple(files("cspbench.data").joinpath("imagenet-darknet-order.txt").read_text("ascii").split())
    return wnids if name == "darknet" else tuple(sorted(wnids))


def own_order(classes: int) -> str:
    """The name of the order of a user's own classes, whose ids are their numbers from 0."""
    return f"own-{classes}"


@cache
def places(name: str) -> dict[str, int]:
    """The number of each WordNet id in an order, from 0."""
    return {wnid: number for number, wnid in enumerate(order(name))}


def is_class(wnid: str) -> bool:
    """Whether a name is the id of a class of ImageNet or of the sample."""
    return wnid in places("sorted") or wnid in SAMPLE_WNIDS


def wnid_of(text: str) -> str | None:
    """The WordNet id of a class by its id or any of its names ("tench"); None for other texts and for names of two."""
    return text if is_class(text) else _ids().get(_plain(text))


@cache
def descriptions() -> dict[str, str]:
    """WordNet's names of each of ImageNet's classes by its id ("tench, Tinca tinca"); empty where timm has no list."""
    package = find_spec("timm")
    folders = package.submodule_search_locations if package is not None else None
    try:
        lines = (Path(next(iter(folders or ()))) / NAMES).read_text("utf-8").splitlines()
    except (OSError, StopIteration, UnicodeDecodeError):
        return {}
    known = places("sorted")
    pairs = (line.partition("\t") for line in lines)
    return {wnid: description for wnid, _, description in pairs if wnid in known}


@cache
def _ids() -> dict[str, str | None]:
    """The id of every name, None for a name of two classes, as crane and maillot; empty where timm has no list."""
    ids: dict[str, str | None] = {}
    for wnid, description in descriptions().items():
        for name in {_plain(synonym) for synonym in (description, *description.split(","))}:
            ids[name] = wnid if ids.setdefault(name, wnid) == wnid else None
    return ids


def _plain(text: str) -> str:
    return " ".join(text.casefold().replace("_", " ").split())
