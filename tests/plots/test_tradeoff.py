"""The figure of accuracy over cost: which points and lines it has, and that its labels can be read."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from report_lines import published

from cspbench.claims import tables
from cspbench.plots import tradeoff
from cspbench.plots.label_placement import MARKER, Rectangle, ambiguous, placed
from cspbench.plots.tradeoff import OPERATIONS, PARAMETERS, models


@pytest.mark.parametrize("name", ["imagenet-small", "imagenet-big"])
def test_every_csp_model_is_joined_to_its_base(name: str) -> None:
    rows = models(tables.load(name), [])
    for row in rows:
        assert (row.base is not None) == row.label.startswith("CSP")
        assert row.measured is None
        if row.base is not None:
            assert row.base.base is None


def test_the_points_are_the_published_numbers() -> None:
    small, big = (models(tables.load(name), []) for name in ("imagenet-small", "imagenet-big"))
    # all rows but the one that prints no BFLOPs
    assert (len(small), len(big)) == (18, 16)
    result = {
        row.label: (row.claim, row.base.label if row.base is not None else None)
        for rows in (small, big)
        for row in rows
    }
    assert result["CSPResNet-10"] == ((1.905, 65.3), "ResNet-10")
    assert result["CSPResNeXt-50"] == ((7.93, 77.9), "ResNeXt-50")
    assert result["CSPDenseNetb Ref."] == ((0.631, 64.2), "Darknet Ref.")
    assert result["ResNet-152"] == ((22.6, 77.8), None)


def test_what_was_measured_stands_beside_the_claim() -> None:
    table = tables.load("imagenet-big")
    rows = {row.label: row for row in models(table, published())}
    assert (rows["CSPDarkNet-53"].claim, rows["CSPDarkNet-53"].measured) == ((13.07, 77.2), (13.07, 77.4))
    assert rows["CSPDarkNet-53"].interval == (77.03, 77.77)
    # measured on a part of the data: not to be held against the claim
    assert rows["ResNet-50"].measured is None
    over_parameters = {row.label: row for row in models(table, published(), PARAMETERS)}
    assert over_parameters["CSPDarkNet-53"].measured == (27.61, 77.4)
    # parameters that nobody published, and no accuracy of ours
    elastic = over_parameters["CSPDarkNet-53-Elastic"]
    assert (elastic.claim, elastic.measured) == (None, None)
    assert elastic.cost is not None
    assert elastic.cost[1] == 76.1


def test_a_cost_that_was_measured_alone_stands_at_the_published_accuracy() -> None:
    table = tables.load("imagenet-big")
    counted = [
        replace(line, cells={each: cell for each, cell in line.cells.items() if each not in ("top1", "top5")})
        for line in published()
    ]
    rows = models(table, counted)
    result = {row.label: row for row in rows}
    assert (result["ResNet-50"].claim, result["ResNet-50"].measured) == ((9.74, 75.8), None)
    assert result["ResNet-50"].cost == (10.00, 75.8)
    assert tradeoff.words(rows, OPERATIONS) == "as published, with the measured operations"
    assert tradeoff.words(models(table, []), OPERATIONS) == "as published"
    assert tradeoff.words(models(table, published()), OPERATIONS) == "as published and as measured"


def test_a_label_is_nearer_to_its_own_point_where_there_is_room() -> None:
    points = [(100.0, 100.0), (120.0, 104.0)]
    boxes = placed(points, [(60.0, 12.0)] * 2, [], [Rectangle(0, 0, 300, 300)] * 2)
    assert not any(ambiguous(box, at, points) for at, box in enumerate(boxes))
    # right of both, it could be either's
    assert ambiguous(Rectangle(129, 94, 189, 106), 0, points)


def test_an_interval_lies_within_the_axes() -> None:
    pytest.importorskip("matplotlib")
    lines = [
        replace(line, cells={**line.cells, "top1": replace(line.cells["top1"], interval=("60.0", "95.0"))})
        for line in published()
        if "top1" in line.cells
    ]
    rows = models(tables.load("imagenet-big"), lines)
    low, high = tradeoff.figure("title", {"Big Models": rows}).axes[0].get_ylim()
    assert low < 60 < 95 < high


def test_labels_keep_apart_where_points_crowd() -> None:
    points = [(100.0 + 9 * (at % 4), 100.0 + 7 * (at // 4)) for at in range(12)]
    others = [(60.0, 60.0), (150.0, 160.0)]
    sizes = [(60.0, 12.0)] * len(points)
    boxes = placed(points, sizes, [(points[0], points[11])], [Rectangle(0, 0, 300, 300)] * len(points), others)
    for one, other in combinations(boxes, 2):
        assert not one.meets(other)
    for box in boxes:
        assert all(not box.meets(Rectangle(x - MARKER, y - MARKER, x + MARKER, y + MARKER)) for x, y in points + others)
        assert (box.x1 - box.x0, box.y1 - box.y0) == pytest.approx((60, 12))
        assert box.x0 >= 0
        assert box.y1 <= 300


def test_a_lonely_label_stands_right_of_its_point() -> None:
    (box,) = placed([(50.0, 50.0)], [(40.0, 10.0)], [], [Rectangle(0, 0, 200, 100)])
    assert box == Rectangle(59, 45, 99, 55)
    (box,) = placed([(190.0, 50.0)], [(40.0, 10.0)], [], [Rectangle(0, 0, 200, 100)])
    assert box.x1 <= 200


def test_lines_cross_boxes() -> None:
    box = Rectangle(10, 10, 20, 20)
    assert box.crossed((0, 0), (30, 30))
    assert not box.crossed((0, 0), (30, 5))
    assert box.crossed((15, 15), (15, 15))
