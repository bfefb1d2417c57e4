"""Shortcuts between maps of different height and width, which only the Darknet of 2019 knows."""

from __future__ import annotations

from collections.abc import Iterator

from cspbench.network.layers import Shape, Shortcut
from cspbench.network.network import Network


def _unequal(network: Network) -> Iterator[tuple[int, Shape, Shape]]:
    """Layer index, what it adds and what it adds that to, of every pair of different height or width."""
    for index, layer in enumerate(network.layers):
        if isinstance(layer, Shortcut):
            current, *added = network.inputs(index)
            yield from ((index, shape, current) for shape in dict.fromkeys(added) if shape[1:] != current[1:])


def _size(shape: Shape) -> str:
    return f"{shape[1]}x{shape[2]}"


def old_only(network: Network) -> list[str]:
    """The shortcuts for which today's Darknet refuses the whole network, a line each."""
    return [
        f"layer {index} joins {_size(added)} and {_size(current)}: only Darknet before 2020-01-06 loads it"
        for index, added, current in _unequal(network)
    ]


def misfits(network: Network) -> list[str]:
    """The shortcuts of which neither size divides the other, a line each.

    Darknet rounds the ratio down and reads on: what it adds then lies elsewhere in the image.
    """
    return [
        f"{network.place(index)}: adds {_size(added)} onto {_size(current)}, of which neither divides the other: "
        "Darknet adds pixels of different places, and so does this"
        for index, added, current in _unequal(network)
        if any(max(pair) % min(pair) for pair in zip(added[1:], current[1:], strict=True))
    ]
