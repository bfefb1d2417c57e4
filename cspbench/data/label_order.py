"""Does a network number its classes as we think? A wrong class order looks like a network that knows nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cspbench.data.classes import ORDERS, order

Verdict = Literal["as declared", "swapped", "chance", "undecided"]

GUESSES = 10
"""So many times the share that a guess hits is no evidence of knowledge: networks favour some classes."""
KNOWN = {
    "ILSVRC2012_val_00000001": "n01751748",
    "ILSVRC2012_val_00000002": "n09193705",
    "ILSVRC2012_val_00000003": "n02105855",
    "ILSVRC2012_val_00000004": "n04263257",
}
"""Classes of the first validation images: the devkit's ground truth begins 490, 361, 171, 822."""
ENOUGH = 50
"""Images below which a network that hits nothing may only be a weak one."""


@dataclass(frozen=True)
class OrderProbe:
    """Top-1 hits of the same predictions under every class order, and what they say about the declared one."""

    images: int
    declared: str
    hits: dict[str, int]
    verdict: Verdict
    better: str
    """The order with the most hits."""

    def accuracy(self, name: str) -> float:
        """Share of hits under an order."""
        return self.hits[name] / self.images if self.images else 0.0

    def __str__(self) -> str:
        rates = ", ".join(f"{self.accuracy(name):.1%} in the {name} order" for name in self.hits)
        advice = {
            "as declared": f"the classes are in the {self.declared} order",
            "swapped": f"the classes are in the {self.better} order, not in the {self.declared} one",
            "chance": "no better than guessing in either order: other weights, other preprocessing or another data set",
            "undecided": "too few images to tell the class order",
        }[self.verdict]
        return f"{advice} (top-1 of {self.images} images: {rates})"


def known_images(classes: Iterable[tuple[str, str | None]]) -> tuple[int, int]:
    """How many images have the class that they are known to have, and how many are known, of (key, WordNet id)."""
    found = [
        wnid == KNOWN[stem]
        for key, wnid in classes
        if (stem := key.rpartition("/")[2].partition(".")[0]) in KNOWN  # in any folder, of any format
    ]
    return sum(found), len(found)


def advice(declared: str, better: str, known: tuple[int, int]) -> str:
    """What to do about a swapped order: whether the network numbers its classes otherwise, or the labels are wrong."""
    right, seen = known
    network = f"--classes {better} evaluates a network that numbers its classes so"
    labels = f"the label file, whose numbers may be of the {declared} order"
    if not seen:
        return f"Either the network is another than its name says: {network}. Or the labels are wrong: correct {labels}"
    if right == seen:
        return f"The labels are right ({right} of {seen} known images), so it is the network: {network}"
    return f"The labels are wrong (only {right} of {seen} known images have their class): correct {labels}"


def probe_order(predicted: Sequence[int], wnids: Sequence[str], declared: str = "darknet") -> OrderProbe:
    """Hold top-1 class numbers against the images' WordNet ids, under every class order."""
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
    """Whether so many hits are too many for guessing: four standard deviations and three images above `chance`."""
    return hits > chance * count + 4 * math.sqrt(chance * count) + 3
