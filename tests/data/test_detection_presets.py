"""The presets are the specification's section 0; what can be overridden is, and is written down."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from PIL import Image

from cspbench.data.detection_presets import PRESETS, DetectionPreset, detection_preset
from cspbench.data.resize import letterbox, resize_image
from cspbench.errors import BadImageError, UsageError


def test_the_constants() -> None:
    table = {
        "readme": (0.005, 0.45, "default", False, "underscore", "inside-1e-5", "opencv"),
        "head": (0.001, 0.6, "cfg", False, "basename", "inside-1e-5", "stb"),
        "letterbox": (0.005, 0.45, "default", True, "underscore", "inside-1e-5", "stb"),
        "pjreddie": (0.005, 0.45, "default", True, "underscore", "outside-1e-6", "stb"),
    }
    assert {
        name: (each.conf, each.nms, each.nms_kind, each.letterbox, each.image_id, each.epsilon, each.decoder)
        for name, each in PRESETS.items()
    } == table
    assert detection_preset("head") is PRESETS["head"]
    with pytest.raises(UsageError, match="no preset 'x'"):
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
    loaded, extent = PRESETS["readme"].load(stream.getvalue(), (32, 64), "a.png")
    np.testing.assert_array_equal(loaded, stretched)
    assert extent == (50, 30)
    with pytest.raises(BadImageError, match=r"b\.png"):
        PRESETS["readme"].load(b"no image", (32, 64), "b.png")


def test_overriding() -> None:
    changed = PRESETS["readme"].overridden(conf=0.1, nms=0.7, nms_kind="diou")
    assert (changed.conf, changed.nms, changed.nms_kind, changed.name) == (0.1, 0.7, "diou", "readme")
    assert PRESETS["readme"].overridden() == PRESETS["readme"]
    assert PRESETS["readme"].overridden(decoder="stb").decoder == "stb"
    with pytest.raises(UsageError, match="libjpeg is now opencv"):
        PRESETS["readme"].overridden(decoder="libjpeg")
    assert PRESETS["readme"].overridden(conf=0.0).conf == 0
    with pytest.raises(UsageError, match="--conf is out of range"):
        PRESETS["readme"].overridden(conf=1.5)
    with pytest.raises(UsageError, match="--nms is out of range"):
        PRESETS["readme"].overridden(nms=float("nan"))
    with pytest.raises(UsageError, match="no kind of suppression 'soft'"):
        PRESETS["readme"].overridden(nms_kind="soft")


def test_everything_is_written_down() -> None:
    written = PRESETS["head"].as_json()
    assert json.loads(json.dumps(written)) == written
    assert set(DetectionPreset.__dataclass_fields__) <= set(written)
    # one forward pass serves every suppression
    assert PRESETS["readme"].forward_json() == PRESETS["readme"].overridden(nms=0.7, nms_kind="greedy").forward_json()
    assert PRESETS["readme"].forward_json() != PRESETS["readme"].overridden(conf=0.1).forward_json()
    assert PRESETS["readme"].forward_json() != PRESETS["letterbox"].forward_json()


def test_kinds_of_nms_by_their_names_in_a_cfg() -> None:
    found = [detection_preset("readme").overridden(nms_kind=kind).nms_kind for kind in ("greedynms", "diounms", "cfg")]
    assert found == ["greedy", "diou", "cfg"]
    with pytest.raises(UsageError, match=r"expected one of default, greedy, diou, greedynms, diounms, cfg\)"):
        detection_preset("readme").overridden(nms_kind="soft")
