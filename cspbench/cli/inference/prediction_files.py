"""The files of `cspbench predict`: drawn pictures, and label files as YOLO's tools write them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from cspbench.data.decode import Decoder
from cspbench.errors import BadImageError, UsageError
from cspbench.io import write_text
from cspbench.prediction.pictures import Picture
from cspbench.prediction.predictions import Classified, Prediction


@dataclass(frozen=True)
class Files:
    """Where the files of each picture go; `which` selects the drawn ones."""

    folder: Path
    pictures: Sequence[Picture]
    stems: Sequence[str]
    """A name for each picture, all different, whatever their case."""
    which: str | None
    labels: bool

    def drawn(self, place: int) -> Path:
        """The drawn picture of the picture at that place."""
        return self.folder / f"{self.stems[place]}.png"

    def label_file(self, place: int) -> Path:
        """Its label file."""
        return self.folder / "labels" / f"{self.stems[place]}.txt"

    def check(self, force: bool) -> None:
        """Raise `UsageError` for a selection that no picture can be of, and unless `force` for files that exist."""
        if self.which is not None:
            self._possible(self.which)
        for place in range(len(self.pictures) if not force else 0):
            targets = [self.drawn(place)] if self.which is not None else []
            for target in targets + ([self.label_file(place)] if self.labels else []):
                if target.exists():
                    raise UsageError(
                        "usage.file-exists",
                        "there is a file already",
                        where=str(target),
                        remedy="Name another folder with --out, or replace files with --force",
                    )

    def check_class(self, names: Sequence[str], ids: Sequence[str]) -> None:
        """Raise `UsageError` for a class that the model does not have."""
        kind, _, name = (self.which or "").partition(":")
        if kind != "class" or any(name in _spellings(known) for known in names) or name in ids:
            return
        near = get_close_matches(name, names, n=1)
        raise UsageError(
            "usage.draw",
            "--draw names no image",
            expected=f"class:NAME with one of the model's {len(names)} classes",
            found=repr(self.which),
            remedy=f"Did you mean class:{near[0]}?" if near else f"Name a class, such as class:{names[0]}",
        )

    def write(self, predictions: Sequence[Prediction | BadImageError], decoder: Decoder, least: float) -> int:
        """Write the files of all pictures that could be read; returns the number of drawn pictures."""
        drawn = 0
        chosen = set() if self.which is None else set(self._chosen(self.which, predictions))
        for place, prediction in enumerate(predictions):
            if isinstance(prediction, BadImageError):
                continue
            if self.labels:
                write_text(self.label_file(place), "".join(f"{line}\n" for line in prediction.yolo_lines()))
            if place in chosen:
                _draw(self.pictures[place], prediction, self.drawn(place), decoder, least)
                drawn += 1
        return drawn

    def _possible(self, which: str) -> None:
        kind, _, name = which.partition(":")
        possible = which == "all" or (which.isdecimal() and int(which[:9]) > 0) or (kind == "class" and name)
        if not possible and not (kind == "image" and self._named(name)):
            raise UsageError(
                "usage.draw",
                "--draw names no image",
                expected="a number from 1, all, image:NAME of one of the pictures, or class:NAME",
                found=repr(which),
                remedy="Try --draw all",
            )

    def _named(self, name: str) -> list[int]:
        names = [(picture.name, Path(picture.name).name, Path(picture.name).stem) for picture in self.pictures]
        return [place for place, texts in enumerate(names) if name in texts]

    def _chosen(self, which: str, predictions: Sequence[Prediction | BadImageError]) -> Iterable[int]:
        kind, _, name = which.partition(":")
        usable = [place for place, prediction in enumerate(predictions) if not isinstance(prediction, BadImageError)]
        if which.isdecimal():
            count = min(int(which[:9]), len(usable))
            return [usable[place * len(usable) // count] for place in range(count)]
        if kind == "image":
            return self._named(name)
        return usable if which == "all" else [place for place in usable if name in _classes(predictions[place])]


def files_of(pictures: Sequence[Picture], folder: Path, which: str | None, labels: bool) -> Files:
    """The files of pictures in a folder, called after them; names that occur again get a number."""
    stems: list[str] = []
    taken: set[str] = set()
    for picture in pictures:
        stem, number = Path(picture.name).stem, 1
        name = stem
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        stems.append(name)
    return Files(folder, pictures, stems, which, labels)


def _classes(prediction: Prediction | BadImageError) -> set[str]:
    """The names of the predicted classes: of all boxes, or the most probable one."""
    if isinstance(prediction, BadImageError):
        return set()
    if isinstance(prediction, Classified):
        return {*_spellings(prediction.pred_class), prediction.top[0].wnid or ""}
    return {box.name for box in prediction.boxes}


def _spellings(name: str) -> set[str]:
    """A class's whole name, and the first of its synonyms: tench of "tench, Tinca tinca"."""
    return {name, name.partition(",")[0]}


def _draw(picture: Picture, prediction: Prediction, path: Path, decoder: Decoder, least: float) -> None:
    from cspbench.plots.classes import draw_classes
    from cspbench.plots.detections import Box, draw

    pixels = picture.pixels(decoder)
    if isinstance(prediction, Classified):
        draw_classes(pixels, [(guess.name, guess.score) for guess in prediction.top], path)
    else:
        draw(pixels, [Box(box.bbox, box.name, box.score) for box in prediction.boxes], [], path, least)
