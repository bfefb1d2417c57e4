"""Data sets that timm's readers read: hfds/NAME (Hugging Face `datasets`) and tfds/NAME (TensorFlow Datasets)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cspbench.data.classes import order, places
from cspbench.data.source import Sample, Source
from cspbench.errors import DatasetError, UsageError

PACKAGES = {"hfds": "datasets", "tfds": "tensorflow tensorflow-datasets"}


def open_timm(kind: str, name: str, split: str) -> Source:
    """The data set that timm calls `kind`/`name`. Raises `DatasetError`."""
    try:
        from cspbench.zoo.timm_import import import_timm

        import_timm()
        from timm.data.dataset_factory import create_dataset
    except Exception as error:
        # Not only ImportError: a torchvision built for another version of torch raises RuntimeError.
        raise DatasetError(
            "environment.no-timm",
            "timm cannot be imported",
            found=f"{type(error).__name__}: {error}",
            remedy="Install timm, and a torchvision that matches torch",
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
        # Any error of the reader's library: a wrong name or split, no network, no login.
        raise DatasetError(
            "imagenet.stream-unopened",
            "cannot be opened",
            where=f"{kind}/{name}, split {split}",
            found=" ".join(f"{type(error).__name__}: {error}".split())[:300],
            remedy="Check the name and the split, and that the data set can be downloaded",
        ) from error
    about = {"name": f"{kind}/{name}", "split": split}
    return Records(dataset.reader, about) if kind == "hfds" else Stream(dataset, about)


class TimmSource(Source):
    """What timm's readers have in common."""

    def __init__(self, reader: Any, about: dict[str, str]) -> None:
        numbers: dict[str, int] = getattr(reader, "class_to_idx", None) or {}
        self.reader, self.about = reader, about
        self.classes = sorted(numbers, key=lambda name: numbers[name])
        """The reader's class names by number; empty if it has none."""

    def as_json(self) -> dict[str, Any]:
        """Description for results: name and split distinguish data sets of the same size."""
        return {**super().as_json(), **self.about}

    def labelled(self, key: str, data: bytes, number: int) -> Sample:
        """A sample with the WordNet id of its class number: the class's name, or from the sorted order of all 1000."""
        if 0 <= number < len(self.classes) and self.classes[number] in places("sorted"):
            return Sample(key, data, self.classes[number], number)
        if len(self.classes) in (0, 1000) and 0 <= number < 1000:
            return Sample(key, data, order("sorted")[number], number)
        raise DatasetError(
            "imagenet.other-classes",
            "not ImageNet's classes",
            expected="1000 classes, or classes named after WordNet ids",
            found=f"class {number} of {len(self.classes)}",
            remedy="Use ImageNet's validation set",
        )


class Records(TimmSource):
    """A reader with random access (timm's ReaderHfds): `reader[i]` is an open image file and its number."""

    kind = "hfds"

    def __len__(self) -> int:
        return len(self.reader)

    def sample(self, index: int) -> Sample:
        file, number = self.reader[index]
        with file:
            data = file.read()
        name = self.reader.filename(index, basename=True)
        return self.labelled(f"{index:08d}/{name}" if name else f"{index:08d}", data, number)


class Stream(TimmSource):
    """A data set without random access (timm's ReaderTfds), of decoded images and their numbers.

    Images become PPM files, so that no pixel changes. Reading an earlier image restarts the stream.
    """

    kind = "tfds"
    random_access = False

    def __init__(self, dataset: Any, about: dict[str, str]) -> None:
        super().__init__(dataset.reader, about)
        self.dataset = dataset
        # Otherwise the reader would split the data among the processes of a group.
        dataset.reader.dist_rank, dataset.reader.dist_num_replicas = 0, 1
        self._next = 0
        self._images: Iterator[Any] | None = None

    def __len__(self) -> int:
        return len(self.dataset)

    def sample(self, index: int) -> Sample:
        """One image as a PPM file, and its class. Raises `DatasetError`, `UsageError`."""
        import torch.utils.data

        if torch.utils.data.get_worker_info() is not None:
            what = f"loader processes cannot read {self.kind}/ data sets"
            raise UsageError("usage.loader-processes", what, remedy="Use -j 0")
        if self._images is None or index < self._next:
            self._images, self._next = iter(self.dataset), 0
        for image, number in self._images:
            self._next += 1
            if self._next > index:
                rgb = image.convert("RGB")
                return self.labelled(f"{index:08d}", b"P6 %d %d 255\n" % rgb.size + rgb.tobytes(), number)
        raise DatasetError(
            "imagenet.stream-ended",
            "the stream ended early",
            expected=f"{len(self)} images",
            found=str(self._next),
            remedy="Download it again",
        )
