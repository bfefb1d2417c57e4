"""Which columns of a table a terminal has room for, and how wide they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from cspbench.report.formats import WIDE_ONLY, Column

GAP = 2
"""Blanks between columns."""
LEAST = 24
"""Text is folded to this width before a column is left out."""
WIDEST = 60
"""Text is folded to this width where no column is left out."""


def layout(columns: Sequence[Column], texts: Mapping[int, Sequence[str]], room: int | None) -> dict[int, int]:
    """The width of each column that is shown, by its place; `texts` are those of the columns that may be shown.

    Columns of the highest rank, and among them the last, are left out until the others fit into `room`: numbers and
    verdicts of rank 0 on one line, everything else folded. Without `room` all are shown.
    """
    least = {at: _least(columns[at], cells) for at, cells in texts.items()}
    natural = {at: max(map(len, cells)) for at, cells in texts.items()}
    if room is None:
        return {at: max(least[at], min(natural[at], WIDEST)) for at in texts}
    needed = {at: least[at] if columns[at].kind == "text" or columns[at].rank else natural[at] for at in texts}
    widths = {at: least[at] for at in _fitting(columns, needed, room)}
    left = room - sum(widths.values()) - GAP * (len(widths) - 1)
    for at in sorted(widths, key=lambda at: -widths[at]):  # where all that is left is too wide, the widest is cut first
        part = _longest_part(texts[at])
        # a name that is broken anyhow may be broken once more
        cut = min(max(-left, 0), max(widths[at] - (part if part <= widths[at] else LEAST // 2), 0))
        widths[at] -= cut
        left += cut
    for at in widths:  # rather a broken name than a line that is too long
        if left < 0 and columns[at].kind == "text" and widths[at] > LEAST // 3:
            cut = min(-left, widths[at] - LEAST // 3)
            widths[at] -= cut
            left += cut
    if left <= 0:
        return widths
    # what is left is given to columns of rank 0 first, and among them to those that want the least more; several long
    # verdicts share it, since each can be folded anywhere
    order = sorted(widths, key=lambda at: (bool(columns[at].rank), natural[at] - least[at]))
    for place, at in enumerate(order):
        sharing = sum(columns[other].kind == columns[at].kind == "verdict" for other in order[place + 1 :])
        more = max(min(natural[at] - least[at], left // (1 + sharing)), 0)
        widths[at] += more
        left -= more
    return widths


def _least(column: Column, texts: Sequence[str]) -> int:
    """The width that a column needs: of its longest word; text is not folded to less than `LEAST`, but at hyphens."""
    if column.kind in ("number", "verdict"):
        return max(len(word) for text in texts for word in text.split(" "))
    return min(LEAST, max(map(len, texts)))


def _longest_part(texts: Sequence[str]) -> int:
    """The length of the longest part of a word between hyphens, with its hyphen."""
    return max(len(part) for text in texts for part in re.split(r"(?<=-)| ", text))


def _fitting(columns: Sequence[Column], needed: Mapping[int, int], width: int) -> list[int]:
    """The columns that are shown."""
    shown = [at for at in needed if columns[at].rank < WIDE_ONLY]
    while sum(needed[at] + GAP for at in shown) - GAP > width:
        last = max(shown, key=lambda at: (columns[at].rank, at))
        if not columns[last].rank:
            break
        shown.remove(last)
    return shown
