"""Weights of torch modules: Megvii's and mmdetection's checkpoints, the generation, and files of another network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from refusals import refuses
from safetensors.torch import save_file
from torch import Tensor
from weight_files import random_arrays, same, save

from cspbench.network.modular.network import ModuleNetwork
from cspbench.weights import safetensors_file
from cspbench.weights.arrays import Arrays, arrays_digest
from cspbench.weights.catalogue import file_names, find, identify, model_of, weight_files
from cspbench.weights.loading import extract, load
from cspbench.weights.opening import open_weights
from cspbench.weights.recognition import remark
from cspbench.weights.state_names import counters
from cspbench.weights.summary import summary
from cspbench.weights.writing import write
from cspbench.zoo.registry import MODELS
from cspbench.zoo.yolox.generations import normalised
from cspbench.zoo.yolox.keys import to_mmdetection

NANO, CLASSIFIER = "yolox-nano", "cspdarknet-nano"


def network(name: str) -> ModuleNetwork:
    result = MODELS[name].architecture()
    assert isinstance(result, ModuleNetwork)
    return result


def drawn(name: str, stem: float = 1e-3) -> Arrays:
    """Random arrays; those of the first convolution are in (-stem, stem)."""
    arrays = random_arrays(network(name))
    arrays[0]["weight"] *= np.float32(stem)
    return arrays


def state(name: str, stem: float = 1e-3) -> dict[str, Tensor]:
    """The state dict of a model with random arrays and its counters of training steps."""
    each = network(name)
    tensors = {key: torch.from_numpy(array) for key, array in safetensors_file.state(each, drawn(name, stem)).items()}
    return tensors | {key: torch.tensor(7) for key in counters(each)}


def mmdetections(name: str) -> dict[str, Tensor]:
    return {to_mmdetection(key, network(name).detects): tensor for key, tensor in state(name).items()}


FORMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "a state dict": state,
    "Megvii's": lambda name: {"start_epoch": 300, "model": state(name), "best_ap": 25.8, "optimizer": {"state": {}}},
    "DataParallel's": lambda name: {"model": {f"module.{key}": tensor for key, tensor in state(name).items()}},
    "mmdetection's": lambda name: {"meta": {"epoch": 300}, "state_dict": mmdetections(name)},
    "old mmdetection's": lambda name: {
        "state_dict": mmdetections(name)
        | {"ema_" + key.replace(".", "_"): tensor + 1 for key, tensor in mmdetections(name).items()}
    },
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [NANO, CLASSIFIER])
def test_every_form_of_a_checkpoint(name: str, form: str, tmp_path: Path) -> None:
    torch.save(FORMS[form](name), tmp_path / "net.pth")
    weights = open_weights(tmp_path / "net.pth", network(name))
    assert same(weights.arrays, tuple(map(dict, drawn(name))))
    assert weights.digest == arrays_digest(drawn(name))
    assert weights.complete
    assert ("names" in weights.said) is ("mmdetection" in form)


def test_half_precision_is_read_and_said(tmp_path: Path) -> None:
    half = {key: tensor.half() if tensor.is_floating_point() else tensor for key, tensor in state(CLASSIFIER).items()}
    save_file(half, tmp_path / "net.safetensors")
    weights = open_weights(tmp_path / "net.safetensors", network(CLASSIFIER))
    assert weights.arrays[0]["weight"].dtype == np.float32
    assert "stored as" in weights.said


def test_arrays_into_a_module_and_out_again(tmp_path: Path) -> None:
    each = network(CLASSIFIER)
    torch.save(state(CLASSIFIER), tmp_path / "net.pth")
    module = each.design.module()
    load(module, each, open_weights(tmp_path / "net.pth", each))
    assert same(extract(module, each), tuple(map(dict, drawn(CLASSIFIER))))
    module.load_state_dict(state(CLASSIFIER), strict=True)


@pytest.mark.parametrize("form", ["state-dict", "safetensors", "mmdetection"])
def test_what_is_written_is_read_again(form: Any, tmp_path: Path) -> None:
    each = network(CLASSIFIER)
    torch.save(state(CLASSIFIER), tmp_path / "net.pth")
    file = tmp_path / f"out{'.safetensors' if form == 'safetensors' else '.pth'}"
    write(file, form, each, open_weights(tmp_path / "net.pth", each))
    assert open_weights(file, each).digest == arrays_digest(drawn(CLASSIFIER))
    if form != "safetensors":
        written = torch.load(file, weights_only=True)
        assert ("backbone.stage4.1.conv1.conv.weight" in written) is (form == "mmdetection")
        assert len(written) == len(state(CLASSIFIER))


def test_other_programs_forms_are_refused(tmp_path: Path) -> None:
    each = network(CLASSIFIER)
    torch.save(state(CLASSIFIER), tmp_path / "net.pth")
    weights = open_weights(tmp_path / "net.pth", each)
    for form in ("darknet", "timm", "mmpretrain"):
        with refuses("usage.not-of-layers"):
            write(tmp_path / "out", form, each, weights)
    darknet = MODELS["darknet"].build()
    with refuses("usage.not-mmdetections", found="darknet"):
        write(tmp_path / "out", "mmdetection", darknet, weights_of(darknet, tmp_path))
    assert not (tmp_path / "out").exists()


def weights_of(darknet: Any, folder: Path) -> Any:
    from cspbench.weights import darknet as files

    files.write(folder / "net.weights", darknet, random_arrays(darknet))
    return open_weights(folder / "net.weights", darknet)


# --- files that do not fit


def test_another_width_is_named_with_both_numbers(tmp_path: Path) -> None:
    torch.save({"model": state("cspdarknet-tiny")}, tmp_path / "net.pth")
    with refuses(
        "weights.other-model",
        where=str(tmp_path / "net.pth"),
        expected="cspdarknet-nano, backbone.stem.conv.conv.weight of (16, 12, 3, 3)",
        found="cspdarknet-tiny, of (24, 12, 3, 3)",
    ):
        open_weights(tmp_path / "net.pth", network(CLASSIFIER))


def test_a_detectors_file_for_a_classifier(tmp_path: Path) -> None:
    torch.save(state(NANO), tmp_path / "net.pth")
    with refuses("weights.other-model", found="yolox-nano, not there"):
        open_weights(tmp_path / "net.pth", network(CLASSIFIER))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda each: each.pop("head.fc.bias"), "weights.other-tensors"),
        (lambda each: each.update({"head.more": torch.ones(1)}), "weights.other-tensors"),
        (lambda each: each.update({"teacher.backbone.stem": torch.ones(1)}), "checkpoint.several-networks"),
        (lambda each: each.update({"head.fc.bias": torch.ones(3)}), "weights.other-tensors"),
        (lambda each: each.update({"head.fc.bias": torch.ones(1000, dtype=torch.int32)}), "weights.other-tensors"),
        (lambda each: each.update({"head.fc.bias": torch.full((1000,), torch.nan)}), "weights.not-finite"),
        (
            lambda each: each.update({"backbone.stem.conv.bn.running_var": -torch.ones(16)}),
            "weights.negative-variance",
        ),
    ],
)
def test_odd_arrays(change: Callable[[dict[str, Tensor]], Any], code: str, tmp_path: Path) -> None:
    tensors = state(CLASSIFIER)
    change(tensors)
    torch.save(tensors, tmp_path / "net.pth")
    with refuses(code):
        open_weights(tmp_path / "net.pth", network(CLASSIFIER))


def test_a_darknet_file_is_refused(tmp_path: Path) -> None:
    with refuses("weights.other-kind"):
        open_weights(save(tmp_path, b"\0\0\0\0\x02\0\0\0\x05\0\0\0" + bytes(range(256))), network(CLASSIFIER))


# --- generations


def first(norm: float, scale: float = 1, variance: float = 0.999) -> tuple[Any, Any, Any]:
    """A convolution of two filters, the larger of this norm, and its batch norm."""
    weight = np.zeros((2, 12, 3, 3), np.float32)
    weight[0, 0, 0, 0], weight[1, 3, 1, 1] = norm, -norm / 10
    return weight, np.full(2, scale, np.float32), np.full(2, variance, np.float32)


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        (first(15.6), True),
        (first(0.263), False),
        (first(2.001), True),
        (first(1.999), False),
        (first(1.0, scale=-3), True),
        (first(1.0, scale=3, variance=9 - 1e-3), False),
        (first(1.0, variance=58**2), False),
        (first(1.0, variance=0.01), True),
    ],
)
def test_the_first_convolution_shows_the_pixels(arrays: tuple[Any, Any, Any], expected: bool) -> None:
    assert normalised(*arrays) is expected


@pytest.mark.parametrize(("stem", "own"), [(1e-3, NANO), (10, f"{NANO}-legacy")])
def test_the_other_generations_weights_are_read_with_a_warning(stem: float, own: str, tmp_path: Path) -> None:
    torch.save({"model": state(NANO, stem)}, tmp_path / "net.pth")
    for name in (NANO, f"{NANO}-legacy"):
        weights = open_weights(tmp_path / "net.pth", network(name))
        assert ("warning:" in weights.said) is (name != own)
        if name != own:
            assert f"as of {own};" in weights.said["warning:"]
    model, alike = model_of(tmp_path / "net.pth")
    assert [model.name, *alike] == [own, *({NANO, f"{NANO}-legacy"} - {own})]


@pytest.mark.parametrize("name", ["yolox-nano", "yolox-nano-legacy"])
@pytest.mark.reference("weights/yolox-nano.safetensors", "weights/yolox-nano-legacy.safetensors")
def test_real_weights_load_strictly(name: str, shared: Path) -> None:
    file, each = shared / f"weights/{name}.safetensors", network(name)
    weights = open_weights(file, each)
    assert dict(weights.said) == {}
    assert model_of(file)[0].name == name
    module = load(each.design.module(), each, weights)
    stored = {key: array for key, array in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    from safetensors.torch import load_file

    assert all(torch.equal(array, load_file(file)[key]) for key, array in list(stored.items())[:20])
    facts = summary(weights, each, [])
    assert facts["numbers"] == "927551, all finite"
    assert facts["layers"].startswith("332 of 332")


# --- the catalogue


def test_identified_by_their_arrays(tmp_path: Path) -> None:
    torch.save(state(CLASSIFIER), tmp_path / "net.pth")
    (match,) = identify(tmp_path / "net.pth")
    assert (match.model, match.complete) == (CLASSIFIER, True)
    torch.save({"weight": torch.ones(3)}, tmp_path / "other.pth")
    with refuses("weights.unknown-model"):
        identify(tmp_path / "other.pth")


def test_found_by_the_authors_names(tmp_path: Path) -> None:
    assert file_names("yolox-s")[0] == "yolox_s.pth"
    assert find(MODELS["yolox-s"], tmp_path) is None
    (tmp_path / "yolox_s.pth").write_bytes(b"x")
    assert find(MODELS["yolox-s"], tmp_path) == tmp_path / "yolox_s.pth"
    assert find(MODELS["yolox-s-legacy"], tmp_path) is None
    rows = {(each.table, each.id): each for each in weight_files()}
    row = rows["yolox-standard", "yolox-s"]
    assert (row.file, row.size, row.short_size, row.status) == ("yolox_s.pth", None, None, "released")


def test_known_arrays_under_another_network() -> None:
    assert remark(network(CLASSIFIER), "0" * 64) is None
