"""mmdetection's names of the arrays: both ways, and against the list of its own network."""

from __future__ import annotations

import hashlib

import pytest
import torch
from test_yolox import KEYS, network

from cspbench.zoo.yolox.keys import from_mmdetection, mmdetections, to_mmdetection

BY_HAND = {
    "backbone.stem.conv.conv.weight": "backbone.backbone.stem.conv.conv.weight",
    "backbone.stage1.0.bn.bias": "backbone.backbone.dark2.0.bn.bias",
    "backbone.stage3.1.main_conv.conv.weight": "backbone.backbone.dark4.1.conv1.conv.weight",
    "backbone.stage3.1.short_conv.bn.weight": "backbone.backbone.dark4.1.conv2.bn.weight",
    "backbone.stage2.1.final_conv.conv.weight": "backbone.backbone.dark3.1.conv3.conv.weight",
    "backbone.stage2.1.blocks.0.conv1.conv.weight": "backbone.backbone.dark3.1.m.0.conv1.conv.weight",
    "backbone.stage2.1.blocks.1.conv2.depthwise_conv.bn.bias": "backbone.backbone.dark3.1.m.1.conv2.dconv.bn.bias",
    "backbone.stage4.1.conv1.conv.weight": "backbone.backbone.dark5.1.conv1.conv.weight",
    "backbone.stage4.2.blocks.0.conv2.conv.weight": "backbone.backbone.dark5.2.m.0.conv2.conv.weight",
    "neck.reduce_layers.0.conv.weight": "backbone.lateral_conv0.conv.weight",
    "neck.reduce_layers.1.bn.running_var": "backbone.reduce_conv1.bn.running_var",
    "neck.top_down_blocks.1.main_conv.conv.weight": "backbone.C3_p3.conv1.conv.weight",
    "neck.downsamples.0.conv.weight": "backbone.bu_conv2.conv.weight",
    "neck.downsamples.1.pointwise_conv.conv.weight": "backbone.bu_conv1.pconv.conv.weight",
    "neck.bottom_up_blocks.0.blocks.0.conv1.conv.weight": "backbone.C3_n3.m.0.conv1.conv.weight",
    "neck.out_convs.2.bn.num_batches_tracked": "head.stems.2.bn.num_batches_tracked",
    "bbox_head.multi_level_cls_convs.0.1.conv.weight": "head.cls_convs.0.1.conv.weight",
    "bbox_head.multi_level_reg_convs.1.0.depthwise_conv.bn.bias": "head.reg_convs.1.0.dconv.bn.bias",
    "bbox_head.multi_level_conv_cls.0.weight": "head.cls_preds.0.weight",
    "bbox_head.multi_level_conv_reg.1.bias": "head.reg_preds.1.bias",
    "bbox_head.multi_level_conv_obj.2.bias": "head.obj_preds.2.bias",
}


@pytest.mark.parametrize(("theirs", "ours"), BY_HAND.items())
def test_names_by_hand(theirs: str, ours: str) -> None:
    assert from_mmdetection(theirs, detects=True) == ours
    assert to_mmdetection(ours, detects=True) == theirs


def test_the_classifiers_backbone_has_no_second_word() -> None:
    names = {"backbone.stage4.1.conv1.conv.weight": "backbone.dark5.1.conv1.conv.weight"}
    names |= {"backbone.stage1.1.blocks.0.conv1.bn.bias": "backbone.dark2.1.m.0.conv1.bn.bias"}
    names |= {"backbone.stem.conv.bn.bias": "backbone.stem.conv.bn.bias", "head.fc.weight": "head.fc.weight"}
    for theirs, ours in names.items():
        assert from_mmdetection(theirs, detects=False) == ours
        assert to_mmdetection(ours, detects=False) == theirs


@pytest.mark.parametrize("name", ["yolox-nano", "yolox-s", "yolox-x", "cspdarknet-nano", "cspdarknet-m"])
def test_every_name_there_and_back(name: str) -> None:
    each = network(name)
    with torch.device("meta"):
        ours = list(each.design.module().state_dict())
    theirs = [to_mmdetection(key, each.detects) for key in ours]
    assert len(set(theirs)) == len(ours)
    assert [from_mmdetection(key, each.detects) for key in theirs] == ours
    assert mmdetections(theirs)
    assert not mmdetections(ours)


def test_they_are_the_names_of_mmdetections_own_network() -> None:
    with torch.device("meta"):
        state = network("yolox-s").design.module().state_dict()
    shapes = {to_mmdetection(key, detects=True): "x".join(map(str, array.shape)) for key, array in state.items()}
    lines = "".join(f"{key} {shapes[key]}\n" for key in sorted(shapes))
    digest = hashlib.sha256(lines.encode()).hexdigest()
    assert {"entries": len(shapes), "sha256": digest} == KEYS["mmdetection/yolox-s, sorted"]
