"""The arrays from which a training begins: files whole and partial, of another head, of timm."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refusals import refuses
from timm_cspnet import tensors
from training_sets import CLASSIFIER, DETECTOR
from weight_files import random_arrays

from cspbench.models.heads import with_classes
from cspbench.network import cfg
from cspbench.network.recipe import default
from cspbench.retrained.record import Start
from cspbench.training.losses.layers import losses
from cspbench.training.module import to_training_module
from cspbench.training.start import from_file, load, start
from cspbench.weights import darknet
from cspbench.weights.arrays import digest
from cspbench.weights.header import Header
from cspbench.weights.loading import extract
from cspbench.zoo.registry import model

NET = cfg.parse(DETECTOR, "net").network


def written(path: Path, seen: int = 1280) -> Path:
    darknet.write(path, NET, random_arrays(NET), Header(seen=seen))
    return path


@pytest.mark.parametrize(("clear", "seen"), [(False, 1280), (True, 0)])
def test_a_whole_file(tmp_path: Path, clear: bool, seen: int) -> None:
    path = written(tmp_path / "a.weights")
    source, begun = from_file(path, NET, NET, clear)
    assert begun == Start(f"file:{digest(path)}", 3, seen)
    module = to_training_module(NET, default(NET), losses(NET, default(NET)))
    start(module, NET, default(NET))
    load(module, NET, source)
    for one, other in zip(extract(module, NET), random_arrays(NET), strict=True):
        assert all(np.array_equal(one[role], other[role]) for role in other)


def test_a_partial_file(tmp_path: Path) -> None:
    path = written(tmp_path / "a.weights")
    first = 4 * (4 * 8 + 8 * 27)
    (tmp_path / "a.conv.1").write_bytes(path.read_bytes()[: 20 + first])
    source, begun = from_file(tmp_path / "a.conv.1", NET, NET, clear=False)
    assert (source.missing, begun.layers, begun.seen) == ((1, 2), 1, 0)
    module = to_training_module(NET, default(NET), losses(NET, default(NET)))
    torch.manual_seed(1)
    start(module, NET, default(NET))
    drawn = extract(module, NET)
    load(module, NET, source)
    now, given = extract(module, NET), random_arrays(NET)
    assert np.array_equal(now[0]["weight"], given[0]["weight"])
    assert np.array_equal(now[1]["weight"], drawn[1]["weight"])


def test_another_head(tmp_path: Path) -> None:
    other, _ = with_classes(NET, 5)
    source, begun = from_file(written(tmp_path / "a.weights"), other, NET, clear=False)
    assert (source.missing, begun.layers, begun.seen) == ((2,), 2, 0)


def test_a_checkpoint_of_timm(tmp_path: Path) -> None:
    torch.save(tensors("timm/cspresnet50"), tmp_path / "a.pth")
    network = model("timm/cspresnet50").build()
    source, begun = from_file(tmp_path / "a.pth", network, network, clear=False)
    assert (source.missing, begun.seen) == ((), 0)
    other, heads = with_classes(network, 7)
    source, begun = from_file(tmp_path / "a.pth", other, network, clear=False)
    assert source.missing == heads


def test_a_file_of_another_network(tmp_path: Path) -> None:
    other = cfg.parse(CLASSIFIER, "other").network
    with refuses("weights.too-long"):
        from_file(written(tmp_path / "a.weights"), other, other, clear=False)
