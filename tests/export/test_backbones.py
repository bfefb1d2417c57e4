"""The backbone of a classifier under a detector's names, and for its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from refusals import refuses
from safetensors.torch import load_file
from torch import Tensor, nn

import cspbench
from cspbench.network.modular.network import ModuleNetwork
from cspbench.weights.arrays import Array, Weights
from cspbench.weights.backbone import backbone_of, named_for
from cspbench.zoo.registry import MODELS
from cspbench.zoo.yolox import SIZES
from cspbench.zoo.yolox.keys import to_mmdetection
from cspbench.zoo.yolox.pixels import DARKNET, IMAGENET, RAW, Pixels

NANO, CLASSIFIER = "yolox-nano", "cspdarknet-nano"
STEM = "backbone.stem.conv.conv.weight"


def network(name: str) -> ModuleNetwork:
    return cast("ModuleNetwork", MODELS[name].architecture())


def trained(name: str, classes: int = 3) -> dict[str, Tensor]:
    """The state dict of a classifier whose maps neither vanish nor explode, with another number of classes."""
    torch.manual_seed(0)
    module = network(name).design.with_classes(classes).module()
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.uniform_(-0.5, 0.5)  # type: ignore[union-attr]
            part.running_var.uniform_(0.05, 0.2)  # type: ignore[union-attr]
    return module.state_dict()


def saved(folder: Path, state: Mapping[str, Any], name: str = "in.pth") -> Path:
    torch.save(dict(state), folder / name)
    return folder / name


def backbone(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix("backbone."): each for name, each in state.items() if name.startswith("backbone.")}


def equal(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(array, other[name]) for name, array in one.items())


@pytest.mark.parametrize("size", SIZES)
def test_every_size_has_its_detectors_names(size: str) -> None:
    """On torch's meta device names and shapes are all there is."""
    with torch.device("meta"):
        whole = network(f"yolox-{size}").design.module().state_dict()
    ours = {name: tuple(each.shape) for name, each in whole.items() if name.startswith("backbone.backbone.")}
    theirs = {to_mmdetection(name, detects=True): shape for name, shape in ours.items()}
    assert all(name.startswith(("backbone.stem.conv.", "backbone.stage")) for name in theirs)
    each = backbone_of(network(f"cspdarknet-{size}"))
    assert each.design == backbone_of(network(f"yolox-{size}")).design
    arrays = tuple(
        {weight.role: np.empty(weight.shape, np.float32) for weight in each.weights(index)}
        for index in range(len(each.layers))
    )
    weights = Weights(Path("a.pth"), arrays, len(arrays))
    assert {name: array.shape for name, array in named_for("yolox", each, weights, prefix=True).items()} == ours
    assert {name: array.shape for name, array in named_for("mmdet", each, weights, prefix=True).items()} == theirs


def test_names_with_and_without_the_prefix(tmp_path: Path) -> None:
    state = trained(CLASSIFIER)
    file = saved(tmp_path, {"state_dict": {to_mmdetection(key, detects=False): each for key, each in state.items()}})
    for form, prefix in (("yolox-backbone", True), ("yolox-backbone", False), ("mmdet-backbone", False)):
        path = tmp_path / f"{form}-{prefix}.pth"
        result = cspbench.export_model(CLASSIFIER, path, form, weights=file, prefix=prefix, check=True)
        assert [(each.output, each.absolute, each.largest > 0.01) for each in result.differences] == [
            (f"dark{stage}", 0.0, True) for stage in (3, 4, 5)
        ]
    whole = torch.load(tmp_path / "yolox-backbone-True.pth", weights_only=True)["model"]
    bare = torch.load(tmp_path / "yolox-backbone-False.pth", weights_only=True)
    module = cast("Any", network(NANO).design.module())
    assert module.load_state_dict(whole, strict=False).unexpected_keys == []
    module.backbone.backbone.load_state_dict(bare, strict=True)
    counted = {name: each for name, each in backbone(state).items() if each.is_floating_point()}
    assert all(torch.equal(bare[name], each) for name, each in counted.items())
    assert equal({f"backbone.backbone.{name}": each for name, each in bare.items()}, whole)
    mmdets = torch.load(tmp_path / "mmdet-backbone-False.pth", weights_only=True)
    assert mmdets["stage4.2.main_conv.conv.weight"].equal(bare["dark5.2.conv1.conv.weight"])
    assert len(mmdets) == len(bare)
    cspbench.export_model(NANO, tmp_path / "a.safetensors", "mmdet-backbone", weights=file)
    safe = load_file(tmp_path / "a.safetensors")
    assert equal({f"backbone.{name}": each for name, each in mmdets.items()}, safe)


