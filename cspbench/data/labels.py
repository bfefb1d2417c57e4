"""Label files: the class of each image of a flat folder or archive.

Four kinds, recognised by their content:
- the development kit's ILSVRC2012_validation_ground_truth.txt: a number from 1 to 1000 for each image, in the kit's
  order, which is Darknet's;
- TensorFlow's imagenet_2012_validation_synset_labels.txt: a WordNet id for each image;
- lines `name wnid` or `name number`; numbers count from 0 in sorted order (the val.txt of Caffe and mmpretrain);
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
"""Bytes; the largest of these files has 3 MB."""
_SERIAL = re.compile(r"ILSVRC2012_val_(\d{8})$")
_WNID = re.compile(r"n\d{8}$")

Class = tuple[str | None, int | None]
"""WordNet id, and the number in the file if it has one."""
UNKNOWN: Class = (None, None)


@dataclass
class Labels:
    """The classes of a label file, by image name without suffix or by position from 0."""

    path: Path
    by_name: dict[str, Class] = field(default_factory=dict)
    by_position: list[Class] = field(default_factory=list)

    def of(self, names: Sequence[str]) -> list[Class]:
        """The class of each image; names are file names, in any order. Raises `DatasetError`."""
        stems = [PurePosixPath(name).stem for name in names]
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
    """Read a label file of any of the four kinds. Raises `DatasetError`."""
    try:
        lines = filled_lines(read_file(path, SIZE_LIMIT).decode("utf-8-sig"))
        if not lines:
            raise ValueError("an empty file")
    except (OSError, ValueError) as error:
        reason = "binary data" if isinstance(error, UnicodeDecodeError) else str(error)
        raise DatasetError(
            "labels.not-a-list",
            "not a label file",
            where=str(path),
            expected="the devkit's ground truth, LOC_val_solution.csv, or lines `name wnid`",
            found=getattr(error, "strerror", None) or reason,
            remedy="Use another file",
        ) from error
    labels = Labels(path)
    if lines[0].replace(" ", "").lower() == "imageid,predictionstring":
        for number, line in enumerate(lines[1:], 2):
            name, _, boxes = line.partition(",")
            _name(labels, number, name, (boxes.split() or [""])[0])
    elif all(" " not in line and "\t" not in line for line in lines):
        labels.by_position = [_class(path, number, text, 1) for number, text in enumerate(lines, 1)]
    else:
        for number, line in enumerate(lines, 1):
            name, _, text = line.replace("\t", " ").rpartition(" ")
            _name(labels, number, name.strip(), text)
    return labels


def _name(labels: Labels, line: int, name: str, text: str) -> None:
    stem = PurePosixPath(name).stem
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
    """A class as WordNet id or number; numbers from 1 are in the kit's order, numbers from 0 in sorted order."""
    if _WNID.match(text):
        if text in places("sorted"):
            return text, None
    elif text.isascii() and text.isdigit() and len(text) < 20 and first <= int(text) < first + 1000:
        return order("darknet" if first else "sorted")[int(text) - first], int(text)
    raise DatasetError(
        "labels.unknown-class",
        "unknown class",
        where=f"{path}, line {line}",
        expected=f"one of the 1000 WordNet ids, or {first} to {first + 999}",
        found=repr(brief(text, 60)),
        remedy="Correct the label file",
    )
