"""The names of a model's classes for the metadata of a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cspbench.classification.classifiers import class_order
from cspbench.evaluation.detection_data import known_names
from cspbench.evaluation.subject import Subject
from cspbench.models.class_names import of_classifier, of_detector


def class_names(
    subject: Subject, classes: int, names: str | Path | None, places: Sequence[Path]
) -> tuple[str, ...] | None:
    """The names in the order of the network's classes; None if they are unknown.

    Those of the file `names`, or beside the user's files at `places`, come first. A user's network of 80 or 1000
    classes may be of other data than COCO or ImageNet, and has no names without a file.
    """
    own = known_names(names, places, classes)
    if own is not None:
        return own.texts
    if subject.user_file:
        return None
    if subject.description.heads:
        labels = of_detector(subject.name, classes)
    else:
        labels = of_classifier(class_order(subject.name), classes)
    return labels.names if labels else None
