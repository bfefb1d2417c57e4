"""Label files: the class of each image of a flat folder or archive.

Five kinds, recognised by their content:
- the development kit's ILSVRC2012_validation_ground_truth.txt: a number from 1 to 1000 for each image, in the kit's
  order, which is Darknet's;
- TensorFlow's imagenet_2012_validation_synset_labels.txt: a WordNet id for each image;
- lines `name wnid` or `name number`; numbers count from 0 in sorted order (the val.txt of Caffe and mmpretrain), in
  tables too;
- tables with a header (`label_tables`), such as `ImageId,Class` or Kaggle's LOC_val_solution.csv.

A class may also be given by its name in words, as "tench".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cspbench.data import label_tables
from cspbench.data.classes import order, places, wnid_of
from cspbench.data.darknet.labels_in_paths import Classes
from cspbench.data.decode import NAME_LENGTH
from cspbench.data.source import SUFFIXES
from cspbench.errors import DatasetError, brief
from cspbench.io import read_file

FILES = (
    "ILSVRC2012_validation_ground_truth.txt",
    "LOC_val_solution.csv",
    "imagenet_2012_validation_synset_labels.txt",
    "synset_labels.txt",
    "val.txt",
)
FOLDERS = ("", "data", "meta", "devkit/data", "ILSVRC2012_devkit_t12/data")
SIZE_LIMIT = 1 << 24
"""Bytes; the largest of these files has 3 MB."""
_SERIAL = re.compile(r"ILSVRC2012_val_(\d{8})$")
_WNID = re.compile(r"n\d{8}$")

Class = tuple[str | None, int | None]
"""WordNet id, and the number in the file if it has one."""
UNKNOWN: Class = (None, None)


@dataclass
class Labels:
    """The classes of a label file, by image name without suffix or by position from 0.

    Darknet's lists of labels have every class once: the class of an image is the one whose id its name contains.
    """

    path: Path
    by_name: dict[str, Class] = field(default_factory=dict)
    by_position: list[Class] = field(default_factory=list)

    def of(self, names: Sequence[str]) -> list[Class]:
        """The class of each image; names are file names, in any order. Raises `DatasetError`."""
        stems = [PurePosixPath(name).stem for name in names]
        if len({wnid for wnid, _ in self.by_position}) == len(self.by_position) > 0:
            inside = in_names(stems, [wnid or "" for wnid, _ in self.by_position])
            if all(inside):
                return [(wnid, None) for wnid in inside]
        if self.by_name:
            return [self.by_name.get(stem, UNKNOWN) for stem in stems]
        serials = [_SERIAL.match(stem) for stem in stems]
        if all(serials):
            numbers = [int(match[1]) - 1 for match in serials if match]
        elif len(stems) == len(self.by_position):
            positions = {stem: position for position, stem in enumerate(sorted(stems))}
            numbers = [positions[stem] for stem in stems]
        else:
            raise DatasetError(
                "labels.no-places",
                "labels by position, but the image names have no numbers",
                where=str(self.path),
                expected=f"names like ILSVRC2012_val_00000001.JPEG, or {len(self.by_position)} images",
                found=f"{len(stems)} images, the first named {brief(min(stems), NAME_LENGTH)!r}",
                remedy="Use a file of lines `name wnid`",
            )
        return [self.by_position[number] if 0 <= number < len(self.by_position) else UNKNOWN for number in numbers]


def in_names(stems: Sequence[str], wnids: Sequence[str]) -> list[str | None]:
    """The first of the WordNet ids that each name contains, as Darknet seeks them; None for a name without any."""
    classes = Classes(wnids)
    labels = map(classes.of, stems)
    return [wnids[numbers[0]] if numbers else None for numbers in labels]


def find(folder: Path) -> Path | None:
    """The label file of a folder of images: in it, above it, or in a development kit beside it."""
    for parent in (folder, *folder.absolute().parents[:4]):
        for subfolder in FOLDERS:
            for name in FILES:
                path = parent / subfolder / name
                if path.is_file():
                    return path
    return None


def read(path: Path) -> Labels:
    """Read a label file of any of the kinds. Raises `DatasetError`."""
    try:
        text = read_file(path, SIZE_LIMIT).decode("utf-8-sig")
        lines = [(number, row.strip()) for number, row in enumerate(re.split(r"\r\n?|\n", text), 1) if row.strip()]
        if not lines:
            raise ValueError("an empty file")
    except (OSError, ValueError) as error:
        reason = "binary data" if isinstance(error, UnicodeDecodeError) else str(error)
        raise _not_a_list(path, getattr(error, "strerror", None) or reason) from error
    labels = Labels(path)
    table = label_tables.header(lines[0][1])
    rows = lines[1:] if table is not None else lines
    table = table or label_tables.without_header(lines[0][1], lambda text: _is_class(text, 0))
    if table is not None:
        if not rows:
            raise _not_a_list(path, "a header without rows")
        for row in label_tables.rows(path, rows, table):
            word = row.label.partition(" ")[0]  # Kaggle's has the boxes after the class
            label = word if _WNID.match(word) else re.sub(r"^(\d+)\.0+$", r"\1", row.label)  # pandas has 65.0 for 65
            _name(labels, row.line, row.image, label)
    elif all(" " not in line and "\t" not in line for _, line in lines) or _is_class(lines[0][1], 1):
        labels.by_position = [_class(path, number, text, 1) for number, text in lines]
    else:
        for number, line in lines:
            _name(labels, number, *_name_and_class(line))
    return labels


def _not_a_list(path: Path, found: str) -> DatasetError:
    return DatasetError(
        "labels.not-a-list",
        "not a label file",
        where=str(path),
        expected="the devkit's ground truth, a table with a header as ImageId,Class, or lines `name wnid`",
        found=found,
        remedy="Use another file",
    )


def _name_and_class(line: str) -> tuple[str, str]:
    """An image's name and class: the class is the last word, or all but the first where that is no class."""
    blanks = line.replace("\t", " ")
    name, _, text = blanks.rpartition(" ")
    first, _, rest = line.partition("\t") if "\t" in line else line.partition(" ")
    if not (_WNID.match(text) or text.isdigit()) and _is_class(rest.strip(), 0):
        return first.strip(), rest.strip()
    return name.strip(), text


