"""Mixing, labels, chunks and sizes by hand, and the laws of what is drawn."""

from __future__ import annotations

from collections import Counter as Tally

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cspbench.data.augment import chunks, classifier, detector, mixing
from cspbench.data.augment.blur import gaussian
from cspbench.data.augment.classifier import Blur
from cspbench.data.augment.crop import Margins
from cspbench.data.augment.detector import Blur as Blurred
from cspbench.data.augment.draws import Counter, Recorded
from cspbench.data.augment.mixing import Cut, Mix, Mixing
from cspbench.data.augment.sizes import Sizes
from cspbench.network.era import Era

PLAIN = classifier.Augmentation(8, 8)


def test_chunks_are_those_of_32_threads() -> None:
    assert [chunk.images for chunk in chunks.chunks(128, 32)] == [4] * 32
    # 120 images: thread k has floor((k + 1) 120 / 32) - floor(k 120 / 32)
    assert [chunk.images for chunk in chunks.chunks(120, 32)][:8] == [3, 4, 4, 4, 3, 4, 4, 4]
    assert [tuple(chunk) for chunk in chunks.chunks(3, 6)] == [(0, 1), (1, 1), (2, 1)]
    assert [chunk.images for chunk in chunks.chunks(64, 6)] == [10, 11, 11, 10, 11, 11]
    parts = chunks.chunks(64, 6)
    assert [(tuple(chunk), list(places)) for chunk, places in chunks.overlapping(parts, 8, 12)] == [
        ((0, 10), [8, 9]),
        ((10, 11), [0, 1]),
    ]


@pytest.mark.parametrize(
    ("keys", "combined", "expected"),
    [
        ((0, False, False), False, Mixing.NONE),
        ((1, False, False), False, Mixing.MIXUP),
        ((1, True, False), False, Mixing.CUTMIX),
        ((1, True, False), True, Mixing.CUTMIX_MIXUP),
        ((0, True, False), True, Mixing.CUTMIX),
        ((1, False, True), False, Mixing.MOSAIC),
        ((0, True, True), False, Mixing.CUTMIX_MOSAIC),
    ],
)
def test_keys_of_mixing(keys: tuple[int, bool, bool], combined: bool, expected: Mixing) -> None:
    assert mixing.of_keys(*keys, combined=combined) is expected


