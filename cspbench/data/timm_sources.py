"""Data sets that timm's readers take: hfds/NAME (Hugging Face `datasets`) and tfds/NAME (TensorFlow Datasets)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cspbench.data.classes import order, places
from cspbench.data.source import Sample, Source
from cspbench.errors import DatasetError, UsageError

PACKAGES = {"hfds": "datasets", "tfds": "tensorflow tensorflow-datasets"}


def open_timm(kind: str, name: str, split: str) -> Source:
    """The source of a data set that timm names `kind`/`name`."""
    try:
        from cspbench.zoo.timm_import import import_timm

        import_timm()
        from timm.data.dataset_factory import create_dataset
    except Exception as error:
        # Not only ImportError: a torchvision that was built for another torch breaks timm with RuntimeError.
        raise DatasetError(
            "environment.no-timm",
            "timm cannot be imported",
            found=f"{type(error).__name__}: {error}",
            remedy="Install timm, and a torchvision that fits torch",
        ) from error
    try:
        dataset = create_dataset(f"{kind}/{name}", root=None, split=split)
    except ImportError as error:
        raise DatasetError(
            "environment.no-data-package",
            f"timm cannot read {kind}/ data sets here",
            found=str(error),
            remedy=f"pip install {PACKAGES[kind]}",
        ) from error
    except Exception as error:
        # Whatever the library behind the reader raises: a wrong name, a wrong split, no network, no login.
        raise DatasetError(
            "imagenet.stream-unopened",
            "cannot be opened",
            where=f"{kind}/{name}, split {split}",
            found=" ".join(f"{type(error).__name__}: {error}".split())[:300],
            remedy="Check the name and the split, and that the data set can be downloaded",
        ) from error
    about = {"name": f"{kind}/{name}", "split": split}
    return Records(dataset.reader, about) if kind == "hfds" else Stream(dataset, about)


class Records(Source):
    """A reader with random access (timm's ReaderHfds): `reader[i]` is an open image file and its number."""

    kind = "hfds"

    def __init__(self, reader: Any, about: dict[str, str]) -> None:
        self.reader, self.about = reader, about
        self.classes = _classes(reader)

    def __len__(self) -> int:
        return len(self.reader)

    def as_json(self) -> dict[str, Any]:
        """What a result says about its data: name and split tell sets of one size apart."""
        return {**super().as_json(), **self.about}

    def sample(self, index: int) -> Sample:
        """One image file's bytes and class."""
        file, number = self.reader[index]
        with file:
            data = file.read()
        name = self.reader.filename(index, basename=True)
        return Sample(f"{index:08d}/{name}" if name else f"{index:08d}", data, _wnid(self.classes, number), number)


class Stream(Source):
    """A data set that only runs forward (timm's ReaderTfds) and gives decoded images and their numbers.

    The image comes back as a PPM file, so that no pixel changes. Going back starts the stream again.
    """

    kind = "tfds"
    random_access = False

    def __init__(self, dataset: Any, about: dict[str, str]) -> None:
        self.dataset, self.about = dataset, about
        self.classes = _classes(dataset.reader)
        # Its reader would give each process of a group, and each loader process, a part of the data.
        dataset.reader.dist_rank, dataset.reader.dist_num_replicas = 0, 1
        self._next = 0
        self._images: Iterator[Any] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def as_json(self) -> dict[str, Any]:
        """What a result says about its data: name and split tell sets of one size apart."""
        return {**super().as_json(), **self.about}

    def sample(self, index: int) -> Sample:
        """One image as a PPM file, and its class."""
        import torch.utils.data

        if torch.utils.data.get_worker_info() is not None:
            raise UsageError(
                "usage.loader-processes",
                f"{self.kind}/ data sets cannot be read by loader processes",
                remedy="Use -j 0",
            )
        if self._images is None or index < self._next:
            self._images, self._next = iter(self.dataset), 0
        for image, number in self._images:
            self._next += 1
            if self._next > index:
                rgb = image.convert("RGB")
                data = b"P6 %d %d 255\n" % rgb.size + rgb.tobytes()
                return Sample(f"{index:08d}", data, _wnid(self.classes, number), number)
        raise DatasetError(
            "imagenet.stream-ended",
            "the stream ended early",
            expected=f"{len(self)} images",
            found=str(self._next),
            remedy="Download it again",
        )


def _classes(reader: Any) -> list[str]:
    """The reader's class names by number; empty where it has none."""
    numbers: dict[str, int] = getattr(reader, "class_to_idx", None) or {}
    return sorted(numbers, key=lambda name: numbers[name])


def _wnid(classes: list[str], number: int) -> str:
    """A number's WordNet id: by the class's name where that is one, else by the sorted order of all 1000."""
    if 0 <= number < len(classes) and classes[number] in places("sorted"):
        return classes[number]
    if len(classes) in (0, 1000) and 0 <= number < 1000:
        return order("sorted")[number]
    raise DatasetError(
        "imagenet.other-classes",
        "the data set's classes are not ImageNet's",
        expected="1000 classes, or classes named by WordNet ids",
        found=f"class {number} of {len(classes)}",
        remedy="Give ImageNet's validation set",
    )
