"""ImageNet's 1000 classes (WordNet ids) in the two orders that networks number them by."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from cspbench.errors import UsageError

ORDERS = ("darknet", "sorted")


@cache
def order(name: str) -> tuple[str, ...]:
    """The 1000 WordNet ids in a numbering's order.

    `darknet`: of Darknet's networks. It is also the order of the ILSVRC2012 development kit, whose ground truth counts
    from 1: validation image 1 has number 490, n01751748. `sorted`: of torchvision, timm, mmpretrain and Caffe.
    """
    if name not in ORDERS:
        raise UsageError(
            f"no class order {name!r}", expected=f"one of {', '.join(ORDERS)}", remedy="Correct the model's class order"
        )
    wnids = tuple(files("cspbench.data").joinpath("imagenet-darknet-order.txt").read_text("ascii").split())
    return wnids if name == "darknet" else tuple(sorted(wnids))


@cache
def places(name: str) -> dict[str, int]:
    """The number of each WordNet id in an order, from 0."""
    return {wnid: place for place, wnid in enumerate(order(name))}
