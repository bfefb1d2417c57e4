"""Drawn weights: finite maps, and as many boxes as a trained network has."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cspbench.speed.drawn import CANDIDATES, DRAWN, module_of
from cspbench.speed.picture import HEIGHT, WIDTH, jpeg
from cspbench.speed.pipeline import Boxes, Classes, pipeline_of
from cspbench.speed.subjects import of_models
from cspbench.weights.catalogue import VARIABLE
from cspbench.zoo import registry


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        *(("yolov3-tiny-prn", 160), ("cspdensenetb-ref-prn", 160), ("yolox-nano", 256)),
        *(("pelee-304", None), ("snet49-thundernet", None), ("yolox-darknet53-coupled", 64)),
    ],
)
def test_a_detector_finds_as_many_boxes_as_a_trained_one(name: str, size: int | None) -> None:
    (subject,) = of_models([registry.model(name)], (size, size) if size else None).subjects
    pipeline = pipeline_of(subject)
    assert isinstance(pipeline, Boxes)
    pixels = torch.from_numpy(pipeline.load(jpeg()))[None]
    both = torch.cat((pixels, pixels.flip(-1)))
    module, weights = module_of(subject.network, pipeline.epsilon, both, pipeline.count)
    assert weights == DRAWN
    assert not module.training
    with torch.inference_mode():
        outputs = module(pixels)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    found = pipeline.interpret(outputs)
    assert 0.5 * CANDIDATES < found[0] <= 1.1 * CANDIDATES
    assert 0 < found[1] <= found[0]


def test_a_classifiers_maps_keep_their_size() -> None:
    (subject,) = of_models([registry.model("csresnet50")], (64, 64)).subjects
    pipeline = pipeline_of(subject)
    assert isinstance(pipeline, Classes)
    pixels = torch.from_numpy(pipeline.load(jpeg()))[None]
    state = torch.random.get_rng_state()
    module, _ = module_of(subject.network, pipeline.epsilon, torch.cat((pixels, pixels.flip(-1))), pipeline.count)
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.inference_mode():
        (output,) = (module(pixels),)
    assert torch.isfinite(output).all()
    pipeline.interpret((output,))


def test_a_network_with_its_weights_has_them() -> None:
    (subject,) = of_models([registry.model("sample-csp-detector")], None).subjects
    pipeline = pipeline_of(subject)
    _, weights = module_of(subject.network, pipeline.epsilon, torch.zeros(2, 3, 224, 224), pipeline.count)
    assert weights.startswith("arrays:")


def test_the_picture_is_a_photographs_size(tmp_path: Path) -> None:
    from PIL import Image

    file = tmp_path / "picture.jpg"
    file.write_bytes(jpeg())
    with Image.open(file) as image:
        assert (image.format, image.size) == ("JPEG", (WIDTH, HEIGHT))
    assert jpeg() == jpeg()
