"""Memory that a network asks for: told from its shapes, refused before it is taken, named when it runs out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from refusals import refuses
from torch.utils.data import Dataset

from cspbench.data.presets import preset
from cspbench.errors import IncompleteRunError, UsageError
from cspbench.inference.footprint import LIMIT, check, enough_memory, live_bytes
from cspbench.inference.predict_shards import Prepared, load
from cspbench.network.builder import Builder
from cspbench.zoo.registry import MODELS


def test_maps_live_until_they_are_last_read() -> None:
    b = Builder("net", (1, 8, 8))
    skip = b.conv(2, 1)  # 128 values, read again by the shortcut
    b.conv(4, 3)  # 256
    b.conv(2, 3)  # 128
    b.shortcut(skip)  # 128
    b.conv(1, 3, stride=2)  # 16
    # the input and the first two convolutions beside the third
    assert live_bytes(b.network()) == 4 * (64 + 128 + 256 + 128)


def test_a_small_file_cannot_ask_for_all_memory() -> None:
    b = Builder("wide", (3, 16000, 16000))
    b.conv(1, 3, stride=2)
    with pytest.raises(UsageError, match=r"wide needs too much memory .*at most 2\.0 GiB.*found 3\.1 GiB"):
        check(b.network())
    b = Builder("tall", (3, 30, 30))
    b.conv(1, 3)
    b.upsample(1000)
    b.conv(1, 3, stride=2)
    with pytest.raises(UsageError, match="tall needs too much memory"):
        check(b.network())


@pytest.mark.parametrize("name", ["csdarknet53-panet-spp", "cd53paspp-gamma", "csresnext50-panet-spp", "resnet152-v1"])
def test_what_is_published_stays_far_below(name: str) -> None:
    assert live_bytes(MODELS[name].build().resized(608, 608)) < LIMIT / 10


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"),
        torch.OutOfMemoryError("CUDA out of memory"),
    ],
)
def test_memory_that_runs_out_is_named(error: Exception) -> None:
    with pytest.raises(IncompleteRunError) as caught, enough_memory("net"):
        raise error
    assert (caught.value.code, caught.value.where, caught.value.exit_code) == ("memory.exhausted", "net", 4)


def test_other_errors_stay() -> None:
    with pytest.raises(RuntimeError, match="shapes do not fit"), enough_memory("net"):
        raise RuntimeError("shapes do not fit")


class Failing(Dataset[Prepared]):
    """Images of which the third raises an error."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __getitem__(self, index: int) -> Prepared:
        if index == 2:
            raise self.error
        return Prepared(index, torch.zeros(3, 2, 2), True, {"key": str(index)})


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_a_process_that_prepares_images_arrives_as_itself(workers: int) -> None:
    error = UsageError("usage.square-preset", "for square inputs", where="here", found="2x3", remedy="Use another")
    batches: Iterator[Any] = load(Failing(error), [[0, 1], [2, 3]], workers)
    assert len(next(batches)) == 2
    with pytest.raises(UsageError) as caught:
        next(batches)
    assert str(caught.value) == str(error)
    with refuses("memory.exhausted", where="preparation of an image"):
        list(load(Failing(MemoryError()), [[0, 1], [2, 3]], workers))


def test_presets_that_crop_squares_are_asked_before_a_run_begins() -> None:
    preset("readme").check_size((192, 256))
    preset("timm").check_size((256, 256))
    with refuses("usage.square-preset", found="192x256"):
        preset("timm").check_size((192, 256))
