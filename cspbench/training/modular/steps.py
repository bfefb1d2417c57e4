"""Steps of the paper (arXiv 2107.08430, Tables 1 and 2): which assignments a network has, and what a row changes."""

from __future__ import annotations

from collections.abc import Sequence

from cspbench.claims.model import Row
from cspbench.errors import UsageError, brief
from cspbench.training.modular.recipe import ASSIGNMENTS, YoloxRecipe
from cspbench.training.modular.settings import with_settings
from cspbench.zoo.yolox.designs import YoloxDarknetDesign, YoloxDesign

OF_NETWORKS = ("anchors", "one")
"""Those assignments that only networks with anchors, and those without NMS, have; these have no other."""
PAPER = "the paper"
_NO_CODE = "the code of this step of the paper"
_SOURCES = {
    "anchors": "YOLOv3, which the paper names",
    "one": "reconstructed: the paper names one-to-one assignment and a stopped gradient alone",
}
_UNKNOWN = {
    "anchors": (_NO_CODE, "its anchors, and which predictions count neither way: YOLOv3's are assumed"),
    "one": (_NO_CODE, "which box is the one of a truth: that of SimOTA's lowest cost is assumed"),
}
_PRE_TRAINED = "the weights of ImageNet with which its backbone seems to have begun, as the steps after it did not"
_WEAK = "batch=128 mosaic=0 mixup=none"
"""Before "strong augmentation" pictures were mirrored, their colours moved and their sizes drawn, and that was all."""
_ROWS = {
    "yolox-heads": dict.fromkeys(
        ("vanilla-coupled", "vanilla-decoupled", "end-to-end-coupled", "end-to-end-decoupled"), _WEAK
    ),
    "yolox-roadmap": {
        "yolov3-baseline": _WEAK,
        "decoupled-head": _WEAK,
        "strong-augmentation": "batch=128",
        "anchor-free": "batch=128 assignment=centre",
        "multi-positives": "batch=128 assignment=multi",
        "simota": "batch=128",
        "nms-free": "batch=128",
    },
}
"""What a row's recipe has beside that of its network, by table and row."""


def of_network(recipe: YoloxRecipe, design: YoloxDesign | YoloxDarknetDesign) -> tuple[YoloxRecipe, dict[str, str]]:
    """The recipe with the one assignment of a network that has no other, and the sources of what that changes."""
    own = _own(design)
    if own is None:
        return recipe, {}
    return with_settings(recipe, [f"assignment={own}"], PAPER), {"assignment": _SOURCES[own]}


def of_row(recipe: YoloxRecipe, row: Row | None) -> tuple[YoloxRecipe, dict[str, str]]:
    """The recipe of a row of the paper, and the sources of what that changes."""
    settings = _ROWS.get(row.table, {}).get(row.id, "").split() if row else []
    return with_settings(recipe, settings, PAPER), {setting.partition("=")[0]: PAPER for setting in settings}


def unknown_of(design: YoloxDesign | YoloxDarknetDesign) -> tuple[str, ...]:
    """What the paper leaves open of the step of a network; nothing of one with published weights."""
    return (*_UNKNOWN.get(_own(design) or "", ()), *((_PRE_TRAINED,) if design.priors else ()))


def check_assignment(name: str, assignment: str, design: YoloxDesign | YoloxDarknetDesign) -> None:
    """Raise `UsageError` for an assignment that the network `name` does not have."""
    own = _own(design)
    allowed: Sequence[str] = [each for each in ASSIGNMENTS if each not in OF_NETWORKS] if own is None else [own]
    if assignment not in allowed:
        about = {None: "with one box at each point", "anchors": "with anchors", "one": "without suppression"}[own]
        raise UsageError(
            "usage.assignment",
            f"{name} cannot be trained with this assignment",
            where=f"assignment={brief(assignment, 80)}",
            expected=f"{' or '.join(allowed)}, for a network {about}",
            found=assignment,
            remedy="Correct --set, or train another step: docs/yolox.md has the network of each",
        )


def _own(design: YoloxDesign | YoloxDarknetDesign) -> str | None:
    """The only assignment of a network with anchors or without NMS."""
    if isinstance(design, YoloxDarknetDesign) and design.more:
        return "one"
    return "anchors" if design.priors else None
