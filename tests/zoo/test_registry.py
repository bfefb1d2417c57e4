"""The catalogue as a whole: what a name gives, and what it says of each model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from refusals import refuses

from cspbench.claims.models import Confidence, Definition
from cspbench.network.epsilon import Epsilon
from cspbench.zoo.detector_protocol import DetectorProtocol, HardNms, SoftNms
from cspbench.zoo.model import Model
from cspbench.zoo.registry import MODELS, matching, model, names_of_layered, provenance


def test_every_model_by_its_name() -> None:
    for name, entry in MODELS.items():
        assert model(name) is entry
        assert entry.name == name
        assert entry.definition in get_args(Definition)
        assert entry.confidence in get_args(Confidence)
        assert entry.source
        assert all(namesake in MODELS and namesake != name for namesake in entry.namesakes)
        assert entry.definition != "cfg" or entry.confidence == "certain"


@pytest.mark.parametrize("name", ["csdarknet5", "CSDARKNET5", "csdarknet_53"])
def test_a_near_name_is_proposed(name: str) -> None:
    with refuses("usage.unknown-model") as caught:
        model(name)
    assert "csdarknet53" in (caught.value.remedy or "")
    assert caught.value.exit_code == 2


def test_a_file_of_that_name_is_proposed_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.cfg").touch()
    for name, remedy in (("own", "Did you mean own.cfg?"), ("own" * 200, None), ("ow\0n", None)):
        with refuses("usage.unknown-model") as caught:
            model(name)
        assert (caught.value.remedy == remedy) is (remedy is not None)


@pytest.mark.parametrize("name", ["", "?", "12345678"])
def test_a_name_like_none(name: str) -> None:
    with refuses("usage.unknown-model") as caught:
        model(name)
    assert caught.value.remedy
    assert not any(each in caught.value.remedy for each in MODELS)


def test_patterns_give_models_in_the_catalogues_order() -> None:
    def names(*patterns: str) -> list[str]:
        return [entry.name for entry in matching(patterns)]

    order = list(MODELS)
    assert names("*") == order
    assert names() == []
    assert names(order[3], order[1], order[3]) == [order[1], order[3]]
    assert names("timm/*") == [name for name in order if name.startswith("timm/")]
    assert names("resnet?0") == [name for name in order if name in ("resnet10", "resnet50")]
    assert names("resnet[15]0") == names("resnet?0")
    assert names("darknet", "csdarknet53") == [name for name in order if name in ("darknet", "csdarknet53")]
    for patterns in (("*", "none*"), ("none?",), ("[x]none",), ("darknet", "none"), ("Darknet_",)):
        with refuses("usage.unknown-model"):
            names(*patterns)


def entry(**others: object) -> Model:
    return replace(MODELS["darknet"], name="mine", **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("definition", "confidence", "text"),
    [
        ("cfg", "certain", "cfg"),
        ("paper", "certain", "paper"),
        ("paper", "high", "paper, high"),
        ("reconstruction", "very high", "reconstruction, very high"),
        ("stand-in", "low", "stand-in, low"),
    ],
)
def test_where_a_definition_comes_from(
    definition: Definition, confidence: Confidence, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MODELS, "mine", entry(definition=definition, confidence=confidence))
    assert provenance("mine") == text
    assert provenance("another.cfg") == "file"
    assert entry().confidence == "certain"  # what a model has where nothing is said


def test_a_protocol_says_its_kind_of_suppression() -> None:
    protocol = DetectorProtocol(
        False, (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), Epsilon.INSIDE_1E5, 0.1, HardNms(0.5, 400, 200)
    )
    written = protocol.as_json()
    assert (written["nms_kind"], written["nms"]) == ("default", {"overlap": 0.5, "considered": 400, "kept": 200})
    assert (written["objectness"], written["conf"], written["bgr"]) == (0.0, 0.1, False)
    soft = replace(protocol, nms=SoftNms(0.3, 0.001, 100)).as_json()
    assert (soft["nms_kind"], soft["nms"]) == ("soft", {"overlap": 0.3, "floor": 0.001, "kept": 100})


def test_a_detector_that_is_not_darknets_says_how_it_is_used() -> None:
    """One with a [yolo] or [region] head is used as Darknet uses it."""
    from cspbench.network.layers import Region, Yolo

    for each in (MODELS[name] for name in names_of_layered()):
        network = each.build()
        heads = [network.layers[index] for index in network.detections]
        foreign = bool(heads) and not any(isinstance(head, Yolo | Region) for head in heads)
        assert (each.detector_protocol is not None) is foreign, each.name
