"""Definitions and weights in files, and what other programs make of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from refusals import refuses
from safetensors.torch import load_file
from timm_cspnet import constants

import cspbench
from cspbench.evaluation.subject import subject_of
from cspbench.network import cfg
from cspbench.network.network import difference
from cspbench.weights.arrays import digest
from cspbench.weights.catalogue import shipped
from cspbench.weights.opening import open_weights
from cspbench.zoo.registry import model
from cspbench.zoo.timm_import import import_timm

DETECTOR = "sample-csp-detector"


@pytest.mark.parametrize("suffix", ["safetensors", "pth", "weights"])
def test_weights_load_into_the_model_that_is_created(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix}"
    exported = cspbench.export_model(DETECTOR, path, check=True)
    assert [(each.absolute, each.largest > 10) for each in exported.differences] == [(0.0, True)] * 2
    original, network = shipped(DETECTOR), model(DETECTOR).build()
    assert original is not None
    assert open_weights(path, network).digest == open_weights(original, network).digest
    if suffix == "weights":
        assert digest(path) == digest(original)
        return
    state = load_file(path) if suffix == "safetensors" else torch.load(path, weights_only=True)
    created = cspbench.create_model(DETECTOR)
    expected = subject_of(DETECTOR).build("inside-1e-5").state_dict()
    for tensor in created.state_dict().values():
        tensor.zero_()
    created.load_state_dict(state, strict=True)
    assert all(torch.equal(value, expected[name]) for name, value in created.state_dict().items())


def test_a_definition(tmp_path: Path) -> None:
    exported = cspbench.export_model("csresnext50", tmp_path / "a.cfg", check=True)
    assert [(each.output, each.absolute) for each in exported.differences] == [("layers", 0.0)]
    assert difference(cfg.read(tmp_path / "a.cfg").network, model("csresnext50").build()) is None


def test_a_card_loads_into_timm(tmp_path: Path) -> None:
    torch.save(constants("timm/cspresnext50"), tmp_path / "in.pth")
    for form in ("timm", "mmpretrain"):
        out = tmp_path / f"{form}.pth"
        exported = cspbench.export_model("timm/cspresnext50", out, form, weights=tmp_path / "in.pth")
        assert exported.passed
    timms = import_timm().create_model("cspresnext50")
    timms.load_state_dict(torch.load(tmp_path / "timm.pth", weights_only=True), strict=True)


def test_what_has_no_weights_or_no_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)
    with refuses("usage.no-weights"):
        cspbench.export_model("csdarknet53", tmp_path / "a.onnx")
    with refuses("usage.not-a-card"):
        cspbench.export_model(DETECTOR, tmp_path / "a.pth", "timm")
    cspbench.export_model(DETECTOR, tmp_path / "a.cfg")
    with refuses("usage.cfg-without-weights"):
        cspbench.export_model(cfg.read(tmp_path / "a.cfg").network, tmp_path / "a.onnx")
    with refuses("usage.file-exists", where=str(tmp_path / "a.cfg")):
        cspbench.export_model(DETECTOR, tmp_path / "a.cfg")
    cspbench.export_model(DETECTOR, tmp_path / "a.cfg", force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.cfg"]
