"""Pictures: what is drawn where, and the same bytes again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cspbench.data.coco_annotations import GroundTruth
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.matching import Detections
from cspbench.errors import UsageError
from cspbench.plots import detections
from cspbench.plots.detections import Box, colour, draw

GREY = np.full((480, 640, 3), 128, np.uint8)


def pixels(path: Path) -> np.ndarray:
    """The picture as an array."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_boxes_and_names(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.png"
    draw(
        GREY,
        [Box((100, 100, 200, 150), "dog", 0.9), Box((400, 300, 100, 100), "cat", 0.1)],
        [Box((50, 300, 120, 90), "horse")],
        path,
    )
    made = pixels(path)
    assert made.shape == (480, 640, 3)
    assert tuple(made[200, 100]) == tuple(made[249, 299]) == colour("dog")
    # the name stands above the box, in its colour
    assert (made[82:98, 100:150] == colour("dog")).all(2).sum() > 200
    # what was too uncertain is not drawn
    assert (made[300:400, 400:500] == 128).all()
    # dashes: black and white along the edge of what was to be found
    edge = {tuple(pixel) for pixel in made[300, 50:170].tolist()}
    assert edge == {(0, 0, 0), (255, 255, 255)}
    # nothing else is touched
    assert (made[:60] == 128).all()


def test_the_same_bytes(tmp_path: Path) -> None:
    boxes = [Box((10 * place, 20, 80, 80), f"class {place}", 0.3 + place / 20) for place in range(12)]
    for name in ("a.png", "b.png", "a.jpg", "b.jpg"):
        draw(GREY, boxes, boxes, tmp_path / name)
    for suffix in ("png", "jpg"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.parametrize(
    "bbox", [(-50, -50, 2000, 2000), (700, 500, 10, 10), (-90, -90, 10, 10), (5, 5, -3, -3), (639, 479, 1, 1)]
)
def test_boxes_beyond_the_image(tmp_path: Path, bbox: tuple[float, float, float, float]) -> None:
    draw(GREY, [Box(bbox, "x", 1.0)], [Box(bbox, "x")], tmp_path / "a.png")
    assert pixels(tmp_path / "a.png").shape == GREY.shape


def test_small_images_are_enlarged(tmp_path: Path) -> None:
    draw(GREY[:30, :40], [Box((10, 10, 20, 10), "\u6f22\n", 0.5)], [], tmp_path / "a.png")
    made = pixels(tmp_path / "a.png")
    assert made.shape == (480, 640, 3)
    assert tuple(made[280, 160]) == colour("\u6f22\n")


def test_colours_are_bright_enough_and_apart() -> None:
    made = {colour(name) for name in ("person", "chair", "dining table", "dog", "cat", "vase", "tv")}
    assert len(made) == 7
    assert all(max(each) == 255 for each in made)


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


PLOTS: list[Callable[[AveragePrecision, Path], None]] = [
    lambda result, path: detections.curves(result, path, classes=["dog", "cat"]),
    lambda result, path: detections.sizes({"one": result, "two": result}, path),
    lambda result, path: detections.thresholds({"AP": {0.45: 38.0, 0.5: 38.2}, "AP50": {0.5: 60.2, 0.45: 60.0}}, path),
]


@pytest.mark.parametrize("plot", PLOTS)
@pytest.mark.parametrize("suffix", detections.FORMATS)
def test_plots_give_the_same_bytes(
    tmp_path: Path, result: AveragePrecision, plot: Callable[[AveragePrecision, Path], None], suffix: str
) -> None:
    for name in ("a", "b"):
        plot(result, tmp_path / f"{name}.{suffix}")
    data = (tmp_path / f"a.{suffix}").read_bytes()
    assert data == (tmp_path / f"b.{suffix}").read_bytes()
    assert len(data) > 1000


def test_what_the_plots_say(tmp_path: Path, result: AveragePrecision) -> None:
    detections.curves(result, tmp_path / "curves.svg", classes=["dog", "cat"])
    text = (tmp_path / "curves.svg").read_text()
    # one of two objects found: precision 1 up to recall 0.5, 51 of 101 points
    assert "IoU 0.50: AP 50.5" in text
    assert "dog: AP 50.5" in text
    assert "cat" not in text  # nothing to be found
    detections.sizes({"one": result}, tmp_path / "sizes.svg")
    text = (tmp_path / "sizes.svg").read_text()
    assert "n/a" in text
    assert "100.0" in text


def test_the_numbers_of_six_thresholds_lie_apart(result: AveragePrecision, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=120)
    monkeypatch.setattr(detections, "_plot", lambda path, paint: paint(figure.add_subplot()))
    detections.sizes({f"NMS {place}": result for place in range(6)}, Path("a.png"))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts]
    assert len(boxes) == 24
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_what_cannot_be_drawn(tmp_path: Path, result: AveragePrecision, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="unknown kind of picture"):
        draw(GREY, [], [], tmp_path / "a.svg")
    with pytest.raises(UsageError, match="unknown kind of picture"):
        detections.thresholds({}, tmp_path / "a")
    with pytest.raises(UsageError, match="no such class"):
        detections.curves(result, tmp_path / "a.png", classes=["horse"])
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UsageError, match=r"plots need matplotlib .* Install cspbench\[plot\]"):
        detections.sizes({"one": result}, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())
