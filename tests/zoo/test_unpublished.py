"""Every network without a published file: its known totals, finite outputs, and its cfg."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from refusals import refuses
from torch_arrays import computing, draw

from cspbench.network import cfg
from cspbench.network.cfg import writer as cfg_writer
from cspbench.network.counting import count
from cspbench.network.module import to_module
from cspbench.zoo import registry
from cspbench.zoo.model import Model

MODELS = registry.MODELS

# Network by network: the parameters and operations that the row prints, counted as it was counted.
TOTALS = {
    "peleenet": ("weights", 2_791_520, "conv+maxpool", "1.016619"),
    "peleenet-swish": ("weights", 2_791_520, "conv+maxpool", "1.016619"),
    "peleenet-mish": ("weights", 2_791_520, "conv+maxpool", "1.016619"),
    "peleenet-swish-se": ("weights", 2_813_024, "conv+maxpool", "1.016662"),
    "sparsepeleenet": ("weights", 2_391_136, "conv+maxpool", "0.904225"),
    "csppeleenet": ("weights", 2_831_712, "conv+maxpool", "0.887990"),
    "csppeleenet-swish": ("weights", 2_831_712, "conv+maxpool", "0.887990"),
    "csppeleenet-mish": ("weights", 2_831_712, "conv+maxpool", "0.887990"),
    "csppeleenet-swish-se": ("weights", 2_850_144, "conv+maxpool", "0.888027"),
    "densenet264-32": ("learnable", 27_205_480, "sparsenet", "11.025303"),
    "densenet201-plus-elastic": ("learnable", 19_482_824, "elastic", "8.772904"),
    "cspdensenet201-plus-elastic": ("learnable", 20_183_816, "elastic", "7.137838"),
    "resnet152-v1": ("learnable", 60_192_808, "mac", "11.282416"),
    "hardnet138s": ("learnable", 35_532_826, "mac", "6.673617"),
    "csresnet10": ("weights", 2_725_056, "conv+maxpool", "1.904648"),
    "csresnext50-plus-elastic": ("weights", 22_796_480, "conv+maxpool+shortcut", "7.820116"),
    "mixnet-m-gpu": ("weights", 11_171_144, "conv+maxpool", "1.065157"),
    "timm/efficientnet_b0": ("learnable", 5_288_548, "conv", "0.771630"),
    "cspdensenet-ref": ("weights", 3_479_392, "conv+maxpool", "0.836254"),
    "cspdensenetb-ref": ("weights", 1_382_240, "conv+maxpool", "0.630733"),
    "csppeleenet-ref": ("weights", 4_102_496, "conv+maxpool", "1.102789"),
    "csppeleenetb-ref": ("weights", 2_005_344, "conv+maxpool", "0.897268"),
    "csppeleenet-prn": ("weights", 3_223_520, "conv+maxpool", "3.589614"),
    "csppeleenet-prn-swish": ("weights", 3_223_520, "conv+maxpool", "3.589614"),
    "cspdensenetb-ref-prn": ("weights", 1_869_280, "conv+maxpool", "1.592986"),
    "csppeleenet-ref-prn-3l": ("weights", 4_786_016, "conv+maxpool", "3.145779"),
}

# What normalises ahead of its convolutions needs some with neither bias nor batch norm, and Darknet has none.
NOT_DARKNETS = {"densenet264-32", "densenet201-plus-elastic", "cspdensenet201-plus-elastic", "hardnet138s"}


def test_every_model_without_a_file_has_its_totals_here_or_beside_its_family() -> None:
    elsewhere = {
        *("csresnext50-mish", "csresnext50-swish", "timm/cspdarknet53", "timm/cspresnet50", "timm/cspresnext50"),
        *("csresnext50-panet-spp-iou", "csresnext50-panet-spp-giou-optimal", "csresnext50-panet-spp-sam"),
        *("snet49-thundernet", "snet146-thundernet", "pelee-304", "refinedetlite"),
    }
    of_layers = {name: MODELS[name] for name in registry.names_of_layered()}
    assert {name for name, model in of_layers.items() if model.definition != "cfg"} == {*TOTALS, *elsewhere}


@pytest.mark.parametrize("name", TOTALS)
def test_totals_by_both_counters(name: str) -> None:
    rule, parameters, counting, operations = TOTALS[name]
    counted = count(MODELS[name].build())
    assert counted.parameters[rule] == parameters
    assert f"{counted.total(counting) / 1e9:.6f}" == operations


@pytest.mark.parametrize("name", TOTALS)
def test_outputs_are_finite_and_of_the_right_shape(name: str, photo: Callable[[int], NDArray[np.float32]]) -> None:
    network = MODELS[name].build().resized(224, 224)
    module = draw(to_module(network))
    with computing():
        result = module(torch.from_numpy(photo(224)))
    if network.detections:
        sides = (7, 14, 28)[: len(network.detections)]
        assert [tuple(each.shape) for each in result] == [(1, 255, side, side) for side in sides]
        assert all(bool(each.isfinite().all()) for each in result)
    else:
        assert tuple(result.flatten(1).shape) == (1, 1000)
        assert bool(result.isfinite().all())
        assert result.std() > 0


@pytest.mark.parametrize("name", sorted(set(TOTALS) - NOT_DARKNETS))
def test_the_cfg_reads_back(name: str) -> None:
    network = MODELS[name].build()
    reading = cfg.parse(cfg_writer.write(network), name)
    assert reading.network == network
    assert reading.warnings == ()


@pytest.mark.parametrize("name", sorted(NOT_DARKNETS))
def test_what_darknet_cannot_compute_has_no_cfg(name: str) -> None:
    with refuses("cfg.not-expressible") as caught:
        cfg_writer.write(MODELS[name].build())
    assert (caught.value.where or "").endswith("[convolutional]")


# --- what the catalogue says of them


@pytest.mark.parametrize("model", registry.MODELS.values(), ids=lambda model: str(model.name))
def test_every_definition_gives_its_evidence(model: Model) -> None:
    assert len(model.evidence) > 50
    assert model.source
    if model.definition == "cfg":
        assert (model.confidence, model.unknown) == ("certain", None)
    if model.definition == "stand-in":
        assert model.confidence == "low"
    if model.confidence != "certain":
        assert model.unknown
    if model.unknown:
        assert model.unknown[0].isupper()
        assert model.unknown.endswith(".")


def test_only_stand_ins_are_chosen_for_their_totals() -> None:
    result = {model.name for model in registry.MODELS.values() if model.definition == "stand-in"}
    assert result == {
        *("cspdensenet-ref", "cspdensenetb-ref", "csppeleenet-ref", "csppeleenetb-ref"),
        *("cspdensenetb-ref-prn", "csppeleenet-ref-prn-3l"),
        *("peleenet-swish-se", "csppeleenet-swish-se"),
        *("csresnext50-plus-elastic", "cspdensenet201-plus-elastic", "mixnet-m-gpu", "refinedetlite"),
    }
