"""Parts of a data set, drawn at random with a seed."""

from __future__ import annotations

import random
from typing import Any, overload

from cspbench.data.coco.source import CocoSource
from cspbench.data.source import Sample, Source
from cspbench.errors import UsageError


def limit_of(text: str, total: int) -> int:
    """The number of images that "100" or "5%" means, out of `total`; at least one."""
    number = text.removesuffix("%")
    try:
        count = float(number)
        if not 0 < count < 1e9 or (text == number and count != int(count)) or (text != number and count > 100):
            raise ValueError
    except ValueError:
        raise UsageError(
            "usage.limit",
            "--limit cannot be read",
            expected="a number of images, or a percentage up to 100%",
            found=repr(text),
            remedy="Try 5%",
        ) from None
    return min(total, max(1, int(total * count / 100) if text.endswith("%") else int(count)))


def random_indices(total: int, count: int, seed: int) -> list[int]:
    """`count` indices below `total`, drawn without replacement, in ascending order."""
    if seed < 0:
        raise UsageError("usage.negative-seed", "negative seed", found=str(seed), remedy="Give a seed of 0 or more")
    return sorted(random.Random(seed).sample(range(total), count))


class Part(Source):
    """Samples of a source, drawn with a seed."""

    def __init__(self, source: Source, count: int, seed: int) -> None:
        self.source, self.seed = source, seed
        self.indices = random_indices(len(source), min(count, len(source)), seed)
        self.kind, self.random_access, self.own_classes = source.kind, source.random_access, source.own_classes

    def __len__(self) -> int:
        return len(self.indices)

    def sample(self, index: int) -> Sample:
        return self.source.sample(self.indices[index])

    def key(self, index: int) -> str:
        return self.source.key(self.indices[index])

    def path(self, index: int) -> str | None:
        return self.source.path(self.indices[index])

    def as_json(self) -> dict[str, Any]:
        return {**self.source.as_json(), "limit": len(self), "seed": self.seed}


class CocoPart(CocoSource):
    """Images of a COCO set, drawn with a seed; its record is that of the whole set with limit and seed."""

    def __init__(self, source: CocoSource, count: int, seed: int) -> None:
        self.whole, self.seed = source, seed
        images = [source.images[index] for index in random_indices(len(source), min(count, len(source)), seed)]
        super().__init__(source.annotations, images, source.folder, source.split, source.place)
        self.kind = source.kind
        if self.no_objects is not None:
            raise self.no_objects

    def as_json(self) -> dict[str, Any]:
        return {**self.whole.as_json(), "limit": len(self), "seed": self.seed}


@overload
def part_of(source: Source, limit: str | None, seed: int = 0) -> Source: ...
@overload
def part_of(source: CocoSource, limit: str | None, seed: int = 0) -> CocoSource: ...
def part_of(source: Source | CocoSource, limit: str | None, seed: int = 0) -> Source | CocoSource:
    """The part of a source that `limit` requests; the source itself where that is all of it.

    Raises `DatasetError` for a part of a COCO set without objects.
    """
    count = len(source) if limit is None else limit_of(limit, len(source))
    if count == len(source):
        return source
    return CocoPart(source, count, seed) if isinstance(source, CocoSource) else Part(source, count, seed)
