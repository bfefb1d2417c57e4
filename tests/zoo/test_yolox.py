"""YOLOX: counts, keys and outputs against the original, and its blocks against arithmetic by hand."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from replay_yolox import input_of, replay, with_arrays
from torch import Tensor, nn

from cspbench.network.counting import count
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import digest
from cspbench.weights.arrays import Weights
from cspbench.weights.writing import _mmdetections
from cspbench.zoo.registry import MODELS
from cspbench.zoo.yolox import designs
from cspbench.zoo.yolox.blocks import Bottleneck, CrossStage, Focus, SpatialPyramid
from cspbench.zoo.yolox.heads import CoupledHead, DecoupledHead
from cspbench.zoo.yolox.keys import in_mmdetections_order, to_mmdetection
from cspbench.zoo.yolox.units import LEAKY, SWISH

KEYS = json.loads((Path(__file__).parents[1] / "golden/yolox_keys.json").read_text())
SEVEN = [name for name in KEYS if "/" not in name]

# learnable parameters, kernels, 2 x multiply-adds, thop-2021, as the original's own numbers say
TOTALS = {
    "yolox-nano": (912_159, 896_512, 1_045_106_816, 1_078_636_416),
    "yolox-tiny": (5_055_855, 5_038_272, 6_412_536_000, 6_450_370_368),
    "yolox-s": (8_968_255, 8_944_896, 26_685_542_400, 26_804_940_800),
    "yolox-m": (25_326_495, 25_282_944, 73_530_316_800, 73_753_651_200),
    "yolox-l": (54_208_895, 54_139_392, 155_292_672_000, 155_649_433_600),
    "yolox-x": (99_071_455, 98_970_240, 281_409_792_000, 281_929_472_000),
    "yolox-darknet53": (63_724_767, 63_666_784, 184_679_014_400, 185_271_296_000),
}
PARTS = {
    "yolox-nano": (459_968, 347_424, 104_767),
    "yolox-s": (4_212_672, 2_834_688, 1_920_895),
    "yolox-darknet53": (52_651_744, 3_692_544, 7_380_479),
}
"""Learnable parameters of backbone, neck and head."""
CLASSIFIERS = {"nano": 716_968, "tiny": 2_757_304, "s": 4_725_672, "m": 13_121_992, "l": 28_100_968, "x": 51_582_600}


def network(name: str) -> ModuleNetwork:
    result = MODELS[name].architecture()
    assert isinstance(result, ModuleNetwork)
    return result


def module(name: str) -> nn.Module:
    return network(name).design.module().eval()


@pytest.mark.parametrize("name", TOTALS)
def test_totals_by_both_counters(name: str) -> None:
    counted = count(network(name))
    learnable, weights, conv, thop = TOTALS[name]
    assert (counted.parameters["learnable"], counted.parameters["weights"]) == (learnable, weights)
    assert (counted.total("conv"), counted.total("thop-2021")) == (conv, thop)
    if name in PARTS:
        sums = {"backbone.backbone.": 0, "backbone.": 0, "head.": 0}
        for part in network(name).layers:
            start = next(start for start in sums if part.path.startswith(start))
            sums[start] += sum(each.size for each in part.weights if each.role not in ("mean", "variance"))
        assert tuple(sums.values()) == PARTS[name]


def test_the_steps_to_yolox() -> None:
    """The paper's Table 2 prints 63.00, 63.86 and 67.27 M."""
    steps = {"coupled": (62_998_749, 157_275_136_000), "anchors": (63_855_837, None), "nms-free": (67_266_783, None)}
    for step, (learnable, operations) in steps.items():
        counted = count(network(f"yolox-darknet53-{step}"))
        assert counted.parameters["learnable"] == learnable
        assert operations in (None, counted.total("thop-2021"))
    two = 2 * (256 * 256 * 9 + 512)  # convolutions of 256 channels with their batch norms, on each of three levels
    assert steps["nms-free"][0] - TOTALS["yolox-darknet53"][0] == 3 * two
    # Table 1 prints no counts; in the coupled head the convolutions have the channels of the maps that they read
    each = sum(2 * (channels * channels * 9 + 2 * channels) for channels in (256, 512, 1024))
    for step, more in (("anchors", 3 * two), ("coupled", each)):
        counted = count(network(f"yolox-darknet53-{step}-nms-free"))
        assert counted.parameters["learnable"] == steps[step][0] + more


@pytest.mark.parametrize(("size", "learnable"), CLASSIFIERS.items())
def test_the_backbone_as_a_classifier(size: str, learnable: int) -> None:
    counted = count(network(f"cspdarknet-{size}"))
    assert counted.parameters["learnable"] == learnable
    assert network(f"cspdarknet-{size}").shape(len(counted.operations) - 1) == (1000, 1, 1)


