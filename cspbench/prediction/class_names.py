"""The names of a network's classes: the user's, those beside its files, or those of the data set it was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.detection.class_names import by_name
from cspbench.evaluation.detection_data import known_names
from cspbench.evaluation.subject import Subject
from cspbench.models.class_names import Labels, of_classifier, of_detector


def labels_of_classifier(
    subject: Subject, classes: int, numbering: str, names: str | Path | None, places: Sequence[Path]
) -> Labels:
    """The classes of a classifier with that many outputs; `numbering` is an order of `cspbench.data.classes`.

    `places` are the user's files, beside which names may be. Raises `DatasetError` for another number of names.
    """
    own = known_names(names, places, classes)
    if own is not None:
        return Labels(own.texts, None)
    return of_classifier(numbering, classes) or Labels(_numbers(classes), None, _unnamed(subject, classes))


def labels_of_detector(subject: Subject, classes: int, names: str | Path | None, places: Sequence[Path]) -> Labels:
    """The classes of a detector, with the ids of COCO's categories where the names are COCO's, else from 1."""
    own, numbers = known_names(names, places, classes), tuple(range(1, classes + 1))
    if own is not None:
        return Labels(own.texts, by_name(COCO_CATEGORIES, own.texts) or numbers)
    labels = of_detector(None if subject.user_file else subject.name, classes)
    if labels is None:
        return Labels(_numbers(classes), numbers, _unnamed(subject, classes))
    assumed = f"the {classes} classes of {subject.name} are taken for COCO's; --names FILE gives their names"
    return replace(labels, note=assumed) if subject.user_file else labels


def _numbers(classes: int) -> tuple[str, ...]:
    return tuple(f"class {number}" for number in range(classes))


def _unnamed(subject: Subject, classes: int) -> str:
    return f"no names for the {classes} classes of {subject.name}; --names FILE gives them, one a line"
