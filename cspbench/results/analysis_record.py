"""The record of a detector's errors in its metrics."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

from cspbench.detection.analysis.tide import SPECIALS, TYPES
from cspbench.detection.ap.matching import AREAS

Share = Annotated[float, Meta(ge=0, le=1)]
Gain = Annotated[float, Meta(ge=-1, le=1)]
"""AP50 with one type of error corrected minus AP50; below 0 only by rounding."""
Count = Annotated[int, Meta(ge=0, le=10**12)]
NAMES = (*TYPES, *SPECIALS)


class Errors(Struct, frozen=True):
    """AP50 from 0 to 1, None without objects, and what each type of error costs; `counts` by type."""

    objects: Count
    ap50: Share | None
    gains: dict[str, Gain]
    counts: dict[str, Count]

    def __post_init__(self) -> None:
        if set(self.counts) != set(NAMES) or set(self.gains) != (set() if self.ap50 is None else set(NAMES)):
            raise ValueError("not the types of errors")

    def as_json(self) -> dict[str, Any]:
        """Percentages with 4 decimals."""
        return {
            "objects": self.objects,
            "ap50": None if self.ap50 is None else round(100 * self.ap50, 4),
            "dap": {name: round(100 * self.gains[name], 4) for name in NAMES if name in self.gains},
            "counts": {name: self.counts[name] for name in NAMES},
        }


class ClassErrors(Errors, frozen=True):
    """The errors of one class by its category's name."""

    name: str

    def as_json(self) -> dict[str, Any]:
        """Percentages with 4 decimals."""
        return {"name": self.name, **super().as_json()}


class Mistake(Struct, frozen=True):
    """`count` objects of one class that are detected as another, by their places in the list of classes.

    The place after the last is the background: `truth` of detections on no object, `found` of missed objects.
    """

    truth: Count
    found: Count
    count: Count


class AnalysisRecord(Struct, frozen=True):
    """A detector's errors at one NMS threshold; `confusion` counts detections with a score from `conf` at IoU 0.5."""

    nms: Share | None
    """None, as `kind`, for a file of detections."""
    kind: str | None
    conf: Share
    areas: dict[str, Errors]
    """By COCO's area ranges, `all` first."""
    classes: list[ClassErrors]
    confusion: list[Mistake]
    """Where there are any; right ones among them."""

    def __post_init__(self) -> None:
        if set(self.areas) != {name for name, *_ in AREAS}:
            raise ValueError("not the area ranges")
        if any(max(mistake.truth, mistake.found) > len(self.classes) for mistake in self.confusion):
            raise ValueError("a mistake of no class")

    @property
    def number(self) -> str:
        """Its name among what a command scored (`Scored.numbers`)."""
        return f"errors {self.nms or 0:g} {self.kind}"

    @property
    def mistakes(self) -> list[tuple[str, str, int]]:
        """(class, taken for, count) of objects of another class than detected, most frequent first."""
        wrong = [item for item in self.confusion if item.truth != item.found]
        wrong = [item for item in wrong if max(item.truth, item.found) < len(self.classes)]
        names = [item.name for item in self.classes]
        return [
            (names[item.truth], names[item.found], item.count)
            for item in sorted(wrong, key=lambda item: (-item.count, item.truth, item.found))
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything, percentages with 4 decimals; the background has no name."""
        names = [*(item.name for item in self.classes), None]
        return {
            "nms": self.nms,
            "kind": self.kind,
            "areas": {name: self.areas[name].as_json() for name, *_ in AREAS},
            "per_class": [item.as_json() for item in self.classes],
            "conf": self.conf,
            "confusion": [
                {"truth": names[item.truth], "found": names[item.found], "count": item.count} for item in self.confusion
            ],
        }
