"""The figure of a training's course: what it shows, in how many points, and what a log may hold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cspbench.plots.training import course, draw, save


def log(losses: list[float]) -> Iterator[dict[str, Any]]:
    for number, loss in enumerate(losses, 1):
        yield {"iteration": number, "loss": loss, "average": loss + 1, "rate": number / 10, "images": 8}


def test_a_short_log_is_drawn_line_by_line() -> None:
    run = course(log([3.0, 1.0, 2.0]), most=3)
    assert run.group == 1
    assert run.iteration.tolist() == [1, 2, 3]
    assert run.low.tolist() == run.high.tolist() == [3, 1, 2]
    assert run.average.tolist() == [4, 2, 3]
    assert run.rate.tolist() == [0.1, 0.2, 0.3]


def test_a_long_log_is_drawn_in_groups() -> None:
    """Seven lines in groups of three: the range of the losses, and the last line's other values."""
    run = course(log([5, 1, 3, 2, 8, 4, 6]), most=3)
    assert run.group == 3
    assert run.iteration.tolist() == [3, 6, 7]
    assert (run.low.tolist(), run.high.tolist()) == ([1, 2, 6], [5, 8, 6])
    assert (run.average.tolist(), run.rate.tolist()) == ([4, 5, 7], [0.3, 0.6, 0.7])


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), st.integers(1, 20))
def test_no_group_loses_a_loss(losses: list[float], most: int) -> None:
    run = course(log(losses), most)
    assert 1 <= len(run.iteration) <= most
    assert run.iteration[-1] == len(losses)
    assert (run.low.min(), run.high.max()) == (min(losses), max(losses))
    assert np.all(run.low <= run.high)


def test_parts_of_the_loss() -> None:
    """Means of groups; a line without a part leaves a gap, and what is not a number is one."""
    lines = list(log([1.0] * 6))
    for at, value in enumerate((2, 4, 3, None, 5)):
        lines[at]["parts"] = {"box": value, "l1": 0}
    lines[5]["parts"] = "nothing"
    run = course(lines, most=3)
    assert list(run.parts) == ["box", "l1"]
    np.testing.assert_equal(run.parts["box"], [3, np.nan, np.nan])
    np.testing.assert_equal(run.parts["l1"], [0, 0, np.nan])
    assert course(log([1.0])).parts == {}
    panels = [axes.get_ylabel() for axes in draw(run, [(3, 50.0)], "net", "AP").axes]
    assert panels == ["loss", "parts", "AP in percent", "rate"]


def test_lines_without_numbers_are_left_out() -> None:
    lines: list[dict[str, Any]] = [
        {"iteration": 1, "loss": 2.0, "rate": 0.1},  # without an average, as earlier logs
        {"iteration": 2, "loss": float("inf"), "average": 2, "rate": 0.1},
        {"iteration": 3, "loss": float("nan"), "average": 2, "rate": 0.1},
        {"iteration": "4", "loss": 1, "average": 2, "rate": 0.1},
        {"iteration": 5, "loss": 10**400, "average": 2, "rate": 0.1},
        {"loss": 1},
        {"iteration": 7, "loss": 1, "average": 1.5, "rate": 0.1},
    ]
    run = course(lines)
    assert run.iteration.tolist() == [1, 7]
    assert run.average.tolist() == [2, 1.5]


def points(line: Any) -> list[list[float]]:
    return np.asarray(line.get_xydata()).tolist()  # type: ignore[no-any-return]


def test_the_figure() -> None:
    pytest.importorskip("matplotlib")
    loss, evaluated, rate = draw(course(log([2.0, 0.1])), [(1, 12.5), (2, 50.0)], "net, seed 3", "top-1").axes
    assert (loss.get_yscale(), loss.get_title(loc="left")) == ("log", "net, seed 3")
    assert points(evaluated.get_lines()[0]) == [[1, 12.5], [2, 50]]
    assert "top-1" in evaluated.get_ylabel()
    assert points(rate.get_lines()[0]) == [[1, 0.1], [2, 0.2]]
    assert [points(line) for line in loss.get_lines()] == [[[1, 2], [2, 0.1]], [[1, 3], [2, 1.1]]]


@pytest.mark.parametrize(
    ("losses", "scale"), [([1.0, 10.0], "linear"), ([1.0, 10.1], "log"), ([0.0, 50.0], "linear"), ([], "linear")]
)
def test_the_scale_of_the_loss(losses: list[float], scale: str) -> None:
    pytest.importorskip("matplotlib")
    axes = draw(course(log(losses)), [], "net", "AP50").axes
    assert len(axes) == 2
    assert axes[0].get_yscale() == scale


def test_the_same_files_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    for name in ("one", "two"):
        files = save(tmp_path / name, log([3, 2, 1] * 1000), [(2000, 7.5)], "$a_{net}$ \x1b[31m", "AP50")
        assert [file.name for file in files] == [f"{name}.png", f"{name}.svg"]
    for form in ("png", "svg"):
        assert (tmp_path / f"one.{form}").read_bytes() == (tmp_path / f"two.{form}").read_bytes()
