"""What each part of a detector's protocol moves, as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cspbench.report.formats import Block, Column, Paragraph, Table

if TYPE_CHECKING:
    from cspbench.detection.ablation.explain import Change

COLUMNS = (
    *(Column("Changed"), Column("to"), Column("as in", 1), Column("AP", kind="number")),
    *(Column("AP50", 2, "number"), Column("AP75", 2, "number"), Column("change", kind="number")),
)
NOTE = (
    "Each line changes one part of the first line's preset; the change is in points of AP, on the same images. "
    "These are variants, not results: none is stored or judged."
)
INTERVALS = "In brackets the 95 % interval of the change (paired percentile bootstrap over images)."


def explanation(changes: Sequence[Change]) -> list[Block]:
    """The changes, and what they are."""
    lines = []
    for change in changes:
        aps = [f"{value:.3f}" for value in (change.ap, change.ap50, change.ap75)]
        lines.append([change.part, change.to, change.of, *aps, _difference(change)])
    blocks: list[Block] = [Table(COLUMNS, lines), Paragraph(NOTE)]
    if any(change.interval is not None for change in changes):
        blocks.append(Paragraph(INTERVALS, "legend"))
    return blocks


def _difference(change: Change) -> str:
    if change.delta is None:
        return ""
    text = f"{change.delta:+.3f}"
    if change.interval is None:
        return text
    low, high = change.interval
    return f"{text} [{low:+.2f}, {high:+.2f}]"
