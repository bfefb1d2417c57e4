"""Selects the models of an evaluation and their weight files, and evaluates one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from cspbench.claims import tables
from cspbench.errors import CspbenchError, UsageError, WeightsError
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.inference.distributed import rank
from cspbench.network.network import Network
from cspbench.results.match import of_dataset
from cspbench.weights.catalogue import VARIABLE, find, wanted
from cspbench.zoo import registry
from cspbench.zoo.model import Model

NAMED = 3
"""Weight files that a message names."""
Result = TypeVar("Result")


@dataclass(frozen=True)
class Selected:
    """A network with its weight file."""

    network: Network
    file: Path

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def quoted(self) -> bool:
        """Whether it is another paper's detector, evaluated by its authors' own protocol; never a user's file."""
        entry = None if self.network.places else registry.MODELS.get(self.name)
        return entry is not None and entry.recipe is not None


@dataclass(frozen=True)
class Selection:
    """The models to evaluate, and the names of those without weights."""

    models: tuple[Selected, ...]
    without: tuple[str, ...] = ()


def rows_of(task: str, sample: bool = False) -> tuple[str, ...]:
    """The published tables of the task "imagenet" or "coco", or those of the bundled sample."""
    return of_dataset(task, "sample" if sample else "published")


def of_file(network: Network, weights: Path | None, patterns: Sequence[str], *, detectors: bool) -> Selection:
    """The selection of a user's cfg file, which requires its weight file and excludes `patterns`."""
    if weights is None:
        raise UsageError(
            "usage.cfg-without-weights",
            "--cfg needs --weights",
            expected="both files",
            remedy="Name the .weights of this .cfg",
        )
    if patterns:
        raise UsageError(
            "usage.two-networks",
            "--cfg and -m name different networks",
            expected="one of them",
            found="both",
            remedy="Leave out -m",
        )
    _check_task(network, detectors)
    return Selection((Selected(network, weights),))


def of_models(
    patterns: Sequence[str],
    weights: Path | None,
    of_tables: Sequence[str],
    *,
    detectors: bool,
    listener: Listener = SILENT,
) -> Selection:
    """The models that patterns match, or without patterns all with a row in the tables, with their weight files.

    A pattern is a model's name or TABLE:ROW. A classifier among detectors, or the reverse, is an error if it was named,
    and ignored if a wildcard matched it. Raises `UsageError` where none of them has weights.
    """
    if patterns:
        models = _of_task(_matching(patterns), patterns, detectors)
    else:
        names = {row.model for table in of_tables for row in tables.load(table).rows}
        models = [model for name, model in registry.MODELS.items() if name in names]
    if weights is not None and len(models) != 1:
        raise UsageError(
            "usage.one-model",
            "--weights requires exactly one model",
            expected="-m MODEL",
            found=f"{len(models)} models",
            remedy="Name the model",
        )
    selected, without = [], []
    for model in models:
        try:
            file = weights or find(model)
        except WeightsError as error:
            if patterns:
                raise
            # an unusable file must not prevent the evaluation of other models
            listener.note(f"{model.name} is left out: {error} [{error.code}]")
            file = None
        if file is None:
            without.append(model.name)
        else:
            selected.append(Selected(model.build(), file))
    if not selected:
        raise no_weights(without)
    return Selection(tuple(selected), tuple(without))


def sizes_of(network: Network) -> list[tuple[int, int] | None]:
    """The input sizes (height, width) of a detector's published rows; [None], the network's own, without rows.

    A user's file always keeps its size.
    """
    if network.places:
        return [None]
    names = (*of_dataset("coco"), *of_dataset("coco", "sample"))
    sizes = {row.size for name in names for row in tables.load(name).rows if row.model == network.name}
    return [*sorted(size for size in sizes if size)] or [None]


def check_own_protocol(models: Sequence[Selected], options: Sequence[str], listener: Listener = SILENT) -> None:
    """Refuse options that a quoted detector's protocol fixes; among several models note that they have no effect."""
    for model in models:
        if not (model.quoted and options):
            continue
        if len(models) == 1:
            raise UsageError(
                "usage.own-recipe",
                f"{model.name} has its authors' own protocol",
                expected=f"no {' or '.join(options)}",
                found=" ".join(options),
                remedy=f"Leave it out: pixels, thresholds and suppression of {model.name} are the quoted paper's",
            )
        listener.note(f"{model.name} keeps its authors' own protocol: {', '.join(options)} do not change it")


