"""Studies that end in seconds: a network of two layers, on a few drawn pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import structs
from training_sets import classifier

from cspbench.evaluation.execution import Execution, Listener
from cspbench.study import work
from cspbench.study.plan import Pictures, Plan, planned
from cspbench.study.variants import expanded

CLASSIFIER = """[net]
width=16
height=16
channels=3

[convolutional]
filters=8
size=3
stride=2
pad=1
activation=leaky

[convolutional]
filters=16
size=1
activation=linear

[avgpool]

[softmax]
"""
DETECTOR = """[net]
width=32
height=32
channels=3

[convolutional]
filters=8
size=8
stride=8
activation=leaky

[convolutional]
filters=18
size=1
activation=linear

[yolo]
mask=0,1
anchors=10,10,20,20
classes=4
num=2
"""
SMALL = Execution(command=("cspbench", "study"))


def write_own(folder: Path) -> None:
    """Six pictures to train on and three to score, own.data, and a network of two layers, small.cfg."""
    classifier(folder)
    lines = (folder / "list.txt").read_text().split()
    (folder / "train.txt").write_text("\n".join(lines[:6]))
    (folder / "valid.txt").write_text("\n".join(lines[6:]))
    (folder / "own.data").write_text("classes=3\ntrain=train.txt\nvalid=valid.txt\nlabels=labels.txt\ntop=2\n")
    (folder / "small.cfg").write_text(CLASSIFIER)


class Heard(Listener):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def plan(folder: Path, *names: str, text: str = CLASSIFIER, **changes: Any) -> Plan:
    """The plan of a study with a network of two layers, two seeds, and four iterations."""
    file = folder / "small.cfg"
    file.write_text(text)
    made = planned(expanded(names), model=str(file), iterations=4, seeds=2)
    few = {"classification": Pictures(20, 16), "detection": Pictures(6, 4), "evaluations": 2}
    return structs.replace(made, **{**few, **changes})


def begun(folder: Path, *names: str, **changes: Any) -> tuple[Path, Plan]:
    """Its run directory, without trainings."""
    folder.mkdir(exist_ok=True)
    made = plan(folder, *names, **changes)
    return work.begin(folder / "run", made), made
