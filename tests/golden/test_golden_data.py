"""What lies here is what was computed, its rule is the rule, and the digests of layers see every change."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from cspbench.zoo.registry import MODELS
from golden import layer_lists, make, rule

HERE = Path(__file__).parent


def test_nothing_is_large() -> None:
    sizes = [path.stat().st_size for path in HERE.rglob("*") if path.is_file()]
    assert max(sizes) < 1_500_000
    assert sum(sizes) < 6_000_000


def test_every_published_network_can_be_built() -> None:
    assert len(rule.CASES) == 11
    assert len(layer_lists.published()) == 38
    assert MODELS.keys() >= {*rule.CASES, *layer_lists.published()}


@pytest.mark.reference("golden/forward")
def test_the_cases_are_the_references(shared: Path) -> None:
    cases = sorted((shared / "golden" / "forward").glob("*.npz"))
    assert {path.stem for path in cases} == set(rule.CASES)
    for path in cases:
        kept, expected = rule.load(path.stem), make.forward(path)
        assert kept.keys() == expected.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(kept[key], array)


@pytest.mark.reference("golden/training")
def test_the_training_cases_are_the_references(shared: Path) -> None:
    folder = shared / "golden" / "training"
    names = set()
    for name, expected in make.training_cases(folder):
        with np.load(make.TRAINING / name) as kept:
            assert set(kept.files) == expected.keys()
            for key, array in expected.items():
                np.testing.assert_array_equal(kept[key], array)
        names.add(name.stem)
        if name.stem != "common":
            text = (make.TRAINING / "cfg" / f"{name.stem}.cfg").read_text("utf-8")
            assert text == make.training_cfg(folder / "cfg" / f"{name.stem}.cfg")
    # pictures are held against theirs in data/test_augment_golden.py
    assert {path.stem for path in make.TRAINING.glob("*.npz")} == names | {"augment", "blur"}
    kept, expected = (json.loads((each / "learning_rates.json").read_text("utf-8")) for each in (make.TRAINING, folder))
    assert kept == expected


@pytest.mark.reference("golden/yolox")
def test_the_yolox_cases_are_the_references(shared: Path) -> None:
    names = set()
    for name, expected in make.yolox(shared / "golden" / "yolox"):
        with np.load(make.YOLOX / name) as kept:
            assert set(kept.files) == expected.keys()
            for key, array in expected.items():
                np.testing.assert_array_equal(kept[key], array)
        names.add(name)
    assert {path.name for path in make.YOLOX.glob("*.npz")} == {*names, "opencv.npz"}
    folders = (make.YOLOX, shared / "golden" / "yolox")
    kept, expected = (json.loads((each / "schedule.json").read_text("utf-8")) for each in folders)
    assert kept == expected


@pytest.mark.reference("golden/golden.py")
def test_the_rule_is_the_references(shared: Path) -> None:
    # that the weights of all cases are the original's is checked by sha256 whenever they are drawn
    spec = importlib.util.spec_from_file_location("reference_golden", shared / "golden" / "golden.py")
    assert spec is not None
    assert spec.loader is not None
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    assert rule.weights("resnet10") == reference.weights("resnet10")
    assert rule.weights("csmobilenet-v2") == reference.weights("csmobilenet-v2")
    for name in rule.CASES:
        assert rule.input_tensor(name).tobytes() == reference.input_tensor(name).tobytes()


@pytest.mark.reference(
    *("reference/cfg", "reference/more/yolov4.cfg", "reference/imagenet-darknet-order.txt"),
    *("seeds", "spec/models.md", "golden/eval"),
)
def test_the_digests_are_of_the_references(shared: Path) -> None:
    for name, content in make.everything(shared).items():
        assert json.loads((HERE / name).read_text("utf-8")) == content, name


NET = "[net]\nwidth=32\nheight=16\nchannels=3\nmomentum=0.9\n"
CONV = "[convolutional]\nfilters=8\nsize=3\nstride=2\npad=1\nactivation=leaky\n"


def test_lines_by_hand() -> None:
    text = f"{NET}\n# a stem\n{CONV} batch_normalize = 1 \n\n[maxpool]\nstride=2\n[route]\nlayers=-1,0\n"
    assert layer_lists.lines(text) == [
        "input channels=3 height=16 width=32",
        "convolutional activation=leaky antialiasing=0 batch_normalize=1 dilation=1 filters=8 groups=1 padding=1"
        " size=3 stride_x=2 stride_y=2",
        "maxpool maxpool_depth=0 padding=1 size=2 stride=2",
        "route group_id=0 groups=1 of=1,0",
    ]


def test_the_same_in_other_words_has_the_same_digests() -> None:
    other = "[net]\nheight=16\nwidth=32\nchannels=3\n[convolutional]\nsize=3\nfilters=08\nactivation=leaky\n"
    other += "padding=1\nstride_x=2\nstride_y=2\ngroups=1\n"
    assert layer_lists.digests(NET + CONV) == layer_lists.digests(other)
    anchors = "[yolo]\nmask=0,1\nanchors = 10,14,  23,27.0\nnum=2\nclasses=80\njitter=.3\n"
    more = "[yolo]\nmask = 0,1\nanchors = 10,14, 23,27, 1,1\nnum=2\nclasses=80\nscale_x_y=1.0\n"
    assert layer_lists.digests(NET + anchors) == layer_lists.digests(NET + more)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("width=32", "width=64"),
        ("filters=8", "filters=9"),
        ("stride=2", "stride_x=2"),
        ("pad=1", "pad=0"),
        ("activation=leaky", "activation=mish"),
        ("activation=leaky\n", "activation=leaky\n[dropout]\n"),
        (CONV, ""),
    ],
)
def test_every_change_is_seen(monkeypatch: pytest.MonkeyPatch, old: str, new: str) -> None:
    text = NET + CONV + CONV
    monkeypatch.setattr(layer_lists, "published", lambda: {"net": layer_lists.digests(text)})
    assert layer_lists.first_difference(text, "net") is None
    assert old in text
    assert layer_lists.first_difference(text.replace(old, new, 1), "net") is not None


def test_what_has_no_place_in_a_line_is_refused() -> None:
    with pytest.raises(ValueError, match="xnor"):
        layer_lists.lines(NET + CONV + "xnor=1\n")
    with pytest.raises(KeyError, match="lstm"):
        layer_lists.lines(NET + "[lstm]\n")
