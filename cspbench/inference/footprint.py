"""The memory that a network's forward pass needs at least, computed from shapes before anything is allocated."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod

from cspbench.errors import CspbenchError, IncompleteRunError, UsageError
from cspbench.network.layers import Convolution, MaxPool
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network

GIB = 1 << 30
LIMIT = 2 * GIB
"""Bytes of simultaneously live maps of one image; no network of the catalogue needs 0.1 GiB at 608x608."""


def _least_bytes(network: ModuleNetwork) -> int:
    """The bytes of float32 maps that a torch module's largest part reads and writes."""
    parts = ([*network.inputs(index), network.shape(index)] for index in range(len(network.layers)))
    return 4 * max(sum(map(prod, shapes)) for shapes in parts)


def live_bytes(network: Network) -> int:
    """The peak number of bytes of simultaneously live float32 maps of one image, including the input.

    A map is live from its layer to the last layer that reads it; the maps of box layers are live to the end.
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
    live = peak = prod(network.input)
    for index, layer in enumerate(network.layers):
        live += prod(network.shape(index))
        unblurred = 0
        if isinstance(layer, Convolution) and layer.antialiasing:
            unblurred = prod(layer.convolved(network.inputs(index)))
        elif isinstance(layer, MaxPool) and layer.antialiasing:
            unblurred = prod(layer.pooled(network.inputs(index)))
        peak = max(peak, live + unblurred)
        live -= sum(prod(network.shape(last_read)) for last_read in ending[index])
    return 4 * peak


def least_bytes(network: Architecture) -> int:
    """The bytes of float32 maps of one image that a forward pass needs at least; of a torch module less is known."""
    return _least_bytes(network) if isinstance(network, ModuleNetwork) else live_bytes(layered(network))


def check(network: Architecture) -> None:
    """Raise `UsageError` for a network whose maps are too large: a short cfg can ask for any amount of memory."""
    needed = least_bytes(network)
    if needed > LIMIT:
        raise UsageError(
            "usage.too-much-memory",
            f"{network.name} needs too much memory",
            expected=f"at most {LIMIT / GIB:.1f} GiB for the maps of one image",
            found=f"{needed / GIB:.1f} GiB with an input of {'x'.join(map(str, network.input))}",
            remedy="Use a smaller --size, or correct width, height and the strides of the upsample layers",
        )


def out_of_memory(error: BaseException) -> bool:
    """Whether an error of Python, NumPy or torch means that memory ran out, on the host or the GPU."""
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and ("out of memory" in text or "can't allocate memory" in text))
    )


@contextmanager
def enough_memory(what: str) -> Iterator[None]:
    """Convert errors raised inside because memory ran out to `IncompleteRunError`; `what` needed the memory."""
    try:
        yield
    except CspbenchError:
        raise
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        raise exhausted(what, error) from error


def exhausted(what: str, error: BaseException) -> IncompleteRunError:
    """The error for memory that does not suffice even for one image."""
    return IncompleteRunError(
        "memory.exhausted",
        "out of memory",
        where=what,
        expected="memory for one image",
        found=(str(error) or type(error).__name__).splitlines()[0][:200],
        remedy="Run the command again to resume, with more memory or smaller -b, -j or --size",
    )
