"""Models as torch modules: their initial arrays, weights, modes and heads."""

from __future__ import annotations

import copy
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from refusals import refuses
from torch import Tensor

import cspbench
from cspbench.errors import WeightsError
from cspbench.inference.description import describe
from cspbench.models import sources
from cspbench.models.heads import with_classes
from cspbench.network import cfg
from cspbench.network.network import Network
from cspbench.weights import darknet, safetensors_file
from cspbench.weights.catalogue import shipped
from cspbench.weights.header import Header
from cspbench.weights.loading import extract
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import MODELS, model
from cspbench.zoo.timm_import import import_timm

CLASSIFIER, DETECTOR = "sample-csp-classifier", "sample-csp-detector"
TASTED = (
    *("csresnext50", "csdarknet53-omega", "peleenet-swish-se", "enetb0", "mixnet-m-gpu", "res2netlite72"),
    *("cspdensenet-ref", "yolov3-tiny-prn", "csppeleenet-prn", "timm/cspresnext50"),
)
"""One of each kind of layers; all others were run once."""


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)


def outputs(module: Any, x: Tensor) -> list[Tensor]:
    out = module(x)
    return list(out) if isinstance(out, tuple | list) else [out]


@pytest.mark.parametrize("name", TASTED)
def test_a_new_model_is_finite_in_both_modes_and_can_be_trained(name: str) -> None:
    torch.manual_seed(0)
    module = cspbench.create_model(model(name).build().resized(64, 64))
    assert module.training
    x = torch.rand(2, 3, 64, 64)
    result = outputs(module, x)
    sum(out.square().mean() for out in result).backward()  # type: ignore[union-attr]
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in module.parameters())
    module.eval()
    assert all(out.isfinite().all() for out in (*result, *outputs(module, x)))


