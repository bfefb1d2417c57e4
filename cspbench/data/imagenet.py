"""ImageNet's validation set in every form people have it.

- class folders: PATH/n01440764/*.JPEG, or PATH/val/..., with any of the 1000 classes;
- a flat folder or the official ILSVRC2012_img_val.tar with a label file (`labels.FILES`) in it, above it or given;
- wds/PATH: WebDataset shards (image and .cls members; numbers in the sorted order), one .tar or a folder of them;
- hfds/NAME and tfds/NAME: what timm's readers take.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath

from cspbench.data import labels as label_files
from cspbench.data.classes import known, order
from cspbench.data.decode import NAME_LENGTH
from cspbench.data.labels import Labels
from cspbench.data.source import Entry, FileSource, Region, Source, is_image
from cspbench.data.tar import members
from cspbench.errors import DatasetError, UsageError, brief
from cspbench.io import open_file, read_part, utf8_name

INSIDE = ("val", "validation", "ILSVRC2012_img_val", "Data/CLS-LOC/val", "ILSVRC/Data/CLS-LOC/val")
"""Folders below the one that was given, where downloads keep the validation images."""
REMEDY = (
    "Give a folder of class folders (n01440764/*.JPEG), a flat folder or ILSVRC2012_img_val.tar with "
    "ILSVRC2012_validation_ground_truth.txt beside it, or hfds/, wds/, tfds/ and a name"
)


def open_imagenet(place: str | Path, labels: Path | None = None, split: str = "validation") -> Source:
    """The images at `place`, every one with a class; DatasetError where there are none or some have no class.

    `labels` is the label file of a flat folder or archive, looked for where it is None; `split` is for hfds/ and tfds/.
    """
    prefix, slash, name = str(place).partition("/")
    if slash and prefix in ("hfds", "tfds") and not Path(place).exists():
        from cspbench.data.timm_sources import open_timm

        return open_timm(prefix, name, split)
    source = scan(place, labels)
    unknown = [entry.key for entry in source.entries if entry.wnid is None]
    if unknown:
        raise DatasetError(
            "imagenet.unknown-classes",
            f"{len(unknown)} of {len(source)} images have no class of ImageNet",
            where=str(place),
            expected="folders named by the 1000 WordNet ids" if source.kind == "folders" else "a class for each image",
            found=_first(unknown if source.kind != "folders" else sorted({key.split("/")[0] for key in unknown})),
            remedy="Remove these images, or correct their folders' names or the label file",
        )
    return source


def scan(place: str | Path, labels: Path | None = None) -> FileSource:
    """The images at a path or wds/PATH, also those without a class; DatasetError where there are none."""
    prefix, slash, name = str(place).partition("/")
    shards = bool(slash) and prefix == "wds" and not Path(place).exists()
    try:
        path = Path(name if shards else place).expanduser()
        if shards:
            source = _webdataset(path)
        elif path.is_dir():
            source = _folder(path, labels)
        elif path.is_file() and path.suffix == ".tar":
            source = _archive(path, labels)
        else:
            found = "a file of another kind" if path.exists() else "nothing there"
            raise DatasetError(
                "imagenet.not-a-data-set", "is no data set", where=str(place), found=found, remedy=REMEDY
            )
    except (OSError, ValueError, RuntimeError) as error:  # a null character, or ~ and the name of nobody
        found = getattr(error, "strerror", None) or str(error)
        where = getattr(error, "filename", None) or place
        raise DatasetError(
            "imagenet.unreadable", "cannot be read", where=str(where), found=found, remedy="Make it readable"
        ) from error
    if not source:
        raise DatasetError("imagenet.no-images", "holds no images", where=str(place), remedy=REMEDY)
    keys = [entry.key for entry in source.entries]
    twice = [key for key, following in pairwise(keys) if key == following]
    if twice:
        raise DatasetError(
            "imagenet.same-names",
            "has several images of one name",
            where=str(place),
            found=_first(twice),
            remedy="Keep one of each",
        )
    return source


def _folder(path: Path, labels: Path | None, inside: Sequence[str] = INSIDE) -> FileSource:
    folders, images, others = _list(path)
    if images and not any(known(folder.name) for folder in folders):
        found = labels or label_files.find(path)
        return _listed("list", path, images, [Region(str(path / name)) for name in images], found, others)
    entries, regions = [], []
    for folder in folders:
        wnid = folder.name if known(folder.name) else None
        _, names, ignored = _list(folder)
        others += ignored
        entries += [Entry(utf8_name(f"{folder.name}/{name}"), wnid) for name in names]
        regions += [Region(str(folder / name)) for name in names]
    if not any(entry.wnid for entry in entries):
        for below in inside:
            if (path / below).is_dir():
                return _folder(path / below, labels, inside=())
    if labels is not None and entries:
        raise UsageError(
            "usage.labels-with-folders",
            "--labels goes with a flat folder or archive",
            found="class folders",
            remedy="Leave --labels out",
        )
    return FileSource("folders", entries, regions, others + len(images))


def _list(path: Path) -> tuple[list[Path], list[str], int]:
    """The folders, the image files' names and the number of other files in a folder; a link counts as its target."""
    folders, images, others = [], [], 0
    with os.scandir(path) as found:
        for each in found:
            try:
                folder, file = each.is_dir(), each.is_file()
            except OSError:
                # A link that leads to itself.
                folder = file = False
            if folder:
                if not each.name.startswith("."):
                    folders.append(path / each.name)
            elif file and is_image(each.name):
                images.append(each.name)
            else:
                others += 1
    return folders, images, others


