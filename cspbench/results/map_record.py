"""The record of Darknet's mAP in a detector's metrics."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, structs

from cspbench.detection.ap.darknet_map import AtConfidence, together

Share = Annotated[float, Meta(ge=0, le=1)]


class ClassMap(Struct, frozen=True):
    """One class of the network: its category's name, AP from 0 to 1, and its counts."""

    name: str
    ap: Share
    counts: AtConfidence

    def __post_init__(self) -> None:
        counts = self.counts
        if min(counts.true, counts.false, counts.missed) < 0 or not 0 <= counts.iou <= counts.true + 1e-3:
            raise ValueError(f"counts that cannot be, {counts}")


class MapRecord(Struct, frozen=True):
    """What `darknet detector map` prints: `points` as in -points, the IoU threshold, and the score of the counts."""

    points: Literal["area", "voc11", "coco101"]
    iou: Share
    conf: Share
    classes: list[ClassMap]

    @property
    def mean(self) -> float:
        """mAP, 0 to 1: the mean over all classes, also those without objects."""
        return sum(of_class.ap for of_class in self.classes) / len(self.classes) if self.classes else 0.0

    @property
    def total(self) -> AtConfidence:
        """The counts of all classes."""
        return together([of_class.counts for of_class in self.classes])

    def as_json(self) -> dict[str, Any]:
        """Everything, percentages with 4 decimals."""
        total = self.total
        return {
            "points": self.points,
            "iou": self.iou,
            "conf": self.conf,
            "map": _percent(self.mean),
            "tp": total.true,
            "fp": total.false,
            "fn": total.missed,
            "precision": _rounded(total.precision),
            "recall": _rounded(total.recall),
            "f1": _rounded(total.f1),
            "average_iou": None if total.average_iou is None else _percent(total.average_iou),
            "per_class": [
                {
                    "name": name,
                    "ap": _percent(ap),
                    "tp": counts.true,
                    "fp": counts.false,
                    "fn": counts.missed,
                }
                for name, ap, counts in map(structs.astuple, self.classes)
            ],
        }


def _percent(value: float) -> float:
    return round(100 * value, 4)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
