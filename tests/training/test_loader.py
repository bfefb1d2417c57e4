"""The same pictures from any number of processes, and images that cannot be read."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from pictures import ALP, GOLDFISH, TENCH, fill, jpeg

from cspbench.data.augment import classifier, mixing
from cspbench.data.augment.images import open_classifier_images
from cspbench.data.augment.minibatches import ClassifierMiniBatches, Layout, MiniBatch
from cspbench.errors import BadImageError
from cspbench.training.loader import Loader

MIXED = classifier.Augmentation(16, 16, hue=0.1, mixing=mixing.Mixing.CUTMIX_MOSAIC, blur=classifier.Blur.published())


def batches(root: Path, bad: int = 0) -> ClassifierMiniBatches:
    files = {f"{wnid}/{place}.JPEG": jpeg(place) for place, wnid in enumerate((TENCH, GOLDFISH, ALP))}
    files |= {f"{TENCH}/bad{number}.JPEG": b"nothing" for number in range(bad)}
    return ClassifierMiniBatches(open_classifier_images(fill(root, files)), MIXED, Layout(2, 12, 3))


def made(loader: Loader, *places: object) -> list[MiniBatch]:
    return list(loader.iterations(*places))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClassifierMiniBatches, list[MiniBatch]]:
    whole = batches(tmp_path_factory.mktemp("images"))
    return whole, [whole.make(iteration, part) for iteration in (2, 3) for part in range(3)]


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker")  # more than some machines have cores
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_any_number_of_workers(expected: tuple[ClassifierMiniBatches, list[MiniBatch]], workers: int) -> None:
    result = made(Loader(expected[0], workers), 2, 3)
    assert [(each.iteration, each.subdivision) for each in result] == [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2)]
    for one, other in zip(result, expected[1], strict=True):
        assert torch.equal(one.x, other.x)
        assert torch.equal(one.y, other.y)


def test_each_process_takes_its_share(expected: tuple[ClassifierMiniBatches, list[MiniBatch]]) -> None:
    shares = [made(Loader(expected[0]), 2, 3, share) for share in ((0, 2), (1,))]
    together = sorted((each for share in shares for each in share), key=lambda each: each[:2])
    assert [each[:2] for each in together] == [each[:2] for each in expected[1]]
    assert all(torch.equal(one.x, other.x) for one, other in zip(together, expected[1], strict=True))


@pytest.mark.parametrize("workers", [0, 1])
def test_unreadable_images_are_counted(tmp_path: Path, workers: int) -> None:
    broken = batches(tmp_path, bad=2)
    with pytest.raises(BadImageError) as caught:
        made(Loader(broken, workers), 1, 4)
    assert caught.value.code == "image.undecodable"
    allowed = Loader(broken, workers, allowed=2)
    assert len(made(allowed, 1, 4)) == 12
    assert sorted(Path(name).name for name in allowed.bad) == ["bad0.JPEG", "bad1.JPEG"]
    with pytest.raises(BadImageError) as caught:
        made(Loader(broken, workers, allowed=1), 1, 4)
    assert "the 1 that --allow-bad allows" in (caught.value.remedy or "")
    assert len(made(Loader(broken, workers, allowed=None), 1, 4)) == 12


@pytest.mark.skipif(sys.platform != "linux", reason="counts the processes of /proc")
def test_the_workers_end_with_the_loader(expected: tuple[ClassifierMiniBatches, list[MiniBatch]]) -> None:
    stream = Loader(expected[0], 2).iterations(1, 1000)
    next(stream)
    children = Path("/proc/self/task").glob("*/children")
    running = {pid for file in children for pid in file.read_text("ascii").split()}
    assert len(running) >= 2
    stream.close()
    left = {pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text("ascii").split()}
    assert len(running & left) <= len(running) - 2
