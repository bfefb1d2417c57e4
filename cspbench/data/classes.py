"""ImageNet's 1000 classes (WordNet ids) in the two orders in which networks number them, and the sample's classes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from cspbench.claims.model import unknown

ORDERS = ("darknet", "sorted")
"""The orders of ImageNet's classes."""
SAMPLE = "sample"
"""The order of the classes of the bundled sample, which are not ImageNet's."""
SAMPLE_WNIDS = tuple(f"n{90_000_001 + number}" for number in range(16))
"""Their ids, in the order of the classifier's outputs: in WordNet's form, and not used by WordNet."""


@cache
def order(name: str) -> tuple[str, ...]:
    """The 1000 WordNet ids in one of the orders, or the ids of the sample's classes. Raises `UsageError`.

    `darknet`: the order of Darknet's networks and of the ILSVRC2012 development kit, whose ground truth counts from 1
    (validation image 1 has number 490, n01751748). `sorted`: the order of torchvision, timm, mmpretrain and Caffe.
    """
    if name == SAMPLE:
        return SAMPLE_WNIDS
    if name not in ORDERS:
        raise unknown("usage.unknown-class-order", "unknown class order", name, (*ORDERS, SAMPLE))
    wnids = tuple(files("cspbench.data").joinpath("imagenet-darknet-order.txt").read_text("ascii").split())
    return wnids if name == "darknet" else tuple(sorted(wnids))


@cache
def places(name: str) -> dict[str, int]:
    """The number of each WordNet id in an order, from 0."""
    return {wnid: number for number, wnid in enumerate(order(name))}


def is_class(wnid: str) -> bool:
    """Whether a name is the id of a class of ImageNet or of the sample."""
    return wnid in places("sorted") or wnid in SAMPLE_WNIDS
