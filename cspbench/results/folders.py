"""`cspbench report --migrate`: folders of results and runs, rewritten in the schema of today.

Everything is read and migrated first; nothing is written where one document is refused. Then a run's metrics are
written before its run.json, and its folder is renamed last, so that one that was interrupted can go on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cspbench.errors import brief
from cspbench.evaluate.imagenet import directory
from cspbench.evaluate.lock import alone
from cspbench.io import read_file, write_json
from cspbench.network.network import Network
from cspbench.provenance import SCHEMA
from cspbench.results import migrate
from cspbench.results.migrate import Known, MigrationError

COUNTS = ("params.json", "sample-params.json")
KEPT = "evaluations"
LARGEST = 64 * 2**20
"""Bytes of one file; ours have less than one million."""


@dataclass(frozen=True)
class Migrated:
    """A file or a run directory: new documents by the path of their file, in the order in which they are written."""

    path: Path
    documents: Mapping[Path, Mapping[str, Any]]
    to: Path
    """What it is called from now on: runs are found by a name that holds a digest of what they are."""


def migrated(folder: Path, cfgs: Sequence[Network] = ()) -> list[Path]:
    """Migrate a results directory, a run directory or a folder of either; the paths of what was rewritten.

    What is in today's schema stays as it is. `cfgs` are networks that runs were made with, of no catalogue. Raises
    `MigrationError`, with nothing written, where a network is not known or a document cannot be read.
    """
    known = Known(cfgs)
    counted = [folder / name for name in COUNTS if (folder / name).exists()]
    kept = sorted((folder / KEPT).glob("*.json"))
    runs = _runs(folder)
    if not (counted or kept or runs):
        raise MigrationError(
            "no results here",
            where=brief(str(folder), 200),
            expected=f"{COUNTS[0]}, {KEPT}/*.json or a run.json, that one also up to two levels below",
            remedy="Name a results directory, a run directory or a folder of runs",
        )
    found = [each for path in counted if (each := _counts(path, known))]
    found += [each for path in kept if (each := _kept(path, known))]
    found += [each for path in runs if (each := _run(path, known))]
    for each in found:
        if each.to != each.path and each.to.exists():
            raise MigrationError(
                "its new name is taken", where=str(each.path), found=str(each.to), remedy="Remove one of the two"
            )
    return [_write(each) for each in found]


def _runs(folder: Path) -> list[Path]:
    if (folder / "run.json").exists():
        return [folder]
    return sorted(path.parent for pattern in ("*/run.json", "*/*/run.json") for path in folder.glob(pattern))


def _counts(path: Path, known: Known) -> Migrated | None:
    document = _read(path)
    with _reading(path):
        if migrate.schema(document) == SCHEMA:
            return None
        return Migrated(path, {path: migrate.counts(document, known)}, path)


def _kept(path: Path, known: Known) -> Migrated | None:
    document = _read(path)
    with _reading(path):
        if migrate.schema(document["run"]) == SCHEMA:
            return None
        new = migrate.evaluation(document, known)
        to = path.with_name(f"{_name(path.stem, document['run'], new['run'])}.json")
        return Migrated(path, {path: new}, to)


def _run(path: Path, known: Known) -> Migrated | None:
    place, metrics = path / "run.json", path / "metrics.json"
    document = _read(place)
    with _reading(place):
        if migrate.schema(document) == SCHEMA:
            return None
        new = migrate.run(document, known)
        to = path.with_name(_name(path.resolve().name, document, new)) if path.name else path
    documents: dict[Path, Mapping[str, Any]] = {}
    if metrics.exists():
        scored = _read(metrics)
        with _reading(metrics):
            documents[metrics] = migrate.metrics(scored, known)
    return Migrated(path, {**documents, place: new}, to)


def _name(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """A run's new name, where it had the one that its identity gave it; else the one it has."""
    return _own_name(new) if name == _own_name(old) else name


def _own_name(record: Mapping[str, Any]) -> str:
    identity = record["identity"]
    if identity["task"] == "coco":
        identity = {**identity, "preset": {"name": record["preset"]["name"], **identity["preset"]}}
    return directory(Path(), identity).name


def _write(each: Migrated) -> Path:
    if each.path.is_dir():
        with alone(each.path):
            _replace(each)
    else:
        _replace(each)
    return each.to


def _replace(each: Migrated) -> None:
    for place, document in each.documents.items():
        write_json(place, document)
    if each.to != each.path:
        try:
            each.path.rename(each.to)
        except OSError as error:
            raise MigrationError(
                "cannot be renamed",
                where=str(each.path),
                expected=each.to.name,
                found=error.strerror or str(error),
                remedy="Rename it yourself; it is migrated",
            ) from error


def _read(path: Path) -> dict[str, Any]:
    with _reading(path):
        found = json.loads(read_file(path, LARGEST))
        if not isinstance(found, dict):
            raise TypeError(f"{type(found).__name__} instead of an object")
        return found
    raise AssertionError


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Whatever a reader stumbles over within it is that file's fault."""
    try:
        yield
    except MigrationError as error:
        raise error.at(str(path)) from None
    except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise MigrationError(
            "not a result",
            where=str(path),
            expected="what `cspbench params --save`, an evaluation or `cspbench report --save` wrote",
            found=brief(f"{type(error).__name__}: {error}", 120),
            remedy="Make it again, or remove it",
        ) from None
