"""The lanes of a drawing's arcs."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from cspbench.errors import CspbenchError, UsageError
from cspbench.network.builder import Builder
from cspbench.plots import network as drawing
from cspbench.zoo.catalogue import MODELS


@pytest.mark.parametrize("name", ["csresnext50-panet-spp", "densenet201", "res2netlite72"])
def test_arcs_on_one_lane_never_overlap(name: str) -> None:
    network = MODELS[name].build()
    placed = drawing.arcs(network)
    skips = {(s, i) for i, layer in enumerate(network.layers) for s in layer.sources if s != i - 1}
    assert {(source, target) for source, target, _ in placed} == skips
    for lane in {lane for *_, lane in placed}:
        spans = sorted((source, target) for source, target, at in placed if at == lane)
        assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))


def test_short_arcs_take_the_inner_lanes() -> None:
    b = Builder("net", (3, 8, 8))
    outer = b.conv(4)
    inner = b.conv(4)
    b.conv(4)
    b.shortcut(inner)
    b.shortcut(outer)
    assert drawing.arcs(b.network()) == [(1, 3, 0), (0, 4, 1)]


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    b = Builder("deep", (3, 8, 8))
    for _ in range(drawing.LARGEST + 1):
        b.conv(1)
    with pytest.raises(UsageError, match="too many layers to draw"):
        drawing.draw(b.network(), tmp_path / "deep.svg")
    pytest.importorskip("matplotlib")
    (tmp_path / "file").write_text("")
    with pytest.raises(CspbenchError, match="cannot be written"):
        drawing.draw(MODELS["resnet10"].build(), tmp_path / "file" / "graph.svg")
