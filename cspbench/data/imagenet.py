"""ImageNet's validation set in all common forms.

- class folders: PATH/n01440764/*.JPEG, or PATH/val/..., with any of the 1000 classes;
- a flat folder or the official ILSVRC2012_img_val.tar, with a label file (`labels.FILES`) in it, above it or named, or
  with the WordNet ids in the file names;
- wds/PATH: WebDataset shards (image and .cls members; numbers in sorted order), a .tar or a folder of them;
- a .data file or a list of images as Darknet has them, whose classes may be the user's own;
- hfds/NAME and tfds/NAME: data sets that timm's readers read.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from cspbench.data import labels as label_files
from cspbench.data.classes import is_class, order
from cspbench.data.darknet import data_file
from cspbench.data.darknet.classification_set import open_labelled_paths
from cspbench.data.darknet.image_list import LISTS
from cspbench.data.decode import NAME_LENGTH
from cspbench.data.labels import Labels
from cspbench.data.source import Entry, FileSource, Region, Source, is_image
from cspbench.data.tar import members
from cspbench.errors import DatasetError, UsageError, brief
from cspbench.io import argument_path, open_file, read_part, user_path, utf8_name

INSIDE = ("val", "validation", "ILSVRC2012_img_val", "Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/val")
"""Subfolders in which downloads have the validation images."""
REMEDY = (
    "Use a folder of class folders (n01440764/*.JPEG), a flat folder or ILSVRC2012_img_val.tar with "
    "ILSVRC2012_validation_ground_truth.txt beside it, or hfds/, wds/, tfds/ and a name"
)


def open_imagenet(
    place: str | Path,
    labels: str | Path | None = None,
    split: str = "validation",
    *,
    names: str | Path | None = None,
    allowed: int = 0,
) -> Source:
    """The images at a path or under a name, each with a class. Raises `DatasetError`, `UsageError`.

    `labels` is the label file of a flat folder or archive; None searches for it. `split` is for hfds/ and tfds/. A
    .data file, a folder with one, or a list of images is Darknet's, whose labels may be in `names`, and which may have
    `allowed` faults.
    """
    prefix, slash, name = str(place).partition("/")
    if slash and prefix in ("hfds", "tfds") and not Path(place).exists():
        from cspbench.data.timm_sources import open_timm

        return open_timm(prefix, name, split)
    file = os.path.expanduser(place)
    if os.path.isdir(file):
        file = str(data_file.in_folder(Path(file)) or file)
    if os.path.isfile(file) and Path(file).suffix.lower() in LISTS:
        option, given = ("labels", labels) if names is None else ("names", names)
        names_file = None if given is None else argument_path(option, given)
        return open_labelled_paths(Path(file), names_file=names_file, allowed=allowed)
    source = scan(place, labels)
    unlabelled = [entry.key for entry in source.entries if entry.wnid is None]
    if unlabelled:
        raise DatasetError(
            "imagenet.unknown-classes",
            f"{len(unlabelled)} of {len(source)} images have no ImageNet class",
            where=str(place),
            expected="folders named after the 1000 WordNet ids"
            if source.kind == "folders"
            else "a class for each image",
            found=_first(unlabelled if source.kind != "folders" else sorted({key.split("/")[0] for key in unlabelled})),
            remedy="Remove these images, or correct the names of their folders or the label file",
        )
    return source


def scan(place: str | Path, labels: str | Path | None = None) -> FileSource:
    """The images at a path or wds/PATH, with or without a class. Raises `DatasetError` if there are none."""
    prefix, slash, name = str(place).partition("/")
    shards = bool(slash) and prefix == "wds" and not Path(place).exists()
    if not (name if shards else str(place)):
        raise _not_imagenet(str(place), "an empty path")
    try:
        path = user_path(name if shards else place)
        labels = None if labels is None else user_path(labels)
        if shards:
            source = _webdataset(path)
        elif path.is_dir():
            source = _folder(path, labels)
        elif path.is_file() and path.suffix == ".tar":
            source = _archive(path, labels)
        else:
            raise _not_imagenet(str(place), "a file of another kind" if path.exists() else "nothing")
    except (OSError, ValueError, RuntimeError) as error:  # a null character, or ~ and an unknown user
        found = getattr(error, "strerror", None) or str(error)
        where = getattr(error, "filename", None) or place
        raise DatasetError(
            "imagenet.unreadable", "cannot be read", where=str(where), found=found, remedy="Make it readable"
        ) from error
    if not source:
        raise DatasetError("imagenet.no-images", "no images", where=str(place), remedy=REMEDY)
    keys = [entry.key for entry in source.entries]
    repeated = [key for key, following in pairwise(keys) if key == following]
    if repeated:
        raise DatasetError(
            "imagenet.same-names",
            "several images with the same name",
            where=str(place),
            found=_first(repeated),
            remedy="Keep one image of each name",
        )
    return source


def _not_imagenet(where: str, found: str) -> DatasetError:
    return DatasetError("imagenet.not-a-data-set", "not a data set", where=where or None, found=found, remedy=REMEDY)


def _folder(path: Path, labels: Path | None, inside: Sequence[str] = INSIDE) -> FileSource:
    folders, images, others = _list(path)
    if images and not any(is_class(folder.name) for folder in folders):
        regions = [Region(str(path / name)) for name in images]
        return _labelled("list", path, images, regions, labels or label_files.find(path), others)
    entries, regions = [], []
    for folder in folders:
        wnid = folder.name if is_class(folder.name) else None
        _, names, ignored = _list(folder)
        others += ignored
        entries += [Entry(utf8_name(f"{folder.name}/{name}"), wnid) for name in names]
        regions += [Region(str(folder / name)) for name in names]
    if not any(entry.wnid for entry in entries):
        for subfolder in inside:
            if (path / subfolder).is_dir():
                return _folder(path / subfolder, labels, inside=())
    if labels is not None and entries:
        raise UsageError(
            "usage.labels-with-folders",
            "--labels applies to a flat folder or archive",
            found="class folders",
            remedy="Omit --labels",
        )
    return FileSource("folders", entries, regions, others + len(images))


def _list(path: Path) -> tuple[list[Path], list[str], int]:
    """The folders, the names of image files and the number of other files in a folder; links count as their targets."""
    folders, images, others = [], [], 0
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                folder, file = entry.is_dir(), entry.is_file()
            except OSError:
                # A link to itself.
                folder = file = False
            if folder:
                if not entry.name.startswith("."):
                    folders.append(path / entry.name)
            elif file and is_image(entry.name):
                images.append(entry.name)
            else:
                others += 1
    return folders, images, others


def _archive(path: Path, labels: Path | None) -> FileSource:
    files = members(path)
    names = [name for name in files if is_image(PurePosixPath(name).name)]
    regions = [files[name] for name in names]
    others = len(files) - len(names)
    folders = [PurePosixPath(name).parent.name for name in names]
    if labels is None and any(map(is_class, folders)):
        entries = [
            Entry(utf8_name(f"{folder}/{PurePosixPath(name).name}"), folder if is_class(folder) else None)
            for name, folder in zip(names, folders, strict=True)
        ]
        return FileSource("folders", entries, regions, others)
    names = [PurePosixPath(name).name for name in names]
    return _labelled("tar", path, names, regions, labels or label_files.find(path.parent), others)


def _labelled(
    kind: str, path: Path, names: Sequence[str], regions: Sequence[Region], labels: Path | None, others: int
) -> FileSource:
    if not names:
        return FileSource(kind, (), (), others)
    if labels is None:
        inside = label_files.in_names(names, order("darknet"))
        if all(inside):
            entries = [Entry(utf8_name(name), wnid) for name, wnid in zip(names, inside, strict=True)]
            return FileSource(kind, entries, regions, others)
        raise DatasetError(
            "imagenet.no-labels",
            "images without class folders or a label file, and without WordNet ids in their names",
            where=str(path),
            found=f"{len(names)} images, the first named {_first([min(names)])}",
            remedy=f"Put one of {', '.join(label_files.FILES)} beside them, or use --labels",
        )
    contents: Labels = label_files.read(labels)
    entries = [Entry(utf8_name(name), *label) for name, label in zip(names, contents.of(names), strict=True)]
    if not any(entry.wnid for entry in entries):
        raise DatasetError(
            "labels.other-images",
            "labels for other images",
            where=str(labels),
            found=f"{len(names)} images, the first named {_first([min(names)])}",
            remedy="Use the label file that belongs to the images",
        )
    return FileSource(kind, entries, regions, others, labels)


def _webdataset(path: Path) -> FileSource:
    if not path.exists():
        raise _not_imagenet(f"wds/{path}", "nothing")
    shards = sorted(path.glob("*.tar")) if path.is_dir() else [path] if path.is_file() else []
    entries, regions, others = [], [], 0
    for shard in shards:
        # The files of a sample have the same path up to the first dot of the file name.
        numbers: dict[str, Region] = {}
        images: dict[str, tuple[str, Region]] = {}
        for name, region in members(shard).items():
            member = PurePosixPath(name)
            stem, _, suffix = member.name.partition(".")
            sample = str(member.with_name(stem)) if stem else name
            if suffix == "cls":
                numbers[sample] = region
            elif is_image(member.name):
                images[sample] = (name, region)
            else:
                others += 1
        with open_file(shard) as stream:
            for sample, (name, region) in images.items():
                number = None
                if sample in numbers:
                    text = read_part(stream, numbers[sample].offset, min(numbers[sample].length or 0, 20)).strip()
                    number = int(text) if text.isdigit() else None
                wnid = order("sorted")[number] if number is not None and number < 1000 else None
                entries.append(Entry(utf8_name(f"{shard.stem}/{name}"), wnid, number))
                regions.append(region)
    return FileSource("wds", entries, regions, others)


def _first(names: Sequence[str], count: int = 3) -> str:
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(repr(brief(name, NAME_LENGTH)) for name in names[:count]) + more