def test_arrays_are_drawn_as_darknet_draws_them() -> None:
    text = """
    [net]
    width=4
    height=4
    channels=4
    [convolutional]
    batch_normalize=1
    filters=400
    size=3
    pad=1
    groups=2
    [convolutional]
    filters=7
    activation=linear
    [local]
    filters=5
    size=2
    [connected]
    output=3
    """
    network = cfg.parse("\n".join(line.strip() for line in text.splitlines()), "net").network
    torch.manual_seed(1)
    module = cspbench.create_model(network)
    arrays = extract(module, network)
    first = arrays[0]["weight"]
    limit = (2 / (3 * 3 * 4 // 2)) ** 0.5
    assert 0.99 * limit < abs(first).max() <= limit
    assert first.var() == pytest.approx(limit**2 / 3, rel=0.05)  # of a uniform law, not He's normal one
    for at, inputs in ((1, 400), (2, 2 * 2 * 7), (3, 5 * 3 * 3)):
        limit = (2 / inputs) ** 0.5
        assert 0.8 * limit < abs(arrays[at]["weight"]).max() <= limit
        assert not arrays[at]["bias"].any()
    assert {role: set(arrays[0][role].tolist()) for role in ("scale", "bias", "mean", "variance")} == {
        "scale": {1.0},
        "bias": {0.0},
        "mean": {0.0},
        "variance": {1.0},
    }
    torch.manual_seed(1)
    assert all(map(torch.equal, module.parameters(), cspbench.create_model(network).parameters()))
    assert not torch.equal(next(module.parameters()), next(cspbench.create_model(network).parameters()))


def test_the_weights_are_the_files_or_the_published_ones() -> None:
    file = shipped(CLASSIFIER)
    assert file is not None
    expected = open_weights(file, model(CLASSIFIER).build()).arrays
    for weights in (file, str(file), "published"):
        module = cspbench.create_model(CLASSIFIER, weights=weights)
        assert not module.training
        assert module.description == describe(model(CLASSIFIER).build())
        result = extract(module, model(CLASSIFIER).build())
        assert all(
            (array == there[role]).all()
            for layer, there in zip(result, expected, strict=True)
            for role, array in layer.items()
        )
    drawn = extract(cspbench.create_model(CLASSIFIER), model(CLASSIFIER).build())
    assert (drawn[0]["weight"] != expected[0]["weight"]).any()


def test_published_weights_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with refuses("weights.not-there", where="$CSPBENCH_WEIGHTS, which is not set") as caught:
        cspbench.create_model("CSPDarkNet-53", weights="published")
    assert "csdarknet53.weights (110,710,068 bytes, released)" in str(caught.value)
    assert "weights fetch csdarknet53" in str(caught.value.remedy)
    monkeypatch.setenv("CSPBENCH_WEIGHTS", str(tmp_path))
    with refuses(
        "weights.not-there", where=str(tmp_path), expected="csresnet10.weights (10,954,420 bytes, never-released)"
    ):
        cspbench.create_model("csresnet10", weights="published")
    with refuses("weights.not-there", expected="mine.weights (of no published row)"):
        cspbench.create_model(Network("mine", (3, 8, 8), model("darknet").build().layers[:1]), weights="published")


def test_timms_weights_of_the_cards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = import_timm().create_model("cspresnet50").eval()
    asked = []

    def create(name: str, pretrained: bool) -> Any:
        asked.append((name, pretrained))
        return theirs

    monkeypatch.setattr(sources, "import_timm", lambda: SimpleNamespace(create_model=create))
    module = cspbench.create_model("cspresnet50_3rdparty_8xb32_in1k", weights="published")
    assert asked == [("cspresnet50", True)]
    assert (module.meta.preset, module.meta.input_size) == ("timm", (3, 256, 256))
    assert module.meta.class_names[0] == "tench, Tinca tinca"
    x = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(module(x).flatten(1), theirs(x), atol=1e-4, rtol=1e-4)

    def offline(name: str, pretrained: bool) -> Any:
        raise OSError("no connection")

    monkeypatch.setattr(sources, "import_timm", lambda: SimpleNamespace(create_model=offline))
    with refuses("weights.timm-download", found="OSError: no connection"):
        cspbench.create_model("cspresnet50", weights="published")


@pytest.mark.parametrize("form", ["weights", "safetensors"])
def test_weights_that_darknet_trained_are_not_timms(form: str, tmp_path: Path) -> None:
    """csdarknet53 stores the same arrays as timm's cspdarknet53, whose leaky slope is another."""
    network = model("csdarknet53").build()
    arrays = extract(cspbench.create_model(network), network)
    file = tmp_path / f"csdarknet53.{form}"
    write = darknet.write if form == "weights" else safetensors_file.write
    if form == "safetensors":
        network = model("timm/cspdarknet53").build()
        arrays = arrays[: len(network.layers)]
    write(file, network, arrays, Header(seen=1))
    with refuses("weights.trained-by-darknet"):
        cspbench.create_model("cspdarknet53", weights=file)
    write(file, network, arrays, Header())
    assert cspbench.create_model("cspdarknet53", weights=file).meta.name == "timm/cspdarknet53"


def test_another_number_of_classes_keeps_the_rest() -> None:
    own = cspbench.create_model(CLASSIFIER, weights="published")
    with pytest.warns(UserWarning, match="layer 38"):
        module = cspbench.create_model(CLASSIFIER, weights="published", num_classes=5)
    assert module.meta.class_names == ()
    assert module(torch.rand(1, 3, 64, 64)).shape == (1, 5, 1, 1)
    kept, replaced = own.state_dict(), module.state_dict()
    differing = {name for name in kept if kept[name].shape != replaced[name].shape}
    assert differing == {"layers.38.conv.weight", "layers.38.conv.bias"}
    assert all(torch.equal(kept[name], replaced[name]) for name in kept.keys() - differing)
    assert not replaced["layers.38.conv.bias"].any()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        same = cspbench.create_model(CLASSIFIER, weights="published", num_classes=16)
    assert torch.equal(same.state_dict()["layers.38.conv.bias"], kept["layers.38.conv.bias"])


def test_weights_of_the_new_head_are_loaded_whole(tmp_path: Path) -> None:
    made = cspbench.create_model(DETECTOR, num_classes=2)
    network, _ = with_classes(model(DETECTOR).build(), 2)
    file = tmp_path / "mine.weights"
    darknet.write(file, network, extract(made, network))
    again = cspbench.create_model(DETECTOR, weights=file, num_classes=2)
    assert all(map(torch.equal, made.parameters(), again.parameters()))
    with pytest.raises(WeightsError):
        cspbench.create_model(DETECTOR, weights=file)


def test_a_start_for_training(tmp_path: Path) -> None:
    """A file that ends after a layer, as darknet53.conv.74, fills the layers before."""
    network = model(CLASSIFIER).build()
    file = shipped(CLASSIFIER)
    assert file is not None
    length = 20 + 4 * sum(weight.size for index in range(10) for weight in network.weights(index))
    (tmp_path / "net.conv.10").write_bytes(file.read_bytes()[:length])
    with pytest.warns(UserWarning, match="layer 10 .* and"):
        module = cspbench.create_model(CLASSIFIER, weights=tmp_path / "net.conv.10", num_classes=5)
    own = cspbench.create_model(CLASSIFIER, weights="published").state_dict()
    assert torch.equal(module.state_dict()["layers.0.conv.weight"], own["layers.0.conv.weight"])
    assert not torch.equal(module.state_dict()["layers.10.conv.weight"], own["layers.10.conv.weight"])
    with pytest.raises(WeightsError):
        cspbench.create_model(CLASSIFIER, weights=tmp_path / "net.conv.10")


def test_what_a_model_says_of_itself() -> None:
    meta = cspbench.create_model("CSPResNeXt-50").meta
    assert (meta.name, meta.input_size, meta.preset, meta.definition) == ("csresnext50", (3, 256, 256), "readme", "cfg")
    assert (meta.strides, len(meta.class_names), meta.class_names[0]) == (
        (2, 4, 8, 16, 32),
        1000,
        "kit fox, Vulpes macrotis",  # n02119789
    )
    tiny = cspbench.create_model("yolov3-tiny")
    meta = tiny.meta
    assert (tiny.preset, tiny.strides, tiny.definition) == ("readme", [32, 16], "cfg")
    assert (meta.strides, len(meta.class_names)) == ((32, 16), 80)
    assert (meta.class_names[3], meta.class_names[79]) == ("motorcycle", "toothbrush")
    meta = cspbench.create_model(DETECTOR).meta
    assert (meta.strides, meta.class_names[0], meta["class_names"][9]) == ((16, 8), "disc", "arrow")
    assert copy.copy(meta) == meta
    with pytest.raises(AttributeError):
        meta.nothing  # noqa: B018
    pelee = cspbench.create_model("pelee-304").meta
    assert (pelee.preset, pelee.strides[:2]) == ("own", (16, 16))


def test_a_cfg_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "mine.cfg"
    file.write_text(
        "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nactivation=linear\n[avgpool]\n[softmax]\n"
    )
    module = cspbench.create_model(str(file))
    assert (module.meta.name, module.meta.definition, module.meta.class_names) == ("mine", "file", ())
    assert module(torch.rand(2, 3, 8, 8)).shape == (2, 4, 1, 1)
    file.write_text(file.read_text() + "odd=1\n")
    with pytest.warns(UserWarning, match="odd"):
        cspbench.create_model(str(file))


def test_a_copy_and_a_saved_state(tmp_path: Path) -> None:
    module = cspbench.create_model(CLASSIFIER, weights="published")
    twin = copy.deepcopy(module)
    other = cspbench.create_model(CLASSIFIER)
    other.load_state_dict(module.state_dict())
    x = torch.rand(1, 3, 64, 64)
    assert torch.equal(module(x), twin(x))
    assert torch.equal(module(x), other.eval()(x))


def test_lists() -> None:
    every = cspbench.list_models()
    assert every == list(MODELS)
    assert set(cspbench.list_models(task="coco")) | set(cspbench.list_models(task="imagenet")) == set(every)
    assert cspbench.list_models(["csdark*", "yolov4"], task="coco") == ["csdarknet53-panet-spp", "yolov4"]
