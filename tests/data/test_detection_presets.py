"""The presets are the specification's section 0; what can be overridden is, and is written down."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusals import refuses

from cspbench.data.detection_presets import PRESETS, DetectionPreset, detection_preset
from cspbench.data.resize import letterbox, resize_image
from cspbench.detection.detector import DarknetDetector


def test_the_constants() -> None:
    table = {
        "readme": (0.005, 0.45, "default", False, "underscore", "inside-1e-5", "opencv"),
        "head": (0.001, 0.6, "cfg", False, "basename", "inside-1e-5", "stb"),
        "letterbox": (0.005, 0.45, "default", True, "underscore", "inside-1e-5", "stb"),
        "pjreddie": (0.005, 0.45, "default", True, "underscore", "outside-1e-6", "stb"),
        "yolox": (0.001, 0.65, "default", True, None, "inside-1e-3", "opencv"),
        "yolox-legacy": (0.001, 0.65, "default", True, None, "inside-1e-3", "opencv"),
        "yolox-nms-free": (0.001, 1.0, "default", True, None, "inside-1e-3", "opencv"),
        "mmdet": (0.001, 0.65, "default", True, None, "inside-1e-3", "opencv"),
    }
    assert {
        name: (each.conf, each.nms, each.nms_kind, each.letterbox, each.image_id, each.epsilon, each.decoder)
        for name, each in PRESETS.items()
    } == table
    assert {name: (each.resize, each.normalised, each.most) for name, each in PRESETS.items() if each.exact} == {
        "yolox": ("yolox", False, 100),
        "yolox-legacy": ("yolox", True, 100),
        "yolox-nms-free": ("yolox", True, 100),
        "mmdet": ("mmdet", False, 1000),
    }
    assert {each.resize for each in PRESETS.values() if not each.exact} == {"darknet"}
    assert detection_preset("head") is PRESETS["head"]
    known = "one of readme, head, letterbox, pjreddie, yolox, yolox-legacy, yolox-nms-free, mmdet"
    with refuses("usage.unknown-preset", expected=known, found="x"):
        detection_preset("x")


def test_the_input() -> None:
    image = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    stretched = PRESETS["readme"].prepare(image, (32, 64))
    assert stretched.shape == (3, 32, 64)
    assert stretched.dtype == np.float32
    np.testing.assert_array_equal(stretched, resize_image(image, 64, 32))
    out = np.empty((3, 32, 64), np.float32)
    assert PRESETS["pjreddie"].prepare(image, (32, 64), out) is out
    np.testing.assert_array_equal(out, letterbox(image, 64, 32))
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    loaded, extent = DarknetDetector((), (32, 64), PRESETS["readme"]).load(stream.getvalue(), "a.png")
    np.testing.assert_array_equal(loaded, stretched)
    assert extent == (50, 30)
    with refuses("image.undecodable", where="b.png"):
        DarknetDetector((), (32, 64), PRESETS["readme"]).load(b"no image", "b.png")


def test_overriding() -> None:
    changed = PRESETS["readme"].overridden(conf=0.1, nms=0.7, nms_kind="diou")
    assert (changed.conf, changed.nms, changed.nms_kind, changed.name) == (0.1, 0.7, "diou", "readme")
    assert PRESETS["readme"].overridden() == PRESETS["readme"]
    assert PRESETS["readme"].overridden(decoder="stb").decoder == "stb"
    with refuses("usage.unknown-decoder", expected="one of opencv, stb, pillow", found="libjpeg"):
        PRESETS["readme"].overridden(decoder="libjpeg")
    assert PRESETS["readme"].overridden(conf=0.0).conf == 0
    with refuses("usage.out-of-range", expected="0 to 1", found="1.5", remedy="Correct --conf"):
        PRESETS["readme"].overridden(conf=1.5)
    with refuses("usage.out-of-range", expected="0 to 1", found="nan", remedy="Correct --nms"):
        PRESETS["readme"].overridden(nms=float("nan"))
    kinds = "one of default, greedy, diou, greedynms, diounms, cfg"
    with refuses("usage.unknown-nms-kind", expected=kinds, found="soft"):
        PRESETS["readme"].overridden(nms_kind="soft")


@pytest.mark.parametrize("option", ["conf", "nms"])
def test_thresholds_are_shares(option: Any) -> None:
    def changed(value: float) -> DetectionPreset:
        options: dict[str, Any] = {option: value}
        return PRESETS["readme"].overridden(**options)

    for value in (0.0, 1.0, 1e-9):
        assert getattr(changed(value), option) == value
    for value in (-1e-9, 1 + 1e-9, -1.0, 2.0, float("inf"), float("nan")):
        with refuses("usage.out-of-range", found=f"{value:g}", remedy=f"Correct --{option}"):
            changed(value)


@pytest.mark.parametrize("kind", ["Greedy", "greedynms ", "cornersnms", ""])
def test_no_other_kind_of_suppression(kind: str) -> None:
    with refuses("usage.unknown-nms-kind", found=kind):
        PRESETS["readme"].overridden(nms_kind=kind)


def test_a_letterbox_is_for_the_height_and_width_of_the_input() -> None:
    white = np.full((2, 4, 3), 255, np.uint8)
    result = PRESETS["letterbox"].prepare(white, (6, 7))  # 7 wide: 3 rows of it from row 1 on
    assert result.shape == (3, 6, 7)
    assert (result[:, [0, 4, 5]] == 0.5).all()
    assert (result[:, 1:3] > 0.99).all()


def test_what_the_candidates_depend_on_is_part_of_the_forward() -> None:
    """Neither its name nor what comes after the network: NMS and how ids are read."""
    base = PRESETS["readme"]
    after: list[dict[str, Any]] = [{"name": "other"}, {"nms": 0.7}, {"nms_kind": "diou"}, {"image_id": "basename"}]
    for change in (*after, {"most": 1000}):
        assert replace(base, **change).forward_json() == base.forward_json()
    before: list[dict[str, Any]] = [{"conf": 0.1}, {"letterbox": True}, {"epsilon": "outside-1e-6"}]
    before += [{"resize": "yolox"}, {"normalised": True}]
    for change in before:
        assert replace(base, **change).forward_json() != base.forward_json()
    assert replace(base, nms=0.7).as_json() != base.as_json()


def test_everything_is_written_down() -> None:
    written = PRESETS["head"].as_json()
    assert json.loads(json.dumps(written)) == written
    # a run records the letterbox that follows from the cfg, and what is newer only where it is not at its default
    newer = {"normalised": True, "most": 1000}
    assert set(DetectionPreset.__dataclass_fields__) - {"cfg_letterbox", *newer} == set(written)
    for field, value in newer.items():
        change: dict[str, Any] = {field: value}
        assert replace(PRESETS["head"], **change).as_json() == {**written, **change}
    # one forward pass serves every suppression
    assert PRESETS["readme"].forward_json() == PRESETS["readme"].overridden(nms=0.7, nms_kind="greedy").forward_json()
    assert PRESETS["readme"].forward_json() != PRESETS["readme"].overridden(conf=0.1).forward_json()
    assert PRESETS["readme"].forward_json() != PRESETS["letterbox"].forward_json()


def test_kinds_of_nms_by_their_names_in_a_cfg() -> None:
    kinds = [detection_preset("readme").overridden(nms_kind=kind).nms_kind for kind in ("greedynms", "diounms", "cfg")]
    assert kinds == ["greedy", "diou", "cfg"]
