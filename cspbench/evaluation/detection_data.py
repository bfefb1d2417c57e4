"""The data set of a detector's run, and the names of its classes: given, or from files beside the network's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cspbench.data.coco.annotations import COCO_CATEGORIES, GroundTruth
from cspbench.data.coco.source import CocoSource
from cspbench.data.darknet import names as files
from cspbench.data.darknet.opening import open_detection_data
from cspbench.detection.class_names import assign, by_name, by_order
from cspbench.detection.collect import categories_of
from cspbench.errors import UsageError, brief
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.evaluation.part import part_of
from cspbench.io import argument_path
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import CocoIdentity, Data


def opened(data: str | Path | CocoSource, split: str | None, listener: Listener, **about: Any) -> CocoSource:
    """A detector's data set, if it is not open yet; the listener receives its notes. See `open_detection_data`."""
    source = (
        data if isinstance(data, CocoSource) else open_detection_data(data, split, progress=listener.progress, **about)
    )
    for note in source.notes:
        listener.note(f"note: {note}")
    return source


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
    """The names of a network's classes as given, else from a file beside its cfg or weights; None without one."""
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
    catalogue with 80 classes has COCO's.
    """
    known, coco, where = categories_of(source), list(COCO_CATEGORIES.values()), str(source.annotations.path)
    if names is None and not user_file:
        ids = by_name(known, coco) if classes == len(coco) else None  # the sample's detector has its own classes
        return ids or by_order(known, classes, where)
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
    ids, warning = assign(known, classes, texts, where, named_by_user=by_user, known_order=order_is_known)
    if warning is not None:
        listener.note(f"warning: {warning}")
    return ids


def in_use(source: CocoSource, ids: Sequence[int], names: ClassNames | None) -> list[str] | None:
    """The names of the classes for a run's record; None where they are not what decided the categories."""
    known = categories_of(source)
    return list(names.texts) if names is not None and by_name(known, names.texts) == tuple(ids) else None


def names_of(run: RunDirectory) -> ClassNames | None:
    """The names that a run's record has."""
    settings = run.record.settings
    names = None if settings is None else settings.names
    return None if names is None else ClassNames(tuple(names))


def data_of(run: RunDirectory, place: Path | None = None, listener: Listener = SILENT) -> CocoSource:
    """The data set of a detector's run, at its recorded path or `place`. `UsageError` for a different data set."""
    data, path = run.identity.data, place or (Path(run.record.place) if run.record.place else None)
    if path is None:
        raise UsageError(
            "usage.run-without-data",
            "the run has no path of its data",
            where=str(run.path),
            remedy="Name it with --data",
        )
    identity, names = run.identity, names_of(run)
    assert isinstance(identity, CocoIdentity)
    source = opened(
        path,
        data.split,
        listener,
        names=names.texts if names else None,
        classes=identity.last.classes,
        allowed=None,
        upright=identity.preset.get("decoder") == "opencv",
        images=False,
    )
    if data.limit is not None:
        source = part_of(source, str(data.limit), data.seed or 0)
    actual = msgspec.convert(source.as_json(), Data)
    if actual != data:
        raise UsageError(
            "usage.other-data",
            "the data set is not the one of the run",
            where=str(path),
            expected=f"{data.images} images, sha256 {str(data.sha256)[:12]}...",
            found=f"{actual.images} images, sha256 {str(actual.sha256)[:12]}...",
            remedy="Name the right one with --data",
        )
    return source


def ground_truth(source: CocoSource) -> GroundTruth:
    """The annotated objects of a data set; `UsageError` for a test set, which has none."""
    if source.ground_truth is None:
        raise UsageError(
            "usage.no-ground-truth",
            "the data set has no ground truth",
            where=str(source.annotations.path),
            remedy="Use a set with annotations",
        )
    return source.ground_truth
