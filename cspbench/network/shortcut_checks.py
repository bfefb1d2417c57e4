"""Shortcuts between maps of different height and width, which only the Darknet of 2019 supports."""

from __future__ import annotations

from collections.abc import Iterator

from cspbench.network.layers import Shape, Shortcut
from cspbench.network.network import Network


def _unequal(network: Network) -> Iterator[tuple[int, Shape, Shape]]:
    """Layer index, added shape and current shape wherever height or width differ."""
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Shortcut):
            current, *added = network.inputs(index)
            yield from ((index, shape, current) for shape in dict.fromkeys(added) if shape[1:] != current[1:])


def _size(shape: Shape) -> str:
    return f"{shape[1]}x{shape[2]}"


def old_only(network: Network) -> list[str]:
    """One line per shortcut that current Darknet refuses."""
    return [
        f"layer {index} adds {_size(added)} to {_size(current)}, which only Darknet before 2020-01-06 supports"
        for index, added, current in _unequal(network)
    ]


def misfits(network: Network) -> list[str]:
    """One warning per shortcut between sizes of which neither divides the other.

    Darknet rounds the ratio down, so that the pixels it adds do not match in position.
    """
    return [
        f"{network.place(index)}: adds {_size(added)} to {_size(current)}, which is not a multiple or a divisor; "
        "as in Darknet, pixels of different positions are added"
        for index, added, current in _unequal(network)
        if any(max(pair) % min(pair) for pair in zip(added[1:], current[1:], strict=True))
    ]
