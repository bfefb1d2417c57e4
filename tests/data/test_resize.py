"""Darknet's resize against the specification's numbers, loops written from its words, and the binary's own pixels."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cspbench.data.decode import decode
from cspbench.data.resize import (
    center_offset,
    extent,
    letterbox,
    resize_image,
    resized_window,
    shorter_side_to,
)

F = np.float32
Planes = NDArray[np.float32]


def pixels(width: int, height: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def planes(image: NDArray[np.uint8]) -> Planes:
    return (image.transpose(2, 0, 1) / 255).astype(F)


def resized_center(image: NDArray[np.uint8], side: int, out: Planes | None = None) -> Planes:
    """The central square of `side` pixels of an image with its shorter side resized to `side`: Darknet's classifier."""
    size = shorter_side_to(side, *extent(image))
    return resized_window(image, *size, center_offset(*size, side, side), side, side, out)


def loops(image: Planes, width: int, height: int) -> Planes:
    """resize_image as the specification's section a.4 words it, one float at a time."""
    channels, h, w = image.shape
    if (w, h) == (width, height):
        return image.copy()
    ws = F(w - 1) / F(width - 1) if width > 1 else F(0)
    hs = F(h - 1) / F(height - 1) if height > 1 else F(0)
    part = np.zeros((channels, h, width), F)
    out = np.zeros((channels, height, width), F)
    for k in range(channels):
        for r in range(h):
            for c in range(width):
                if c == width - 1 or w == 1:
                    part[k, r, c] = image[k, r, w - 1]
                else:
                    sx = F(c) * ws
                    ix = int(sx)
                    dx = sx - F(ix)
                    part[k, r, c] = (F(1) - dx) * image[k, r, ix] + dx * image[k, r, ix + 1]
        for r in range(height):
            sy = F(r) * hs
            iy = int(sy)
            dy = sy - F(iy)
            for c in range(width):
                out[k, r, c] = (F(1) - dy) * part[k, iy, c]
                if r != height - 1 and h != 1:
                    out[k, r, c] += dy * part[k, iy + 1, c]
    return out


def test_vector_1_the_ramp() -> None:
    ramp = np.arange(12, dtype=np.uint8).reshape(3, 4, 1)
    np.testing.assert_allclose(255 * resize_image(ramp, 3, 2), [[[0, 1.5, 3], [8, 9.5, 11]]], atol=1e-5)
    larger = [[2 * row + 0.6 * column for column in range(6)] for row in range(5)]
    np.testing.assert_allclose(255 * resize_image(ramp, 6, 5), [larger], atol=1e-5)


# Source heights from 200 to 700 whose last row comes out nearly black, by output height (spec a.4).
BLACK_LAST_ROWS = {
    224: "228 229 230 241 242 243 255 256 455 457 459 468 470 472 481 483 485 494 496 498 509 511",
    256: "",
    304: "211 231 251 318 324 341 358 364 381 398 404 421 438 444 461 478 484 501 618 635 647 652 664 681 698",
    320: "206 212 219 225 232 238 245 326 333 345 352 359 371 378 385 397 404 411 423 430 437 449 456 463 475 482 489 "
    "508 644 651 658 665 689 696",
    416: "240 241 242 243 244 245 246 440 442 444 446 448 450 452 479 481 483 485 487 489 491",
    448: "225 226 227 238 239 251 252 449 451 453 462 464 466 475 477 488 490 501 503 512",
    512: "",
    608: "212 235 243 308 315 331 338 354 361 377 384 400 423 446 462 469 485 492 508 615 629 638 652 661 675 684 698",
    640: "202 209 222 235 242 255 325 337 344 351 358 370 377 384 403 410 417 436 443 450 469 476 483 502 509 642 649 "
    "673 680 687 694",
}


@pytest.mark.parametrize("height", BLACK_LAST_ROWS)
def test_vector_2_the_black_last_row(height: int) -> None:
    black = []
    for source in range(200, 701):
        last = resize_image(np.full((source, 2, 1), 255, np.uint8), 2, height)[0, -1]
        assert last[0] == last[1]
        assert last[0] < 1e-4 or last[0] > 0.9999
        if last[0] < 0.5:
            black.append(source)
    assert black == [int(text) for text in BLACK_LAST_ROWS[height].split()]


@pytest.mark.parametrize(
    ("source", "height", "value"),
    [
        *[(240, 416, 1.53e-5), (333, 320, 3.05e-5), (423, 608, 3.05e-5), (256, 224, 1.53e-5)],
        *[(427, 512, 1), (480, 416, 1), (426, 608, 1), (375, 256, 1)],
    ],
)
def test_vector_2_the_values_of_the_binary(source: int, height: int, value: float) -> None:
    resized = resize_image(np.full((source, 3, 1), 255, np.uint8), 3, height)
    np.testing.assert_allclose(resized[0, -1], value, rtol=5e-3 if value < 1 else 1e-4)
    np.testing.assert_allclose(resized[0, :-1], 1, atol=1e-6)


