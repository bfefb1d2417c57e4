"""Downloads of the weight files of published rows: the rows of a name or pattern, and the outcome for each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from cspbench.errors import LockedError, UsageError, WeightsError
from cspbench.weights.catalogue import WeightFile
from cspbench.weights.darknet import read
from cspbench.weights.download.files import Expected, Patience, Progress, Say, download
from cspbench.weights.download.links import mirrored
from cspbench.weights.filekind import Kind, examine
from cspbench.zoo.names import meanings
from cspbench.zoo.registry import MODELS

NO_WEIGHTS = "unmeasured: no-weights"


@dataclass(frozen=True)
class Outcome:
    """The result for a row: its file, or the `code` and `reason` why there is none, and a remedy."""

    table: str
    row: str
    file: str | None
    bytes: int | None
    result: str
    checked: str | None = None
    code: str | None = None
    reason: str | None = None
    remedy: str | None = None


def rows_named(names: Sequence[str], files: Sequence[WeightFile]) -> list[WeightFile]:
    """The rows that match names or patterns, in the tables' order: by TABLE:ROW or row id, else by model or file,
    else by the other names of rows and models (`cspbench.zoo.names`).

    For a model, only its rows with a file, if there are any. Raises `UsageError`, with the nearest names.
    """
    from fnmatch import fnmatchcase

    matches: set[tuple[str, str]] = set()
    for name in names:
        rows = [file for file in files if fnmatchcase(f"{file.table}:{file.id}", name) or fnmatchcase(file.id, name)]
        if not rows:
            rows = [file for file in files if any(fnmatchcase(text, name) for text in (file.model, file.file) if text)]
            rows = [file for file in rows if file.file] or rows
        if not rows:
            means = meanings(name, MODELS)
            keys = {(each.row.table, each.row.id) for each in means if each.row}
            models = {each.model for each in means if not each.row}
            rows = [file for file in files if (file.table, file.id) in keys or file.model in models]
        if not rows:
            import difflib

            texts = [f"{file.table}:{file.id}" for file in files]
            if ":" not in name:
                texts = [text for file in files for text in (file.id, file.model, file.file) if text]
            near = difflib.get_close_matches(name.lower(), dict.fromkeys(texts), n=3, cutoff=0.4)
            what, remedy = "unknown row, model or weight file", "`cspbench weights list` shows all rows"
            remedy = f"Did you mean {', '.join(near)}?" if near else remedy
            raise UsageError("usage.unknown-weights", what, found=repr(name), remedy=remedy)
        matches.update((file.table, file.id) for file in rows)
    return [file for file in files if (file.table, file.id) in matches]


def fetch_rows(
    rows: Sequence[WeightFile],
    folder: Path,
    *,
    mirrors: Sequence[str],
    patience: Patience,
    sha256: str | None,
    force: bool,
    say: Say,
    progress: Callable[[str], AbstractContextManager[Progress]],
) -> Iterator[Outcome]:
    """Download the files of rows into a folder, each file once; yields the outcome of every row in turn.

    `mirrors` are tried before the published address. `sha256` replaces the digest of the catalogue; the rows must then
    share one file. `say` gets a line for each event, `progress` opens a display for a file. Raises `UsageError` for an
    invalid mirror, before anything is downloaded.
    """
    addresses = {row.file: [mirrored(mirror, row.file) for mirror in mirrors] for row in rows if row.file}
    done: dict[str, Outcome] = {}
    for row in rows:
        if row.file is None:
            yield _without(row, folder, "download.never-released", "no file was ever released for this row")
            continue
        if row.file not in done:
            file = replace(row, sha256=sha256 or row.sha256)
            with progress(row.file) as report:
                done[row.file] = _fetched(file, folder, addresses[row.file], patience, force, say, report)
        yield replace(done[row.file], table=row.table, row=row.id)


def _fetched(
    row: WeightFile, folder: Path, mirrors: list[str], patience: Patience, force: bool, say: Say, progress: Progress
) -> Outcome:
    """Download one file unless it exists or no address is known."""
    assert row.file is not None
    target = folder / row.file
    published = [row.url] if row.url and (mirrors or row.status != "gone") else []
    if not mirrors and not published and not target.exists():
        gone = row.status == "gone" and row.note
        return _without(row, folder, "download.no-address", gone or "the published documents give no address")
    try:
        urls = [*mirrors, *published]
        file = download(urls, target, _expected(row), patience, force=force, progress=progress, say=say)
    except (WeightsError, LockedError) as error:
        remedy, error.remedy = error.remedy, None
        return _without(row, folder, error.code, str(error), remedy)
    origin = f"downloaded from {file.source}" if file.source else "exists already"
    say(f"{file.path}: {origin}; {file.size} bytes, sha256 {file.sha256}; checked: {file.checked}")
    return Outcome(row.table, row.id, row.file, file.size, "fetched" if file.source else "there already", file.checked)


def _without(row: WeightFile, folder: Path, code: str, reason: str, remedy: str | None = None) -> Outcome:
    """The outcome for a row without weights; its remedy includes how to supply the file by other means."""
    size = f" ({row.size} bytes)" if row.size else f" (sha256 begins {row.sha256})" if row.sha256 else ""
    if row.size and row.short_size:
        size = f" ({row.size} bytes, or {row.short_size} with the 16-byte header)"
    name = row.file or (f"{row.model.rpartition('/')[2]}.weights" if row.model else None)
    own = f"put your own file at {folder / name}{size}" if name else None
    advice = "; or ".join(filter(None, (remedy, own)))
    advice = advice[:1].upper() + advice[1:]
    return Outcome(row.table, row.id, row.file, row.size, NO_WEIGHTS, None, code, reason, advice or None)


def _expected(row: WeightFile) -> Expected:
    """The requirements for a file from the catalogue, with the check of its format."""
    sizes = tuple(size for size in (row.size, row.short_size) if size is not None)

    def inspect(path: Path) -> str:
        if row.file is not None and row.file.endswith(".pth"):
            file = examine(path)
            if file.kind not in (Kind.ZIP, Kind.PICKLE):
                raise file.refused(Kind.ZIP)
            return "a checkpoint by its first bytes"
        assert row.model is not None
        read(path, MODELS[row.model].build())
        return "every number read"

    return Expected(sizes, row.sha256, inspect)
