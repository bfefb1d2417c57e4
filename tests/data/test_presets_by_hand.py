"""Presets at inputs that are not square, at centres between two pixels, and at their limits; by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from refusals import refuses

from cspbench.data import presets
from cspbench.data.presets import ClassificationPreset, preset
from cspbench.data.resize import resize_image


def photo(width: int = 500, height: int = 375) -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(("size", "left"), [((500, 375), 62), ((375, 500), 0)])
def test_pjreddie_stretches_its_square_to_an_input_that_is_not(size: tuple[int, int], left: int) -> None:
    """The centred square of 375 pixels becomes 256 wide and 200 high (spec a.9)."""
    top = 0 if left else 62
    square = photo(*size)[top : top + 375, left : left + 375]
    np.testing.assert_array_equal(preset("pjreddie").prepare(photo(*size), (200, 256)), resize_image(square, 256, 200))


@pytest.mark.parametrize(("size", "side"), [((200, 256), 333), ((256, 200), 323), (256, 333)])
def test_the_square_that_is_cut_out_follows_the_width(size: int | tuple[int, int], side: int) -> None:
    """375 * 256 / (256 + 32) = 333.3 of the shorter side, and 375 * 200 / 232 = 323.3, whatever the height."""
    mixture = ClassificationPreset("mixture", order="crop-resize", crop_padding=32)
    top, left = (375 - side) // 2, (500 - side) // 2
    height, width = (size, size) if isinstance(size, int) else size
    square = photo()[top : top + side, left : left + side]
    np.testing.assert_array_equal(mixture.prepare(photo(), size), resize_image(square, width, height))


@pytest.mark.parametrize(("width", "down", "nearest"), [(32, 12, 12), (33, 12, 12), (34, 13, 13), (35, 13, 14)])
def test_a_centre_between_two_pixels(width: int, down: int, nearest: int) -> None:
    """Of 8 pixels in 33 it lies at 12.5, in 35 at 13.5: halves go to the even one. The pixels count the columns."""
    image = np.broadcast_to(np.arange(width, dtype=np.uint8)[None, :, None], (8, width, 3))
    for axes in ((0, 1), (1, 0)):
        turned = np.ascontiguousarray(image.transpose(*axes, 2))
        for rounding, first in (("down", down), ("nearest", nearest)):
            for interpolation in ("darknet", "bilinear", "bicubic"):
                mixture: Any = {"interpolation": interpolation, "crop_rounding": rounding}
                result = (
                    ClassificationPreset("mixture", **mixture).prepare(turned, 8).transpose(0, *(1 + at for at in axes))
                )
                np.testing.assert_allclose(result[0, 0] * 255, np.arange(first, first + 8), atol=1e-4)


@pytest.mark.parametrize(
    ("crop_pct", "crop_padding", "size", "side"),
    [
        *((1.0, 0, 256, 256), (1.0, 32, 224, 256), (1.0, 1, 1, 2)),
        *((0.887, 0, 256, 288), (0.875, 0, 224, 256), (0.887, 0, 224, 252), (0.95, 0, 224, 235)),
    ],
)
def test_the_shorter_side_ahead_of_the_crop_is_cut(crop_pct: float, crop_padding: int, size: int, side: int) -> None:
    mixture = ClassificationPreset("mixture", crop_pct=crop_pct, crop_padding=crop_padding)
    assert mixture.resized_side(size) == side


@pytest.mark.parametrize(
    ("mean", "std", "values"),
    [
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.2, 0.4, 0.6)),
        ((0.1, 0.0, 0.5), (1.0, 1.0, 1.0), (0.1, 0.4, 0.1)),
        ((0.0, 0.0, 0.0), (2.0, 1.0, 0.5), (0.1, 0.4, 1.2)),
        ((0.2, 0.4, 0.1), (1.0, 0.5, 0.25), (0.0, 0.0, 2.0)),
    ],
)
@pytest.mark.parametrize("interpolation", ["darknet", "bilinear"])
def test_mean_and_deviation_of_each_channel(
    mean: tuple[float, float, float], std: tuple[float, float, float], values: tuple[float, ...], interpolation: Any
) -> None:
    image = np.broadcast_to(np.array([51, 102, 153], np.uint8), (8, 8, 3)).copy()
    result = ClassificationPreset("mixture", interpolation=interpolation, mean=mean, std=std).prepare(image, 8)
    np.testing.assert_allclose(result, np.broadcast_to(np.array(values)[:, None, None], (3, 8, 8)), atol=1e-6)


def test_the_most_pixels_that_pillow_resizes_to(monkeypatch: pytest.MonkeyPatch) -> None:
    image = photo(80, 40)  # 72x36 once resized for 32
    monkeypatch.setattr(presets, "PIXEL_LIMIT", 72 * 36)
    assert preset("timm").prepare(image, 32).shape == (3, 32, 32)
    monkeypatch.setattr(presets, "PIXEL_LIMIT", 72 * 36 - 1)
    with refuses("image.too-long") as caught:
        preset("timm").prepare(image, 32)
    assert "72x36" in str(caught.value.found)
    assert preset("readme").prepare(image, 32).shape == (3, 32, 32)


@pytest.mark.parametrize("name", ["timm", "mmpretrain"])
@pytest.mark.parametrize("size", [(32, 40), (40, 32)])
def test_pillows_presets_are_for_square_inputs(name: str, size: tuple[int, int]) -> None:
    with refuses("usage.square-preset", found=f"{size[0]}x{size[1]}"):
        preset(name).prepare(photo(), size)
