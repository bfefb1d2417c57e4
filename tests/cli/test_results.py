"""What decides the exit code of an evaluation of classifiers, the graver before the lesser."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer
from msgspec import structs
from result_files import classifier, put

from cspbench.cli.choices import Format
from cspbench.cli.evaluation.results import finish_classifiers
from cspbench.cli.terminal.printing import Style
from cspbench.evaluation.imagenet import ClassificationResult
from cspbench.results.runs import load_run
from cspbench.results.schema import ClassificationMetrics, ClassOrder

SWAPPED = ClassOrder("swapped", {"darknet": 0, "sorted": 38_600}, "the classes are in the sorted order")


def result(folder: Path, top1: int = 38_600, swapped: bool = False, bad: int = 0) -> ClassificationResult:
    """CSPDarkNet-53, of which 77.2 % is claimed: 38,600 of 50,000 is exact."""
    run = load_run(put(folder, classifier(top1=top1)))
    metrics = classifier(top1=top1).metrics
    assert isinstance(metrics, ClassificationMetrics)
    order = SWAPPED if swapped else metrics.class_order
    metrics = structs.replace(metrics, class_order=order, bad=[f"{at}.png" for at in range(bad)])
    return ClassificationResult(run, metrics, {})


@pytest.mark.parametrize(
    ("top1", "swapped", "bad", "allowed", "failed", "code"),
    [
        (38_600, False, 0, 0, 0, 0),
        (38_000, False, 0, 0, 0, 1),
        (38_000, False, 1, 0, 0, 4),
        (38_000, False, 1, 1, 0, 0),  # a part of the images, with which nothing is held against the claim
        (38_600, False, 2, 2, 0, 0),
        (38_600, True, 0, 0, 0, 3),
        (38_000, True, 1, 0, 0, 3),
        (38_600, False, 0, 0, 4, 4),
        (38_000, True, 1, 0, 2, 2),
    ],
)
def test_the_gravest_decides(
    top1: int, swapped: bool, bad: int, allowed: int, failed: int, code: int, tmp_path: Path
) -> None:
    results = [result(tmp_path / "exact"), result(tmp_path / "run", top1, swapped, bad)]
    try:
        finish_classifiers(results, [], Style(Format.MD), allowed, failed)
        left = 0
    except typer.Exit as ended:
        left = ended.exit_code
    assert left == code


def test_a_swapped_class_order_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        finish_classifiers([result(tmp_path, swapped=True)], [], Style(Format.JSON), 0)
    assert f"csdarknet53: {SWAPPED.words}" in capsys.readouterr().err


def test_unreadable_images_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit):
        finish_classifiers([result(tmp_path, bad=2)], [], Style(Format.MD), 0)
    lines = capsys.readouterr().err.splitlines()
    assert [line.rsplit(" ", 1)[1] for line in lines] == ["0.png", "1.png"]