def _archive(path: Path, labels: Path | None) -> FileSource:
    found = members(path)
    names = [name for name in found if is_image(PurePosixPath(name).name)]
    regions = [found[name] for name in names]
    others = len(found) - len(names)
    folders = [PurePosixPath(name).parent.name for name in names]
    if labels is None and any(map(known, folders)):
        entries = [
            Entry(utf8_name(f"{folder}/{PurePosixPath(name).name}"), folder if known(folder) else None)
            for name, folder in zip(names, folders, strict=True)
        ]
        return FileSource("folders", entries, regions, others)
    names = [PurePosixPath(name).name for name in names]
    return _listed("tar", path, names, regions, labels or label_files.find(path.parent), others)


def _listed(
    kind: str, path: Path, names: Sequence[str], regions: Sequence[Region], labels: Path | None, others: int
) -> FileSource:
    if not names:
        return FileSource(kind, (), (), others)
    if labels is None:
        raise DatasetError(
            "imagenet.no-labels",
            "images without class folders and without a list of classes",
            where=str(path),
            found=f"{len(names)} images, the first named {_first([min(names)])}",
            remedy=f"Put one of {', '.join(label_files.FILES)} beside them, or name it with --labels",
        )
    read: Labels = label_files.read(labels)
    entries = [Entry(utf8_name(name), *found) for name, found in zip(names, read.of(names), strict=True)]
    if not any(entry.wnid for entry in entries):
        raise DatasetError(
            "labels.other-images",
            "knows none of the images",
            where=str(labels),
            found=f"{len(names)} images, the first named {_first([min(names)])}",
            remedy="Give the label file that belongs to them",
        )
    return FileSource(kind, entries, regions, others, labels)


def _webdataset(place: Path) -> FileSource:
    if not place.exists():
        raise DatasetError(
            "imagenet.not-a-data-set", "is no data set", where=f"wds/{place}", found="nothing there", remedy=REMEDY
        )
    shards = sorted(place.glob("*.tar")) if place.is_dir() else [place] if place.is_file() else []
    entries, regions, others = [], [], 0
    for shard in shards:
        # A sample's files share their path up to the first dot of their name.
        numbers: dict[str, Region] = {}
        images: dict[str, tuple[str, Region]] = {}
        for name, region in members(shard).items():
            path = PurePosixPath(name)
            stem, _, suffix = path.name.partition(".")
            sample = str(path.with_name(stem)) if stem else name
            if suffix == "cls":
                numbers[sample] = region
            elif is_image(path.name):
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
