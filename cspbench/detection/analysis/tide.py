"""TIDE's types of errors: what AP50 would gain if one type of error did not exist (Bolya et al., ECCV 2020).

A detection that COCO counts as a false positive at IoU 0.5 has one error, by its highest IoU with the objects of its
own class and of others, crowds aside; the first that applies:

    loc   own class, from 0.1 to below 0.5
    cls   another class, from 0.5
    dupe  own class, from 0.5: the object belongs to a better detection
    bkg   any class, below 0.1
    both  what remains: another class, from 0.1 to below 0.5

An object that no detection has is missed (`miss`), unless it is the object of a cls or loc error.

dAP is the AP50 with every error of one type corrected, minus AP50. Correcting a cls or loc error makes the detection a
hit of its object, with its own score, if it is the best of its type for a free object; otherwise it is removed, as are
all dupe, bkg and both errors. A missed object no longer counts. `fp` removes all false positives, `fn` all objects
without a detection. So every dAP is at least 0 but for rounding, and with all types corrected AP50 is 1.

Matching, ignored objects and the limit of 100 detections per class are COCO's, so that AP50 is the run's. The paper's
program allows 100 detections of all classes together, and lets only one of a cls and a loc error at the same object be
corrected even where one type is corrected alone. A class that has no objects left has AP 1, or 0 with false positives.

For small, medium and large objects AP50 is COCO's, too. The type of an error is the same in every range. A cls or loc
error also belongs to the range of its object, whatever the detection's own size.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.analysis.ap50 import mean, precisions
from cspbench.detection.analysis.nearest import Boxes, nearest
from cspbench.detection.ap.matching import AREAS, HIT, Array, Detections, Matches, match

FOREGROUND, BACKGROUND = 0.5, 0.1
"""IoU from which a detection is right, and below which it lies on the background."""
TYPES = ("cls", "loc", "both", "dupe", "bkg", "miss")
"""In the paper's order."""
SPECIALS = ("fp", "fn")
_CLS, _LOC, _BOTH, _DUPE, _BKG, MISS = range(len(TYPES))


@dataclass(frozen=True, eq=False)
class Area:
    """The N detections and G objects as one area range counts them, K classes.

    `classes` (N,) sorted, `scores` (N,) descending in a class, `hits` (N,) and `false` (N,) what COCO counts, `types`
    (N,) the index in `TYPES` of those without a match, else -1, `objects` (N,) the object of a cls or loc error that is
    counted in this range, else -1. Of the objects `owners` (G,) are the classes, `counted` (G,) whether they are
    counted, `free` (G,) whether they are counted and no detection has them.
    """

    classes: Array
    scores: Array
    hits: Array
    false: Array
    types: Array
    objects: Array
    owners: Array
    counted: Array
    free: Array
    kinds: int

    @cached_property
    def totals(self) -> Array:
        """(K,) the numbers of objects."""
        return np.bincount(self.owners[self.counted], minlength=self.kinds)

    @cached_property
    def curves(self) -> Array:
        """Precision (K, R) of the detections as they are."""
        return self.corrected(())

    @cached_property
    def missed(self) -> Array:
        """(G,) whether an object is missed."""
        missed = self.free.copy()
        missed[self.objects[self.objects >= 0]] = False
        return missed

    def corrected(self, types: Collection[str]) -> Array:
        """Precision (K, R) with all errors of some types corrected, `fp` and `fn` among them."""
        wrong = np.isin(self.types, [TYPES.index(name) for name in types if name in TYPES])
        kept = np.flatnonzero(self.hits | (self.false & ~wrong & ("fp" not in types)))
        right, classes = self.hits[kept], self.classes[kept]
        fixed = self._best(np.flatnonzero(wrong & (self.objects >= 0)))
        if len(fixed):
            target = self.owners[self.objects[fixed]]
            fixed = fixed[order := np.lexsort((-self.scores[fixed], target))]
            place = np.searchsorted(kept, self._places(fixed, target[order]))
            right, classes = np.insert(right, place, True), np.insert(classes, place, target[order])
        gone = self.free if "fn" in types else self.missed & ("miss" in types)
        return precisions(classes, right, self.totals - np.bincount(self.owners[gone], minlength=self.kinds))

    def _best(self, rows: Array) -> Array:
        """Of detections with an object the best one of each free object; of equal ones the first."""
        rows = rows[self.free[self.objects[rows]]]
        rows = rows[np.lexsort((-self.scores[rows], self.objects[rows]))]
        return rows[np.diff(self.objects[rows], prepend=-1) > 0]

    def _places(self, rows: Array, classes: Array) -> Array:
        """Where detections belong among all if they are of other classes: behind equal scores."""
        places = np.empty(len(rows), np.intp)
        for kind in np.unique(classes).tolist():
            begin, end = np.searchsorted(self.classes, (kind, kind + 1))
            of_kind = classes == kind
            places[of_kind] = begin + np.searchsorted(-self.scores[begin:end], -self.scores[rows[of_kind]], "right")
        return places

    @property
    def defined(self) -> Array:
        """(K,) whether a class has objects."""
        defined: Array = self.totals > 0
        return defined

    @cached_property
    def ap(self) -> Array:
        """(K,) AP50 of each class, 0 to 1; meaningless without objects."""
        ap: Array = self.curves.mean(1)
        return ap

    @cached_property
    def mean_ap(self) -> float:
        """AP50 as COCO has it, 0 to 1; -1 without objects."""
        return mean(self.curves[self.defined])

    @cached_property
    def gains(self) -> Mapping[str, tuple[float, Array]]:
        """The dAP of each type, 0 to 1: of all classes, and by class (K,)."""
        gains = {}
        for name in (*TYPES, *SPECIALS):
            curves = self.corrected([name])
            gains[name] = (mean(curves[self.defined]) - self.mean_ap, curves.mean(1) - self.ap)
        return gains

    @cached_property
    def counts(self) -> Mapping[str, Array]:
        """(K,) the numbers of errors by type: of detections by their own class, of objects by theirs."""
        wrong = self.false | (self.objects >= 0)
        counts = {
            name: np.bincount(self.classes[wrong & (self.types == number)], minlength=self.kinds)
            for number, name in enumerate(TYPES[:MISS])
        }
        counts["miss"] = np.bincount(self.owners[self.missed], minlength=self.kinds)
        counts["fp"] = np.bincount(self.classes[self.false], minlength=self.kinds)
        counts["fn"] = np.bincount(self.owners[self.free], minlength=self.kinds)
        return counts


