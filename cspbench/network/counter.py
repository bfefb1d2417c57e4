"""Counts many networks, each graph once, in as many processes as help."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from typing import TYPE_CHECKING

from cspbench.network.counting import Count, count
from cspbench.network.layers import Detection, Layer
from cspbench.network.network import Network

if TYPE_CHECKING:
    from cspbench.network.fvcore_counter import Known

Size = tuple[int, int]
"""Height, width in pixels."""
Wanted = tuple[str, Callable[[], Network], Size | None]
"""A network's name, what builds it, and the input size to count at (None: its own)."""


class Counter:
    """Counts each graph once per input size, by both counters.

    Box layers compute nothing that is counted, and one activation counts like another, so networks that differ only in
    anchors, decoding or the kind of their activations share a count.
    """

    def __init__(self) -> None:
        self._networks: dict[str, Network] = {}
        self._counts: dict[object, Count] = {}
        self._known: Known = {}

    def __call__(self, name: str, build: Callable[[], Network], size: Size | None) -> Count:
        """The count of the network of that name at an input size (None: its own)."""
        network = self._network(name, build, size)
        graph = _graph(network)
        if graph not in self._counts:
            self._counts[graph] = count(network, self._known)
        return replace(self._counts[graph], network=network)

    def ahead(self, wanted: Iterable[Wanted], progress: Callable[[str], None]) -> None:
        """Count in several processes what is going to be asked for, where that saves time.

        Each process is a fork of this one, so that torch is imported once; elsewhere nothing happens here.
        """
        missing: dict[object, Network] = {}
        for name, build, size in wanted:
            network = self._network(name, build, size)
            graph = _graph(network)
            if graph not in self._counts:
                missing.setdefault(graph, network)
        processes = min(os.cpu_count() or 1, len(missing) // WORTH_A_PROCESS)
        if processes < 2 or not sys.platform.startswith("linux"):
            return
        import cspbench.network.fvcore_counter  # noqa: F401 - before the processes part

        # neighbours in the catalogue share layers, which a process traces once
        chunk = -(-len(missing) // (2 * processes))
        with ProcessPoolExecutor(processes, get_context("fork"), _single_threaded) as pool:
            for graph, counted in zip(missing, pool.map(_count_apart, missing.values(), chunksize=chunk), strict=True):
                self._counts[graph] = counted
                progress(counted.network.name)

    def _network(self, name: str, build: Callable[[], Network], size: Size | None) -> Network:
        if name not in self._networks:
            self._networks[name] = build()
        network = self._networks[name]
        return network if size is None else network.resized(*size)


WORTH_A_PROCESS = 8
"""Networks below which another process costs more than it saves."""
_KNOWN_APART: Known = {}
"""Traced layers of a process that counts for another."""


def _single_threaded() -> None:
    import torch

    torch.set_num_threads(1)


def _count_apart(network: Network) -> Count:
    return count(network, _KNOWN_APART)


def _graph(network: Network) -> object:
    return network.input, tuple(_counted(layer) for layer in network.layers)


def _counted(layer: Layer) -> Layer | None:
    """What of a layer the counts depend on."""
    if isinstance(layer, Detection):
        return None
    kind = getattr(layer, "activation", "linear")
    return replace(layer, activation="leaky") if kind in ("swish", "mish", "relu") else layer  # type: ignore[call-arg]
