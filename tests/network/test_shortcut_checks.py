"""Shortcuts between maps of unequal size: told where a cfg is written, read or resized."""

from __future__ import annotations

from pathlib import Path

import pytest

from cspbench.cli.networks.params import params
from cspbench.cli.networks.show import show
from cspbench.network import cfg
from cspbench.network.builder import Builder
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.layers import Crop, Dropout, Shortcut
from cspbench.network.network import Network
from cspbench.network.shortcut_checks import misfits, old_only
from cspbench.zoo import registry


def joined(side: int) -> Network:
    """A 1x1 at stride 2, to which its input is added."""
    b = Builder("joined", (3, side, side))
    first = b.conv(4, 1)
    b.conv(4, 1, stride=2)
    b.shortcut(first)
    return b.network()


def test_a_written_cfg_says_which_darknet_loads_it(capsys: pytest.CaptureFixture[str]) -> None:
    lines = old_only(registry.model("resnet50").build())
    values = [("layer 17 ", "64x64", "32x32"), ("layer 33 ", "32x32", "16x16"), ("layer 57 ", "16x16", "8x8")]
    for line, numbers in zip(lines, values, strict=True):
        assert all(number in line for number in (*numbers, "2020-01-06")), line
    show("resnet50", cfg=Path("-"))
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1:5] == [*(f"# {line}" for line in lines), "[net]"]
    assert printed.err.splitlines() == [f"cspbench: warning: {line}" for line in lines]
    network = registry.model("resnet50").build()
    assert cfg.parse(printed.out, "resnet50").network == network


def test_what_every_darknet_loads_needs_no_words() -> None:
    network = registry.model("csdarknet53").build()
    assert old_only(network) == []
    assert cfg_writer.write(network).splitlines()[:2] == ["# csdarknet53, written by cspbench", "[net]"]


@pytest.mark.parametrize(
    ("current", "added", "odd"),
    [
        ((4, 6), (8, 12), False),
        ((4, 6), (4, 6), None),  # no join of sizes at all
        ((8, 12), (4, 6), False),
        ((4, 6), (9, 12), True),  # the height alone
        ((4, 6), (8, 13), True),  # the width alone
        ((9, 12), (4, 6), True),
        ((8, 13), (4, 6), True),
        ((4, 6), (4, 7), True),  # one width more, the same height
        ((4, 6), (5, 6), True),
    ],
)
def test_a_join_is_odd_where_one_side_does_not_divide_the_other(
    current: tuple[int, int], added: tuple[int, int], odd: bool | None
) -> None:
    def sized(source: int, size: tuple[int, int]) -> Crop:
        return Crop(sources=(source,), height=size[0], width=size[1])

    layers = (
        Dropout(sources=(-1,)),
        sized(0, added),
        sized(0, current),
        Shortcut(sources=(2, 2, 1)),  # the second of two
    )
    network = Network("net", (3, 13, 13), layers)
    assert len(old_only(network)) == (0 if odd is None else 1)
    assert len(misfits(network)) == (1 if odd else 0)


@pytest.mark.parametrize("side", [8, 7])
def test_a_size_that_no_stride_divides_is_warned_about(side: int) -> None:
    network = joined(side)
    warnings = cfg.parse(cfg_writer.write(network), "joined", "joined.cfg").warnings
    if side == 8:
        assert misfits(network) == []
        assert warnings == ()
        return
    (misfit,) = misfits(network)
    place, words = misfit.split(": ", 1)
    assert place == "joined, layer 2 [shortcut]"
    assert words.startswith("adds 7x7 to 4x4")
    (warning,) = warnings
    assert warning.startswith("joined.cfg:")
    assert words in warning


def test_a_published_network_at_an_odd_size_is_warned_about(capsys: pytest.CaptureFixture[str]) -> None:
    params(["resnet50"], size="225", layers=True)
    assert "resnet50, layer 17 [shortcut]: adds 57x57 to 29x29" in capsys.readouterr().err
