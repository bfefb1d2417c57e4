"""Pictures: what is drawn where, and the same bytes again."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from refusals import refuses

from cspbench.data.coco.annotations import GroundTruth
from cspbench.detection.ap.average_precision import AveragePrecision, average_precision
from cspbench.detection.ap.matching import Detections
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
    for name in ("a.png", "b.png"):
        draw(GREY, boxes, boxes, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


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


@pytest.fixture
def figure(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a plot draws on instead of writing it."""
    pytest.importorskip("matplotlib")
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.4), dpi=120)
    monkeypatch.setattr(detections, "_chart", lambda path: nullcontext(figure.add_subplot()))
    return figure


PLOTS: list[Callable[[AveragePrecision, Path], None]] = [
    detections.curves,
    lambda result, path: detections.sizes({"one": result, "two": result}, path),
    lambda result, path: detections.thresholds({"AP": {0.45: 38.0, 0.5: 38.2}, "AP50": {0.5: 60.2, 0.45: 60.0}}, path),
]


@pytest.mark.parametrize("plot", PLOTS)
def test_plots_give_the_same_bytes(
    tmp_path: Path, result: AveragePrecision, plot: Callable[[AveragePrecision, Path], None]
) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a", "b"):
        plot(result, tmp_path / f"{name}.png")
    data = (tmp_path / "a.png").read_bytes()
    assert data == (tmp_path / "b.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    assert len(data) > 1000


def test_what_the_curves_say(result: AveragePrecision, figure: Any) -> None:
    detections.curves(result, Path("curves.png"))
    # of the class with objects one of two was found: precision 1 up to recall 0.5, 51 of 101 points
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["IoU 0.50: AP 50.5", "IoU 0.75: AP 50.5", "IoU 0.50:0.95: AP 50.5"]


def test_what_the_sizes_say(result: AveragePrecision, figure: Any) -> None:
    detections.sizes({"one": result}, Path("sizes.png"))
    # nothing is small; the medium object was found, the large one was not
    assert [text.get_text() for text in figure.axes[0].texts] == ["n/a", "100.0", "0.0", "50.5"]


def test_the_numbers_of_six_thresholds_lie_apart(result: AveragePrecision, figure: Any) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    detections.sizes({f"NMS {place}": result for place in range(6)}, Path("a.png"))
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    boxes = [text.get_window_extent(canvas.get_renderer()) for text in figure.axes[0].texts]
    assert len(boxes) == 24
    assert not any(one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place])


def test_plots_need_matplotlib(tmp_path: Path, result: AveragePrecision, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with refuses("usage.no-matplotlib"):
        detections.sizes({"one": result}, tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def test_names_of_crowded_boxes_stand_apart(tmp_path: Path) -> None:
    """Each of twelve boxes at nearly the same place has its whole name: no other covers it."""
    names = [f"class {number}" for number in range(30, 42)]
    assert len({colour(name) for name in names}) == len(names)
    boxes = [Box((300 + number, 200 + number, 20, 20), name, 0.9) for number, name in enumerate(names)]
    draw(GREY, boxes, [], tmp_path / "a.png")
    made = pixels(tmp_path / "a.png")
    sizes = [int((made == colour(name)).all(2).sum()) for name in names]
    assert min(sizes) > 0.75 * max(sizes)  # less where letters are wide


def test_a_large_image_is_shrunk(tmp_path: Path) -> None:
    draw(np.full((3000, 4000, 3), 128, np.uint8), [Box((0, 0, 2000, 1500), "dog", 0.1)], [], tmp_path / "a.png", 0.05)
    made = pixels(tmp_path / "a.png")
    assert made.shape == (1440, 1920, 3)
    assert tuple(made[719, 900]) == colour("dog")
