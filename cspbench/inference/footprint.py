"""How much memory a network's forward needs at least, told from its shapes before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

from cspbench.errors import CspbenchError, IncompleteRunError, UsageError
from cspbench.network.layers import Convolution
from cspbench.network.network import Network

LIMIT = 2 << 30
"""Bytes of the maps of one image that may be alive at once; no network of the catalogue has 0.1 GiB of
them at 608x608."""


def live_bytes(network: Network) -> int:
    """Bytes of the float32 maps of one image that are alive at once, the input among them, at the worst layer.

    A map lives from its layer to the last one that reads it; the maps of box layers to the end.
    """
    last = list(range(len(network.layers)))
    for index, layer in enumerate(network.layers):
        for source in layer.sources:
            if source >= 0:
                last[source] = index
    for index in (*network.detections, len(network.layers) - 1):
        last[index] = len(network.layers)
    ending: list[list[int]] = [[] for _ in range(len(network.layers) + 1)]
    for index, end in enumerate(last):
        ending[end].append(index)
    alive = worst = prod(network.input)
    for index, layer in enumerate(network.layers):
        alive += prod(network.shape(index))
        between = 0
        if isinstance(layer, Convolution) and layer.antialiasing:  # the map before the blur
            between = prod(layer.convolved(network.inputs(index)))
        worst = max(worst, alive + between)
        alive -= sum(prod(network.shape(done)) for done in ending[index])
    return 4 * worst


def check(network: Network) -> None:
    """Raise `UsageError` for a network whose maps would not fit: a few bytes of a cfg can ask for any amount."""
    needed = live_bytes(network)
    if needed > LIMIT:
        raise UsageError(
            "usage.too-much-memory",
            f"{network.name} needs too much memory",
            expected=f"at most {_gib(LIMIT)} for the maps of one image",
            found=f"{_gib(needed)} with an input of {'x'.join(map(str, network.input))}",
            remedy="Take a smaller --size, or correct width, height and the strides of its upsample layers",
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy or torch says that memory ran out, on this machine or its GPU."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Make `IncompleteRunError` of whatever is raised inside because memory ran out; `what` needed it."""
    try:
        yield
    except CspbenchError:
        raise
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise exhausted(what, error) from error


def exhausted(what: str, error: BaseException) -> IncompleteRunError:
    """The error for memory that ran out even for one image."""
    return IncompleteRunError(
        "memory.exhausted",
        "memory ran out",
        where=what,
        expected="memory for one image at least",
        found=(str(error) or type(error).__name__).splitlines()[0][:200],
        remedy="Finished shards are kept: run the command again with more memory, a smaller -b, fewer -j or --size",
    )


def _gib(count: int) -> str:
    return f"{count / (1 << 30):.1f} GiB"