def _name(labels: Labels, line: int, name: str, text: str) -> None:
    file = PurePosixPath(name.replace("\\", "/"))
    stem = file.stem if file.suffix.lower() in SUFFIXES else file.name  # an id may have dots
    label = _class(labels.path, line, text, 0)
    if not stem or labels.by_name.setdefault(stem, label) != label:
        raise DatasetError(
            "labels.two-classes" if stem else "labels.no-image-name",
            "two classes for one image" if stem else "missing image name",
            where=f"{labels.path}, line {line}",
            found=brief(stem, NAME_LENGTH) or None,
            remedy="Correct the label file",
        )


def _class(path: Path, line: int, text: str, first: int) -> Class:
    """A class as WordNet id, number or name; numbers from 1 are in the kit's order, from 0 in sorted order."""
    index = _known(text, first)
    if index is not None:
        return index
    raise DatasetError(
        "labels.unknown-class",
        "unknown class",
        where=f"{path}, line {line}",
        expected=f"one of the 1000 WordNet ids, a name that one class has, or {first} to {first + 999}",
        found=repr(brief(text, 60)),
        remedy="Correct the label file",
    )


def _known(text: str, first: int) -> Class | None:
    if _WNID.match(text):
        return (text, None) if text in places("sorted") else None
    if text[:1].isdigit() or text[:1] in "+-":
        if text.isascii() and text.isdigit() and len(text) < 20 and first <= int(text) < first + 1000:
            return order("darknet" if first else "sorted")[int(text) - first], int(text)
        return None
    wnid = wnid_of(text) if any(map(str.isalpha, text)) else None
    return None if wnid is None else (wnid, None)


def _is_class(text: str, first: int) -> bool:
    return _known(text, first) is not None
