"""Layers of no Darknet network, each against a loop written from its definition."""

from __future__ import annotations

from itertools import product
from math import exp, floor

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from refusals import refuses
from torch.nn import functional

from cspbench.network.builder import Builder
from cspbench.network.layers import MultiBox, Proposals, Resize, RoiAlign, RoiBox, Shuffle
from cspbench.network.module import to_module
from cspbench.network.roi_modules import ProposalBoxes, PsRoiAlign

Array = NDArray[np.float32]

ALIGN = RoiAlign(sources=(0, 1), bins=3, stride=16, samples=2)


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def sampled(plane: Array, y: float, x: float) -> float:
    """Between four pixels; beyond the border its pixels go on."""
    height, width = plane.shape
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    top, left = floor(y), floor(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    above = plane[top, left] * (1 - across) + plane[top, right] * across
    below = plane[bottom, left] * (1 - across) + plane[bottom, right] * across
    return float(above * (1 - down) + below * down)


def aligned(features: Array, region: Array, layer: RoiAlign) -> Array:
    """One region's values: (C,)."""
    left, top, right, bottom = (float(edge) / layer.stride for edge in region)
    width, height = max(right - left, 0.1) / layer.bins, max(bottom - top, 0.1) / layer.bins
    out = np.empty(len(features), np.float32)
    for channel in range(len(features)):
        row, column = channel // layer.bins % layer.bins, channel % layer.bins
        values = [
            sampled(
                features[channel],
                top + (row + (i + 0.5) / layer.samples) * height,
                left + (column + (j + 0.5) / layer.samples) * width,
            )
            for i, j in product(range(layer.samples), repeat=2)
        ]
        out[channel] = max(values)
    return out


@pytest.mark.parametrize("layer", [ALIGN, RoiAlign(sources=(0, 1), bins=2, stride=8, samples=3)])
def test_position_sensitive_alignment_by_its_definition(layer: RoiAlign) -> None:
    features = noise(2, 2 * layer.bins**2, 5, 7)
    corners = torch.rand(2, 6, 2, generator=torch.Generator().manual_seed(1)) * 70
    extents = torch.rand(2, 6, 2, generator=torch.Generator().manual_seed(2)) * 40
    extents[0, 0] = 0  # what is left over, and what has no area
    regions = torch.cat((corners, corners + extents), 2)
    result = PsRoiAlign(layer)(features, regions.transpose(1, 2)[..., None])
    assert result.shape == (2, features.shape[1], 6, 1)
    for image, at in product(range(2), range(6)):
        expected = aligned(features[image].numpy(), regions[image, at].numpy(), layer)
        np.testing.assert_allclose(result[image, :, at, 0].numpy(), expected, rtol=1e-4, atol=1e-5)


def test_a_part_reads_its_own_channel_where_it_lies() -> None:
    # channel k holds k everywhere, so that every part must give its own number
    features = torch.arange(18.0)[None, :, None, None].expand(1, 18, 4, 4)
    result = PsRoiAlign(ALIGN)(features, torch.tensor([[[3.0], [5.0], [60.0], [50.0]]])[..., None])
    assert result.flatten().tolist() == list(range(18))
    # and where values are the column's number, sample positions: 0.25 and 0.75 of each third of 48 pixels, a map's 3
    columns = torch.arange(4.0).expand(1, 9, 4, 4).contiguous()
    result = PsRoiAlign(ALIGN)(columns, torch.tensor([[[0.0], [0.0], [48.0], [48.0]]])[..., None])
    assert result.flatten().tolist() == [0.75, 1.75, 2.75] * 3


def iou(one: Array, other: Array) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    common = max(width, 0.0) * max(height, 0.0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(common / (areas[0] + areas[1] - common))


def proposed(scores: Array, offsets: Array, layer: Proposals) -> list[Array]:
    """Proposals of one image from (A, H, W) and (4 A, H, W)."""
    anchors, height, width = scores.shape
    places = sorted(product(range(height), range(width), range(anchors)), key=lambda at: -scores[at[2], at[0], at[1]])
    kept: list[Array] = []
    for row, column, anchor in places[: layer.considered]:
        dx, dy, dw, dh = offsets[4 * anchor : 4 * anchor + 4, row, column]
        wide, high = layer.anchors[anchor]
        x, y = column * layer.stride + dx * wide, row * layer.stride + dy * high
        limit = np.log(1000 / 16)
        half_width = wide * exp(min(max(dw, -limit), limit)) / 2
        half_height = high * exp(min(max(dh, -limit), limit)) / 2
        box = np.array([x - half_width, y - half_height, x + half_width, y + half_height], np.float32)
        box[0::2] = box[0::2].clip(0, width * layer.stride)
        box[1::2] = box[1::2].clip(0, height * layer.stride)
        if box[2] > box[0] and box[3] > box[1] and all(iou(box, better) <= layer.overlap for better in kept):
            kept.append(box)
    return kept[: layer.count]


@pytest.mark.parametrize(("considered", "count"), [(1000, 200), (40, 200), (1000, 7)])
def test_proposals_by_their_definition(considered: int, count: int) -> None:
    layer = Proposals(
        sources=(0, 1),
        anchors=((20.0, 10.0), (16.0, 32.0), (50.0, 60.0)),
        considered=considered,
        count=count,
        overlap=0.4,
    )
    scores, offsets = noise(2, 3, 5, 6), noise(2, 12, 5, 6, seed=1)
    offsets[1, 2::4] = 1000.0  # clipped where exp would overflow
    result = ProposalBoxes(layer, (5, 6))(scores, offsets)
    assert result.shape == (2, 4, count, 1)
    for image in range(2):
        expected = proposed(scores[image].numpy(), offsets[image].numpy(), layer)
        assert len(expected) > 3
        mine = result[image, :, :, 0].T.numpy()
        np.testing.assert_allclose(mine[: len(expected)], expected, rtol=1e-5, atol=1e-3)
        assert not mine[len(expected) :].any()


def proposals_of(layer: Proposals, scores: dict[tuple[int, int, int], float]) -> list[list[float]]:
    """The boxes on a map of 4x5 with these scores (anchor, row, column), all others far below, and no offsets."""
    low = torch.full((1, len(layer.anchors), 4, 5), -100.0)
    for (anchor, row, column), score in scores.items():
        low[0, anchor, row, column] = score
    result = ProposalBoxes(layer, (4, 5))(low, torch.zeros(1, 4 * len(layer.anchors), 4, 5))
    rows: list[list[float]] = result[0, :, :, 0].T.tolist()
    return rows


WIDE, NARROW = [24.0, 24.0, 40.0, 40.0], [28.0, 24.0, 36.0, 40.0]
"""16x16 and 8x16 around (32, 32): they share 128 of 256 pixels."""


@pytest.mark.parametrize(("overlap", "both"), [(0.5, True), (0.49, False), (0.51, True), (1.0, True), (0.0, False)])
def test_proposals_that_overlap_by_the_threshold_both_stay(overlap: float, both: bool) -> None:
    layer = Proposals(sources=(0, 1), anchors=((16.0, 16.0), (8.0, 16.0)), considered=2, count=3, overlap=overlap)
    nothing = [0.0] * 4
    expected = [WIDE, NARROW if both else nothing, nothing]
    assert proposals_of(layer, {(0, 2, 2): 2.0, (1, 2, 2): 1.0}) == expected
    expected = [NARROW, WIDE if both else nothing, nothing]
    assert proposals_of(layer, {(0, 2, 2): 1.0, (1, 2, 2): 2.0}) == expected


def test_proposals_that_only_touch_do_not_overlap() -> None:
    layer = Proposals(sources=(0, 1), anchors=((16.0, 16.0),), considered=2, count=2, overlap=0.0)
    assert proposals_of(layer, {(0, 2, 2): 2.0, (0, 2, 3): 1.0}) == [WIDE, [40.0, 24.0, 56.0, 40.0]]


def test_proposals_of_one_score_keep_the_order_of_rows_columns_and_anchors() -> None:
    layer = Proposals(sources=(0, 1), anchors=((4.0, 4.0), (6.0, 6.0)), considered=4, count=4, overlap=1.0)
    places = [(0, 1, 1), (1, 1, 1), (0, 1, 3), (0, 2, 0)]
    expected = [
        [14.0, 14.0, 18.0, 18.0],
        [13.0, 13.0, 19.0, 19.0],
        [46.0, 14.0, 50.0, 18.0],
        [0.0, 30.0, 2.0, 34.0],  # cut off at the left
    ]
    assert proposals_of(layer, dict.fromkeys(reversed(places), 1.0)) == expected


@pytest.mark.parametrize(("considered", "count", "there"), [(3, 9, 3), (2, 9, 2), (9, 3, 3), (9, 2, 2), (1, 1, 1)])
def test_no_more_proposals_than_are_considered_and_kept(considered: int, count: int, there: int) -> None:
    layer = Proposals(sources=(0, 1), anchors=((4.0, 4.0),), considered=considered, count=count, overlap=0.5)
    rows = proposals_of(layer, {(0, 1, 1): 3.0, (0, 1, 2): 2.0, (0, 1, 3): 1.0})
    assert len(rows) == count
    assert rows[:there] == [[x - 2.0, 14.0, x + 2.0, 18.0] for x in (16, 32, 48)][:there]
    assert all(any(row) for row in rows) == (min(considered, 20) >= count)


def test_a_proposal_outside_of_the_map_has_no_area_and_makes_room() -> None:
    """Pushed out to the left it would be a line at the border: a row of zeros for it would hold a place."""
    layer = Proposals(sources=(0, 1), anchors=((4.0, 4.0),), considered=2, count=2, overlap=0.5)
    scores, offsets = torch.full((1, 1, 4, 5), -100.0), torch.zeros(1, 4, 4, 5)
    scores[0, 0, 1, 0], scores[0, 0, 1, 1] = 2.0, 1.0
    offsets[0, 0, 1, 0] = -1.0  # its centre lies at -4, its right edge at -2
    result = ProposalBoxes(layer, (4, 5))(scores, offsets)[0, :, :, 0].T.tolist()
    assert result == [[14.0, 14.0, 18.0, 18.0], [0.0] * 4]


def test_a_box_grows_to_1000_16ths_of_its_anchor_and_no_further() -> None:
    layer = Proposals(sources=(0, 1), anchors=((1.0, 1.0),), stride=100, considered=1, count=1)
    sides = []
    for growth in (1.0, 4.0, 5.0, 1000.0):  # the logarithm of 62.5 is 4.135
        scores, offsets = torch.full((1, 1, 4, 5), -100.0), torch.zeros(1, 4, 4, 5)
        scores[0, 0, 2, 2] = 1.0
        offsets[0, 2:, 2, 2] = growth
        left, top, right, bottom = ProposalBoxes(layer, (4, 5))(scores, offsets)[0, :, 0, 0].tolist()
        assert right - left == pytest.approx(bottom - top)
        sides.append(right - left)
    assert sides == pytest.approx([2.71828, 54.59815, 62.5, 62.5], rel=1e-5)


def test_a_region_is_a_tenth_of_a_pixel_at_least() -> None:
    """A part's samples lie at 1/4 and 3/4 of it; where the value is the column's number, they can be read off."""
    layer = RoiAlign(sources=(0, 1), bins=1, stride=10, samples=2)
    columns = torch.arange(8.0).expand(1, 1, 4, 8).contiguous()
    for width, sample in ((0.0, 2.075), (0.5, 2.075), (1.0, 2.075), (2.0, 2.15), (10.0, 2.75)):
        region = torch.tensor([[[20.0], [10.0], [20.0 + width], [20.0]]])[..., None]
        assert float(PsRoiAlign(layer)(columns, region)) == pytest.approx(sample, abs=1e-5)


def test_regions_are_as_precise_in_a_network_of_half_precision() -> None:
    """Where a box lies must not be rounded to the 2 pixels that bf16 has between 256 and 512."""
    layer = Proposals(sources=(0, 1), anchors=((20.3, 10.7),), count=4)
    scores, offsets = noise(1, 1, 30, 30).bfloat16(), noise(1, 4, 30, 30, seed=1).bfloat16()
    halved = ProposalBoxes(layer, (30, 30)).to(torch.bfloat16)(scores, offsets)
    assert halved.dtype == torch.float32
    assert torch.equal(halved, ProposalBoxes(layer, (30, 30))(scores.float(), offsets.float()))


def test_no_images_have_no_regions() -> None:
    layer = Proposals(sources=(0, 1), anchors=((20.0, 10.0),), count=5)
    result = ProposalBoxes(layer, (4, 4))(torch.empty(0, 1, 4, 4), torch.empty(0, 4, 4, 4))
    assert result.shape == (0, 4, 5, 1)
    assert PsRoiAlign(ALIGN)(torch.empty(0, 18, 4, 4), result).shape == (0, 18, 5, 1)


def built(layer: Resize | Shuffle, *extra: tuple[int, int]) -> torch.fx.GraphModule:
    b = Builder("net", (6, 5, 5))
    b.dropout(0)
    for size, stride in extra:
        b.maxpool(size, stride)
    b.add(layer)
    return to_module(b.network())


def test_shuffle_deals_channels_out() -> None:
    x = torch.arange(6.0)[None, :, None, None].expand(1, 6, 5, 5)
    assert built(Shuffle(sources=(0,)))(x)[0, :, 0, 0].tolist() == [0, 2, 4, 1, 3, 5]
    assert built(Shuffle(sources=(0,), groups=3))(x)[0, :, 0, 0].tolist() == [0, 3, 1, 4, 2, 5]
    with refuses("network.indivisible-groups", expected="a divisor of 6", found="groups=4"):
        built(Shuffle(sources=(0,), groups=4))


def test_resize_follows_its_second_source() -> None:
    x = noise(1, 6, 5, 5)
    small = functional.max_pool2d(x, 2, 2, ceil_mode=True)
    nearest = built(Resize(sources=(1, 0)), (2, 2))(x)
    assert torch.equal(nearest[0, :, 4, 0], small[0, :, 2, 0])
    assert torch.equal(nearest, functional.interpolate(small, (5, 5), mode="nearest"))
    smooth = built(Resize(sources=(1, 0), bilinear=True), (2, 2))(x)
    # 3 pixels to 5 with aligned corners: every other one is a pixel, the rest are in the middle
    torch.testing.assert_close(smooth[:, :, ::2, ::2], small)
    torch.testing.assert_close(smooth[:, :, 1, 0], (small[:, :, 0, 0] + small[:, :, 1, 0]) / 2)


def test_darknets_average_pool_rounds_up_as_caffes() -> None:
    b = Builder("net", (2, 19, 19))
    b.local_avgpool(2)
    x = noise(1, 2, 19, 19)
    torch.testing.assert_close(to_module(b.network())(x), functional.avg_pool2d(x, 2, 2, ceil_mode=True))


PROPOSALS = Proposals(sources=(0, 1), anchors=((1.0, 1.0),))


@pytest.mark.parametrize(
    ("layer", "shapes", "code", "found"),
    [
        (PROPOSALS, [(2, 4, 4), (4, 4, 4)], "network.anchor-channels", "2x4x4 and 4x4x4"),
        (PROPOSALS, [(1, 4, 4), (4, 4, 5)], "network.anchor-channels", "1x4x4 and 4x4x5"),
        (ALIGN, [(17, 4, 4), (4, 9, 1)], "network.region-channels", "17x4x4 and 4x9x1"),
        (ALIGN, [(18, 4, 4), (5, 9, 1)], "network.region-channels", "18x4x4 and 5x9x1"),
        (RoiBox(sources=(0,)), [(88, 9, 1)], "network.head-filters", "88"),
        (MultiBox(sources=(0,), anchors=((1.0, 1.0),)), [(86, 2, 2)], "network.head-filters", "86"),
    ],
)
def test_what_does_not_fit_is_refused(
    layer: Proposals | RoiAlign | RoiBox | MultiBox, shapes: list[tuple[int, int, int]], code: str, found: str
) -> None:
    with refuses(code, found=found):
        layer.output(shapes)
