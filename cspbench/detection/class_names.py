"""Which category of a data set each class of a detector is: by name where both sides have names, else by order.

A network has no names. They are in a file beside it, in a .data file, or given by the user. COCO's category ids need
not be in the order of a network's classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from cspbench.errors import DatasetError, brief

ALIASES = {"motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch", "tvmonitor": "tv"}
"""Names of PASCAL VOC in Darknet's coco.names, and COCO's own for the same categories, as `_plain` has them."""


class Assignment(NamedTuple):
    """The category id of each class, and what a user should know about it."""

    ids: tuple[int, ...]
    warning: str | None = None


def by_order(categories: Mapping[int, str], classes: int, where: str) -> tuple[int, ...]:
    """The categories' ids in ascending order. Raises `DatasetError` if there are not as many as classes."""
    if len(categories) != classes:
        raise DatasetError(
            "coco.other-classes",
            "the network and the data set have different numbers of classes",
            where=where,
            expected=f"{classes} categories, as in the network",
            found=str(len(categories)),
            remedy="Evaluate on the data set that the network was trained for",
        )
    return tuple(sorted(categories))


def by_name(categories: Mapping[int, str], names: Sequence[str]) -> tuple[int, ...] | None:
    """The id of the category of each name; None unless every name has one category and every category one name."""
    ids = {_plain(name): key for key, name in categories.items()}
    indices = [ids.get(_plain(name)) for name in names]
    matched = [key for key in indices if key is not None]
    complete = len(categories) == len(names) == len(set(matched))
    return tuple(matched) if complete else None


def assign(
    categories: Mapping[int, str],
    classes: int,
    names: Sequence[str] | None,
    where: str,
    *,
    named_by_user: bool = False,
    known_order: bool = False,
) -> Assignment:
    """The category of each class of a network, whose `names` are None if they are not known.

    `known_order`: the order of the categories is the network's by definition, as in a data set in Darknet's form.
    Raises `DatasetError` for other numbers of classes, and for names that a user gave and that are not the categories'.
    """
    ordered = by_order(categories, classes, where)
    if names is None:
        return Assignment(ordered, None if known_order else _assumed(categories, ordered))
    ids = by_name(categories, names)
    if ids is not None:
        return Assignment(ids)
    strange = [name for name in names if _plain(name) not in {_plain(other) for other in categories.values()}]
    wanted = ", ".join(brief(name, 30) for name in list(categories.values())[:8])
    if named_by_user:
        raise DatasetError(
            "coco.other-names",
            "the names of the classes are not those of the data set",
            where=where,
            expected=f"the {len(categories)} categories {wanted}{', ...' if len(categories) > 8 else ''}",
            found=f"{len(strange)} other names, the first {brief(strange[0], 40)!r}" if strange else "repeated names",
            remedy="Correct the file of --names, or leave it out to take the categories in the order of their ids",
        )
    return Assignment(
        ordered,
        f"the names of {len(strange)} of the network's {classes} classes are not categories of {where}, the first "
        f"{brief(strange[0] if strange else names[0], 40)!r}; the order of the ids ({_listed(categories, ordered)}) is "
        "taken for the order of the classes",
    )


def _assumed(categories: Mapping[int, str], ordered: Sequence[int]) -> str:
    return (
        f"the order of the categories' ids ({_listed(categories, ordered)}) is taken for the order of the network's "
        "classes; --names FILE gives their names, one a line"
    )


def _listed(categories: Mapping[int, str], ordered: Sequence[int]) -> str:
    shown = ", ".join(f"{key} {brief(categories[key], 30)}" for key in ordered[:4])
    return shown + (", ..." if len(ordered) > 4 else "")


def _plain(name: str) -> str:
    """A name without case, blanks and signs between words, in COCO's words."""
    text = "".join(letter for letter in name.casefold() if letter not in " _-.")
    return ALIASES.get(text, text)
