"""YOLOX's recipes by version, their settings, the order of their pictures, and positives by place and size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from refusals import refuses

from cspbench.data.augment.images import open_detector_images
from cspbench.plots.augmented import preview
from cspbench.sample import detection
from cspbench.training.modular.chosen import YoloxChosen, for_module_images
from cspbench.training.modular.module import shown_module
from cspbench.training.modular.recipe import Version, YoloxRecipe, of_version
from cspbench.training.modular.settings import pairs, with_settings
from cspbench.training.recipes.cost import estimate_module
from cspbench.training.run.yolox import yolox_mini_batches
from cspbench.training.train import choose
from cspbench.training.yolox.boxes import points
from cspbench.training.yolox.fixed import Fixed, positives
from cspbench.zoo.yolox.designs import YoloxDarknetDesign


def chosen(name: str, *settings: str, era: str | None = None) -> YoloxChosen:
    result = choose(name, settings, era=era)
    assert isinstance(result, YoloxChosen)
    return result


def test_versions() -> None:
    """Spec yolox, section 0."""
    nano = {era: chosen("yolox-nano", era=era).recipe for era in ("july2021", "august2021", "head")}
    assert [recipe.mosaic for recipe in nano.values()] == [1, 0.5, 0.5]
    assert [recipe.width for recipe in nano.values()] == [640, 640, 416]
    assert {recipe.sizes for recipe in nano.values()} == {(10, 20)}
    assert {recipe.mixup for recipe in nano.values()} == {()}
    large = {era: chosen("yolox-l", era=era).recipe for era in ("july2021", "head")}
    assert [recipe.sizes for recipe in large.values()] == [(14, 26), (15, 25)]
    assert [recipe.mixup for recipe in large.values()] == [(0.8, 1.6), (0.5, 1.5)]
    assert [recipe.shortest for recipe in large.values()] == [8, 1]
    assert [recipe.rules.radius for recipe in large.values() if not isinstance(recipe.rules, Fixed)] == [2.5, 1.5]
    assert (chosen("yolox-s").era, chosen("yolox-s-legacy").era) == ("august2021", "july2021")
    assert (chosen("yolox-s").normalised, chosen("yolox-s-legacy").normalised) == (False, True)
    assert chosen("yolox-s", era="head").changed == ("era=head",)
    with refuses("usage.unknown-era"):
        choose("yolox-s", era="oct2019")
    with refuses("train.no-loss"):
        choose("yolox-darknet53-anchors")
    with refuses("train.no-loss"):
        choose("yolox-darknet53-nms-free")


def test_settings_are_read_back() -> None:
    recipe = of_version("nano", Version.AUGUST2021)
    assert with_settings(YoloxRecipe(), [f"{key}={text}" for key, text in pairs(recipe)], "--set") == recipe
    changed = with_settings(recipe, ["mixup=0.8,1.6", "l1=0", "batch=16", "subdivisions=2", "epochs=2.5"], "--set")
    assert (changed.mixup, changed.l1, changed.batch, changed.epochs) == ((0.8, 1.6), False, 16, 2.5)
    assert with_settings(changed, ["mixup=none"], "--set").mixup == ()


@pytest.mark.parametrize(
    "setting",
    "batch=x batch=0 batch=63 width=100 sizes=3,2 sizes=1 mixup=1 epochs=0 epochs=inf l1=2 assignment=ota "
    "head=both mosaic=-1 momentum=nan mosaic_scale=0,1".split(),
)
def test_values_that_cannot_be(setting: str) -> None:
    with refuses("usage.setting-value"):
        chosen("yolox-s", setting)


def test_settings_that_change_the_network() -> None:
    with refuses("usage.unknown-setting"):
        chosen("yolox-s", "learning_rate=1")
    with refuses("usage.setting-value"):
        chosen("yolox-s", "head=coupled")
    assert chosen("yolox-s", "width=320", "height=256").network.input == (3, 256, 320)
    coupled = chosen("yolox-darknet53", "head=coupled", "assignment=centre")
    assert coupled.network.name == "yolox-darknet53-coupled-head"
    assert isinstance(coupled.network.design, YoloxDarknetDesign)
    assert (coupled.network.design.head, coupled.network.design.anchors) == ("coupled", 1)
    assert coupled.recipe.rules == Fixed(0)


def test_length(tmp_path: Path) -> None:
    """Ten images in batches of four are three iterations an epoch."""
    detection.write(tmp_path / "set", images=10)
    images = open_detector_images(tmp_path / "set")
    own = for_module_images(chosen("yolox-s", "batch=4", "subdivisions=1"), images)
    assert (own.length, own.last, own.iterations, len(own.notes)) == (3, 900, 900, 1)
    short = for_module_images(chosen("yolox-s", "batch=4", "subdivisions=1"), images, iterations=7)
    assert (short.last, short.iterations, len(short.notes)) == (7, 900, 2)
    assert {"setting": "max_batches=7", "source": "epochs and images"} in shown_module(short)
    assert short.digest() != own.digest()
    assert for_module_images(own, images, epochs=0.5).last == 2


def test_pictures(tmp_path: Path) -> None:
    """Every image once in a pass; the last epochs without a mosaic; each mini-batch alone as after the others."""
    detection.write(tmp_path / "set", images=6)
    images = open_detector_images(tmp_path / "set")
    settings = ("batch=4", "subdivisions=2", "width=64", "height=64", "sizes=2,2", "epochs=4", "closing=1")
    own = for_module_images(chosen("yolox-s", *settings, "mosaic=1"), images)
    batches = yolox_mini_batches(own, images, 5)
    order = [batches.passes.image(number) for number in range(12)]
    assert sorted(order[:6]) == sorted(order[6:]) == list(range(6))
    assert order[:6] != order[6:]
    assert batches.pictures.closing == 5  # the third of four epochs, two iterations each
    made = [batches.make(iteration, part) for iteration in (4, 5) for part in (0, 1)]
    fresh = yolox_mini_batches(own, images, 5).make(5, 1)
    assert torch.equal(made[3].x, fresh.x)
    assert torch.equal(made[3].y, fresh.y)
    assert made[0].x.shape == (2, 3, 64, 64)
    assert made[0].y.shape == (2, 120, 5)
    # of single images the objects, mirrored at most, keep their classes in order
    objects = images.of(batches.passes.image(18))[:, 0]
    shown = made[3].y[0]
    assert set(shown[shown[:, 3] > 0][:, 0].tolist()) <= set(objects.tolist())
    assert not torch.equal(yolox_mini_batches(own, images, 6).make(5, 1).x, fresh.x)


@pytest.mark.parametrize("name", ["yolox-s", "yolox-s-legacy"])
def test_preview(name: str, tmp_path: Path) -> None:
    detection.write(tmp_path / "set", images=2)
    images = open_detector_images(tmp_path / "set")
    settings = ("batch=2", "subdivisions=1", "width=96", "height=96", "sizes=3,3", "mosaic=0", "shortest=0")
    batches = yolox_mini_batches(for_module_images(chosen(name, *settings), images), images, 0)
    made = batches.make(1, 0)
    pixels = [batches.pixels(picture) for picture in made.x.numpy()]
    for picture, shown in zip(made.x.numpy(), pixels, strict=True):
        red = shown[..., 0].astype(np.float32)
        plane = picture[2] if name == "yolox-s" else (picture[0] * 0.229 + 0.485) * 255
        np.testing.assert_allclose(plane, red, atol=1e-3)
    assert len(batches.objects(made.y[0].numpy(), (96, 96))) == int((made.y[0, :, 3] > 0).sum()) > 0
    assert len(preview(batches, images.names, tmp_path / "out", 2)) == 2


AT = points((256, 256))
RAW = torch.zeros(len(AT), 7)


def taken(reach: int, *truths: list[float]) -> list[tuple[list[float], int]]:
    """Column, row and stride of each positive, and its truth."""
    found = positives(RAW, torch.tensor(truths).reshape(-1, 5), AT, Fixed(reach))
    return [(AT[point].tolist(), int(truth)) for point, truth in zip(found.point, found.truth, strict=True)]


def test_positives_by_place_and_size() -> None:
    assert taken(0, [1, 20, 41, 30, 10]) == [([2, 5, 8], 0)]
    assert taken(0, [1, 20, 41, 128, 10]) == [([2, 5, 8], 0)]
    assert taken(0, [1, 20, 41, 10, 130]) == [([1, 2, 16], 0)]
    assert taken(0, [1, 20, 41, 256, 10]) == [([1, 2, 16], 0)]
    assert taken(0, [1, 20, 41, 258, 10]) == [([0, 1, 32], 0)]
    assert [point for point, _ in taken(1, [1, 20, 41, 30, 10])] == [
        [column, row, 8] for row in (4, 5, 6) for column in (1, 2, 3)
    ]
    assert len(taken(1, [1, 1, 1, 30, 10])) == 4  # in the corner
    assert taken(0) == []
    # two in one cell: the smaller one, and of equal ones the first
    assert taken(0, [0, 20, 41, 30, 10], [1, 21, 42, 20, 10]) == [([2, 5, 8], 1)]
    assert taken(0, [0, 20, 41, 20, 10], [1, 21, 42, 20, 10]) == [([2, 5, 8], 0)]


def test_overlaps_of_positives() -> None:
    """All predict boxes of 8x8 pixels around the corners of the cells: 16, 40 in the cell of 20, 41."""
    found = positives(RAW, torch.tensor([[1, 20, 41, 8, 8.0]]), AT, Fixed(0))
    assert found.overlap.tolist() == pytest.approx([(4 * 7) / (64 + 64 - 4 * 7)])


def test_cost() -> None:
    cost = estimate_module(chosen("yolox-nano"))
    assert cost.images == 300 * 118_287
    # 1,045,106,816 operations at 416x416 (spec b.4); the mean of the squares of 10 to 20, times 32 squared
    mean = sum(side * side for side in range(10, 21)) / 11 * 1024
    assert cost.operations == pytest.approx(1_045_106_816 * mean / 416**2, rel=1e-3)
