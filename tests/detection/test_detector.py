"""Every kind of detector through the one interface, from an image to its detections."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from refusals import refuses
from torch import Tensor, nn
from torch_arrays import computing, draw

from cspbench.data.detection_presets import PRESETS, detection_preset
from cspbench.detection import decode_yolo
from cspbench.detection.candidates import Candidates
from cspbench.detection.detector import DarknetDetector, Detector, QuotedDetector, YoloxDetector, detector_of
from cspbench.detection.nms import nms
from cspbench.inference import engine
from cspbench.inference.description import describe
from cspbench.inference.device import look_up
from cspbench.network.epsilon import Epsilon
from cspbench.network.module import to_module
from cspbench.network.network import Network
from cspbench.zoo import registry

README = detection_preset("readme")
QUOTED = ["snet49-thundernet", "snet146-thundernet", "pelee-304", "refinedetlite"]
DARKNETS = [
    name for name in registry.names_of_layered() if name not in QUOTED and registry.MODELS[name].build().detections
]


def detector(name: str, size: tuple[int, int] | None = None) -> tuple[Network, Detector]:
    """A catalogue's network, and the detector that it is under the preset readme."""
    network = registry.model(name).build()
    network = network if size is None else network.resized(*size)
    return network, detector_of(describe(network), README, registry.model(name).detector_protocol)


def picture(height: int = 180, width: int = 260) -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """A drawn image: two rectangles on a slope of colours."""
    rows, columns = np.mgrid[:height, :width]
    image = np.stack((rows % 256, columns % 256, (rows + columns) % 256), 2).astype(np.uint8)
    image[20:90, 30:120] = (200, 30, 40)
    image[100:170, 140:250] = (20, 60, 220)
    return image


def valid(image: Candidates) -> None:
    """What every stage of the evaluation relies on."""
    assert image.boxes.dtype == np.float32
    assert [str(each.dtype) for each in (image.box, image.category, image.score)] == ["int32", "int16", "float32"]
    assert np.isfinite(image.boxes).all()
    assert (image.boxes[:, 2:] >= 0).all()
    assert ((image.category >= 0) & (image.category < 80)).all()
    assert ((image.score > 0) & (image.score <= 1)).all()
    assert (np.diff(image.box) >= 0).all()
    assert ((image.box >= 0) & (image.box < len(image.boxes))).all()


@torch.no_grad()
def _decided(module: nn.Module) -> None:
    """Second stages that do not find all classes alike: 1/81 is below ThunderNet's threshold."""
    for conv in module.modules():
        if isinstance(conv, nn.Conv2d) and conv.out_channels == 81:
            conv.weight.mul_(50)


@pytest.mark.parametrize("name", [*QUOTED, *DARKNETS])
def test_detections_of_random_weights_are_valid(name: str) -> None:
    # Darknet's at a third of their size or less: all of their random boxes pass the threshold
    network, result = detector(name, (96, 96) if name in DARKNETS else None)
    pixels = result.prepare(picture())
    assert pixels.shape == network.input == (3, *result.size)
    module = draw(to_module(network))
    _decided(module)
    with computing():
        outputs: tuple[Tensor, ...] | Tensor = module(torch.from_numpy(pixels)[None])
    each = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    assert [tuple(output.shape) for output in each] == [(1, *network.shape(at)) for at in network.detections]
    assert list(result.heads) == [network.layers[at] for at in network.detections]
    assert all(bool(output.isfinite().all()) for output in each)
    (candidates,) = result.candidates([output.numpy() for output in each], [(260, 180)], ["drawn"])
    valid(candidates)
    assert len(candidates) > 0
    detections = result.suppress(candidates)
    valid(detections)
    assert 0 < len(detections) <= min(len(candidates), 500 if name in QUOTED else len(candidates))
    assert Epsilon(result.epsilon)
    assert result.forward_json()


@pytest.mark.parametrize("name", ["snet49-thundernet", "pelee-304"])
def test_the_engine_runs_them_folded_and_fused(name: str) -> None:
    network, own = detector(name)
    module = draw(to_module(network))
    x = torch.from_numpy(own.prepare(picture()))[None].repeat(2, 1, 1, 1)
    x[1] *= 0.5
    with computing():
        plain = module(x)
        (expected, *_) = [plain] if isinstance(plain, Tensor) else plain
        ready = engine.prepare(module, torch.device("cpu"))
        (result, *_) = ready(x)
    if name == "pelee-304":
        torch.testing.assert_close(result, expected, rtol=1e-3, atol=1e-3)
    else:
        # the last proposals may change places when scores are rounded otherwise
        same = (result - expected).abs().amax(1)[..., 0] < 1e-2 * expected.abs().max()
        assert same.float().mean() > 0.9


def test_darknets_detector_is_the_preset_and_the_decoder() -> None:
    network, result = detector("yolov3-tiny", (96, 128))
    assert isinstance(result, DarknetDetector)
    np.testing.assert_array_equal(result.prepare(picture()), README.prepare(picture(), (96, 128)))
    outputs = [
        np.random.default_rng(at).normal(size=(2, *network.shape(index))).astype(np.float32)
        for at, index in enumerate(network.detections)
    ]
    extents, names = [(260, 180), (50, 60)], ["a", "b"]
    mine = result.candidates(outputs, extents, names)
    theirs = decode_yolo.decode(outputs, result.heads, (96, 128), extents, README.conf, names)
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_array_equal(one.score, other.score)
        kept = result.suppress(one)
        np.testing.assert_array_equal(kept.score, one.score[nms(one, README.nms)])
        assert len(kept) < len(one)


