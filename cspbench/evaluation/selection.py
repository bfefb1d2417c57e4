"""Selects the models of an evaluation and their weight files, and evaluates one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from cspbench.claims import tables
from cspbench.errors import CspbenchError, UsageError, WeightsError
from cspbench.evaluation.execution import SILENT, Listener
from cspbench.inference.distributed import rank
from cspbench.network.modular.architecture import Architecture
from cspbench.weights.catalogue import VARIABLE, find, wanted
from cspbench.zoo import registry
from cspbench.zoo.model import Model
from cspbench.zoo.names import is_pattern

Task = Literal["imagenet", "coco"]
Result = TypeVar("Result")


@dataclass(frozen=True)
class Selected:
    """A network with its weight file."""

    network: Architecture
    file: Path

    @property
    def name(self) -> str:
        return self.network.name

    @property
    def quoted(self) -> bool:
        """Whether it is another paper's detector, evaluated by its authors' own protocol; never a user's file."""
        entry = registry.entry_of(self.network)
        return entry is not None and entry.detector_protocol is not None


@dataclass(frozen=True)
class Selection:
    """The models to evaluate, and the names of those without weights."""

    models: tuple[Selected, ...]
    without: tuple[str, ...] = ()


def of_file(network: Architecture, weights: Path | None, patterns: Sequence[str], task: Task) -> Selection:
    """The selection of a user's cfg file, which requires its weight file and excludes `patterns`."""
    if weights is None:
        raise cfg_without_weights(network.name)
    if patterns:
        raise UsageError("usage.two-networks", "--cfg and -m name different networks", remedy="Leave out -m")
    _check_task(network, task)
    return Selection((Selected(network, weights),))


def of_models(
    patterns: Sequence[str], weights: Path | None, task: Task, *, sample: bool = False, listener: Listener = SILENT
) -> Selection:
    """The models that patterns match, with their weight files; without patterns all that have a published row.

    A pattern is any name of a model (`cspbench.zoo.names`), or the path of a .cfg file. A classifier among detectors,
    or the reverse, is an error if it was named, and ignored if a wildcard matched it. `sample` means the rows of the
    bundled sample. Raises `UsageError` where none of the models has weights.
    """
    if patterns:
        models = _of_task(registry.matching(patterns), patterns, task)
    else:
        of_task = [
            table for table in tables.load_all(kind="sample" if sample else "published") if table.dataset == task
        ]
        names = {row.model for table in of_task for row in table.rows}
        models = [
            model for name, model in registry.MODELS.items() if name in names and _task_of(model.architecture()) == task
        ]
    if weights is not None and len(models) != 1:
        raise UsageError(
            "usage.one-model",
            "--weights requires exactly one model",
            found=f"{len(models)} models",
            remedy="Name it with -m",
        )
    selected, without = [], []
    for model in models:
        for warning in model.warnings:
            listener.note(f"warning: {warning}")
        if model.definition == "file" and weights is None:
            raise cfg_without_weights(model.name)
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
            selected.append(Selected(model.architecture(), file))
    if not selected:
        raise no_weights(without)
    return Selection(tuple(selected), tuple(without))


def sizes_of(network: Architecture) -> list[tuple[int, int] | None]:
    """The input sizes (height, width) of a detector's published rows; [None], the network's own, without rows.

    A user's file always keeps its size.
    """
    if network.places:
        return [None]
    rows = [row for table in tables.load_all(kind=None) if table.dataset == "coco" for row in table.rows]
    sizes = {row.size for row in rows if row.model == network.name}
    return [*sorted(size for size in sizes if size)] or [None]


def check_own_protocol(models: Sequence[Selected], options: Sequence[str], listener: Listener = SILENT) -> None:
    """Refuse options that a quoted detector's protocol fixes; among several models note that they have no effect."""
    for model in models if options else ():
        if not model.quoted:
            continue
        if len(models) == 1:
            raise UsageError(
                "usage.own-protocol",
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


def _of_task(models: list[Model], patterns: Sequence[str], task: Task) -> list[Model]:
    """The classifiers, or the detectors, among models; an error if there are none, or if another one was named."""
    suitable = [model for model in models if _task_of(model.architecture()) == task]
    named = {model.name for model in registry.matching(text for text in patterns if not is_pattern(text))}
    for model in models:
        if not suitable or model.name in named:
            _check_task(model.architecture(), task)
    return suitable


def _task_of(network: Architecture) -> Task:
    return "coco" if network.detects else "imagenet"


def _check_task(network: Architecture, task: Task) -> None:
    kinds, own = {"imagenet": "a classifier", "coco": "a detector"}, _task_of(network)
    if own != task:
        raise UsageError(
            "usage.other-task",
            f"{network.name} is {kinds[own]}",
            expected=kinds[task],
            remedy=f"Evaluate it with `cspbench eval-{own}`",
        )


def cfg_without_weights(name: str) -> UsageError:
    """The error for a cfg file whose weights are not named."""
    what = "a .cfg needs --weights"
    return UsageError("usage.cfg-without-weights", what, where=name, remedy="Name the .weights of this .cfg")


def no_weights(without: Sequence[str], alternative: str = "--sample needs none") -> UsageError:
    """The error for a selection without any weights; `without` are the models' names."""
    order = ("released", "gone", None, "never-released")
    files = sorted((wanted(model) for model in without), key=lambda file: order.index(file[2]))
    name, size, status = files[0]
    file = f"{name} ({f'{size:,} bytes, ' if size else ''}{status or 'of no published row'})"
    remedy = (
        f"Put {file} there" if len(files) == 1 else f"`cspbench weights list` names all {len(files)}, such as {file}"
    )
    if status == "released":
        remedy += "; `cspbench weights fetch` gets it"
    return UsageError(
        "usage.no-weights",
        "no weights to evaluate",
        expected=f"files in ${VARIABLE}, or --weights FILE",
        found=os.environ.get(VARIABLE) or "neither",
        remedy=f"{remedy}; {alternative}",
    )
