"""The record of a training: what was trained, how, on what, from what; and who did it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field, structs

from cspbench.errors import RunError, brief
from cspbench.io import read_file
from cspbench.results.encoding import SCHEMA, decode
from cspbench.results.schema import Count, Evaluation, Session
from cspbench.results.store import LARGEST, without_folders

RECORD = "training.json"
"""Its file in a training's run directory."""
FINAL = "_final.weights"
"""How the name of the file with the final weights ends."""
FINAL_OF_MODULE = "_final.safetensors"
"""The same where a torch module of its own was trained, which has no other file."""
EVALUATIONS = "evaluations"
"""The folder of evaluations in a training's run directory."""

_Whole = Annotated[int, Meta(ge=0, le=2**62)]


class TrainingData(Struct, frozen=True):
    """The images of a training; `digest` is that of their names, classes and objects, not of their pixels."""

    images: Count
    classes: Count
    digest: str


class Start(Struct, frozen=True):
    """The arrays from which a training began: drawn with the seed, or from a file."""

    arrays: str | None
    """The digest of the file's arrays."""
    layers: Count
    """How many layers the file gave."""
    seen: _Whole
    """Images seen before."""


class MiniBatch(Struct, frozen=True):
    """Images that batch norm sees together, where the memory of the device had no room for those of the recipe."""

    images: Count
    recipe: Count


class Training(Struct, frozen=True):
    """Everything that changes a training's weights, and its sessions."""

    model: str
    row: str | None
    network: str
    recipe: str
    settings: list[str]
    era: str
    gradients: Literal["darknet", "exact"]
    seed: _Whole
    data: TrainingData
    start: Start
    precision: str
    sessions: list[Session]
    schema: int = SCHEMA
    recipe_iterations: _Whole | None = None
    """Those of the recipe itself; None in records of earlier versions."""
    changed: list[str] = field(default_factory=list)
    """What the command changed of the recipe, the number of iterations aside."""

    compiled: bool = False
    """Whether torch.compile wrote the passes, whose sums then have another order."""
    mini_batch: MiniBatch | None = None

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError("no max_batches among the settings")

    @property
    def iterations(self) -> int:
        """The number of iterations."""
        return self._number("max_batches") or 0

    @property
    def subdivisions(self) -> int | None:
        """Those of the settings."""
        return self._number("subdivisions")

    def _number(self, wanted: str) -> int | None:
        """A whole number of the settings; None where they have none."""
        texts = [text for setting in self.settings for key, _, text in [setting.partition("=")] if key == wanted]
        good = texts and texts[0].isascii() and texts[0].isdecimal() and len(texts[0]) < 20
        return int(texts[0]) if good else None

    @property
    def whole(self) -> bool:
        """Whether the recipe's own iterations were made."""
        return self.iterations == self.recipe_iterations


class Retrained(Evaluation, frozen=True, kw_only=True):
    """A training and an evaluation of its final weights, as a results directory has them."""

    training: Training


def load(path: Path) -> Training:
    """The record of a training. Raises `RunError` where it cannot be read."""
    try:
        return decode(read_file(path, LARGEST), Training)
    except (OSError, ValueError) as error:
        raise RunError(
            "run.not-a-training",
            "the record of a training cannot be read",
            where=str(path),
            found=brief(str(error), 160),
            remedy="Choose another --run",
        ) from error


def without_places(training: Training) -> Training:
    """A record without the folders of the machine that it was made on, for publication."""
    sessions = [structs.replace(session, command=without_folders(session.command)) for session in training.sessions]
    return structs.replace(training, sessions=sessions)
