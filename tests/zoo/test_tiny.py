"""YOLOv3-tiny against its published file and counts."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cspbench.network.layers import Yolo
from cspbench.network.network import Network
from cspbench.zoo.registry import model

NAMES = ("yolov3-tiny",)


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_published_file(name: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(name, model(name).build())


def test_counts() -> None:
    network = model("yolov3-tiny").build()
    arrays = [weight for index in range(len(network.layers)) for weight in network.weights(index)]
    conv, taps = (sum(getattr(layer, kind) for layer in network.operations) for kind in ("conv", "pool_taps"))
    assert sum(array.size for array in arrays) == 8_858_734
    assert f"{2 * conv / 1e9:.3f}" == "5.565"
    assert f"{(2 * conv + taps) / 1e9:.3f}" == "5.571"


def test_anchor_3_serves_both_heads() -> None:
    masks = [layer.mask for layer in model("yolov3-tiny").build().layers if isinstance(layer, Yolo)]
    assert masks == [(3, 4, 5), (1, 2, 3)]
