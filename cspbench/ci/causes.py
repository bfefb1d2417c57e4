"""Why counts changed: the layers in which a network differs from the baseline's, and failing cells grouped by that."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

from cspbench.errors import brief
from cspbench.results import layers
from cspbench.results.counts import CountedRow, Counts

if TYPE_CHECKING:
    from cspbench.ci.diff import Pair

NAMED = 3
"""Differences, or models, that a cause names."""
LONGEST = 4000
"""Layers of a network that are compared."""


@dataclass(frozen=True)
class Cause:
    """What changed in the definition of a row's network."""

    model: str
    text: str


@dataclass(frozen=True)
class Group:
    """Failing cells with one cause: `text` says what changed, `models` whose definition did, if any."""

    text: str
    models: tuple[str, ...]
    pairs: tuple[Pair, ...]

    @property
    def line(self) -> str:
        """The group on one line: "csdarknet53: layer 0 filters 32 → 48: 12 cells"."""
        more = f" and {len(self.models) - NAMED} more" if len(self.models) > NAMED else ""
        names = ", ".join(self.models[:NAMED]) + more
        count = f"{len(self.pairs)} cell{'s' * (len(self.pairs) != 1)}"
        return ": ".join(filter(None, [names, self.text, count]))


def groups(pairs: Iterable[Pair]) -> list[Group]:
    """The failing pairs by what changed in a definition, the largest group first, and the others by kind of change."""
    by_text: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_text.setdefault(pair.cause.text if pair.cause else str(pair.kind), []).append(pair)
    found = []
    for text, alike in by_text.items():
        models = dict(Counter(pair.cause.model for pair in alike if pair.cause).most_common())
        found.append(Group(text, tuple(models), tuple(alike)))
    return sorted(found, key=lambda group: (not group.models, -len(group.pairs)))


def causes(before: Sequence[Counts], after: Sequence[Counts]) -> dict[tuple[str, str], Cause]:
    """By table and row id, how the counted network differs; only for rows whose networks are known to differ."""
    old, new = _by_row(before), _by_row(after)
    found: dict[tuple[str, str], Cause] = {}
    known: dict[tuple[object, ...], str] = {}
    for key, (now, present) in new.items():
        was, past = old.get(key, (now, present))
        if now.model is None or was.network is None or now.network is None or was.network == now.network:
            continue
        asked = was.model, now.model, was.size, now.size, id(past), id(present)
        if asked not in known:
            known[asked] = _change(was, past, now, present)
        found[key] = Cause(brief(now.model, 80), known[asked])
    return found


def _by_row(records: Sequence[Counts]) -> dict[tuple[str, str], tuple[CountedRow, Counts]]:
    return {(row.table, str(row.id)): (row, record) for record in records for row in record.rows if row.table}


def _change(was: CountedRow, past: Counts, now: CountedRow, present: Counts) -> str:
    if was.model != now.model:
        return f"another model than {brief(str(was.model), 80)}"
    lines = layers.of_model(past, was.model), layers.of_model(present, now.model)
    if lines[0] is None or lines[1] is None:
        return "the network is another"
    texts = differences(lines[0], lines[1])
    if not texts and was.size and now.size and was.size != now.size:
        texts = [f"input {was.size[0]}×{was.size[1]} → {now.size[0]}×{now.size[1]}"]
    more = f" and {len(texts) - NAMED} more differences" if len(texts) > NAMED else ""
    return (", ".join(texts[:NAMED]) or "the network is another") + more


def differences(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """The differences between the texts of two networks' layers, each in words.

    A change that is the same in several layers is named once: "17 layers activation relu → leaky, first layer 3".
    """
    there: dict[int, int] = {}
    others: list[str] = []
    for old, new in _blocks([_read(line).settings for line in before], [_read(line).settings for line in after]):
        if len(old) == len(new):
            there.update(zip(old, new, strict=True))
        else:
            others += [f"{_span(old)} removed"] if old else []
            others += [f"{_span(new)} added"] if new else []
    changes: dict[str, list[int]] = {}
    for old_index, new_index in there.items():
        was, now = _read(before[old_index]), _read(after[new_index])
        for text in [*_changed(was, now), *_reads(was, now, old_index, new_index, there)]:
            changes.setdefault(text, []).append(new_index)
    texts = []
    for text, at in changes.items():
        first = "[net]" if at[0] == 0 else f"layer {at[0] - 1}"
        texts.append(f"{first} {text}" if len(at) == 1 else f"{len(at)} layers {text}, first {first}")
    return [brief(text, 200) for text in (*texts, *others)]


class _Line(NamedTuple):
    """The text of a layer: its kind, its settings, and the layers that it reads, relative to it."""

    kind: str
    settings: tuple[tuple[str, str], ...]
    reads: str


def _read(line: str) -> _Line:
    kind, *words = line.split(" ")
    values = [(name, value) for name, _, value in (word.partition("=") for word in words)]
    reads = next((value for name, value in values if name == "sources"), "")
    return _Line(kind, (("", kind), *(each for each in values if each[0] != "sources")), reads)


def _blocks(one: Sequence[Hashable], other: Sequence[Hashable]) -> Iterator[tuple[range, range]]:
    """Ranges of lines that correspond if they are of one length, and were removed or added otherwise."""
    if len(one) == len(other) or max(len(one), len(other)) > LONGEST:
        same = min(len(one), len(other))
        yield range(same), range(same)
        yield range(same, len(one)), range(same, len(other))
        return
    for _, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        yield range(a, b), range(c, d)


def _changed(was: _Line, now: _Line) -> list[str]:
    """The settings in which two layers differ, "filters 32 → 48"; 0 for one that is off."""
    if was.kind != now.kind:
        return [f"[{was.kind}] → [{now.kind}]"]
    old, new = dict(was.settings), dict(now.settings)
    names = [name for name in dict.fromkeys([*old, *new]) if old.get(name) != new.get(name)]
    return [f"{name} {old.get(name, '0')} → {new.get(name, '0')}" for name in names]


def _reads(was: _Line, now: _Line, old: int, new: int, there: Mapping[int, int]) -> list[str]:
    """How the layers differ that both read; nothing if each is equally far before, or corresponds."""
    ours, theirs = was.reads.split(","), now.reads.split(",")
    if len(ours) == len(theirs) and all(
        one == other
        or ((index := _absolute(one, old)) is not None and there.get(index) == _absolute(other, new) is not None)
        for one, other in zip(ours, theirs, strict=True)
    ):
        return []
    return [f"reads {was.reads or 'nothing'} → {now.reads or 'nothing'}"]


def _absolute(reads: str, index: int) -> int | None:
    return index + int(reads) if re.fullmatch(r"-?[0-9]{1,9}", reads, re.ASCII) else None


def _span(lines: range) -> str:
    """The layers of a range of texts, of which the first is [net]."""
    return f"layer {lines[0] - 1}" if len(lines) == 1 else f"layers {lines[0] - 1} to {lines[-1] - 1}"