@pytest.mark.parametrize("form", ["yolox-backbone", "mmdet-backbone"])
def test_exported_again(form: str, tmp_path: Path) -> None:
    """A backbone under its own names alone gives the file of the classifier that it was taken from."""
    file = saved(tmp_path, trained(CLASSIFIER))
    cspbench.export_model(NANO, tmp_path / "whole.pth", "yolox-backbone", weights=file)
    whole = torch.load(tmp_path / "whole.pth", weights_only=True)
    for prefix in (True, False):
        for suffix in (".pth", ".safetensors"):
            path = tmp_path / f"{prefix}{suffix}"
            cspbench.export_model(NANO, path, form, weights=file, prefix=prefix)
            again = tmp_path / f"again-{path.name}.pth"
            cspbench.export_model(NANO, again, "yolox-backbone", weights=path)
            assert equal(torch.load(again, weights_only=True)["model"], whole["model"])
    with refuses("weights.other-width"):
        cspbench.export_model("yolox-s", tmp_path / "a.pth", form, weights=tmp_path / "False.pth")


def response(module: nn.Module, levels: Array, pixels: Pixels) -> list[Tensor]:
    with torch.inference_mode():
        return list(module.eval()(torch.from_numpy(pixels.planes(levels))[None]))


@pytest.mark.parametrize(
    ("model", "pixels", "source", "target"),
    [
        (CLASSIFIER, "imagenet", IMAGENET, RAW),
        (NANO, "darknet", DARKNET, RAW),
        (f"{NANO}-legacy", "darknet", DARKNET, IMAGENET),
    ],
)
def test_equal_maps_on_a_picture(model: str, pixels: str, source: Pixels, target: Pixels, tmp_path: Path) -> None:
    state = trained(CLASSIFIER)
    result = cspbench.export_model(
        model, tmp_path / "a.pth", "yolox-backbone", weights=saved(tmp_path, state), prefix=False, pixels=pixels,
        check=True,
    )  # fmt: skip
    assert result.passed
    assert len(result.notes) == 1
    one, other = state[STEM], torch.load(tmp_path / "a.pth", weights_only=True)[STEM.removeprefix("backbone.")]
    assert other.norm() / one.norm() == pytest.approx(1, abs=0.05)  # so that a training moves it as it would have
    assert all(each.largest > 0.01 for each in result.differences)
    before, after = (cast("Any", network(NANO).design.module()).backbone.backbone for _ in range(2))
    before.load_state_dict(backbone(state), strict=True)
    after.load_state_dict(torch.load(tmp_path / "a.pth", weights_only=True), strict=True)
    levels = np.random.default_rng(0).integers(0, 256, (3, 64, 96)).astype(np.float32)
    # the stem as it is: equal, but at the border of another colour
    expected, found = response(before.stem, levels, source)[0], response(after.stem, levels, target)[0]
    assert torch.allclose(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], atol=1e-4)
    black = source.planes(np.zeros((3, 1, 1), np.float32)).any() != target.planes(np.zeros((3, 1, 1), np.float32)).any()
    assert torch.allclose(found, expected, atol=1e-3) is not black
    wrong = response(after.stem, levels, source)[0]
    assert not torch.allclose(wrong, expected, atol=1e-2)


def test_the_check_sees_wrong_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from cspbench.weights import backbone as reading

    file = saved(tmp_path, trained(CLASSIFIER))
    monkeypatch.setattr(reading, "folded", lambda weight, mean, source, target: (weight, mean))
    result = cspbench.export_model(
        CLASSIFIER, tmp_path / "a.pth", "mmdet-backbone", weights=file, pixels="imagenet", check=True
    )
    assert not result.passed