def analysed(truth: GroundTruth, detections: Detections, matches: Matches | None = None) -> dict[str, Area]:
    """The errors in each of COCO's area ranges by its name, "all" first; classes are in the order of their ids.

    `matches` are those of `match`, if there are any already. Raises `DatasetError`.
    """
    matches = match(truth, detections) if matches is None else matches
    boxes, objects = boxes_of(truth, detections, matches)
    kinds = len(matches.category_ids)
    states = np.zeros((len(AREAS), len(boxes.images)), np.uint8)
    states[:, matches.hits] = matches.states[:, :, 0].T
    scores = np.asarray(detections.scores, np.float64)[matches.rows]
    lonely = np.flatnonzero((states == 0).any(0))
    noncrowd = np.flatnonzero(~truth.crowd[matches.annotations])
    near = nearest(boxes.only(lonely), objects.only(noncrowd))
    types = np.full(len(boxes.images), -1, np.int8)
    types[lonely] = _types(near.own, near.other)
    target = np.full(len(boxes.images), -1)
    target[lonely] = np.where(types[lonely] == _LOC, near.own_object, near.other_object)
    target = np.where((types == _LOC) | (types == _CLS), target, -1)
    target[target >= 0] = noncrowd[target[target >= 0]]
    areas = {}
    for number, (name, *_) in enumerate(AREAS):
        hits, alone = states[number] == HIT, states[number] == 0
        counted = matches.counted[number]
        free = counted.copy()
        free[matches.partners[matches.states[:, number, 0] == HIT, number]] = False
        aimed = alone & np.append(counted, False)[target]  # -1 is the last
        areas[name] = Area(
            classes=boxes.classes,
            scores=scores,
            hits=hits,
            false=alone & matches.inside[number],
            types=np.where(alone, types, -1),
            objects=np.where(aimed, target, -1),
            owners=objects.classes,
            counted=counted,
            free=free,
            kinds=kinds,
        )
    return areas


def boxes_of(truth: GroundTruth, detections: Detections, matches: Matches) -> tuple[Boxes, Boxes]:
    """The detections and the objects in the order of their matches."""
    classes = np.repeat(np.arange(len(matches.category_ids)), np.diff(matches.starts))
    boxes = np.asarray(detections.boxes, np.float64).reshape(-1, 4)[matches.rows]
    images, owners = matches.objects
    return Boxes(matches.images, classes, boxes), Boxes(images, owners, truth.boxes[matches.annotations])


def _types(own: Array, other: Array) -> Array:
    """The types (N,) of detections without a match, by their highest IoU with objects of both kinds."""
    conditions = (
        (own >= BACKGROUND) & (own < FOREGROUND),
        other >= FOREGROUND,
        own >= FOREGROUND,
        np.maximum(own, other) < BACKGROUND,
    )
    return np.select(conditions, (_LOC, _CLS, _DUPE, _BKG), _BOTH).astype(np.int8)
