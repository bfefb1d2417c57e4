"""Studies by hand, without trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from result_files import WHO

from cspbench.retrained.record import TrainingData
from cspbench.retrained.studies import Miniature, Outcome, StudiedRow, Study, Variant

SMOOTH = "label_smooth_eps=0.1"
ROWS = [
    StudiedRow("cspresnext-50-normal", variant="base"),
    StudiedRow("cspresnext-50-smooth", "cspresnext-50-normal", SMOOTH, "base"),
]
MINI = Miniature("study-csp-classifier", "v2:abc", 12_345, (64, 64), 300, 64, drawn=True)


def outcome(top1: float, **changes: Any) -> Outcome:
    """A training that ended with this accuracy, evaluated once on the way."""
    fields: dict[str, Any] = {
        "numbers": {"": {"top1": top1, "top5": min(100.0, top1 + 30)}},
        "curve": [(150, top1 - 20), (300, top1)],
        "losses": [(100, 2.5), (200, 2.0), (300, 1.5)],
        "seconds": 61.5,
        "data": TrainingData(2400, 16, f"images:{'1a2b3c4d' * 8}"),
        "held": 800,
        "start": None,
        **changes,
    }
    return Outcome(**fields)


def study(base: Sequence[float], other: Sequence[float], rows: list[StudiedRow] | None = None, **changes: Any) -> Study:
    """The table of smoothing: the accuracies of its base row and of its other row by seed, from 0."""
    variants = [
        Variant(
            name, [] if name == "base" else [name], {str(seed): outcome(value) for seed, value in enumerate(values)}
        )
        for name, values in (("base", base), (SMOOTH, other))
    ]
    fields: dict[str, Any] = {"session": WHO, **changes}
    return Study("imagenet-smoothing", MINI, variants, ROWS if rows is None else rows, **fields)
