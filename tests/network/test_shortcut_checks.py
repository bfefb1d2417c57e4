"""Shortcuts between maps of unequal size: told where a cfg is written, read or resized."""

from __future__ import annotations

from pathlib import Path

import pytest

from cspbench.cli.params import params
from cspbench.cli.show import show
from cspbench.network import cfg, cfg_writer
from cspbench.network.builder import Builder
from cspbench.network.network import Network
from cspbench.network.shortcut_checks import misfits, old_only
from cspbench.zoo import catalogue


def joined(side: int) -> Network:
    """A 1x1 at stride 2, to which its input is added."""
    b = Builder("joined", (3, side, side))
    first = b.conv(4, 1)
    b.conv(4, 1, stride=2)
    b.shortcut(first)
    return b.network()


def test_a_written_cfg_says_which_darknet_loads_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [
        "layer 17 joins 64x64 and 32x32: only Darknet before 2020-01-06 loads it",
        "layer 33 joins 32x32 and 16x16: only Darknet before 2020-01-06 loads it",
        "layer 57 joins 16x16 and 8x8: only Darknet before 2020-01-06 loads it",
    ]
    show("resnet50", cfg=Path("-"))
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1:5] == [*(f"# {line}" for line in lines), "[net]"]
    assert printed.err.splitlines() == [f"cspbench: warning: {line}" for line in lines]
    network = catalogue.model("resnet50").build()
    assert cfg.parse(printed.out, "resnet50").network == network


def test_what_every_darknet_loads_needs_no_words() -> None:
    network = catalogue.model("csdarknet53").build()
    assert old_only(network) == []
    assert cfg_writer.write(network).splitlines()[:2] == ["# csdarknet53, written by cspbench", "[net]"]


@pytest.mark.parametrize("side", [8, 7])
def test_a_size_that_no_stride_divides_is_warned_about(side: int) -> None:
    network = joined(side)
    warnings = cfg.parse(cfg_writer.write(network), "joined", "joined.cfg").warnings
    if side == 8:
        assert misfits(network) == []
        assert warnings == ()
        return
    words = "adds 7x7 onto 4x4, of which neither divides the other: Darknet adds pixels of different places"
    assert misfits(network) == [f"joined, layer 2 [shortcut]: {words}, and so does this"]
    (warning,) = warnings
    assert warning.startswith("joined.cfg:")
    assert words in warning


def test_a_published_network_at_an_odd_size_is_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    params(["resnet50"], size="225", layers=True)
    assert "resnet50, layer 17 [shortcut]: adds 57x57 onto 29x29" in capsys.readouterr().err
