"""Trainings in run directories and in results directories, each with the evaluations of its final weights.

RUN/training.json                   the record of a training (`cspbench.retrained.record.Training`)
RUN/NAME_final.weights              its last weights, by which their evaluations are known, or NAME_final.safetensors
RUN/evaluations/*/run.json          evaluations, some of which may be of weights on the way
RESULTS/retrained/NAME.json         `Retrained`: what `cspbench report --save` made of one evaluation
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from msgspec import structs

from cspbench.errors import CspbenchError, RunError, brief
from cspbench.io import own_folder, write_bytes
from cspbench.results.encoding import encode
from cspbench.results.runs import find_runs
from cspbench.results.schema import Evaluation
from cspbench.results.store import EVALUATIONS as STORED
from cspbench.results.store import StoredEvaluation, of_run, read_record
from cspbench.retrained.record import (
    EVALUATIONS,
    FINAL,
    FINAL_OF_MODULE,
    RECORD,
    Retrained,
    Training,
    load,
    without_places,
)
from cspbench.weights.arrays import digest

FOLDER = "retrained"
"""Of a results directory."""
LONGEST = 80
"""Characters of a model's name in a file's name."""


@dataclass(frozen=True)
class Retraining:
    """A finished training, and an evaluation of its final weights with metrics."""

    training: Training
    evaluation: StoredEvaluation


@dataclass(frozen=True)
class Collected:
    """The retrainings in some folders, and why others are not among them, a line for each."""

    retrainings: tuple[Retraining, ...] = ()
    notes: tuple[str, ...] = ()


def split(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The run directories at the paths that are not of a training, and the folders of trainings, without duplicates.

    Both are looked for up to two levels below. Raises `RunError` for a path with neither.
    """
    runs: dict[Path, Path] = {}
    trainings: dict[Path, Path] = {}
    for path in paths:
        below = list(_trainings(path))
        trainings |= {folder.resolve(): folder for folder in below if folder.resolve() not in trainings}
        try:
            found = find_runs([path])
        except RunError:
            if not below:
                raise
            found = []
        for run in found:
            training = run.resolve().parent.parent
            if run.resolve().parent.name != EVALUATIONS or not (training / RECORD).exists():
                runs.setdefault(run.resolve(), run)
            else:
                trainings.setdefault(training, run.parent.parent if run.parent.name else training)
    return list(runs.values()), list(trainings.values())


def _trainings(path: Path) -> Iterator[Path]:
    try:
        if (path / RECORD).exists():
            yield path
        else:
            yield from sorted(
                file.parent for pattern in (f"*/{RECORD}", f"*/*/{RECORD}") for file in path.glob(pattern)
            )
    except OSError:
        return


def collect(results: Path | None, paths: Sequence[Path]) -> Collected:
    """The retrainings in a results directory, if there is one, and in folders of trainings or of runs.

    Raises `CspbenchError` where there is nothing at a path; what cannot be used is named in the notes.
    """
    runs, folders = split(paths)
    notes: list[str] = []
    kept = _kept(results, notes) if results is not None else ()
    below = (_of_folder(folder, notes) for folder in folders)
    # those of the folders replace equal ones among the results
    found = {_key(each): each for each in chain(kept, *below)}
    notes += [_alone(run) for run in runs if is_retrained(of_run(run))]
    return Collected(tuple(found.values()), tuple(notes))


def is_retrained(evaluation: StoredEvaluation) -> bool:
    """Whether its weights were trained here, so that it stands in a section of its own."""
    return evaluation.run.weights.origin == "retrained"


def keep(results: Path, retrainings: Sequence[Retraining]) -> list[Path]:
    """Store retrainings in a results directory, without paths; returns the files written."""
    folder = own_folder(results, FOLDER)
    files = []
    for each in retrainings:
        training, evaluation = without_places(each.training), each.evaluation
        assert evaluation.metrics is not None
        model = re.sub(r"[^A-Za-z0-9_-]+", "-", training.model)[:LONGEST]
        file = folder / f"{model}-seed{training.seed}-{hashlib.sha256(_key(each)).hexdigest()[:8]}.json"
        write_bytes(file, encode(Retrained(run=evaluation.run, metrics=evaluation.metrics, training=training)))
        files.append(file)
    return files


def _kept(results: Path, notes: list[str]) -> Iterator[Retraining]:
    """Those of a results directory; a note for an evaluation without its training among the others there."""
    for file in sorted((results / STORED).glob("*.json")):
        with suppress(CspbenchError):  # who reads them all says what is wrong with it
            record = read_record(file, Evaluation)
            if is_retrained(StoredEvaluation(file.stem, str(file), record.run, record.metrics)):
                notes.append(_alone(file))
    for file in sorted((results / FOLDER).glob("*.json")):
        try:
            kept = read_record(file, Retrained)
        except CspbenchError as error:
            notes.append(_cannot(file, error))
            continue
        yield Retraining(kept.training, StoredEvaluation(file.stem, str(file), kept.run, kept.metrics))


def _of_folder(folder: Path, notes: list[str]) -> Iterator[Retraining]:
    """The evaluations of a training's final weights; a note where there is none."""
    try:
        training = load(folder / RECORD)
        files = sorted(folder.glob(f"*{FINAL}")) or sorted(folder.glob(f"*{FINAL_OF_MODULE}"))
        final = {digest(file) for file in files}
    except CspbenchError as error:
        notes.append(_cannot(folder, error))
        return
    except OSError as error:
        notes.append(f"{_shown(folder)}: its weights cannot be read, {error.strerror}: left out")
        return
    if not final:
        notes.append(f"{_shown(folder)}: no *{FINAL}, so the training is not finished: left out")
        return
    count = 0
    for file in sorted((folder / EVALUATIONS).glob("*/run.json")):
        try:
            evaluation = of_run(file.parent)
        except CspbenchError as error:
            notes.append(_cannot(file.parent, error))
            continue
        if evaluation.run.weights.file not in final:
            continue
        count += 1
        if evaluation.metrics is None:
            notes.append(f"{_shown(file.parent)}: an evaluation that is not finished: left out")
        else:
            yield Retraining(training, evaluation)
    if not count:
        notes.append(f"{_shown(folder)}: no evaluation of its final weights: left out")


def _key(retraining: Retraining) -> bytes:
    """What two records of one training and evaluation have in common; one training may be of the row of two tables."""
    run = retraining.evaluation.run
    training = structs.replace(retraining.training, sessions=[])
    return b"".join(map(encode, [training, run.identity, *([run.settings] if run.settings else [])]))


def _alone(path: Path) -> str:
    return f"{_shown(path)}: retrained, without the {RECORD} of its training: left out"


def _cannot(path: Path, error: CspbenchError) -> str:
    return f"{_shown(path)}: {error.what}, {error.found}: left out"


def _shown(path: Path) -> str:
    return brief(str(path), 200)
