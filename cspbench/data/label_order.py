"""Checks the order of a network's classes: in a wrong order, a network looks untrained."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cspbench.data.classes import ORDERS, order

Verdict = Literal["as declared", "swapped", "chance", "undecided"]

GUESSES = 10
"""Times the accuracy of guessing that is still taken for chance: networks favour some classes."""
KNOWN = {
    "ILSVRC2012_val_00000001": "n01751748",
    "ILSVRC2012_val_00000002": "n09193705",
    "ILSVRC2012_val_00000003": "n02105855",
    "ILSVRC2012_val_00000004": "n04263257",
}
"""Classes of the first validation images: the devkit's ground truth begins with 490, 361, 171, 822."""
ENOUGH = 50
"""Images; with fewer, a network without hits may just be weak."""


@dataclass(frozen=True)
class OrderProbe:
    """Top-1 hits of the same predictions under every class order, and the verdict on the declared one."""

    images: int
    declared: str
    hits: dict[str, int]
    verdict: Verdict
    better: str
    """The order with the most hits."""

    def __str__(self) -> str:
        rates = ", ".join(f"{hits / max(self.images, 1):.1%} in the {name} order" for name, hits in self.hits.items())
        advice = {
            "as declared": f"the classes are in the {self.declared} order",
            "swapped": f"the classes are in the {self.better} order, not in the {self.declared} one",
            "chance": "hardly better than guessing in any order: wrong weights, preprocessing or data set",
            "undecided": "too few images to determine the class order",
        }[self.verdict]
        return f"{advice} (top-1 of {self.images} images: {rates})"


def known_images(classes: Iterable[tuple[str, str | None]]) -> tuple[int, int]:
    """From (key, WordNet id) of images: the number of known images with the right class, and of all known images."""
    right = [
        wnid == KNOWN[stem]
        for key, wnid in classes
        if (stem := key.rpartition("/")[2].partition(".")[0]) in KNOWN  # in any folder, of any format
    ]
    return sum(right), len(right)


def advice(declared: str, better: str, known: tuple[int, int]) -> str:
    """What to do about a swapped order: the network may have another one than declared, or the labels are wrong."""
    right, count = known
    network = f"evaluate it with --classes {better}"
    labels = f"correct the label file, whose numbers may be in the {declared} order"
    if not count:
        return f"Either the network has another class order: {network}. Or the labels are wrong: {labels}"
    if right == count:
        return f"The labels are right ({right} of {count} known images), so the network has another order: {network}"
    return f"The labels are wrong (only {right} of {count} known images are labelled correctly): {labels}"


def probe_order(predicted: Sequence[int], wnids: Sequence[str], declared: str = "darknet") -> OrderProbe:
    """Compare top-1 class numbers with the images' WordNet ids, under every class order."""
    orders = ORDERS if declared in ORDERS else (declared,)
    classes = len(order(declared))
    hits = {
        name: sum(
            0 <= number < classes and order(name)[number] == wnid for number, wnid in zip(predicted, wnids, strict=True)
        )
        for name in orders
    }
    count, chance = len(wnids), min(0.5, GUESSES / classes)
    better = max(orders, key=lambda name: (hits[name], name == declared))
    verdict: Verdict
    if better != declared and _beyond_chance(hits[better], count, chance) and hits[better] > 2 * hits[declared]:
        verdict = "swapped"
    elif _beyond_chance(hits[declared], count, chance):
        verdict = "as declared"
    else:
        verdict = "chance" if count >= ENOUGH else "undecided"
    return OrderProbe(count, declared, hits, verdict, better)


def _beyond_chance(hits: int, count: int, chance: float) -> bool:
    """Whether there are more hits than guessing explains: four standard deviations and three images above `chance`."""
    return hits > chance * count + 4 * math.sqrt(chance * count) + 3
