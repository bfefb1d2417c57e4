"""The catalogue of weight files: exact sizes, what can be had, and finding a file in a folder."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
from refusals import refuses
from snapshot import ROWS
from weight_files import V010, V025, random_arrays, save

from cspbench.network.counting import stored_bytes
from cspbench.weights import catalogue, darknet, safetensors_file
from cspbench.weights.arrays import layout
from cspbench.weights.header import Header
from cspbench.zoo.registry import MODELS, model

GOLDEN = Path(__file__).parents[1] / "golden"


def sized(folder: Path, name: str, size: int, head: bytes = V025) -> Path:
    """A sparse file of that size."""
    path = save(folder, head, name)
    os.truncate(path, size)
    return path


def by_id(table: str, row: str) -> catalogue.WeightFile:
    return next(weight_file for weight_file in catalogue.weight_files([table]) if weight_file.id == row)


def test_every_row_has_an_entry() -> None:
    files = catalogue.weight_files()
    assert len(files) == ROWS
    for file in files:
        assert (file.file is None) == (file.status == "never-released")
        assert file.model or (file.file, file.size, file.sha256, file.status) == (None, None, None, "never-released")
        if file.model and file.file and file.file.endswith(".weights"):
            assert file.size == stored_bytes(MODELS[file.model].build())
            assert file.short_size == file.size - 4


def test_sizes_are_those_of_the_published_networks() -> None:
    """Bytes by an independent count, for the models of the catalogue that are named after a published cfg."""
    counted = json.loads((GOLDEN / "sizes.json").read_text(encoding="utf-8"))
    checked = counted.keys() & MODELS.keys()
    assert len(checked) >= 30
    for name in sorted(checked):
        size = 20 + 4 * counted[name]
        assert stored_bytes(MODELS[name].build()) == size
        assert catalogue.fitting(size, Header())[0].complete
        assert name in [match.model for match in catalogue.fitting(size, Header())]
        assert name in [match.model for match in catalogue.fitting(size - 4, Header(0, 1, 0))]


PANET = "csresnext50-panet-spp"


@pytest.mark.parametrize(
    ("table", "row", "file", "size", "status"),
    [
        ("imagenet-big", "darknet-53", "darknet53.weights", 166582580, "released"),
        ("imagenet-small", "resnet-10", "resnet10_final.weights", 20995764, "released"),
        ("imagenet-activation", "cspresnext-50-mish", None, 82459316, "never-released"),
        ("imagenet-activation", "cspresnext-50-lrelu", "csresnext50.weights", 82459316, "released"),
        ("imagenet-augmentation", "cspresnext-50-mixup", None, 82459316, "never-released"),
        ("coco-cpu", "yolov3-tiny-416", "yolov3-tiny.weights", 35434956, "released"),
        ("coco-headline", "cspresnext50-panet-spp-sam-512", None, 233657096, "never-released"),
        (
            "coco-nms",
            "cspresnext50-panet-spp-512-nms0.45",
            "csresnext50-panet-spp_final.weights",
            228123400,
            "released",
        ),
        (
            "coco-nms",
            "cspresnext50-panet-spp-giou-512-nms-aware",
            "csresnext50-panet-spp-giou.weights",
            228123400,
            "gone",
        ),
        ("timm", "cspdarknet53", "cspdarknet53_ra_256-d05c7c21.pth", 110775135, "released"),
        ("mmpretrain", "cspresnet50", "cspresnet50_3rdparty_8xb32_in1k_20220329-dd6dddfb.pth", None, "released"),
    ],
)
def test_rows(table: str, row: str, file: str | None, size: int | None, status: str) -> None:
    result = by_id(table, row)
    assert (result.file, result.size, result.status) == (file, size, status)


def test_digests() -> None:
    assert len(by_id("coco-cpu", "yolov3-tiny-416").sha256 or "") == 64
    assert by_id("timm", "cspdarknet53").sha256 == "d05c7c21"
    assert by_id("mmpretrain", "cspresnext50").sha256 == "2cc84d21"
    assert by_id("imagenet-big", "cspresnext-50").sha256 is None


def test_files_of_one_layout_are_alike() -> None:
    assert layout(model("csresnext50").build()) == layout(model("csresnext50-omega").build())
    assert layout(model("csresnext50").build()) != layout(model("csresnet50").build())


def test_identify_by_size_and_header(tmp_path: Path) -> None:
    complete = [each.model for each in catalogue.identify(sized(tmp_path, "a", 20995764)) if each.complete]
    assert complete == ["resnet10"]
    old = sized(tmp_path, "b", 20995760, V010)
    assert [each.model for each in catalogue.identify(old) if each.complete] == ["resnet10"]
    assert not [each for each in catalogue.fitting(20995760, Header()) if each.complete]
    with refuses("weights.unknown-model", found="20995765 bytes, unlike any known model"):
        catalogue.identify(sized(tmp_path, "d", 20995764 + 1))
    with refuses("weights.other-kind", found="an HTML page"):
        catalogue.identify(save(tmp_path, b"<html>", "e"))


def test_identify_partial_files(tmp_path: Path) -> None:
    """darknet53.conv.74: the layers before the classifier."""
    network = model("darknet53").build()
    missing = sum(weight.size for weight in network.weights(76))
    assert len(network.weights(76)) == 2
    result = catalogue.identify(sized(tmp_path, "x", stored_bytes(network) - 4 * missing))
    assert catalogue.Match("darknet53", 76, 78) in result
    assert not [each for each in result if each.complete]


def test_found_by_name(tmp_path: Path) -> None:
    assert catalogue.find(model("csresnext50"), tmp_path) is None
    final = save(tmp_path, b"x", "csresnext50_final.weights")
    assert catalogue.find(model("csresnext50"), tmp_path) == final
    plain = save(tmp_path, b"x", "csresnext50.weights")
    assert catalogue.find(model("csresnext50"), tmp_path) == plain
    assert catalogue.find(model("csresnext50-omega"), tmp_path) is None
    prn = save(tmp_path, b"x", "enetb0-coco_final.weights")
    assert catalogue.find(model("enet-coco"), tmp_path) == prn
    card = save(tmp_path, b"x", "cspresnet50_3rdparty_8xb32_in1k_20220329-dd6dddfb.pth")
    assert catalogue.find(model("timm/cspresnet50"), tmp_path) == card


def test_a_file_of_the_same_size_with_another_models_name(tmp_path: Path) -> None:
    path = sized(tmp_path, "yolov4.weights", 257_717_640)
    assert catalogue.find(model("yolov4"), tmp_path) == path
    assert catalogue.find(model("csdarknet53-panet-spp"), tmp_path) is None


def test_found_by_size(tmp_path: Path) -> None:
    path = sized(tmp_path, "mine.weights", 20995764)
    assert catalogue.find(model("resnet10"), tmp_path) == path
    assert catalogue.find(model("enetb0"), tmp_path) is None
    path.unlink()
    old = sized(tmp_path, "old.weights", 20995760, V010)
    assert catalogue.find(model("resnet10"), tmp_path) == old
    sized(tmp_path, "second.weights", 20995764)
    with refuses("weights.ambiguous-file", where=str(tmp_path)) as caught:
        catalogue.find(model("resnet10"), tmp_path)
    assert str(caught.value.found).startswith("old.weights, second.weights, ")


def test_a_size_of_several_models_is_ambiguous(tmp_path: Path) -> None:
    sized(tmp_path, "mine.weights", 82459316)
    with refuses("weights.ambiguous-file", where=str(tmp_path)) as caught:
        catalogue.find(model("csresnext50-omega"), tmp_path)
    assert "csresnext50-omega.weights" in str(caught.value.expected)
    assert "csresnext50, " in str(caught.value.found)
    (tmp_path / "mine.weights").rename(tmp_path / "csresnext50.weights")
    assert catalogue.find(model("csresnext50-omega"), tmp_path) is None  # it says whose it is


def test_the_folder_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(catalogue.VARIABLE, raising=False)
    assert catalogue.find(model("darknet")) is None
    path = save(tmp_path, b"x", "darknet.weights")
    monkeypatch.setenv(catalogue.VARIABLE, str(tmp_path))
    assert catalogue.find(model("darknet")) == path
    monkeypatch.setenv(catalogue.VARIABLE, str(path))
    with refuses("weights.not-a-folder", found=str(path)):
        catalogue.find(model("darknet"))


def test_the_folder_may_be_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ww").mkdir()
    path = save(tmp_path / "ww", b"x", "darknet.weights")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(catalogue.VARIABLE, "~/ww")
    assert catalogue.find(model("darknet")) == path
    for absent in ("~/other", "~no-such-user/ww"):
        monkeypatch.setenv(catalogue.VARIABLE, absent)
        with refuses("weights.not-a-folder", found=absent):
            catalogue.find(model("darknet"))


def test_the_model_of_a_file(tmp_path: Path) -> None:
    result, alike = catalogue.model_of(sized(tmp_path, "a", 86592180))
    assert (result.name, alike) == ("csresnet50", ["csresnet50-gamma", "csresnet50-omega"])
    network = model("csmobilenet-v2").build()
    darknet.write(tmp_path / "b", network, random_arrays(network))
    assert catalogue.model_of(tmp_path / "b")[0].name == "csmobilenet-v2"
    safetensors_file.write(tmp_path / "c", network, random_arrays(network))
    assert catalogue.model_of(tmp_path / "c")[0].name == "csmobilenet-v2"
    safetensors_file.write(tmp_path / "d", replace(network, name="mine"), random_arrays(network))
    for path, content in (
        (tmp_path / "d", ""),
        (save(tmp_path, b"PK\x03\x04", "e"), "a zip archive"),
        (save(tmp_path, V025 + b"1234", "f"), "24 bytes"),
    ):
        with refuses("weights.unknown-model", where=str(path)) as caught:
            catalogue.model_of(path)
        assert content in str(caught.value.found)


def test_models_of_one_size_and_another_layout_are_not_confused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "layout", lambda network: network.name)
    with refuses("weights.unknown-model") as caught:
        catalogue.model_of(sized(tmp_path, "a", 86592180))
    assert "csresnet50, csresnet50-gamma, csresnet50-omega" in str(caught.value.found)


def test_a_safetensors_file_says_whose_it_is(tmp_path: Path) -> None:
    network = MODELS["sample-csp-classifier"].build()
    own = catalogue.shipped("sample-csp-classifier")
    assert own is not None
    read = darknet.read(own, network)
    safetensors_file.write(tmp_path / "x.safetensors", network, read.arrays, read.header)
    (match,) = catalogue.identify(tmp_path / "x.safetensors")
    assert (match.model, match.complete) == ("sample-csp-classifier", True)