def pictures() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Four pictures of 4 x 4 with one value each, and their labels."""
    values = [torch.full((3, 4, 4), float(value)) for value in (1, 2, 3, 4)]
    return values, [classifier.label_of([number], 4, 0) for number in range(4)]


def test_mixup_takes_half_of_both() -> None:
    shown, label = mixing.mix(Mix(Mixing.MIXUP), *pictures())
    assert set(shown.flatten().tolist()) == {1.5}
    assert label.tolist() == [0.5, 0.5, 0, 0]


def test_cutmix_takes_a_rectangle() -> None:
    shown, label = mixing.mix(Mix(Mixing.CUTMIX, (1, 0, 3, 2)), *pictures())
    assert shown[0].tolist() == [[1, 2, 2, 1], [1, 2, 2, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
    assert label.tolist() == [0.75, 0.25, 0, 0]


def test_a_mosaic_takes_quadrants() -> None:
    shown, label = mixing.mix(Mix(Mixing.MOSAIC, (1, 3)), *pictures())
    assert shown[0].tolist() == [[1, 2, 2, 2]] * 3 + [[3, 4, 4, 4]]
    assert label.tolist() == [3 / 16, 9 / 16, 1 / 16, 3 / 16]


def test_places_of_mixing_are_drawn_as_darknet_draws_them() -> None:
    # 256 * .3 = 76.8, 256 * .8f = 204.8: 76 to 204; then 0 to 256 - side - 1
    made = mixing.plan(Recorded([0, 128, 200, 10]), Mixing.CUTMIX, Cut.FREE, 1, (256, 256))
    assert made == [Mix(Mixing.CUTMIX, (200 % 180, 10, 200 % 180 + 76, 10 + 204))]
    # 256 * .2 = 51.2
    assert mixing.plan(Recorded([0, 0, 0, 0]), Mixing.CUTMIX, Cut.FREE_WIDE, 1, (256, 256))[0].place == (0, 0, 51, 51)
    assert mixing.plan(Recorded([0, 1, 0, 1]), Mixing.CUTMIX, Cut.CORNER, 1, (256, 256))[0].place == (51, 0, 256, 52)
    assert mixing.plan(Recorded([0, 154]), Mixing.MOSAIC, Cut.FREE, 1, (256, 256))[0].place == (51, 51)
    kinds = mixing.plan(Recorded([0, 0, 0, 0, 0, 1, 0, 0]), Mixing.CUTMIX_MOSAIC, Cut.FREE, 2, (9, 9))
    assert [kind.kind for kind in kinds] == [Mixing.CUTMIX, Mixing.MOSAIC]
    # of a chunk all or none
    assert [each.kind for each in mixing.plan(Recorded([1]), Mixing.CUTMIX_MIXUP, Cut.FREE, 2, (9, 9))] == [
        Mixing.MIXUP
    ] * 2


def test_labels() -> None:
    assert classifier.label_of([1], 3, 0).tolist() == [0, 1, 0]
    assert classifier.label_of([], 3, 0).tolist() == [0, 0, 0]
    assert classifier.label_of([0, 2], 3, 0).tolist() == [1, 0, 1]
    assert classifier.label_of([0], 1, 0.1).tolist() == pytest.approx([0.9])
    smooth = classifier.label_of([2], 5, 0.1)
    assert smooth.tolist() == pytest.approx([0.025, 0.025, 0.9, 0.025, 0.025])


def test_blurs_of_both_times() -> None:
    assert Blur.head(0) is None
    assert Blur.head(1) == (4, 15, False)
    assert Blur.head(6) == (4, 7, False)
    assert Blur.published() == (2, 17, True)


def test_half_of_the_chunks_are_mixed_as_a_whole() -> None:
    wanted = classifier.Augmentation(8, 8, mixing=Mixing.CUTMIX, blur=Blur.head(1))
    mixed = blurred = 0
    for number in range(400):
        plans = classifier.plan(Counter(1, number), wanted, 4, 100)
        assert len({plan.mix is None for plan in plans}) == 1
        assert all(len(plan.views) == (1 if plan.mix is None else 2) for plan in plans)
        mixed += plans[0].mix is not None
        blurred += sum(plan.blurred for plan in plans)
    assert 160 < mixed < 240
    assert 320 < blurred < 480
    always = classifier.Augmentation(8, 8, mixing=Mixing.MIXUP, mix_always=True)
    assert all(classifier.plan(Counter(1, number), always, 1, 9)[0].mix for number in range(20))


def test_images_are_drawn_with_replacement_and_evenly() -> None:
    plans = [classifier.plan(Counter(0, 4 * number), PLAIN, 4, 8) for number in range(500)]
    images = Tally(plan.views[0].image for chunk in plans for plan in chunk)
    assert set(images) == set(range(8))
    assert all(200 < count < 300 for count in images.values())
    assert any(len({plan.views[0].image for plan in chunk}) < 4 for chunk in plans)


def test_without_augmentation_the_window_is_the_shorter_side() -> None:
    view = classifier.view(Recorded([0] * 20), classifier.Augmentation(8, 8, max_crop=8), 0)
    place = classifier.window(view, 8, 16, 8)
    # the coin 0 takes the reciprocal of 1; 16 pixels scaled by 1 leave 4 at each side, and 0 is the left end
    assert list(map(float, place[1:])) == [1, 0, -4, 0, 1]


def test_a_net_that_is_not_square_gets_the_square_resized() -> None:
    wanted = classifier.Augmentation(8, 4, flip=False)
    view = classifier.view(Recorded([0] * 20), wanted, 0)
    shown = classifier.picture(view, wanted, torch.full((3, 30, 30), 255, dtype=torch.uint8))
    assert shown.shape == (3, 4, 8)
    assert set(shown[:, 1:-1].flatten().tolist()) == {1}


def seen(margins: tuple[int, int, int, int] = (0, 0, 0, 0), blurred: Blurred = Blurred.NOTHING) -> detector.View:
    """An image with one object, its colours unchanged."""
    nothing, one = np.float32(0), np.float32(1)
    return detector.View(0, (0, 0), margins, False, nothing, one, one, blurred, False, [0])


def test_margins_of_a_detectors_crop() -> None:
    view = seen((0, 1 << 30, (1 << 31) - 1, 0))
    wanted = detector.Augmentation(80, jitter=0.3)
    # 100 * .3f = 30 and 50 * .3f = 15, from -30 to 30 and from -15 to 15
    assert detector.margins(view, wanted, (100, 50), (64, 64)) == Margins(-30, 0, 15, -15)
    # 100 x 50 in a square: 25 more at the top and at the bottom
    letterbox = detector.Augmentation(80, jitter=0.3, letterbox=True)
    assert detector.margins(view, letterbox, (100, 50), (64, 64)) == Margins(-30, 0, -10, -40)
    assert detector.margins(view, letterbox, (50, 100), (64, 64)) == Margins(-40, -25, 30, -30)
    # to 2: from half as large, 50 pixels more at each side, to twice, 25 less; the first number is the smallest
    zoom = detector.Augmentation(80, jitter=0, resize=2)
    assert detector.margins(view, zoom, (100, 50), (64, 64)) == Margins(-50, -50, -25, -25)


def test_a_detectors_blur_is_less_where_an_object_is_small() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    wanted = detector.Augmentation(80, jitter=0, flip=False, blur=9)

    def shown(blurred: Blurred, side: float) -> NDArray[np.uint8]:
        box = np.array([[0, 0.5, 0.5, side, side]], np.float32)
        plan = detector.Plan((seen(blurred=blurred),), None)
        planes, _ = detector.picture(plan, wanted, (64, 64), lambda _: image, lambda _: box)
        levels: NDArray[np.uint8] = np.rint(planes.permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        return levels

    assert np.array_equal(shown(Blurred.NOTHING, 1), image)
    assert np.array_equal(shown(Blurred.ALL, 1), gaussian(image, 9))
    assert np.array_equal(shown(Blurred.ALL, 0.5), gaussian(image, 5))  # 32 pixels: 4 taps
    assert np.array_equal(shown(Blurred.ALL, 0.1), image)  # 6 pixels
    background = shown(Blurred.BACKGROUND, 0.5)
    assert np.array_equal(background[16:48, 16:48], image[16:48, 16:48])
    assert np.array_equal(background[:16], gaussian(image, 17)[:16])
    # 8 pixels: one tap, which stands for the background alone
    assert np.array_equal(shown(Blurred.ALL, 0.125), shown(Blurred.BACKGROUND, 0.125))


def test_sizes_change_every_ten_iterations_and_begin_with_the_largest() -> None:
    sizes = Sizes(416, 416, 1, iterations=1000)
    assert {sizes.at(iteration, 5) for iteration in range(1, 11)} == {(608, 608)}
    assert len({sizes.at(iteration, 5) for iteration in range(11, 21)}) == 1
    assert sizes.at(11, 5) == sizes.at(20, 5)
    assert len({sizes.at(iteration, 5) for iteration in range(11, 900, 10)}) > 5
    assert {sizes.at(iteration, 5) for iteration in range(911, 1001)} == {(608, 608)}
    early = Sizes(416, 416, 1, iterations=1000, era=Era.NOV2019)
    assert len({early.at(iteration, 5) for iteration in range(901, 1001)}) > 3
    assert Sizes(416, 320).at(1, 5) == (416, 320)


@pytest.mark.parametrize(
    ("era", "expected"),
    [
        (Era.OCT2019, {320: 3.9, 352: 16.3, 384: 13.5, 416: 11.3, 448: 9.8, 480: 9.6, 512: 9.6, 544: 9.6, 608: 6.7}),
        (Era.HEAD, {320: 3.9, 352: 16.3, 384: 13.5, 416: 16.3, 448: 4.8, 480: 9.6, 512: 9.6, 544: 9.6, 608: 6.7}),
    ],
)
def test_the_law_of_sizes(era: Era, expected: dict[int, float]) -> None:
    sizes, draws = Sizes(416, 416, 1, era=era), 20_000
    stream = Counter(7, 0)
    tally = Tally(sizes.drawn(stream)[0] for _ in range(draws))
    shares = {side: 100 * count / draws for side, count in tally.items()}
    assert {side: shares[side] for side in expected} == pytest.approx(expected, abs=0.9)
    assert set(shares) == {*expected, 576}
