"""`cspbench report --migrate`: folders of results and runs of schema 1, rewritten in the current schema.

All files are read and migrated before the first is written. A run's metrics are written before its run.json, and its
folder is renamed last, so that an interrupted migration can be run again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from msgspec import Struct

from cspbench.errors import MigrationError, brief
from cspbench.io import own_folder, read_file, rename, write_bytes
from cspbench.lock import exclusive
from cspbench.network.network import Network
from cspbench.results import migrate
from cspbench.results.encoding import SCHEMA, encode
from cspbench.results.migrate import OldDigests
from cspbench.results.runs import run_path
from cspbench.results.schema import Run
from cspbench.results.store import COUNTS, EVALUATIONS, LARGEST, not_results


@dataclass(frozen=True)
class Migration:
    """A file or a run directory with its new records by file, in the order of writing."""

    path: Path
    records: Mapping[Path, Struct]
    new_path: Path
    """A run's name contains a digest of its identity, which differs between schemas."""


def migrate_folder(folder: Path, cfgs: Sequence[Network] = ()) -> list[Path]:
    """Migrate a results directory, a run directory or a folder of runs; returns the rewritten paths.

    Files of the current schema stay as they are. `cfgs` are networks outside the catalogue that runs were made with.
    Raises `CspbenchError`, with nothing written, where a network is unknown or a file cannot be read.
    """
    digests = OldDigests(cfgs)
    readers = [(_counts, folder / name) for name in COUNTS if (folder / name).exists()]
    readers += [(_evaluation, path) for path in sorted(own_folder(folder, EVALUATIONS).glob("*.json"))]
    readers += [(_run, path) for path in _runs(folder)]
    if not readers:
        where, remedy = brief(str(folder), 200), "Name a results directory, a run directory or a folder of runs"
        expected = f"{COUNTS[0]}, {EVALUATIONS}/*.json, or run.json here or up to two levels below"
        raise MigrationError("results.none-there", "no results here", where=where, expected=expected, remedy=remedy)
    migrations = [migration for read, path in readers if (migration := read(path, digests))]
    new_paths = [migration.new_path for migration in migrations]
    for migration in migrations:
        taken = migration.new_path.exists() or new_paths.count(migration.new_path) > 1
        if migration.new_path != migration.path and taken:
            where, new_path = str(migration.path), str(migration.new_path)
            remedy = "Remove one of the two"
            raise MigrationError(
                "results.name-taken", "its new name is taken", where=where, found=new_path, remedy=remedy
            )
    return [_write(migration) for migration in migrations]


def _runs(folder: Path) -> list[Path]:
    if (folder / "run.json").exists():
        return [folder]
    return sorted(path.parent for pattern in ("*/run.json", "*/*/run.json") for path in folder.glob(pattern))


def _counts(path: Path, digests: OldDigests) -> Migration | None:
    with _document(path) as document:
        return None if _is_current(document) else Migration(path, {path: migrate.counts(document, digests)}, path)


def _evaluation(path: Path, digests: OldDigests) -> Migration | None:
    with _document(path) as document:
        if "schema" in document and _is_current(document):
            return None
        record = migrate.evaluation(document, digests)
        return Migration(path, {path: record}, path.with_name(f"{_new_name(path.stem, record.run)}.json"))


def _run(path: Path, digests: OldDigests) -> Migration | None:
    file, metrics = path / "run.json", path / "metrics.json"
    records: dict[Path, Struct] = {}
    with _document(file) as document:
        if _is_current(document):
            return None
        record = migrate.run(document, digests)
        new_path = path.with_name(_new_name(path.resolve().name, record)) if path.name else path
    if metrics.exists():
        with _document(metrics) as scores:
            if not ("schema" in scores and _is_current(scores)):
                records[metrics] = migrate.metrics(scores, document, digests)
    return Migration(path, {**records, file: record}, new_path)


def _is_current(document: Mapping[str, Any]) -> bool:
    schema = document.get("schema")
    if type(schema) is not int or schema not in (1, SCHEMA):
        what, remedy = "a result of another version", "Read it with the cspbench that wrote it, or remove it"
        expected, found = f"schema 1 or {SCHEMA}", brief(f"schema {schema}")
        raise MigrationError("results.unknown-schema", what, expected=expected, found=found, remedy=remedy)
    return schema == SCHEMA


def _new_name(name: str, run: Run) -> str:
    """The name by a run's new identity, if `name` has the form MODEL-PRESET-DIGEST of one by its old identity."""
    if not re.fullmatch(rf"{re.escape(run.identity.model.replace('/', '-'))}-.+-[0-9a-f]{{8}}", name, re.DOTALL):
        return name
    preset = run.settings.name if run.settings else str(run.identity.preset["name"])
    return run_path(Path(), run.identity, preset.replace(" ", "-")).name


def _write(migration: Migration) -> Path:
    path, new_path = migration.path, migration.new_path
    with exclusive(path / ".lock") if path.is_dir() else nullcontext():
        for file, record in migration.records.items():
            write_bytes(file, encode(record))
    if new_path != path:
        rename(path, new_path, f"Rename it to {new_path.name} yourself; it is migrated")
    return new_path


@contextmanager
def _document(path: Path) -> Iterator[dict[str, Any]]:
    """A file's JSON object; errors inside the block are reported as errors in the file."""
    try:
        document = json.loads(read_file(path, LARGEST))
        if not isinstance(document, dict):
            raise TypeError(f"{type(document).__name__} instead of an object")
        yield document
    except MigrationError as error:
        raise error.at(str(path)) from None
    except (OSError, LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise not_results(str(path), f"{type(error).__name__}: {error}") from None
