"""RESULTS/studies/TABLE-DIGEST.json: a table of tricks in miniature, every training of it.

Means, differences, intervals and words follow from the numbers of the trainings whenever somebody asks. But for the
`seconds` and the `session`, equal studies on one machine give equal bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct, structs

from cspbench.errors import CspbenchError
from cspbench.io import own_folder, write_bytes
from cspbench.results.encoding import SCHEMA, encode
from cspbench.results.schema import Count, Positive, Precision, Session, Size
from cspbench.results.store import read_record, without_folders
from cspbench.retrained.record import TrainingData

FOLDER = "studies"
"""Of a results directory."""
Percent = Annotated[float, Meta(ge=0, le=100)]
Finite = Annotated[float, Meta(ge=-1e30, le=1e30)]


class Outcome(Struct, frozen=True):
    """What one training gave."""

    numbers: dict[str, dict[str, Percent]]
    """By NMS threshold ("" of a classifier) and metric."""
    curve: list[tuple[Count, Percent]]
    """The metric that decides, by iteration."""
    losses: list[tuple[Count, Finite]]
    """The mean loss of the iterations up to this one."""
    seconds: Annotated[float, Meta(ge=0, le=1e9)]
    data: TrainingData
    held: Count
    """Pictures that it was evaluated on, none of which it was trained on."""
    start: str | None
    """The digest of the arrays from which it began; None of those that its seed drew."""
    schema: int = SCHEMA


class Miniature(Struct, frozen=True):
    """What is trained in place of a table's networks, and how; the same in all variants."""

    model: str
    network: str
    """Its digest, with the activation of the base row."""
    parameters: Positive
    size: Size
    iterations: Positive
    batch: Positive
    drawn: bool
    """Whether the pictures are drawn; otherwise they are the user's."""
    precision: Precision = "fp32"


class Variant(Struct, frozen=True):
    """What some rows change, with the outcomes by seed."""

    name: str
    changes: list[str]
    outcomes: dict[str, Outcome]

    @property
    def by_seed(self) -> dict[int, Outcome]:
        """The same by number, in order."""
        return {int(seed): self.outcomes[seed] for seed in sorted(self.outcomes, key=int)}

    def __post_init__(self) -> None:
        """Raise `ValueError` for a seed that is not a number."""
        if not all(seed.isdecimal() and seed.isascii() and len(seed) < 12 for seed in self.outcomes):
            raise ValueError("a seed that is not a number")


class StudiedRow(Struct, frozen=True):
    """A row with the names of its variant and its base's, or why it has none."""

    row: str
    base: str | None = None
    variant: str | None = None
    base_variant: str | None = None
    nms: str = ""
    base_nms: str = ""
    lack: str | None = None


class Study(Struct, frozen=True):
    """One table in miniature."""

    table: str
    miniature: Miniature
    variants: list[Variant]
    rows: list[StudiedRow]
    session: Session
    schema: int = SCHEMA

    def variant(self, name: str) -> Variant:
        """The variant of this name; raises `LookupError`."""
        return next(variant for variant in self.variants if variant.name == name)

    @property
    def seeds(self) -> list[int]:
        """Those that all variants have."""
        return sorted(set.intersection(*(set(variant.by_seed) for variant in self.variants)))

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for variant in self.variants for outcome in variant.outcomes.values()]

    @property
    def digest(self) -> str:
        """Of everything but the times and the session: equal studies have the same."""
        timeless = [
            structs.replace(
                variant,
                outcomes={seed: structs.replace(each, seconds=0.0) for seed, each in variant.outcomes.items()},
            )
            for variant in self.variants
        ]
        data = b"".join(map(encode, [self.miniature, *timeless, *self.rows]))
        return hashlib.sha256(data).hexdigest()

    def __post_init__(self) -> None:
        """Raise `ValueError` for a row of a variant that is not there."""
        names = {variant.name for variant in self.variants}
        named = {name for row in self.rows for name in (row.variant, row.base_variant) if name is not None}
        if not self.variants or not named <= names:
            raise ValueError("rows of variants that are not there")


def keep(results: Path, studies: Sequence[Study]) -> list[Path]:
    """Store studies in a results directory, without paths; returns the files written."""
    folder = own_folder(results, FOLDER)
    files = []
    for study in studies:
        session = structs.replace(study.session, command=without_folders(study.session.command))
        files.append(folder / f"{study.table}-{study.miniature.model}.json")
        write_bytes(files[-1], encode(structs.replace(study, session=session)))
    return files


def stored(results: Path) -> tuple[list[Study], list[str]]:
    """The studies in a results directory, and a note for each file that cannot be read."""
    studies, notes = [], []
    for file in sorted((results / FOLDER).glob("*.json")):
        try:
            studies.append(read_record(file, Study))
        except CspbenchError as error:
            notes.append(f"{error} [{error.code}]")
    return studies, notes
