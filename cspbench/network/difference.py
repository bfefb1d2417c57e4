"""All differences between two networks, layer by layer: what `diff` is for texts."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, fields
from difflib import SequenceMatcher

from cspbench.network.layers import Layer
from cspbench.network.network import Network

READS = ("sources", "share")
"""Fields that are indices of layers: equal if they name corresponding layers."""
MOST_PAIRS = 10**7
"""Pairs of layers that are compared for the best correspondence; in larger networks layers correspond by index."""


@dataclass(frozen=True)
class Difference:
    """A setting that differs, or a layer that only one of the networks has.

    `layer` and `other_layer` are the layer's indices in the two networks; both None for a setting of [net]. A layer
    that one of them lacks has no index there and no `setting`; its description is the only value.
    """

    layer: int | None
    other_layer: int | None
    section: str
    setting: str | None
    value: str | None
    other_value: str | None


def differences(one: Network, other: Network) -> list[Difference]:
    """Every difference between two networks, in order; empty if they are equal layer by layer.

    Layers correspond so that as few as possible are without a counterpart: one that is inserted does not make all later
    ones differ. Not compared: names, places, and height and width of the input.
    """
    found = [
        Difference(None, None, "net", setting, _plain(left), _plain(right))
        for setting, left, right in (
            ("channels", one.input[0], other.input[0]),
            ("letter_box", one.letter_box, other.letter_box),
        )
        if left != right
    ]
    pairs = list(_pairs(one.layers, other.layers))
    there = {first: second for first, second in pairs if first is not None and second is not None}
    for first, second in pairs:
        left, right = (None if at is None else net.layers[at] for net, at in ((one, first), (other, second)))
        if left is not None and right is not None and first is not None and second is not None:
            found += _settings(first, left, second, right, {**there, -1: -1})
        else:
            section = (left or right or one.layers[0]).section
            found.append(Difference(first, second, section, None, _described(left), _described(right)))
    return found


def _settings(first: int, left: Layer, second: int, right: Layer, there: dict[int, int]) -> Iterator[Difference]:
    for item in fields(left):
        ours, theirs = getattr(left, item.name), getattr(right, item.name)
        if item.name in READS and _same_layers(ours, theirs, first, second, there):
            continue
        if ours != theirs or item.name in READS:
            name = "reads" if item.name == "sources" else item.name
            yield Difference(first, second, left.section, name, _plain(ours), _plain(theirs))


def _same_layers(ours: object, theirs: object, first: int, second: int, there: dict[int, int]) -> bool:
    """Whether indices of layers mean corresponding ones; both previous layers always do."""
    left, right = (value if isinstance(value, tuple) else (value,) for value in (ours, theirs))
    return len(left) == len(right) and all(
        one == other is None or there.get(one) == other or (one, other) == (first - 1, second - 1)
        for one, other in zip(left, right, strict=True)
    )


def _pairs(one: Sequence[Layer], other: Sequence[Layer]) -> Iterator[tuple[int | None, int | None]]:
    """The indices of corresponding layers, in order; None for a layer without a counterpart.

    Layers with equal settings correspond; between these, those that differ in the activation alone, and then those of
    one kind.
    """
    yield from _matched(range(len(one)), range(len(other)), one, other, (_settled, _shaped, type))


def _matched(
    first: range,
    second: range,
    one: Sequence[Layer],
    other: Sequence[Layer],
    keys: Sequence[Callable[[Layer], Hashable]],
) -> Iterator[tuple[int | None, int | None]]:
    if not keys:
        yield from ((at, None) for at in first)
        yield from ((None, at) for at in second)
        return
    key, *coarser = keys
    for left, right in _runs([key(one[at]) for at in first], [key(other[at]) for at in second]):
        if isinstance(left, range) and isinstance(right, range):
            yield from _matched(first[left.start : left.stop], second[right.start : right.stop], one, other, coarser)
        elif isinstance(left, int) and isinstance(right, int):
            yield first[left], second[right]


def _runs(one: Sequence[Hashable], other: Sequence[Hashable]) -> Iterator[tuple[int, int] | tuple[range, range]]:
    """Pairs of indices of corresponding items, and between them the ranges of those without a counterpart."""
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        yield start, start
        start += 1
    left, right = one[start:], other[start:]
    if len(left) * len(right) > MOST_PAIRS:
        for at in range(start, max(len(one), len(other))):
            if one[at : at + 1] == other[at : at + 1]:
                yield at, at
            else:
                yield range(at, min(at + 1, len(one))), range(at, min(at + 1, len(other)))
        return
    for tag, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if tag == "equal":
            yield from zip(range(start + a, start + b), range(start + c, start + d), strict=True)
        else:
            yield range(start + a, start + b), range(start + c, start + d)


def _settled(layer: Layer) -> Hashable:
    """A layer without the indices that it reads."""
    return type(layer), tuple(getattr(layer, item.name) for item in fields(layer) if item.name not in READS)


def _shaped(layer: Layer) -> Hashable:
    """A layer without these and without its activation."""
    names = (item.name for item in fields(layer) if item.name not in (*READS, "activation"))
    return type(layer), tuple(getattr(layer, name) for name in names)


def _described(layer: Layer | None) -> str | None:
    return None if layer is None else f"[{layer.section}] {layer.describe()}".strip()


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_plain, value))
    return str(int(value)) if isinstance(value, bool) else str(value)
