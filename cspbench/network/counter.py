"""Counts many networks, each distinct graph once, in several processes."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

from cspbench.network.counting import Count, count
from cspbench.network.layers import Detection, Layer
from cspbench.network.modular.architecture import Architecture
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network

if TYPE_CHECKING:
    from cspbench.network.fvcore_counter import Traces

Size = tuple[int, int]
"""Height, width in pixels."""
Request = tuple[str, Callable[[], Architecture], Size | None]
"""A network's name, its builder, and the input size to count at (None: its own)."""


class Counter:
    """Counts each graph once per input size, with both counters.

    Box layers are not counted and all activations count alike, so networks that differ only in anchors, decoding or
    activations share a count.
    """

    def __init__(self) -> None:
        self._networks: dict[str, Architecture] = {}
        self._sized: dict[tuple[str, Size | None], tuple[Architecture, object]] = {}
        self._counts: dict[object, Count] = {}
        self._traces: Traces = {}
        self._pool: ProcessPoolExecutor | None = None
        self._processes = 0

    def __call__(self, name: str, build: Callable[[], Architecture], size: Size | None) -> Count:
        """The count of a network at an input size (None: its own); `name` identifies what `build` builds."""
        network, graph = self._network(name, build, size)
        if graph not in self._counts:
            self._counts[graph] = count(network, self._traces)
        counts = self._counts[graph]
        if isinstance(network, ModuleNetwork) and isinstance(counts.network, ModuleNetwork):
            network = network.with_parts_of(counts.network)
        return replace(counts, network=network)

    def begin(self, networks: int) -> None:
        """Start the processes that so many networks are worth, if any: they import torch while these are built.

        They are spawned: a forked process that has threads, such as the one that watches for interrupts, can deadlock.
        """
        self._processes = _worth_while(networks)
        if self._processes > 1:
            self._pool = ProcessPoolExecutor(self._processes, get_context("spawn"), _begin)
            # a process inherits what is blocked: an interrupt while it imports would print a traceback
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                for _ in range(self._processes):
                    self._pool.submit(int)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def ahead(self, requests: Iterable[Request], progress: Callable[[str], None]) -> None:
        """Count the requested networks in advance, in parallel, if that saves time."""
        requests = [*requests]
        if self._pool is None:
            self.begin(len({(name, size) for name, _, size in requests}))
        if self._pool is None:
            return
        try:
            missing: dict[object, Architecture] = {}
            for name, build, size in requests:
                network, graph = self._network(name, build, size)
                if graph not in self._counts:
                    missing.setdefault(graph, network)
            if _worth_while(len(missing)) < 2:
                return
            parts = [self._pool.submit(_count_in_child, part) for part in _parts([*missing.values()], self._processes)]
            for part in as_completed(parts):
                for result in part.result():
                    self._counts[_graph(result.network)] = result
                    progress(result.network.name)
        finally:
            self._pool.shutdown(wait=False, cancel_futures=True)  # the end of a process that has torch takes long
            self._pool = None

    def _network(self, name: str, build: Callable[[], Architecture], size: Size | None) -> tuple[Architecture, object]:
        """The network at that size, and its graph."""
        if (name, size) not in self._sized:
            if name not in self._networks:
                self._networks[name] = build()
            network = self._networks[name] if size is None else self._networks[name].resized(*size)
            self._sized[name, size] = network, _graph(network)
        return self._sized[name, size]


PARTS = 6
"""Of the networks, for each process."""
OF_MODULE = 500
"""Layers of a Darknet network that take as long as a module network."""
WORTH_A_PROCESS = 8
"""Networks per process, below which another process costs more than it saves."""
GARBAGE = 100_000
"""New objects between two collections in a child process: a traced layer makes thousands that stay until its end."""
_CHILD_TRACES: Traces = {}
"""Traced layers of a child process."""


def _worth_while(networks: int) -> int:
    """The processes that save time in counting so many networks."""
    return min(os.cpu_count() or 1, networks // WORTH_A_PROCESS)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its processes, which would print tracebacks
    import torch

    import cspbench.network.fvcore_counter  # noqa: F401 - before the freeze

    torch.set_num_threads(1)
    gc.freeze()  # the collector would walk the objects of these imports again and again
    gc.set_threshold(GARBAGE)


def _count_in_child(networks: Sequence[Architecture]) -> list[Count]:
    return [count(network, _CHILD_TRACES) for network in networks]


def _parts(networks: Sequence[Architecture], processes: int) -> list[Sequence[Architecture]]:
    """Consecutive models of the catalogue, which share layers that a process traces once; the largest parts first, so
    that the processes end together.
    """
    size = -(-len(networks) // (PARTS * processes))
    parts = [networks[at : at + size] for at in range(0, len(networks), size)]
    return sorted(parts, key=lambda part: -sum(map(_size, part)))


def _size(network: Architecture) -> int:
    """About how long it takes to count, in layers."""
    return len(network.layers) if isinstance(network, Network) else OF_MODULE


def _graph(network: Architecture) -> object:
    """What the counts depend on: the input, and a module's design, or the layers without boxes and with one of the
    activations alike.
    """
    if isinstance(network, ModuleNetwork):
        return network.input, network.design
    assert isinstance(network, Network)
    graph: list[Layer | None] = []
    for layer in network.layers:
        alike = getattr(layer, "activation", "linear") in ("swish", "mish", "relu")
        same = replace(layer, activation="leaky") if alike else layer  # type: ignore[call-arg]
        graph.append(None if isinstance(layer, Detection) else same)
    return network.input, tuple(graph)
