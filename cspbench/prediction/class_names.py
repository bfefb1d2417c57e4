"""The names of a network's classes: the user's, those beside its files, or those of the data set it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cspbench.data.classes import ORDERS, SAMPLE, descriptions, order
from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.detection.class_names import by_name
from cspbench.evaluation.detection_data import known_names
from cspbench.evaluation.subject import Subject
from cspbench.weights.catalogue import shipped


@dataclass(frozen=True)
class Labels:
    """The classes of a network in its order."""

    names: tuple[str, ...]
    ids: tuple[str, ...] | tuple[int, ...] | None
    """WordNet ids of ImageNet's classes, or a detector's category ids in COCO's result format."""
    note: str | None = None
    """What is only assumed about them."""


def labels_of_classifier(
    subject: Subject, classes: int, numbering: str, names: str | Path | None, places: Sequence[Path]
) -> Labels:
    """The classes of a classifier with that many outputs; `numbering` is an order of `cspbench.data.classes`.

    `places` are the user's files, beside which names may be. Raises `DatasetError` for another number of names.
    """
    own = known_names(names, places, classes)
    if own is not None:
        return Labels(own.texts, None)
    if numbering in ORDERS and classes == len(order(numbering)):
        known = descriptions()
        return Labels(tuple(known.get(wnid, wnid) for wnid in order(numbering)), order(numbering))
    if numbering == SAMPLE and classes == len(order(SAMPLE)):
        from cspbench.sample.classification import CLASSES

        return Labels(tuple(name for _, name in CLASSES), None)
    return Labels(_numbers(classes), None, _unnamed(subject, classes))


def labels_of_detector(subject: Subject, classes: int, names: str | Path | None, places: Sequence[Path]) -> Labels:
    """The classes of a detector, with the ids of COCO's categories where the names are COCO's, else from 1."""
    own = known_names(names, places, classes)
    if own is not None:
        return Labels(own.texts, by_name(COCO_CATEGORIES, own.texts) or tuple(range(1, classes + 1)))
    if not subject.user_file and shipped(subject.name) is not None:
        from cspbench.sample.detection import CATEGORIES

        return Labels(tuple(CATEGORIES.values()), tuple(CATEGORIES))
    if classes == len(COCO_CATEGORIES):
        assumed = f"the {classes} classes of {subject.name} are taken for COCO's; --names FILE gives their names"
        return Labels(tuple(COCO_CATEGORIES.values()), tuple(COCO_CATEGORIES), assumed if subject.user_file else None)
    return Labels(_numbers(classes), tuple(range(1, classes + 1)), _unnamed(subject, classes))


def _numbers(classes: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(classes))


def _unnamed(subject: Subject, classes: int) -> str:
    return f"no names for the {classes} classes of {subject.name}; --names FILE gives them, one a line"
