"""ImageNet's 1000 classes (WordNet ids) in the two orders that networks number them by, and the sample's classes."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from cspbench.errors import UsageError

ORDERS = ("darknet", "sorted")
"""Of ImageNet's classes."""
SAMPLE = "sample"
"""The order of the bundled sample's classes, which are none of ImageNet's."""


@cache
def order(name: str) -> tuple[str, ...]:
    """The 1000 WordNet ids in a numbering's order, or the ids of the sample's classes.

    `darknet`: of Darknet's networks. It is also the order of the ILSVRC2012 development kit, whose ground truth counts
    from 1: validation image 1 has number 490, n01751748. `sorted`: of torchvision, timm, mmpretrain and Caffe.
    """
    if name == SAMPLE:
        from cspbench.sample.classification import CLASSES

        return tuple(each for each, _ in CLASSES)
    if name not in ORDERS:
        raise UsageError(
            "usage.unknown-class-order",
            f"no class order {name!r}",
            expected=f"one of {', '.join(ORDERS)}, {SAMPLE}",
            remedy="Correct the model's class order",
        )
    wnids = tuple(files("cspbench.data").joinpath("imagenet-darknet-order.txt").read_text("ascii").split())
    return wnids if name == "darknet" else tuple(sorted(wnids))


@cache
def places(name: str) -> dict[str, int]:
    """The number of each WordNet id in an order, from 0."""
    return {wnid: place for place, wnid in enumerate(order(name))}


def known(wnid: str) -> bool:
    """Whether a folder of that name holds a class of ImageNet's, or of the sample's."""
    # the sample's ids lie where WordNet has none, and drawing need not be imported to see that
    return wnid in places("sorted") or (wnid.startswith("n9") and wnid in places(SAMPLE))
