"""Files that say which class each image of a flat folder or archive has.

Four kinds, told apart by their content:
- the development kit's ILSVRC2012_validation_ground_truth.txt: a number from 1 to 1000 for each image, in Darknet's
  order, which is the kit's own;
- TensorFlow's imagenet_2012_validation_synset_labels.txt: a WordNet id for each image;
- `name wnid` or `name number` lines; numbers count from 0 in the sorted order (the val.txt of Caffe and mmpretrain);
- Kaggle's LOC_val_solution.csv.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from cspbench.data.classes import order, places
from cspbench.data.decode import NAME_LENGTH
from cspbench.errors import DatasetError, brief
from cspbench.io import filled_lines, read_file

FILES = (
    "ILSVRC2012_validation_ground_truth.txt",
    "LOC_val_solution.csv",
    "imagenet_2012_validation_synset_labels.txt",
    "synset_labels.txt",
    "val.txt",
)
FOLDERS = ("", "data", "meta", "devkit/data", "ILSVRC2012_devkit_t12/data")
SIZE_LIMIT = 1 << 24
"""Bytes; the longest of these files has 3 MB."""
_SERIAL = re.compile(r"ILSVRC2012_val_(\d{8})$")
_WNID = re.compile(r"n\d{8}$")

Class = tuple[str | None, int | None]
"""WordNet id, and the number that the file gives instead."""
UNKNOWN: Class = (None, None)


@dataclass
class Labels:
    """The classes of a label file, by the images' names without suffix or by their places from 0."""

    path: Path
    by_name: dict[str, Class] = field(default_factory=dict)
    by_place: list[Class] = field(default_factory=list)

    def of(self, names: Sequence[str]) -> list[Class]:
        """The class of each image; names are file names, in any order."""
        stems = [PurePosixPath(name).stem for name in names]
        if self.by_name:
            return [self.by_name.get(stem, UNKNOWN) for stem in stems]
        serials = [_SERIAL.match(stem) for stem in stems]
        if all(serials):
            numbers = [int(match[1]) - 1 for match in serials if match]
        elif len(stems) == len(self.by_place):
            rank = {stem: place for place, stem in enumerate(sorted(stems))}
            numbers = [rank[stem] for stem in stems]
        else:
            raise DatasetError(
                "labels.no-places",
                "gives classes by place, but the images' names give no places",
                where=str(self.path),
                expected=f"names like ILSVRC2012_val_00000001.JPEG, or {len(self.by_place)} images",
                found=f"{len(stems)} images, the first named {brief(min(stems), NAME_LENGTH)!r}",
                remedy="Use a list of `name wnid` lines instead",
            )
        return [self.by_place[place] if 0 <= place < len(self.by_place) else UNKNOWN for place in numbers]


def find(folder: Path) -> Path | None:
    """The label file that lies with a folder of images: in it, above it, or in a development kit beside it."""
    for above in (folder, *folder.absolute().parents[:4]):
        for inside in FOLDERS:
            for name in FILES:
                path = above / inside / name
                if path.is_file():
                    return path
    return None


def read(path: Path) -> Labels:
    """Read a label file of any of the four kinds."""
    try:
        lines = filled_lines(read_file(path, SIZE_LIMIT).decode("utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise _unreadable(path, getattr(error, "strerror", None) or "binary data") from error
    if not lines:
        raise _unreadable(path, "an empty file")
    labels = Labels(path)
    if lines[0].replace(" ", "").lower() == "imageid,predictionstring":
        for number, line in enumerate(lines[1:], 2):
            name, _, boxes = line.partition(",")
            _name(labels, number, name, (boxes.split() or [""])[0])
    elif all(" " not in line and "\t" not in line for line in lines):
        labels.by_place = [_class(path, number, text, 1) for number, text in enumerate(lines, 1)]
    else:
        for number, line in enumerate(lines, 1):
            name, _, text = line.replace("\t", " ").rpartition(" ")
            _name(labels, number, name.strip(), text)
    return labels


def _name(labels: Labels, line: int, name: str, text: str) -> None:
    stem = PurePosixPath(name).stem
    found = _class(labels.path, line, text, 0)
    if not stem or labels.by_name.setdefault(stem, found) != found:
        what = f"{brief(stem, NAME_LENGTH)} has two classes" if stem else "no image name"
        raise DatasetError(
            "labels.two-classes" if stem else "labels.no-image-name",
            what,
            where=f"{labels.path}, line {line}",
            remedy="Correct the list",
        )


def _class(path: Path, line: int, text: str, first: int) -> Class:
    """A class written as WordNet id or as number; numbers from 1 are the kit's, numbers from 0 the sorted order's."""
    if _WNID.match(text):
        if text in places("sorted"):
            return text, None
    elif text.isascii() and text.isdigit() and len(text) < 20 and first <= int(text) < first + 1000:
        return order("darknet" if first else "sorted")[int(text) - first], int(text)
    raise DatasetError(
        "labels.unknown-class",
        "no class of ImageNet",
        where=f"{path}, line {line}",
        expected=f"one of the 1000 WordNet ids, or {first} to {first + 999}",
        found=repr(brief(text, 60)),
        remedy="Correct the list",
    )


def _unreadable(path: Path, found: str) -> DatasetError:
    return DatasetError(
        "labels.not-a-list",
        "is no list of classes",
        where=str(path),
        expected="the devkit's ground truth, LOC_val_solution.csv or lines `name wnid`",
        found=found,
        remedy="Give another file",
    )
