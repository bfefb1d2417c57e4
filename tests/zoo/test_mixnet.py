"""MixNet-M-GPU's stand-in: what a log of the real one shows, and the rule for its groups."""

from __future__ import annotations

from cspbench.network.layers import Convolution, Route
from cspbench.zoo.registry import model


def test_the_layers_that_the_log_shows() -> None:
    """The log's layers 241 to 252, for 1000 classes instead of its 51."""
    network = model("mixnet-m-gpu").build()
    assert len(network.layers) == 253
    tail = network.layers[241:]
    assert [layer.section for layer in tail] == [
        *("route", "avgpool", "convolutional", "convolutional", "scale_channels", "convolutional", "shortcut"),
        *("convolutional", "avgpool", "dropout", "convolutional", "softmax"),
    ]
    assert tail[0].sources == (240, 238, 236, 234)
    assert tail[6].sources == (246, 231)
    widths = [layer.filters for layer in tail if isinstance(layer, Convolution)]
    assert widths == [600, 1200, 200, 1536, 1000]
    project = tail[5]
    assert isinstance(project, Convolution)
    assert project.groups == 2


def test_groups_of_the_mixed_convolutions() -> None:
    network = model("mixnet-m-gpu").build()
    result: dict[str, set[int]] = {}
    for at, layer in enumerate(network.layers):
        if isinstance(layer, Convolution) and layer.groups > 2:
            result.setdefault(layer.activation, set()).add(network.inputs(at)[0][0] // layer.groups)
    # the branches of 48 channels, which 5 does not divide, have groups of 4
    assert result == {"relu": {1}, "swish": {4, 5}}


def test_slices_make_up_the_whole() -> None:
    network = model("mixnet-m-gpu").build()
    slices = [layer for layer in network.layers if isinstance(layer, Route) and layer.groups > 1]
    assert [layer.group_id for layer in slices[:7]] == [0, 1, 2, 0, 1, 2, 3]
