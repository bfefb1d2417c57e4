"""The pre-activated DenseNets against torchvision's, against sums by hand, and an elastic layer written out."""

from __future__ import annotations

import pytest
import torch
from building import built
from refusals import refuses
from torch import Tensor, nn
from torch.nn import functional
from torch_arrays import assert_same_outputs, draw, image

from cspbench.network.builder import Builder
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.counting import ledger
from cspbench.network.layers import Upsample
from cspbench.network.module import to_module
from cspbench.zoo.densenet_bc import (
    csp_stage,
    dense_block,
    densenet,
    elastic_layer,
    plain_layer,
)
from cspbench.zoo.registry import model
from cspbench.zoo.timm_import import import_timm


def test_densenet264_32_computes_what_torchvisions_class_does() -> None:
    import_timm()  # which makes torchvision importable beside any torch
    from torchvision.models.densenet import DenseNet

    theirs = DenseNet(32, (6, 12, 64, 32), 64)
    assert_same_outputs(to_module(model("densenet264-32").build().resized(64, 64)), theirs, 64)


# What the SparseNet table prints for the other DenseNets: parameters in millions, operations in billions.
@pytest.mark.parametrize(
    ("depths", "parameters", "operations"),
    [
        ((6, 12, 24, 16), "7.98", "5.70"),
        ((6, 12, 32, 32), "14.15", "6.76"),
        ((6, 12, 48, 32), "20.01", "8.63"),
        ((6, 12, 64, 32), "27.21", "11.03"),
    ],
)
def test_the_sparsenet_table(depths: tuple[int, ...], parameters: str, operations: str) -> None:
    counted = ledger(built(densenet, 224, depths, plain_layer))
    assert f"{counted.parameters['learnable'] / 1e6:.2f}" == parameters
    assert f"{counted.total('sparsenet') / 1e9:.2f}" == operations


def test_sparsenet_counting_by_hand() -> None:
    """One dense layer on 64 channels at stride 4 of a 32x32 image: every sum written out."""
    counted = ledger(built(densenet, 32, (1,), plain_layer))
    conv = 64 * 3 * 49 * 256 + (128 * 64 + 32 * 128 * 9) * 64 + 96 * 1000
    normalised = 64 * 256 + (64 + 128 + 96) * 64
    pooled = 64 * 256 + 96 * 64
    assert counted.total("sparsenet") == 2 * conv + 2 * normalised + pooled


def test_elastic_counting_by_hand() -> None:
    """The same with an elastic layer and no low path, as in a last block; the last ReLU is a function, not a module."""
    counted = ledger(built(densenet, 32, (1,), elastic_layer))
    conv = 64 * 3 * 49 * 256 + 2 * (64 * 64 + 32 * 64 * 9) * 64 + 96 * 1000
    activated = 64 * 256 + (64 + 64 + 64) * 64
    normalised = activated + 96 * 64
    assert counted.total("elastic") == 2 * (conv + 2 * normalised + activated + 64 * 256)
    assert ledger(model("densenet201-plus-elastic").build()).total("elastic") == 2 * 4_386_451_872


class ElasticLayer(nn.Module):
    """The layer as its paper draws it, in torch's words."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.high = self._path(channels)
        self.low = self._path(channels)

    @staticmethod
    def _path(channels: int) -> nn.Sequential:
        first = nn.Conv2d(channels, 64, 1, bias=False)
        return nn.Sequential(first, nn.BatchNorm2d(64), nn.ReLU(), nn.Conv2d(64, 32, 3, padding=1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.relu(self.norm(x))
        low = self.low(functional.avg_pool2d(y, 2))
        low = functional.interpolate(low, scale_factor=2, mode="bilinear", align_corners=False)
        return torch.cat([x, self.high(y) + low], 1)


def test_elastic_layer_computes_what_its_paper_draws() -> None:
    b = Builder("layers", (3, 12, 12))
    for _ in range(2):
        dense_block(b, 1, elastic_layer, low=True)
    theirs = draw(nn.Sequential(ElasticLayer(3), ElasticLayer(35)))
    ours = to_module(b.network())
    for mine, given in zip(ours.state_dict().values(), theirs.state_dict().values(), strict=True):
        mine.copy_(given)
    with torch.no_grad():
        torch.testing.assert_close(ours(image(12)), theirs(image(12)))


@pytest.mark.parametrize("name", ["densenet201-plus-elastic", "cspdensenet201-plus-elastic"])
def test_the_last_block_has_no_low_path(name: str) -> None:
    network = model(name).build()
    low = [at for at, layer in enumerate(network.layers) if isinstance(layer, Upsample)]
    assert len(low) == 10 + 20 + 40
    assert {network.shape(at)[1] for at in low} == {56, 28, 14}


def test_stage_widths_of_the_stand_in() -> None:
    network = model("cspdensenet201-plus-elastic").build()
    pools = [at for at, layer in enumerate(network.layers) if layer.section == "avgpool"]
    assert network.inputs(pools[0]) == [(2144, 7, 7)]
    # what the two slices at the beginning of each stage are cut from
    slices = [at for at, layer in enumerate(network.layers) if getattr(layer, "group_id", 0) == 1]
    assert [network.inputs(at)[0][0] for at in slices] == [64, 224, 544, 1184]


def test_gamma_decides_what_passes_by() -> None:
    """With a quarter past the block three of four slices enter it: 48, and two layers of 32 make 112."""
    b = Builder("stage", (64, 8, 8))
    b.dropout(0)
    width = csp_stage(b, 64, 2, gamma=0.25, last=False)
    network = b.network()
    slices = [at for at, layer in enumerate(network.layers) if getattr(layer, "groups", 1) == 4]
    assert [network.shape(at)[0] for at in slices] == [16] * 4
    entry = network.layers[slices[3] + 1]
    assert (entry.section, entry.sources, network.shape(slices[3] + 1)[0]) == ("route", tuple(slices[1:]), 48)
    bypass, fused = network.layers[-1].sources
    assert (network.shape(bypass), network.shape(fused)) == ((16, 4, 4), ((16 + 112) // 2, 4, 4))
    assert width == 16 + 64


def test_bilinear_enlargement_has_no_cfg() -> None:
    b = Builder("low", (3, 8, 8))
    b.conv(4)
    b.upsample(bilinear=True)
    with refuses("cfg.not-expressible", where="low, layer 1 [upsample]"):
        cfg_writer.write(b.network())
