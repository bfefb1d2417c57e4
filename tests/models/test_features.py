"""Feature maps by stride."""

from __future__ import annotations

import copy

import pytest
import torch
from refusals import refuses

import cspbench
from cspbench.models.features import levels
from cspbench.network import cfg
from cspbench.zoo.registry import MODELS, model, names_of_layered
from cspbench.zoo.timm_import import import_timm


@pytest.mark.parametrize(
    ("name", "ends"),
    [
        # stride, channels, layer: the ends of the stages, read from the published files
        ("csresnext50", [(2, 64, 0), (4, 256, 19), (8, 512, 38), (16, 1024, 65), (32, 2048, 80)]),
        ("yolov3-tiny", [(1, 16, 0), (2, 32, 2), (4, 64, 4), (8, 128, 6), (16, 256, 8), (32, 512, 14)]),
    ],
)
def test_levels_by_hand(name: str, ends: list[tuple[int, int, int]]) -> None:
    assert [(level.stride, level.channels, level.index) for level in levels(model(name).build())] == ends


def test_branches_that_go_deeper_are_no_levels() -> None:
    """ELASTIC's branches halve the map within a stage; squeeze and excitation pools it to one pixel."""
    for name, plain in (("csresnext50-elastic", "csresnext50"), ("csppeleenet-swish-se", "csppeleenet-swish")):
        strides, expected = ([level.stride for level in levels(model(each).build())] for each in (name, plain))
        assert strides == expected


def test_every_model_that_has_levels_has_them_in_order() -> None:
    for entry in (MODELS[name] for name in names_of_layered()):
        if entry.detector_protocol is None:
            result = levels(entry.build())
            assert [level.index for level in result] == sorted(level.index for level in result)
            assert [level.stride for level in result] in (
                [1 << power for power in range(start, end)] for start in (0, 1) for end in (4, 6, 7)
            )


@pytest.mark.parametrize("name", ["cspdarknet53", "cspresnet50", "cspresnext50"])
def test_the_cards_networks_have_timms_levels(name: str) -> None:
    theirs = import_timm().create_model(name, features_only=True)
    ours = cspbench.create_model(name, features_only=True)
    assert ours.strides == theirs.feature_info.reduction()
    assert ours.channels == theirs.feature_info.channels()


def test_maps_of_a_module() -> None:
    whole = cspbench.create_model("sample-csp-classifier", weights="published")
    module = cspbench.create_model(
        "sample-csp-classifier", weights="published", features_only=True, out_indices=(3, 1, -1)
    )
    assert (module.strides, module.channels) == ([8, 2, 8], [112, 32, 112])
    assert copy.deepcopy(module).meta.strides == (8, 2, 8)
    x = torch.rand(2, 3, 96, 64)
    maps = module(x)
    assert isinstance(maps, list)
    assert [tuple(each.shape) for each in maps] == [(2, 112, 12, 8), (2, 32, 48, 32), (2, 112, 12, 8)]
    with torch.no_grad():
        head = whole.get_submodule("layers.38.conv")(maps[0].mean((2, 3), keepdim=True)).softmax(1)
        torch.testing.assert_close(head, whole(x))
    (single,) = cspbench.create_model("sample-csp-classifier", features_only=True, out_indices=[0])(x)
    assert single.shape == (2, 16, 96, 64)
    assert len(cspbench.create_model("sample-csp-detector", features_only=True, num_classes=3)(x)) == 5


def test_features_that_are_not_there() -> None:
    for indices, result in (((4,), "4"), ((-5, 0), "-5"), ((), "none")):
        with refuses("usage.no-such-level", found=result, expected="0 to 3, of strides 1, 2, 4, 8"):
            cspbench.create_model("sample-csp-classifier", features_only=True, out_indices=indices)
    for name in ("pelee-304", "snet49-thundernet", "refinedetlite"):
        with refuses("usage.no-features"):
            cspbench.create_model(name, features_only=True)


def test_a_trunk_of_ones_own() -> None:
    text = "[convolutional]\nfilters=4\n[maxpool]\nsize=2\n[convolutional]\nfilters=5\n"
    result = levels(cfg.parse("[net]\nwidth=8\nheight=8\nchannels=3\n" + text, "trunk").network)
    assert [(level.stride, level.channels, level.index) for level in result] == [(1, 5, 2)]
