"""The names of a detector's classes: as the user gives them, or from files beside the network's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.coco.source import CocoSource
from cspbench.data.darknet import names as files
from cspbench.detection.class_names import assign, by_name, by_order
from cspbench.detection.collect import categories_of
from cspbench.errors import brief
from cspbench.evaluation.execution import Listener
from cspbench.io import argument_path
from cspbench.results.runs import RunDirectory


@dataclass(frozen=True)
class ClassNames:
    """The names of a network's classes in their order; those that the user gave must be the data set's."""

    texts: tuple[str, ...]
    by_user: bool = True


def read_class_names(file: str | Path, classes: int) -> ClassNames:
    """The names in a file. Raises `DatasetError` unless they are as many as the network's classes."""
    path = argument_path("names", file)
    return ClassNames(files.check_count(files.read_names(path), path, classes, "the network"))


def known_names(names: str | Path | ClassNames | None, places: Sequence[Path], classes: int) -> ClassNames | None:
    """The names of a network's classes as given, or from a file beside its own; None if nobody knows them."""
    if names is None:
        return names_beside(places, classes)
    return names if isinstance(names, ClassNames) else read_class_names(names, classes)


def names_beside(places: Sequence[Path], classes: int) -> ClassNames | None:
    """The names in a file beside a network's cfg or weights; None if there is none of them."""
    file = files.beside(places, classes)
    return None if file is None else ClassNames(files.read_names(file), by_user=False)


def categories(
    source: CocoSource, classes: int, names: ClassNames | None, user_file: bool, listener: Listener
) -> tuple[int, ...]:
    """The id of the category of each class, with a warning where that is an assumption. Raises `DatasetError`.

    A data set in Darknet's form has its classes in the network's order, unless the user gives names; a network of the
    catalogue has COCO's classes.
    """
    known, coco, where = categories_of(source), list(COCO_CATEGORIES.values()), str(source.annotations.path)
    if names is None and not user_file:
        return by_name(known, coco) or by_order(known, classes, where)
    if source.kind == "darknet" and names is not None and not names.by_user:
        ids = by_order(known, classes, where)
        if by_name(known, names.texts) != ids:
            ours, theirs = (brief(", ".join(texts), 80) for texts in (names.texts, known.values()))
            listener.note(f"warning: the names beside the network ({ours}) are not those of the data set ({theirs})")
        return ids
    # of 80 other names than COCO's, scoring says which they are
    order_is_known = source.kind == "darknet" or list(known.values()) == coco
    order_is_known |= classes == len(coco) and by_name(known, coco) is None
    texts = None if names is None else names.texts
    by_user = names is not None and names.by_user
    found = assign(known, classes, texts, where, named_by_user=by_user, known_order=order_is_known)
    if found.warning is not None:
        listener.note(f"warning: {found.warning}")
    return found.ids


def in_use(source: CocoSource, ids: Sequence[int], names: ClassNames | None) -> list[str] | None:
    """The names of the classes for a run's record; None where they are not what decided the categories."""
    known = categories_of(source)
    return list(names.texts) if names is not None and by_name(known, names.texts) == tuple(ids) else None


def names_of(run: RunDirectory) -> ClassNames | None:
    """The names that a run's record has."""
    settings = run.record.settings
    names = None if settings is None else settings.names
    return None if names is None else ClassNames(tuple(names))
