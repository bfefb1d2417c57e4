"""The names of a detector's classes: as the user gives them, or from files beside the network's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cspbench.data.coco import CocoSource
from cspbench.data.coco_annotations import COCO_CATEGORIES
from cspbench.data.darknet import names as files
from cspbench.detection.class_names import assign, by_name, by_order
from cspbench.detection.collect import categories_of
from cspbench.errors import CspbenchError
from cspbench.evaluation.execution import Listener
from cspbench.io import argument_path
from cspbench.results.runs import RunDirectory, load_run


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


def recorded(path: Path) -> ClassNames | None:
    """The names that the record of the run in a directory has; None without them, or without a run."""
    try:
        return names_of(load_run(path))
    except CspbenchError:
        return None


def names_beside(places: Sequence[Path], classes: int) -> ClassNames | None:
    """The names in a file beside a network's cfg or weights; None if there is none of them."""
    file = files.beside(places, classes)
    return None if file is None else ClassNames(files.read_names(file), by_user=False)


def categories(
    source: CocoSource, classes: int, names: ClassNames | None, user_file: bool, listener: Listener
) -> tuple[int, ...]:
    """The id of the category of each class, with a warning where that is an assumption. Raises `DatasetError`.

    A data set in Darknet's form has its classes in the network's order; a network of the catalogue has COCO's classes.
    """
    known, coco = categories_of(source), list(COCO_CATEGORIES.values())
    if names is None and not user_file:
        return by_name(known, coco) or by_order(known, classes, str(source.annotations.path))
    order_is_known = source.kind == "darknet" or list(known.values()) == coco
    if classes == len(coco) and by_name(known, coco) is None:
        order_is_known = True  # scoring says which names are not COCO's
    found = assign(
        known,
        classes,
        None if names is None else names.texts,
        str(source.annotations.path),
        named_by_user=names is not None and names.by_user,
        known_order=order_is_known,
    )
    if found.warning is not None:
        listener.note(f"warning: {found.warning}")
    return found.ids


def names_of(run: RunDirectory) -> ClassNames | None:
    """The names that a run's record has."""
    settings = run.record.settings
    names = None if settings is None else settings.names
    return None if names is None else ClassNames(tuple(names), by_user=False)