@pytest.mark.parametrize("name", SEVEN)
def test_keys_and_shapes_are_megviis_in_order(name: str) -> None:
    with torch.device("meta"):
        state = network(name).design.module().state_dict()
    lines = "".join(f"{key} {'x'.join(map(str, array.shape))}\n" for key, array in state.items())
    assert {"entries": len(state), "sha256": hashlib.sha256(lines.encode()).hexdigest()} == KEYS[name]


@pytest.fixture
def case(shared: Path) -> Path:
    """The original's smallest network."""
    return shared / "golden/yolox/forward-yolox-nano.npz"


@pytest.mark.reference("golden/yolox")
@pytest.mark.parametrize("name", ["yolox-nano", "yolox-s", "yolox-darknet53"])
def test_outputs_are_the_originals(name: str, case: Path) -> None:
    differences = replay(case.with_stem(f"forward-{name}"), Path())
    assert differences is not None
    assert len(differences) == 18  # raw and decoded rows, eight maps
    assert [each for each in differences if not each.good] == []


@pytest.mark.reference("golden/yolox")
def test_the_classifier_sees_the_backbones_last_map(case: Path) -> None:
    arrays = dict(np.load(case))
    detector = with_arrays(module("yolox-nano"), arrays)
    classifier = module("cspdarknet-nano").double()
    ours = {
        key.removeprefix("backbone."): array
        for key, array in detector.state_dict().items()
        if key.startswith("backbone.backbone.")
    }
    missing = set(classifier.load_state_dict(ours, strict=False).missing_keys)
    assert missing == {"head.fc.weight", "head.fc.bias"}
    head = classifier.get_submodule("head.fc")
    assert isinstance(head, nn.Linear)
    with torch.inference_mode():
        head.weight.zero_()
        head.bias.zero_()
        head.weight[:256] = torch.eye(256)
        logits = classifier(input_of(arrays))
    np.testing.assert_allclose(logits[0, :256].numpy(), arrays["mean_dark5"], rtol=1e-6, atol=1e-6)
    assert float(logits[0, 256:].abs().max()) == 0


def test_mmdetections_files_have_the_order_of_its_modules() -> None:
    with torch.device("meta"):
        theirs = [to_mmdetection(key, detects=True) for key in module("yolox-nano").state_dict()]
    ordered = in_mmdetections_order(theirs)
    assert sorted(ordered) == sorted(theirs)
    assert list(dict.fromkeys(".".join(name.split(".")[:2]) for name in ordered)) == [
        *("backbone.stem", "backbone.stage1", "backbone.stage2", "backbone.stage3", "backbone.stage4"),
        *("neck.reduce_layers", "neck.top_down_blocks", "neck.downsamples", "neck.bottom_up_blocks", "neck.out_convs"),
        *(f"bbox_head.multi_level_{part}" for part in ("cls_convs", "reg_convs", "conv_cls", "conv_reg", "conv_obj")),
    ]
    weights = Weights(
        Path("a.pth"),
        tuple(
            {weight.role: np.empty(weight.shape, np.float32) for weight in network("yolox-nano").weights(index)}
            for index in range(len(network("yolox-nano").layers))
        ),
        0,
    )
    assert list(_mmdetections(network("yolox-nano"), weights)) == ordered


# --- blocks by hand


def identity(unit: nn.Module) -> None:
    """Make a 1x1 unit with as many channels out as in pass its input on: no batch norm, no activation."""
    unit.bn, unit.act = nn.Identity(), nn.Identity()
    assert isinstance(unit.conv, nn.Conv2d)
    nn.init.dirac_(unit.conv.weight)


