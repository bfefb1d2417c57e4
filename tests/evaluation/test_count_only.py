"""What counting alone supports: other people's cfgs are counted, and an evaluation says why it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from refusals import refuses

from cspbench.evaluation.subject import subject_of
from cspbench.models.create import create_model
from cspbench.network import cfg
from cspbench.network.counting import count

NET = "[net]\nwidth=16\nheight=16\nchannels=3\n"
CONV = "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\nstride=2\npad=1\nactivation=leaky\n"
POINT = "[convolutional]\nfilters=18\nactivation=linear\n"
TREE = f"{POINT}[region]\nnum=2\nanchors=1,1,2,2\nclasses=4\nsoftmax=1\ntree=not.there\n"

# cfg: stored numbers, operations under conv+maxpool+shortcut and conv, the layer and the reason
# [convolutional]: 3 * 4 * 9 = 108 weights and 4 * 4 of bias and batch norm; 8x8 outputs, so 108 * 64 multiply-adds
COUNTED = {
    "a head of YOLOv1": (
        f"{CONV}[connected]\noutput=12\nactivation=linear\n[detection]\nside=2\nclasses=1\nnum=1\n",
        124 + 256 * 12 + 12,
        2 * 6912,
        2 * (6912 + 3072),
        "layer 2 [detection]",
        "the boxes of YOLOv1",
    ),
    "a class tree": (
        f"{CONV}{TREE}",
        124 + 4 * 18 + 18,
        2 * (6912 + 72 * 64),
        2 * (6912 + 72 * 64),
        "layer 2 [region]",
        "tree=not.there",
    ),
    # 4 * 4 * 9 = 144 weights; a 32nd of 2 * 144 * 64 operations is 576
    "bits": (
        f"{CONV}{CONV.replace('stride=2', 'stride=1')}xnor=1\nbinary=1\n",
        124 + 144 + 16,
        2 * 6912 + 576,
        2 * 6912 + 576,
        "layer 1 [convolutional]",
        "xnor=1, binary=1",
    ),
    "space from depth": (f"{CONV}[reorg]\nreverse=1\nstride=2\n", 124, 2 * 6912, 2 * 6912, "layer 1", "reverse=1"),
}


@pytest.mark.parametrize("name", COUNTED)
def test_counted_but_not_evaluated(name: str, tmp_path: Path) -> None:
    text, stored, printed, conv, where, reason = COUNTED[name]
    reading = cfg.parse(NET + text, "other", "other.cfg")
    assert reading.warnings == ()
    result = count(reading.network)
    assert [result.total(rule) for rule in ("stored", "conv+maxpool+shortcut", "conv")] == [stored, printed, conv]
    assert result.total("mac") * 2 == conv + (2 * 144 * 64 - 576 if name == "bits" else 0)
    weights = tmp_path / "any.weights"
    weights.write_bytes(bytes(20 + 4 * stored))
    for make in (lambda: subject_of(reading.network, weights), lambda: create_model(reading.network)):
        with refuses("network.count-only", found=reason) as caught:
            make()
        assert where in str(caught.value.where)


def test_a_local_layer_counts_like_a_connected_one() -> None:
    """4 places of 2 filters over 3 * 3 * 3 values, and a bias for each of 8 outputs; Darknet prints no operations."""
    text = f"{NET}[maxpool]\nsize=8\nstride=8\npadding=0\n[local]\nfilters=2\nsize=3\npad=1\nactivation=elu\n"
    result = count(cfg.parse(text, "local").network)
    assert result.parameters == {"weights": 4 * 54, "learnable": 4 * 54 + 8, "stored": 4 * 54 + 8}
    assert result.total("conv+maxpool+shortcut") == 64 * 3 * 4
    assert result.total("mac") == 4 * 54


def test_a_block_that_is_repeated_and_shared() -> None:
    """Layers 1 and 3 are alike, and layer 5 has the arrays of the first."""
    wide = "[convolutional]\nfilters=8\nactivation=linear\n"
    narrow = "[convolutional]\nbatch_normalize=1\nfilters=4\nactivation=leaky\n"
    text = f"{NET}{wide}{narrow}{wide}{narrow}[route]\nlayers=0\n{narrow}share_index=1\n"
    result = count(cfg.parse(text, "repeated").network)
    # 3 * 8 + 8, then twice 8 * 4 + 16, and 4 * 8 + 8
    assert result.parameters["stored"] == 32 + 48 + 40 + 48
    assert result.total("conv") == 2 * 256 * (24 + 32 + 32 + 32 + 32)


CASES = {
    "share-repeated": ({"stored": 984, "weights": 856, "conv+maxpool+shortcut": 1_835_008, "conv": 1_818_624}, 0),
    "yolov1-head": ({"stored": 13_488, "conv+maxpool": 56_320, "conv": 81_920}, 0),
    "class-tree": ({"stored": 707, "conv+maxpool": 1_277_952}, 0),
    "anchors-comma": ({"stored": 392, "conv+maxpool": 704_512}, 1),
}


@pytest.mark.reference("cases/share-repeated", "cases/yolov1-head", "cases/class-tree", "cases/anchors-comma")
@pytest.mark.parametrize("name", CASES)
def test_other_peoples_files(name: str, shared: Path) -> None:
    expected, warnings = CASES[name]
    reading = cfg.read(shared / "cases" / name / "net.cfg")
    result = count(reading.network)
    assert {rule: result.total(rule) for rule in expected} == expected
    assert len(reading.warnings) == warnings