def test_the_detectors_own_pixels_change_nothing(tmp_path: Path) -> None:
    file = saved(tmp_path, trained(CLASSIFIER))
    result = cspbench.export_model(
        f"{NANO}-legacy", tmp_path / "a.pth", "yolox-backbone", weights=file, prefix=False, pixels="imagenet"
    )
    assert result.notes == ()
    written = torch.load(tmp_path / "a.pth", weights_only=True)
    assert torch.equal(written["stem.conv.conv.weight"], trained(CLASSIFIER)["backbone.stem.conv.conv.weight"])


# --- what is refused


def test_another_width_with_both_numbers(tmp_path: Path) -> None:
    file = saved(tmp_path, trained("cspdarknet-tiny"))
    with refuses(
        "weights.other-width",
        where=str(file),
        expected="16 channels after the stem, as yolox-nano's backbone has",
        found="24, as cspdarknet-tiny has",
        remedy="Name cspdarknet-tiny or yolox-tiny",
    ):
        cspbench.export_model(NANO, tmp_path / "a.pth", "yolox-backbone", weights=file)
    odd = saved(tmp_path, {"backbone.stem.conv.conv.weight": torch.zeros(20, 12, 3, 3)})
    with refuses("weights.other-width", found="20"):
        cspbench.export_model(NANO, tmp_path / "a.pth", "yolox-backbone", weights=odd)
    assert not (tmp_path / "a.pth").exists()


def test_files_without_a_classifiers_backbone(tmp_path: Path) -> None:
    detector = network(NANO).design.module().state_dict()
    cases: list[Mapping[str, Any]] = [
        detector,
        {to_mmdetection(name, detects=True): each for name, each in detector.items()},
        {"layers.0.conv.weight": torch.ones(1)},
        {name: each for name, each in trained(CLASSIFIER).items() if "stem" not in name},
        {"backbone.stem.conv.conv.weight": torch.ones(16, 12, 3, 3), "neck.a": torch.ones(1)},
    ]
    for case in cases:
        with refuses("weights.no-backbone"):
            cspbench.export_model(CLASSIFIER, tmp_path / "a.pth", "mmdet-backbone", weights=saved(tmp_path, case))
    for change in ("backbone.dark2.0.dconv.conv.weight", "backbone.dark5.2.conv3.bn.bias"):
        lacking = {name: each for name, each in trained(CLASSIFIER).items() if name != change}
        with refuses("weights.other-tensors"):
            cspbench.export_model(CLASSIFIER, tmp_path / "a.pth", "mmdet-backbone", weights=saved(tmp_path, lacking))
    with refuses("weights.other-tensors"):
        more = trained(CLASSIFIER) | {"backbone.dark6.weight": torch.ones(1)}
        cspbench.export_model(CLASSIFIER, tmp_path / "a.pth", "mmdet-backbone", weights=saved(tmp_path, more))
    (tmp_path / "in.weights").write_bytes(b"\0\0\0\0\x02\0\0\0\x05\0\0\0" + bytes(range(256)))
    with refuses("weights.other-kind"):
        cspbench.export_model(CLASSIFIER, tmp_path / "a.pth", "mmdet-backbone", weights=tmp_path / "in.weights")


def test_models_and_options_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)
    file = saved(tmp_path, trained(CLASSIFIER))
    for name in ("csdarknet53", "yolox-darknet53"):
        with refuses("usage.no-csp-backbone", found=name):
            cspbench.export_model(name, tmp_path / "a.pth", "yolox-backbone", weights=file)
    with refuses("usage.no-weights"):
        cspbench.export_model(CLASSIFIER, tmp_path / "a.pth", "yolox-backbone")
    with refuses("usage.unknown-pixels", found="'bgr'"):
        cspbench.export_model(CLASSIFIER, tmp_path / "a.pth", "yolox-backbone", weights=file, pixels="bgr")
    for options in ({"prefix": False}, {"pixels": "imagenet"}):
        with refuses("usage.not-a-backbone-option", found="safetensors"):
            cspbench.export_model("sample-csp-detector", tmp_path / "a.safetensors", **cast("Any", options))
    with refuses("usage.not-a-graph-option"):
        cspbench.export_model(CLASSIFIER, tmp_path / "a.pth", "yolox-backbone", weights=file, nms=True)
    with refuses("usage.not-a-layer-list"):
        cspbench.export_model(MODELS["csdarknet53"].build(), tmp_path / "a.pth", "yolox-backbone", weights=file)
