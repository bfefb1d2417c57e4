"""`cspbench report --migrate`: folders of results and runs of schema 1, rewritten in today's.

Everything is read and migrated first; nothing is written where one document is refused. A run's metrics are written
before its run.json, and its folder is renamed last, so that a migration that was interrupted can be run again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from cspbench.errors import MigrationError, brief
from cspbench.io import read_file, write_bytes
from cspbench.lock import exclusive
from cspbench.network.network import Network
from cspbench.results import migrate
from cspbench.results.migrate import Known
from cspbench.results.runs import run_path
from cspbench.results.schema import SCHEMA, Run, encode
from cspbench.results.store import COUNTS, EVALUATIONS, LARGEST


@dataclass(frozen=True)
class Migrated:
    """A file or a run directory: new records by the path of their file, in the order in which they are written."""

    path: Path
    records: Mapping[Path, Struct]
    to: Path
    """What it is called from now on: runs are found by a name that holds a digest of what they are."""


def migrated(folder: Path, cfgs: Sequence[Network] = ()) -> list[Path]:
    """Migrate a results directory, a run directory or a folder of either; the paths of what was rewritten.

    What is in today's schema stays as it is. `cfgs` are networks of no catalogue that runs were made with. Raises
    `MigrationError`, with nothing written, where a network is not known or a document cannot be read.
    """
    known = Known(cfgs)
    counted = [folder / name for name in COUNTS if (folder / name).exists()]
    stored = sorted((folder / EVALUATIONS).glob("*.json"))
    runs = _runs(folder)
    if not (counted or stored or runs):
        raise MigrationError(
            "results.none-there",
            "no results here",
            where=brief(str(folder), 200),
            expected=f"{COUNTS[0]}, {EVALUATIONS}/*.json or a run.json, that one also up to two levels below",
            remedy="Name a results directory, a run directory or a folder of runs",
        )
    results = [result for path in counted if (result := _counts(path, known))]
    results += [result for path in stored if (result := _evaluation(path, known))]
    results += [result for path in runs if (result := _run(path, known))]
    for result in results:
        if result.to != result.path and result.to.exists():
            raise MigrationError(
                "results.name-taken",
                "its new name is taken",
                where=str(result.path),
                found=str(result.to),
                remedy="Remove one of the two",
            )
    return [_write(result) for result in results]


def _runs(folder: Path) -> list[Path]:
    if (folder / "run.json").exists():
        return [folder]
    return sorted(path.parent for pattern in ("*/run.json", "*/*/run.json") for path in folder.glob(pattern))


def _counts(path: Path, known: Known) -> Migrated | None:
    document = _read(path)
    with _reading(path):
        return None if _is_todays(document) else Migrated(path, {path: migrate.counts(document, known)}, path)


def _evaluation(path: Path, known: Known) -> Migrated | None:
    document = _read(path)
    with _reading(path):
        if "schema" in document and _is_todays(document):
            return None
        record = migrate.evaluation(document, known)
        to = path.with_name(f"{_name(path.stem, document['run'], record.run)}.json")
        return Migrated(path, {path: record}, to)


def _run(path: Path, known: Known) -> Migrated | None:
    place, metrics = path / "run.json", path / "metrics.json"
    document = _read(place)
    with _reading(place):
        if _is_todays(document):
            return None
        record = migrate.run(document, known)
        to = path.with_name(_name(path.resolve().name, document, record)) if path.name else path
    records: dict[Path, Struct] = {}
    if metrics.exists():
        scored = _read(metrics)
        with _reading(metrics):
            if not ("schema" in scored and _is_todays(scored)):
                records[metrics] = migrate.metrics(scored, document, known)
    return Migrated(path, {**records, place: record}, to)


def _is_todays(document: Mapping[str, Any]) -> bool:
    schema = document.get("schema")
    if type(schema) is not int or schema not in (1, SCHEMA):
        raise MigrationError(
            "results.unknown-schema",
            "a result of another version",
            expected=f"schema 1 or {SCHEMA}",
            found=brief(f"schema {schema}"),
            remedy="Read it with the cspbench that wrote it, or remove it",
        )
    return schema == SCHEMA


def _name(name: str, old: Mapping[str, Any], new: Run) -> str:
    """A run's new name, where it had the one that its identity gave it; else the one it has."""
    if name != _name_then(old):
        return name
    preset = new.settings.name if new.settings else str(new.identity.preset["name"])
    return run_path(Path(), new.identity, preset.replace(" ", "-")).name


def _name_then(record: Mapping[str, Any]) -> str:
    """The name that schema 1 gave the directory of a run."""
    identity = record["identity"]
    if identity["task"] == "coco":
        identity = {**identity, "preset": {"name": record["preset"]["name"], **identity["preset"]}}
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]
    return f"{identity['model'].replace('/', '-')}-{identity['preset']['name']}-{digest}"


def _write(result: Migrated) -> Path:
    folder = result.path.is_dir()
    with exclusive(result.path / ".lock") if folder else nullcontext():
        for place, record in result.records.items():
            write_bytes(place, encode(record))
    if result.to != result.path:
        try:
            result.path.rename(result.to)
        except OSError as error:
            raise MigrationError(
                "disk.write-failed",
                "cannot be renamed",
                where=str(result.path),
                expected=result.to.name,
                found=error.strerror or str(error),
                remedy="Rename it yourself; it is migrated",
            ) from error
    return result.to


def _read(path: Path) -> dict[str, Any]:
    with _reading(path):
        document = json.loads(read_file(path, LARGEST))
        if not isinstance(document, dict):
            raise TypeError(f"{type(document).__name__} instead of an object")
        return document
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
            "results.not-results",
            "not a file of results",
            where=str(path),
            expected="what `cspbench params --save`, an evaluation or `cspbench report --save` wrote",
            found=brief(f"{type(error).__name__}: {error}", 120),
            remedy="Make it again, or remove it",
        ) from None