def evaluate_all(
    evaluations: Sequence[tuple[str, Callable[[], Result]]], listener: Listener = SILENT
) -> tuple[list[Result], int]:
    """Run evaluations by name: the results, and the exit code of those that failed, 0 without failures.

    A failure does not stop the rest; the error of a single evaluation is raised.
    """
    results, codes = [], set()
    for name, evaluate in evaluations:
        try:
            results.append(evaluate())
        except CspbenchError as error:
            # all processes of torchrun see an unusable file; after any other error the rest would wait for this one
            if len(evaluations) == 1 or not (rank()[1] == 1 or isinstance(error, WeightsError)):
                raise error if name in str(error) else error.at(name) from error
            listener.note(f"{name} is left out: {error} [{error.code}]")
            codes.add(error.exit_code)
    # of different codes 3 is reported: unusable files matter more than unfinished runs
    return results, codes.pop() if len(codes) == 1 else 3 if codes else 0


def _matching(patterns: Sequence[str]) -> list[Model]:
    """The models that match patterns; TABLE:ROW means the row's model."""
    names: list[str] = []
    for pattern in patterns:
        if ":" not in pattern:
            names.append(pattern)
            continue
        loaded = [*tables.load_all(), *tables.load_all(kind="sample")]
        rows = {f"{table.name}:{row.id}": row.model for table in loaded for row in table.rows}
        matches = [model for row, model in rows.items() if fnmatchcase(row, pattern)]
        models = [model for model in matches if model]
        if not models:
            raise UsageError(
                "usage.unknown-row" if not matches else "usage.undefined-network",
                f"no row {pattern!r}" if not matches else f"no network definition for {pattern}",
                expected="TABLE:ROW of a published table",
                remedy=_suggestion(pattern, [row for row, model in rows.items() if model]),
            )
        names += models
    return registry.matching(names)


def _suggestion(name: str, rows: list[str]) -> str:
    import difflib

    matches = difflib.get_close_matches(name.lower(), rows, n=3, cutoff=0.4)
    return f"Did you mean {', '.join(matches)}?" if matches else "`cspbench weights list` names every row"


def _of_task(models: list[Model], patterns: Sequence[str], detectors: bool) -> list[Model]:
    """The classifiers, or the detectors, among models; an error if there are none, or if another one was named."""
    networks = {model.name: model.build() for model in models}
    suitable = [model for model in models if bool(networks[model.name].detections) == detectors]
    for model in models:
        if not suitable or model.name in patterns:
            _check_task(networks[model.name], detectors)
    return suitable


def _check_task(network: Network, detectors: bool) -> None:
    if bool(network.detections) != detectors:
        kinds = ("a classifier", "a detector")
        command = ("eval-imagenet", "eval-coco")[not detectors]
        raise UsageError(
            "usage.other-task",
            f"{network.name} is {kinds[not detectors]}",
            expected=kinds[detectors],
            remedy=f"Evaluate it with `cspbench {command}`",
        )


def no_weights(without: Sequence[str]) -> UsageError:
    """The error for a selection without any weights; `without` are the models' names."""
    order = ("released", "gone", None, "never-released")
    files = sorted((wanted(model) for model in without), key=lambda file: order.index(file[2]))
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    names = [
        f"{name} ({f'{size:,} bytes, ' if size else ''}{status or 'of no published row'})"
        for name, size, status in files[:NAMED]
    ]
    remedy = f"Put {', '.join(names)}{more} there"
    if any(status == "released" for _, _, status in files[:NAMED]):
        remedy += "; `cspbench weights fetch` gets released ones"
    return UsageError(
        "usage.no-weights",
        "no weights to evaluate",
        expected=f"weight files in ${VARIABLE}, or --weights FILE with -m MODEL or --cfg FILE",
        found=os.environ.get(VARIABLE) or f"${VARIABLE} not set",
        remedy=f"{remedy}; `cspbench weights list` names every file, and --sample needs none",
    )
