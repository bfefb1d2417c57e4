"""Figures of AP: what they say, and the same bytes again in every format."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from refusals import refuses

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.plots import curves


@pytest.fixture(scope="module")
def result() -> AveragePrecision:
    """Two classes, one of them without an object; no small object."""
    boxes = np.array([[0, 0, 60, 60], [100, 100, 200, 200.0]])
    truth = GroundTruth(
        image_ids=np.array([1]),
        categories={1: "dog", 2: "cat"},
        images=np.array([1, 1]),
        category_ids=np.array([1, 1]),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.array([False, False]),
    )
    return average_precision(truth, Detections(np.array([1]), np.array([1]), boxes[:1], np.array([0.5])))


@pytest.fixture
def figure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a plot draws on instead of writing it."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.8), dpi=120)

    @contextmanager
    def chart(path: Path, title: str) -> Iterator[Any]:
        yield figure.add_subplot(), []

    monkeypatch.setattr(curves, "_chart", chart)
    return figure


PLOTS: list[Callable[[AveragePrecision, Path], list[Path]]] = [
    lambda result, path: curves.precision(result, path, "net"),
    lambda result, path: curves.by_size(
        {"one": result, "two": result}, path, "net", {"one": {"aps": (1.0, 2.0), "ap": (40.0, 60.0)}}
    ),
    lambda result, path: curves.over_thresholds(
        {"AP": {0.45: 38.0, 0.5: 38.2}, "AP50": {0.5: 60.2, 0.45: 60.0}}, path, "$net$", {"AP": {0.5: (37.0, 39.0)}}
    ),
]


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_give_the_same_bytes(
    tmp_path: Path, result: AveragePrecision, plot: Callable[[AveragePrecision, Path], list[Path]]
) -> None:
    pytest.importorskip("matplotlib")
    once, again = (plot(result, tmp_path / name) for name in ("a", "b"))
    assert [path.name for path in once] == ["a.png", "a.svg", "a.pdf"]
    for path, other, start in zip(once, again, (b"\x89PNG", b"<?xml", b"%PDF"), strict=True):
        assert path.read_bytes() == other.read_bytes()
        assert path.read_bytes().startswith(start)
    svg = once[1].read_text()
    assert "net" in svg  # the title
    for stranger in ("matplotlib v", "dc:date", "CreationDate"):
        assert stranger not in svg
        assert stranger.encode() not in once[2].read_bytes()


def test_what_the_curves_say(result: AveragePrecision, figure: Any) -> None:
    curves.precision(result, Path("curves"), "net")
    # of the class with objects one of two was found: precision 1 up to recall 0.5, 51 of 101 points
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["IoU 0.50: AP 50.5", "IoU 0.75: AP 50.5", "IoU 0.50:0.95: AP 50.5"]


def test_what_the_sizes_say(result: AveragePrecision, figure: Any) -> None:
    curves.by_size({"one": result}, Path("sizes"), "net", {"one": {"ap": (40.0, 61.0)}})
    # nothing is small; the medium object was found, the large one was not
    texts = figure.axes[0].texts
    assert [text.get_text() for text in texts] == ["n/a", "100.0", "0.0", "50.5"]
    # the number stands above its interval
    assert [text.xy[1] for text in texts] == pytest.approx([0.0, 100.0, 0.0, 61.0])


def test_intervals_are_bars_around_the_points(figure: Any) -> None:
    points = {"AP": {0.45: 38.0, 0.5: 38.2}}
    curves.over_thresholds(points, Path("nms"), "net", {"AP": {0.5: (37.0, 39.5)}})
    (bar,) = (line for line in figure.axes[0].collections for line in line.get_segments())
    assert bar.tolist() == [[0.5, pytest.approx(37.0)], [0.5, pytest.approx(39.5)]]


def test_the_numbers_of_six_thresholds_lie_apart(result: AveragePrecision, figure: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    curves.by_size({f"NMS {place}": result for place in range(6)}, Path("a"), "net", {})
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts]
    assert len(boxes) == 24
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_plots_need_matplotlib(tmp_path: Path, result: AveragePrecision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with refuses("usage.no-matplotlib"):
        curves.by_size({"one": result}, tmp_path / "a", "net", {})
    assert not list(tmp_path.iterdir())
