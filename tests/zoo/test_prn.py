"""The PRN detectors against their published files and counts, and the head on any backbone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from building import built

from cspbench.network.builder import Builder
from cspbench.network.counting import ledger
from cspbench.network.layers import Convolution
from cspbench.network.network import Network
from cspbench.zoo.pelee import pelee_trunk
from cspbench.zoo.prn import (
    csppeleenet_prn,
    prn3_head,
    prn_head,
)
from cspbench.zoo.registry import model


def pelee_prn(size: int = 416) -> Network:
    """Pelee-PRN, which is in no table here; its published operations and size test the head."""
    b = Builder("pelee-prn", (3, size, size))
    _, c4, c5 = pelee_trunk(b)
    prn_head(b, c4, c5)
    return b.network()


def pelee_prn_3l(size: int = 416) -> Network:
    b = Builder("pelee-prn-3l", (3, size, size))
    prn3_head(b, *pelee_trunk(b))
    return b.network()


NAMES = ("yolov3-tiny-prn", "enet-coco")


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_published_file(name: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(name, model(name).build())


@pytest.mark.parametrize(
    ("name", "stored", "convolutions", "with_pools"),
    [("yolov3-tiny-prn", 4_939_758, "3.461", "3.467"), ("enet-coco", 4_808_270, "3.730", "3.730")],
)
def test_counts(name: str, stored: int, convolutions: str, with_pools: str) -> None:
    network = model(name).build()
    arrays = [weight for index in range(len(network.layers)) for weight in network.weights(index)]
    conv, taps = (sum(getattr(layer, kind) for layer in network.operations) for kind in ("conv", "pool_taps"))
    assert sum(array.size for array in arrays) == stored
    assert f"{2 * conv / 1e9:.3f}" == convolutions
    assert f"{(2 * conv + taps) / 1e9:.3f}" == with_pools


def head_on(c4: int, c5: int, *, classes: int = 80) -> tuple[Builder, int]:
    """The head on two convolutions of strides 16 and 32, and the index of its first layer."""
    b = Builder("head", (3, 416, 416))
    fine = b.conv(c4, 16, stride=16, padding=0)
    coarse = b.conv(c5, 2, stride=2, padding=0)
    prn_head(b, fine, coarse, classes=classes)
    return b, coarse + 1


def test_head_by_hand() -> None:
    """704 channels in, as PeleeNet's: 1x1 256, 3x3 256, 1x1 255, 1x1 128, 3x3 128, 1x1 255."""
    b, start = head_on(512, 704)
    network = b.network()
    arrays = [weight for index in range(start, len(network.layers)) for weight in network.weights(index)]
    conv = sum(layer.conv for layer in network.operations[start:])
    coarse = 704 * 256 + 256 * 256 * 9 + 256 * 255 + 256 * 128
    fine = 128 * 128 * 9 + 128 * 255
    assert sum(array.size for array in arrays if array.role == "weight") == coarse + fine
    assert conv == 169 * coarse + 676 * fine


@pytest.mark.parametrize("channels", [128, 192, 576])
def test_head_does_not_depend_on_the_lateral_width(channels: int) -> None:
    (narrow, start), (wide, _) = head_on(128, 320), head_on(channels, 320)
    assert narrow.layers[start:] == wide.layers[start:]


def test_head_of_other_classes() -> None:
    b, _ = head_on(256, 512, classes=20)
    network = b.network()
    assert [network.shape(index) for index in network.detections] == [(75, 13, 13), (75, 26, 26)]


def test_head_reads_c5_wherever_it_lies() -> None:
    b = Builder("head", (3, 416, 416))
    fine = b.conv(256, 16, stride=16, padding=0)
    coarse = b.conv(512, 2, stride=2, padding=0)
    b.conv(64)
    prn_head(b, fine, coarse)
    assert b.layers[coarse + 2].sources == (coarse,)


# The PRN repository's own table: billions of operations at 320 and 416, millions of numbers stored.
@pytest.mark.parametrize(
    ("factory", "at_320", "at_416", "stored"),
    [(pelee_prn, "2.3896", "4.0383", 3_158_750), (pelee_prn_3l, "2.9790", "5.0345", 3_356_509)],
)
def test_published_totals_of_the_heads(
    factory: Callable[[int], Network], at_320: str, at_416: str, stored: int
) -> None:
    for size, printed in ((320, at_320), (416, at_416)):
        counted = ledger(factory(size))
        assert f"{counted.total('conv+maxpool') / 1e9:.4f}" == printed
        assert counted.parameters["stored"] == stored


def test_third_scale_enlarges_the_bare_convolution_or_its_sum() -> None:
    heads = []
    for tap_sum in (False, True):
        b = Builder("head", (3, 416, 416))
        maps = [b.conv(128, 8, stride=8, padding=0), b.conv(128, 2, stride=2), b.conv(256, 2, stride=2, padding=0)]
        prn3_head(b, *maps, tap_sum=tap_sum)
        heads.append(b.layers)
    bare, added = heads
    (differing,) = [at for at, layer in enumerate(bare) if layer != added[at]]
    (tapped,), (summed,) = bare[differing].sources, added[differing].sources
    assert (bare[tapped].section, bare[summed].section, summed) == ("convolutional", "shortcut", tapped + 1)


@pytest.mark.parametrize("activation", ["leaky", "swish"])
def test_the_head_stays_leaky(activation: str) -> None:
    network = built(csppeleenet_prn, 416, activation)
    kinds = [layer.activation for layer in network.layers if isinstance(layer, Convolution)]
    assert kinds[:-6] == [activation] * (len(kinds) - 6)
    assert kinds[-6:] == ["leaky", "leaky", "linear", "leaky", "leaky", "linear"]
