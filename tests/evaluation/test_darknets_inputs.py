"""Detectors whose cfg changes their input: letter_box=1 and channels=1, held against the original program's AP."""

import shutil
from pathlib import Path

import pytest

from cspbench.evaluation.coco import evaluate_coco
from cspbench.evaluation.execution import Execution, Listener
from cspbench.network import cfg

OWN = "cases/own-detector"


@pytest.fixture
def annotations(shared: Path, tmp_path: Path) -> Path:
    """The annotations of the six photographs, which are beside them under the names of the annotations."""
    (tmp_path / "images").mkdir()
    for number, file in enumerate(sorted((shared / OWN / "images").iterdir()), 1):
        shutil.copy(file, tmp_path / "images" / f"{number:012}.jpg")
    return Path(shutil.copy(shared / "cases/letter-box/instances_own.json", tmp_path))


class Notes(Listener):
    """Keeps the warnings."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, message: str) -> None:
        self.lines.append(message)


def measured(
    annotations: Path, cfg_file: Path, weights: Path, preset: str
) -> tuple[list[float], int | None, list[str]]:
    """AP, AP50 and AP75 in percent, the number of detections, and the warnings."""
    notes = Notes()
    result = evaluate_coco(
        cfg.read(cfg_file).network,
        annotations,
        weights=weights,
        preset=preset,
        store=annotations.parent / "runs",
        execution=Execution(workers=0),
        listener=notes,
    )
    assert result is not None
    at = result.metrics.thresholds[0]
    return [float(at.ap[name] or 0) for name in ("ap", "ap50", "ap75")], at.detections, notes.lines


@pytest.mark.reference("cases/letter-box", OWN)
def test_head_keeps_the_aspect_ratio_where_the_cfg_says_so(annotations: Path, shared: Path) -> None:
    files = shared / "cases/letter-box/net.cfg", shared / OWN / "own3.weights"
    result, detections, notes = measured(annotations, *files, "head")
    assert result == pytest.approx([16.470, 29.702, 13.183], abs=0.0005)
    assert detections == 698
    assert not any("letter_box" in line for line in notes)
    stretched, _, notes = measured(annotations, *files, "readme")
    assert stretched != pytest.approx(result, abs=1)
    assert sum("letter_box=1 has no effect" in line for line in notes) == 1


@pytest.mark.reference("cases/grey-input", "cases/letter-box", OWN)
def test_a_network_of_one_channel_sees_grey(annotations: Path, shared: Path) -> None:
    files = shared / "cases/grey-input/net.cfg", shared / "cases/grey-input/net.weights"
    result, detections, _ = measured(annotations, *files, "head")
    assert result == pytest.approx([15.776, 39.512, 12.455], abs=0.0005)
    assert detections == 741