class Times(nn.Module):
    """Multiplies by a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def test_focus_takes_columns_after_rows() -> None:
    image = torch.arange(8.0).reshape(1, 1, 2, 4)  # 0 1 2 3 over 4 5 6 7
    result = Focus(nn.Identity())(image)
    assert result.tolist() == [[[[0, 2]], [[4, 6]], [[1, 3]], [[5, 7]]]]


def test_a_cross_stage_joins_the_blocks_first() -> None:
    stage = CrossStage(Times(2), Times(3), [Times(5), Times(7)], nn.Identity())
    assert stage(torch.ones(1, 1, 1, 1)).flatten().tolist() == [70, 3]


@pytest.mark.parametrize(("shortcut", "expected"), [(True, 7), (False, 6)])
def test_a_bottleneck_adds_its_input_after_both(shortcut: bool, expected: float) -> None:
    assert Bottleneck(Times(2), Times(3), shortcut)(torch.ones(1, 1, 1, 1)).item() == expected


def test_the_pyramids_windows() -> None:
    """One bright pixel spreads over 5x5, 9x9 and 13x13."""
    image = torch.zeros(1, 1, 15, 15)
    image[0, 0, 7, 7] = 1
    result = SpatialPyramid(nn.Identity(), nn.Identity())(image)
    assert result.sum((0, 2, 3)).tolist() == [1, 25, 81, 169]
    negative = SpatialPyramid(nn.Identity(), nn.Identity())(-torch.ones(1, 1, 3, 3))
    assert negative.unique().tolist() == [-1]  # nothing outside the image counts


def test_units() -> None:
    unit = LEAKY.conv(3, 4, 3, 2)
    assert (unit.conv.padding, unit.conv.stride, unit.conv.bias) == ((1, 1), (2, 2), None)
    assert (unit.bn.eps, unit.bn.momentum) == (1e-3, 0.03)
    assert unit.act(torch.tensor(-1.0)).item() == pytest.approx(-0.1)
    assert SWISH.conv(3, 4, 1).act(torch.tensor(1.0)).item() == pytest.approx(0.7310586)
    separable = designs._units(True).spatial(6, 4, 2)
    assert [tuple(each.shape) for each in separable.parameters() if each.ndim == 4] == [(6, 1, 3, 3), (4, 6, 1, 1)]


def levels(width: int = 2) -> tuple[Tensor, ...]:
    return torch.rand(2, width, 4, 6), torch.rand(2, width, 2, 3), torch.rand(2, width, 1, 2)


def test_rows_are_levels_then_cells() -> None:
    """The second level's row 1, column 2 is row 24 + 5; box, objectness, classes."""
    head = DecoupledHead(SWISH, (2, 2, 2), 2, 3).eval()
    for k in range(3):
        for index, part in enumerate((head.reg_preds, head.obj_preds, head.cls_preds)):
            prediction = part[k]
            assert isinstance(prediction, nn.Conv2d)
            nn.init.zeros_(prediction.weight)
            assert prediction.bias is not None
            start = (0, 4, 5)[index]
            with torch.no_grad():
                prediction.bias.copy_(100 * k + start + torch.arange(len(prediction.bias)))
    with torch.inference_mode():
        rows = head(levels())
    assert rows.shape == (2, 24 + 6 + 2, 8)
    assert rows[1, 23].tolist() == list(range(8))
    assert rows[0, 24].tolist() == [100.0 + n for n in range(8)]
    assert rows[0, 30].tolist() == [200.0 + n for n in range(8)]

    identity(head.stems[1])
    with torch.inference_mode():
        maps = levels()
        box = head.reg_convs[1](maps[1])
        prediction = head.reg_preds[1]
        assert isinstance(prediction, nn.Conv2d)
        nn.init.ones_(prediction.weight)
        rows = head(maps)
    assert rows[0, 24 + 5, 0].item() == pytest.approx(100 + box[0, :, 1, 2].sum().item(), rel=1e-5)


def test_rows_of_several_anchors() -> None:
    """All cells of the first anchor, then of the second; its numbers are consecutive channels."""
    head = CoupledHead(SWISH, (2, 2, 2), 1, 2).eval()
    for k in range(3):
        prediction = head.preds[k]
        assert isinstance(prediction, nn.Conv2d)
        assert prediction.bias is not None
        nn.init.zeros_(prediction.weight)
        with torch.no_grad():
            prediction.bias.copy_(100 * k + torch.arange(12))
    with torch.inference_mode():
        rows = head(levels())
    assert rows.shape == (2, 2 * 32, 6)
    assert rows[0, 23].tolist() == [0, 1, 2, 3, 4, 5]
    assert rows[0, 24].tolist() == [6, 7, 8, 9, 10, 11]
    assert rows[0, 48].tolist() == [100, 101, 102, 103, 104, 105]


def test_both_decoupled_heads_agree_on_the_order_of_classes() -> None:
    """With three anchors the numbers of the second are the second third of each branch's channels."""
    head = DecoupledHead(SWISH, (2, 2, 2), 2, 3, anchors=3).eval()
    prediction = head.cls_preds[0]
    assert isinstance(prediction, nn.Conv2d)
    assert prediction.bias is not None
    nn.init.zeros_(prediction.weight)
    with torch.no_grad():
        prediction.bias.copy_(torch.arange(9))
    with torch.inference_mode():
        rows = head(levels())
    assert rows.shape == (2, 3 * 32, 8)
    assert rows[0, 24, 5:].tolist() == [3, 4, 5]


def test_a_new_network_expects_one_in_a_hundred() -> None:
    fresh = module("yolox-nano")
    for branch in ("cls_preds", "obj_preds"):
        for k in range(3):
            prediction = fresh.get_submodule(f"head.{branch}.{k}")
            assert isinstance(prediction, nn.Conv2d)
            assert prediction.bias is not None
            assert prediction.bias.sigmoid().tolist() == pytest.approx([0.01] * len(prediction.bias))


def test_both_generations_are_one_network_with_two_presets() -> None:
    for name in SEVEN:
        now, legacy = network(name), network(f"{name}-legacy")
        assert digest(now) == digest(legacy)
        assert (now.preset, legacy.preset) == ("yolox", "yolox-legacy")
        assert now.detects
        assert now.input[1] == (416 if name.endswith(("nano", "tiny")) else 640)
    assert network("cspdarknet-s").preset == "mmcls"
    assert not network("cspdarknet-s").detects
