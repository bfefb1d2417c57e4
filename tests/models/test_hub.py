"""torch.hub on a checkout."""

from __future__ import annotations

import runpy
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

import cspbench

ROOT = Path(cspbench.__file__).parents[1]


def load(name: str, **options: object) -> object:
    return torch.hub.load(str(ROOT), name, source="local", **options)  # type: ignore[no-untyped-call]


def test_models_by_their_names() -> None:
    sample = load("sample-csp-classifier", pretrained=True)
    assert isinstance(sample, torch.nn.Module)
    assert not sample.training
    assert torch.equal(
        sample.state_dict()["layers.0.conv.weight"],
        cspbench.create_model("sample-csp-classifier", weights="published").state_dict()["layers.0.conv.weight"],
    )
    maps = load("cspresnext50", features_only=True)
    assert getattr(maps, "strides", None) == [2, 4, 8, 16, 32]


def test_every_model_has_an_entry() -> None:
    hub = runpy.run_path(str(ROOT / "hubconf.py"))
    entries = {name for name, entry in hub.items() if callable(entry) and not name.startswith("_")}
    assert entries == {*cspbench.list_models(), "cspdarknet53", "cspresnet50", "cspresnext50", "efficientnet_b0"}
    assert all(find_spec(name) for name in hub["dependencies"])


def test_an_unknown_name() -> None:
    with pytest.raises(RuntimeError, match="csresnext51"):
        load("csresnext51")