def test_pixels_by_hand() -> None:
    """4x2 pixels to 2x2: each place lies in the middle between two columns, whose mean is rounded half to even."""
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, :, 0] = (10, 20, 30, 41)
    image[:, :, 1] = 100
    image[1, :, 2] = 200
    protocol = registry.model("pelee-304").detector_protocol
    assert protocol is not None
    result = QuotedDetector((), (2, 2), protocol).prepare(image)
    blue, green, red = ((value - mean) * 0.017 for value, mean in ((0, 103.94), (100, 116.78), (15, 123.68)))
    np.testing.assert_allclose(result[:, 0, 0], (blue, green, red), rtol=1e-5)
    assert result[2, 0, 1] == pytest.approx((36 - 123.68) * 0.017, rel=1e-5)  # (30 + 41) / 2 = 35.5
    assert result[0, 1, 0] == pytest.approx((200 - 103.94) * 0.017, rel=1e-5)
    thunder = registry.model("snet49-thundernet").detector_protocol
    assert thunder is not None
    out = np.empty((3, 2, 2), np.float32)
    again = QuotedDetector((), (2, 2), thunder).prepare(image, out)
    assert again is out
    assert out[0, 0, 0] == pytest.approx((15 - 123.675) / 58.395, rel=1e-5)


def in_levels(name: str, rules: str) -> Detector:
    quoted = registry.model(name).detector_protocol
    if quoted is not None:
        return QuotedDetector((), (40, 56), quoted)
    return YoloxDetector((), (40, 56), detection_preset(rules))


@pytest.mark.parametrize(
    ("name", "rules"),
    [(name, "readme") for name in QUOTED] + [("yolox-s", rules) for rules in ("yolox", "yolox-legacy", "mmdet")],
)
@pytest.mark.parametrize("size", [(30, 70), (90, 31), (40, 56), (1, 200)])
def test_bytes_and_a_table_are_the_same_input(name: str, rules: str, size: tuple[int, int]) -> None:
    one, levels = in_levels(name, rules), np.empty((40, 56, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(size[0]).integers(0, 256, (*size, 3), np.uint8)).save(file, "PNG")
    expected, extent = one.load(file.getvalue(), "one")
    assert one.load_levels(file.getvalue(), "one", levels) == extent
    assert one.levels is not None
    found = look_up(torch.from_numpy(levels)[None], torch.from_numpy(one.levels))[0]
    assert found.numpy().tobytes() == expected.tobytes()


def test_darknets_floats_have_no_table() -> None:
    assert all(in_levels("yolox-s", name).levels is None for name, rules in PRESETS.items() if not rules.exact)


def test_protocols_are_their_authors() -> None:
    assert [name for name, model in registry.MODELS.items() if model.detector_protocol] == QUOTED
    pelee = detector("pelee-304")[1].forward_json()
    assert (pelee["conf"], pelee["epsilon"], pelee["nms_kind"]) == (0.01, "inside-1e-3", "default")
    assert pelee["nms"] == {"overlap": 0.45, "considered": 400, "kept": 200}
    thunder = detector("snet146-thundernet")[1].forward_json()
    assert (thunder["nms"]["overlap"], thunder["nms"]["kept"], thunder["nms_kind"]) == (0.5, 100, "soft")


def test_a_classifier_detects_nothing() -> None:
    with refuses("usage.other-task"):
        detector("darknet53")


def test_another_size() -> None:
    _, result = detector("yolov3-tiny", (256, 288))
    assert result.size == (256, 288)
    assert result.prepare(picture()).shape == (3, 256, 288)


def test_head_alone_heeds_letter_box() -> None:
    asked = describe(replace(registry.model("yolov3-tiny").build(), letter_box=True))
    plain = replace(asked, letter_box=False)
    letterboxed = {
        name: (detector_of(asked, preset).rules.letterbox, detector_of(plain, preset).rules.letterbox)  # type: ignore[union-attr]
        for name, preset in PRESETS.items()
        if not preset.exact
    }
    assert letterboxed == {
        "readme": (False, False),
        "head": (True, False),
        "letterbox": (True, True),
        "pjreddie": (True, True),
    }
    result = detector_of(replace(asked, input=(3, 64, 64)), PRESETS["head"])
    image = np.full((20, 40, 3), 255, np.uint8)
    values = result.prepare(image)
    assert (values[:, :16] == 0.5).all()
    assert (values[:, 48:] == 0.5).all()
    assert (values[:, 16:47] == 1).all()
    assert result.forward_json()["letterbox"] is True
    assert "cfg_letterbox" not in PRESETS["head"].as_json()


@pytest.mark.parametrize("channels", [2, 4])
def test_no_image_has_such_channels(channels: int) -> None:
    description = replace(describe(registry.model("yolov3-tiny").build()), input=(channels, 32, 32))
    with refuses("usage.input-channels", found=f"{channels} channels"):
        detector_of(description, README)


def test_one_channel_is_grey() -> None:
    description = replace(describe(registry.model("yolov3-tiny").build()), input=(1, 2, 2))
    stream = io.BytesIO()
    Image.fromarray(np.full((2, 2, 3), (10, 100, 200), np.uint8)).save(stream, "PNG")
    values, extent = detector_of(description, README).load(stream.getvalue(), "two.png")
    assert extent == (2, 2)
    assert values == pytest.approx(np.full((1, 2, 2), 84 / 255), abs=1e-7)  # (770 + 15000 + 5800) >> 8
