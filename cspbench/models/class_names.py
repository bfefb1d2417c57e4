"""The classes of the data set that a network was trained on, in the order of its outputs."""

from __future__ import annotations

from dataclasses import dataclass

from cspbench.data.classes import ORDERS, SAMPLE, descriptions, order
from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.weights.catalogue import shipped


@dataclass(frozen=True)
class Labels:
    """The classes of a network in its order."""

    names: tuple[str, ...]
    ids: tuple[str, ...] | tuple[int, ...] | None
    """WordNet ids of ImageNet's classes, or a detector's category ids in COCO's result format."""
    note: str | None = None
    """What is only assumed about them."""


def of_classifier(numbering: str, classes: int) -> Labels | None:
    """ImageNet's or the sample's classes in an order of `cspbench.data.classes`; None for another number of classes."""
    if numbering not in (*ORDERS, SAMPLE) or len(order(numbering)) != classes:
        return None
    if numbering == SAMPLE:
        from cspbench.sample.classification import CLASSES

        return Labels(tuple(name for _, name in CLASSES), None)
    known, wnids = descriptions(), order(numbering)
    return Labels(tuple(known.get(wnid, wnid) for wnid in wnids), wnids)


def of_detector(model: str | None, classes: int) -> Labels | None:
    """COCO's classes, or the sample's of a bundled `model`; None for another number of classes."""
    categories = COCO_CATEGORIES
    if model is not None and shipped(model) is not None:
        from cspbench.sample import detection

        categories = detection.CATEGORIES
    return Labels(tuple(categories.values()), tuple(categories)) if len(categories) == classes else None