@pytest.mark.parametrize(
    ("size", "side", "resized", "offset"),
    [
        ((500, 375), 256, (341, 256), (42, 0)),
        ((375, 500), 256, (256, 341), (0, 42)),
        ((333, 500), 224, (224, 336), (0, 56)),
        ((500, 334), 224, (335, 224), (55, 0)),
    ],
)
def test_vector_3_sizes_and_offsets(
    size: tuple[int, int], side: int, resized: tuple[int, int], offset: tuple[int, int]
) -> None:
    assert shorter_side_to(side, *size) == resized
    assert center_offset(*resized, side, side) == offset
    image = pixels(*size)
    left, top = offset
    whole = resize_image(image, *resized)
    np.testing.assert_array_equal(resized_center(image, side), whole[:, top : top + side, left : left + side])


def test_an_odd_negative_rest_is_cut_toward_zero_as_in_c() -> None:
    assert center_offset(10, 10, 13, 13) == (-1, -1)


sizes = st.integers(1, 40)


@given(width=sizes, height=sizes, to_width=sizes, to_height=sizes)
@settings(max_examples=60)
def test_resize_is_the_specification_s_loops(width: int, height: int, to_width: int, to_height: int) -> None:
    image = pixels(width, height)[:, :, :1]
    expected = loops(planes(image), to_width, to_height)
    np.testing.assert_allclose(resize_image(image, to_width, to_height), expected, rtol=0, atol=1e-6)


@given(data=st.data(), width=sizes, height=sizes, to_width=sizes, to_height=sizes)
def test_a_window_is_the_whole_cropped(
    data: st.DataObject, width: int, height: int, to_width: int, to_height: int
) -> None:
    left, top = data.draw(st.integers(-5, to_width)), data.draw(st.integers(-5, to_height))
    count, lines = data.draw(sizes), data.draw(sizes)
    image = pixels(width, height)
    whole = resize_image(image, to_width, to_height)
    columns = np.arange(left, left + count).clip(0, to_width - 1)
    rows = np.arange(top, top + lines).clip(0, to_height - 1)
    window = resized_window(image, to_width, to_height, (left, top), count, lines)
    np.testing.assert_array_equal(window, whole[:, rows][:, :, columns])


@given(width=sizes, height=sizes, to_width=sizes, to_height=sizes)
def test_letterbox(width: int, height: int, to_width: int, to_height: int) -> None:
    image = pixels(width, height)
    # the smaller of the two ratios, in whole numbers; where they are equal the image fills both sides
    narrow = to_width * height <= to_height * width
    inner = (to_width, height * to_width // width) if narrow else (width * to_height // height, to_height)
    expected = np.full((3, to_height, to_width), 0.5, F)
    left, top = (to_width - inner[0]) // 2, (to_height - inner[1]) // 2
    if all(inner):
        expected[:, top : top + inner[1], left : left + inner[0]] = resize_image(image, *inner)
    np.testing.assert_array_equal(letterbox(image, to_width, to_height), expected)


def test_crop_repeats_the_edge() -> None:
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    window = resized_window(image, 3, 2, (-1, -1), 5, 4)
    np.testing.assert_array_equal(window, np.pad(planes(image), ((0, 0), (1, 1), (1, 1)), "edge"))


def test_an_image_of_the_right_size_is_copied_even_where_its_last_row_would_be_black() -> None:
    image = pixels(5, 7)
    np.testing.assert_array_equal(resize_image(image, 5, 7), planes(image))


def test_every_byte_is_divided_and_rounded_correctly() -> None:
    every = np.arange(256, dtype=np.uint8).reshape(1, 256, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(resize_image(every, 256, 1)[0, 0], (np.arange(256) / 255).astype(F))


@pytest.mark.parametrize("size", [(20000, 1), (1, 20000), (1, 1)])
def test_extreme_shapes_cost_no_more_than_their_window(size: tuple[int, int]) -> None:
    image = pixels(*size)
    assert resized_center(image, 256).shape == (3, 256, 256)
    assert letterbox(image, 64, 64).shape == (3, 64, 64)
    assert math.isfinite(float(resize_image(image, 64, 64).sum()))


def test_the_result_can_be_written_into_a_batch() -> None:
    image, batch = pixels(50, 40), np.zeros((2, 3, 24, 24), F)
    assert resized_center(image, 24, batch[1]) is not None
    np.testing.assert_array_equal(batch[1], resized_center(image, 24))
    letterbox(image, 24, 24, batch[0])
    np.testing.assert_array_equal(batch[0], letterbox(image, 24, 24))


def test_threads_do_not_disturb_each_other() -> None:
    images = [pixels(100 + 7 * index, 90 + 3 * index, index) for index in range(40)]
    expected = [resized_center(image, 64) for image in images]
    with ThreadPoolExecutor(8) as pool:
        for result, alone in zip(pool.map(lambda image: resized_center(image, 64), images), expected, strict=True):
            np.testing.assert_array_equal(result, alone)


@pytest.mark.reference("golden/preprocess", "data/imagenet-mini", "data/coco-mini")
def test_the_inputs_that_the_binary_prepared(shared: Path) -> None:
    cases = sorted((shared / "golden" / "preprocess").glob("*.npz"))
    assert len(cases) == 5
    for path in cases:
        case = np.load(path)
        size = int(case["size"])
        image = decode(shared / str(case["image"]), decoder="stb")
        resized = {
            "classifier": resized_center(image, size),
            "stretch": resize_image(image, size, size),
            "letterbox": letterbox(image, size, size),
        }[str(case["mode"])]
        np.testing.assert_array_equal(resized, case["input"])
