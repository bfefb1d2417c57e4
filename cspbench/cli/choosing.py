"""Which models an evaluating command is about, where their weight files lie, and what to do where there is none."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from cspbench.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from cspbench.network.network import Network
    from cspbench.zoo.model import Model

NAMED = 3
"""Weight files that a message names."""


def chosen(
    patterns: list[str],
    cfg: Path | None,
    weights: Path | None,
    tables: tuple[str, ...],
    detectors: bool,
) -> tuple[list[tuple[str, Network, Path]], list[str]]:
    """(name, network, weight file) of what can be evaluated, and the models of those tables that lack weights.

    A pattern is a model's name or TABLE:ROW. A classifier among detectors, or the reverse, is an error where it was
    asked for, and passed over where a pattern happens to fit it.
    """
    from cspbench.weights.catalogue import find
    from cspbench.zoo import catalogue

    if cfg is not None:
        from cspbench.network.cfg import read

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
        reading = read(cfg)
        for warning in reading.warnings:
            typer.echo(f"cspbench: warning: {warning}", err=True)
        _fitting(reading.network, detectors)
        return [(reading.network.name, reading.network, weights)], []
    if patterns:
        models = _of_kind(_asked(patterns), patterns, detectors)
    else:
        rows = catalogue.ROWS
        named = {entry.model for table in tables for entry in rows.get(table, {}).values()}
        models = [model for name, model in catalogue.MODELS.items() if name in named]
    if weights is not None and len(models) != 1:
        raise UsageError(
            "usage.one-model",
            "--weights is one model's",
            expected="-m MODEL",
            found=f"{len(models)} models",
            remedy="Name the model",
        )
    found, without = [], []
    for model in models:
        try:
            file = weights or find(model)
        except WeightsError as error:
            if patterns:
                raise
            # one odd file must not keep the other rows from being evaluated
            typer.echo(f"cspbench: {model.name} is left out: {error} [{error.code}]", err=True)
            file = None
        if file is None:
            without.append(model.name)
            continue
        found.append((model.name, model.build(), file))
    return found, without


def _asked(patterns: list[str]) -> list[Model]:
    """The models of patterns; TABLE:ROW, as the tables have it, means the row's model."""
    from cspbench.zoo import catalogue

    names: list[str] = []
    for pattern in patterns:
        if ":" not in pattern:
            names.append(pattern)
            continue
        rows = {f"{table}:{row}": entry.model for table, rows in catalogue.ROWS.items() for row, entry in rows.items()}
        fitting = {row: model for row, model in rows.items() if fnmatchcase(row, pattern)}
        models = [model for model in fitting.values() if model]
        if not models:
            raise UsageError(
                "usage.unknown-row" if not fitting else "usage.undefined-network",
                f"no row {pattern!r}" if not fitting else f"nobody has defined the network of {pattern}",
                expected="TABLE:ROW of a published table",
                remedy=_nearest(pattern, [row for row, model in rows.items() if model]),
            )
        names += models
    return catalogue.matching(names)


def _nearest(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.4)
    return f"Did you mean {', '.join(near)}?" if near else "`cspbench weights list` names every row"


def _of_kind(models: list[Model], patterns: list[str], detectors: bool) -> list[Model]:
    """The classifiers, or the detectors, among models that patterns fit; the others must not be all or named."""
    networks = {model.name: model.build() for model in models}
    kept = [model for model in models if bool(networks[model.name].detections) == detectors]
    for model in models:
        if model not in kept and (model.name in patterns or not kept):
            _fitting(networks[model.name], detectors)
    return kept


def _fitting(network: Network, detectors: bool) -> None:
    if bool(network.detections) != detectors:
        kinds = ("a classifier", "a detector")
        command = ("eval-imagenet", "eval-coco")[not detectors]
        raise UsageError(
            "usage.other-task",
            f"{network.name} is {kinds[not detectors]}",
            expected=kinds[detectors],
            remedy=f"Evaluate it with `cspbench {command}`",
        )


def nothing(without: list[str]) -> UsageError:
    """The error where no weights were found at all; `without` are the models that were looked for."""
    from cspbench.weights.catalogue import VARIABLE, Wanted, wanted

    def known(file: Wanted) -> str:
        size = f"{file.size:,} bytes, " if file.size else ""
        return f"{file.name} ({size}{file.status or 'of no published row'})"

    order = ("published", "gone", None, "never released")
    files = sorted((wanted(model) for model in without), key=lambda file: order.index(file.status))
    more = f" and {len(files) - NAMED} more" if len(files) > NAMED else ""
    remedy = f"Put {', '.join(map(known, files[:NAMED]))}{more} there"
    if any(file.status == "published" for file in files[:NAMED]):
        remedy += "; `cspbench weights fetch` gets published ones"
    return UsageError(
        "usage.no-weights",
        "no weights to evaluate",
        expected=f"weight files in ${VARIABLE}, or --weights FILE with -m MODEL or --cfg FILE",
        found=os.environ.get(VARIABLE) or f"${VARIABLE} not set",
        remedy=f"{remedy}; `cspbench weights list` names every file, and --sample needs none",
    )
