"""Tables of labels: CSV whose header, or whose first row, says which column is the image and which the class."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from cspbench.data.source import is_image
from cspbench.errors import DatasetError, brief

IMAGES = "filename filepath imagename imagepath imageid image img file path name key id uuid"
"""Headers of the image's column, without case and signs, in order of preference: files, as ids may be numbers."""
CLASSES = (
    "wnid synset synsetid predictionstring class classname label labelname category categoryname classid labelid "
    "categoryid target groundtruth truth breed species"
)
"""Headers of the class's column: WordNet ids first."""
SEPARATORS = ",;\t|"


class Row(NamedTuple):
    """One image of a table: the line, its name as written and its class as written."""

    line: int
    image: str
    label: str


def header(line: str) -> tuple[str, int, int] | None:
    """The separator and the columns of image and class of a table with this first line; None if it is not a header.

    Of two columns, one name is enough.
    """
    for separator in SEPARATORS:
        names = ["".join(filter(str.isalnum, name.casefold())) for name in _cells(line, separator) or []]
        if len(names) < 2:
            continue
        image, label = _first(names, IMAGES), _first(names, CLASSES)
        if len(names) == 2 and (image is None) != (label is None):
            image, label = (0, 1) if image == 0 or label == 1 else (1, 0)
        if image is not None and label is not None:
            return separator, image, label
    return None


def without_header(line: str, is_class: Callable[[str], bool]) -> tuple[str, int, int] | None:
    """The same for a table that begins with its first row: the file name of an image, and a class in another cell.

    Of two cells the name may lack its suffix: it has digits, and is not a class.
    """
    for separator in SEPARATORS:
        cells = [cell.strip() for cell in _cells(line, separator) or []]
        image = next((number for number, cell in enumerate(cells) if is_image(PurePosixPath(cell).name)), None)
        label = next((number for number, cell in enumerate(cells) if number != image and is_class(cell)), None)
        if image is None and len(cells) == 2 and label is not None:
            other = cells[1 - label]
            image = 1 - label if any(map(str.isdigit, other)) and not is_class(other) else None
        if image is not None and label is not None:
            return separator, image, label
    return None


def rows(path: Path, lines: Sequence[tuple[int, str]], columns: tuple[str, int, int]) -> Iterator[Row]:
    """The rows below a header, from numbered lines. Raises `DatasetError` for a line without one of the columns."""
    separator, image, label = columns
    for number, line in lines:
        cells = _cells(line, separator)
        if cells is None or len(cells) <= max(image, label):
            raise DatasetError(
                "labels.not-a-row",
                "not a row of the table",
                where=f"{path}, line {number}",
                expected=f"{max(image, label) + 1} columns at least, quotes closed",
                found=repr(brief(line, 80)),
                remedy="Correct the label file",
            )
        yield Row(number, cells[image].strip(), cells[label].strip())


def _cells(line: str, separator: str) -> list[str] | None:
    """The cells of a line; None for open quotes and cells that are too long."""
    try:
        return next(csv.reader([line], delimiter=separator, skipinitialspace=True, strict=True), None)
    except csv.Error:
        return None


def _first(names: Sequence[str], known: str) -> int | None:
    return next((names.index(name) for name in known.split() if name in names), None)
