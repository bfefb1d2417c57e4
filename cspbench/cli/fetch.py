"""`cspbench weights fetch`: the weight files of published rows, from where they are offered."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli.options import Format, FormatOption, print_table
from cspbench.errors import CspbenchError, ExistingError, UsageError, WeightsError

if TYPE_CHECKING:
    from cspbench.weights.catalogue import WeightFile
    from cspbench.weights.fetch import Expected, Fetched, Patience

NO_WEIGHTS = "unmeasured: no-weights"


def fetch_files(
    rows: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ROW]...", help="Row ids, TABLE:ROW, models, files or patterns (csp*)."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every file that is published.")] = False,
    to: Annotated[
        Path | None, typer.Option("--to", metavar="DIR", help="Where files go; $CSPBENCH_WEIGHTS if absent.")
    ] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option("--mirror", metavar="URL", help="A folder to look in first, http(s):// or file://; repeatable."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout", metavar="SECONDS", help="Without a byte for so long, or below 1 kB/s for twice, try again."
        ),
    ] = 30.0,
    retries: Annotated[int, typer.Option("--retries", help="How often a broken transfer is gone on with.")] = 5,
    sha256: Annotated[
        str | None, typer.Option("--sha256", metavar="HEX", help="What the one file's digest is, or begins with.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name that is another one.")] = False,
    form: FormatOption = Format.MD,
) -> None:
    """Fetch weight files; each is checked before it gets its name, and a broken transfer is gone on with.

    A file that is there already is only checked. Exit code 3: one that was asked for could not be had; the table says
    why and how to bring it.
    """
    from cspbench.weights.catalogue import weight_files
    from cspbench.weights.fetch import Patience

    if bool(rows) == every:
        raise UsageError(
            "usage.nothing-to-fetch",
            "say what to fetch",
            expected="ROW... or --all",
            remedy="Try `cspbench weights fetch --all`, or a row's id",
        )
    if not 0 < timeout < 1e6 or not 0 <= retries <= 1000:
        raise UsageError(
            "usage.patience",
            "--timeout or --retries cannot be used",
            expected="seconds above 0, and 0 to 1000 retries",
            found=f"{timeout:g} and {retries}",
            remedy="Correct it",
        )
    known = weight_files()
    asked = [each for each in known if each.status == "published"] if every else chosen(rows or [], known)
    names = {each.file for each in asked if each.file}
    if sha256 is not None and (len(names) != 1 or not re.fullmatch(r"[0-9a-fA-F]{8,64}", sha256)):
        raise UsageError(
            "usage.sha256",
            "--sha256 is one file's",
            expected="8 to 64 hexadecimal digits, and rows of one file",
            found=f"{len(sha256)} characters, rows of {len(names)} files",
            remedy="Ask for one row",
        )
    folder = _folder(to)
    places = {name: _addresses(name, mirror or [], len(names) == 1) for name in names}
    outcomes: dict[str, dict[str, Any]] = {}
    lines: list[dict[str, Any]] = []
    try:
        for each in asked:
            if each.file is None:
                outcome = _missing(each, folder, "no file was ever released for this row")
            elif each.file not in outcomes:
                wanted = replace(each, sha256=sha256 or each.sha256)
                patience = Patience(timeout, retries)
                outcomes[each.file] = outcome = _one(wanted, folder, places[each.file], bool(mirror), patience, force)
            else:
                outcome = outcomes[each.file]
            lines.append({"table": each.table, "row": each.id, "file": each.file, **outcome})
    except KeyboardInterrupt:
        again = shlex.join(["cspbench", *sys.argv[1:]])
        typer.echo(f"\ncspbench: interrupted; what was fetched is kept in {folder}. To go on:\n{again}", err=True)
        raise
    finally:
        if lines:
            print_table(_said_once(lines) if form in (Format.MD, Format.LATEX) else lines, form)
    if any(line["result"] == NO_WEIGHTS for line in lines):
        raise typer.Exit(3)


def _said_once(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """For reading: what a file lacks and how to bring it, at the first of its rows only."""
    said: set[str] = set()
    shown = []
    for line in lines:
        if line["file"] in said and line["reason"]:
            line = {**line, "reason": "as above", "remedy": "as above" if line["remedy"] else None}
        elif line["file"]:
            said.add(line["file"])
        shown.append(line)
    return shown


def chosen(names: Sequence[str], known: Sequence[WeightFile]) -> list[WeightFile]:
    """The rows that names or patterns mean, in the tables' order: by TABLE:ROW or row id, else by model or file.

    Of a model's rows only those with a file, if it has any. Raises `UsageError` with the nearest names.
    """
    from fnmatch import fnmatchcase

    found: set[tuple[str, str]] = set()
    for name in names:
        rows = [each for each in known if fnmatchcase(f"{each.table}:{each.id}", name) or fnmatchcase(each.id, name)]
        if not rows:
            of_model = [
                each for each in known if any(fnmatchcase(text, name) for text in (each.model, each.file) if text)
            ]
            rows = [each for each in of_model if each.file] or of_model
        if not rows:
            raise _unknown(name, known)
        found.update((each.table, each.id) for each in rows)
    return [each for each in known if (each.table, each.id) in found]


def _unknown(name: str, known: Sequence[WeightFile]) -> UsageError:
    import difflib

    if ":" in name:
        texts = [f"{each.table}:{each.id}" for each in known]
    else:
        texts = [text for each in known for text in (each.id, each.model, each.file) if text]
    near = difflib.get_close_matches(name.lower(), dict.fromkeys(texts), n=3, cutoff=0.4)
    return UsageError(
        "usage.unknown-weights",
        f"no published row, model or file is called {name!r}",
        remedy=f"Did you mean {', '.join(near)}?" if near else "`cspbench weights list` names every row",
    )


def _folder(to: Path | None) -> Path:
    from cspbench.weights.catalogue import VARIABLE, folder_of_weights

    folder = to or folder_of_weights()
    if folder is None:
        raise UsageError(
            "usage.no-folder",
            "no folder for the files",
            expected=f"--to DIR, or ${VARIABLE}",
            found=f"${VARIABLE} not set",
            remedy="Name the folder",
        )
    return folder


def _addresses(file: str, mirrors: Sequence[str], only: bool) -> list[str]:
    from cspbench.weights.links import link_of, mirrored

    link = link_of(file)
    return [mirrored(mirror, file, only) for mirror in mirrors] + ([link.url] if link else [])


def _one(
    wanted: WeightFile, folder: Path, addresses: list[str], mirrors: bool, patience: Patience, force: bool
) -> dict[str, Any]:
    """The outcome for one file; fetched unless it is there or nobody offers it."""
    from cspbench.weights.fetch import fetch

    assert wanted.file is not None
    target = folder / wanted.file
    if wanted.status == "gone" and not mirrors:
        addresses = []
    if not addresses and not target.exists():
        reason = wanted.note if wanted.status == "gone" and wanted.note else "the published documents give no address"
        return _missing(wanted, folder, reason)
    with ExitStack() as bars:
        try:
            fetched = fetch(
                addresses,
                target,
                _expected(wanted),
                patience,
                force=force,
                progress=_bar(bars, wanted.file),
                say=lambda text: typer.echo(f"cspbench: {text}", err=True),
            )
        except ExistingError as error:
            return _missing(wanted, folder, _reason(error), error.remedy)
        except WeightsError as error:
            return _missing(wanted, folder, _reason(error))
    typer.echo(f"cspbench: {_told(fetched)}", err=True)
    return {
        "bytes": fetched.size,
        "result": "fetched" if fetched.source else "there already",
        "checked": fetched.checked,
        "reason": None,
        "remedy": None,
    }


def _told(fetched: Fetched) -> str:
    origin = f"fetched from {fetched.source}" if fetched.source else "there already"
    return f"{fetched.path}: {origin}; {fetched.size} bytes, sha256 {fetched.sha256}; checked: {fetched.checked}"


def _reason(error: CspbenchError) -> str:
    """The message without its remedy, on one line."""
    return str(type(error)(error.code, error.what, where=error.where, expected=error.expected, found=error.found))


def _missing(wanted: WeightFile, folder: Path, reason: str, remedy: str | None = None) -> dict[str, Any]:
    """The outcome of a row without weights: why, and how to bring one's own."""
    size = f"{wanted.size} bytes" if wanted.size else None
    if size and wanted.short_size:
        size = f"{size}, or {wanted.short_size} with the 16-byte header"
    elif size is None and wanted.sha256:
        size = f"sha256 begins {wanted.sha256}"
    name = wanted.file or (f"{wanted.model.rpartition('/')[2]}.weights" if wanted.model else None)
    own = f"put your own file at {folder / name}" + (f" ({size})" if size else "") if name else None
    advice = "; or ".join(text for text in (remedy, own) if text)
    return {
        "bytes": wanted.size,
        "result": NO_WEIGHTS,
        "checked": None,
        "reason": " ".join(reason.split()).replace("|", "/"),
        "remedy": advice[:1].upper() + advice[1:] or None,
    }


def _expected(wanted: WeightFile) -> Expected:
    """What the catalogue knows about a file, and the reader of its kind."""
    from cspbench.weights.darknet import read
    from cspbench.weights.fetch import Expected
    from cspbench.weights.filekind import Kind, examine
    from cspbench.zoo.catalogue import MODELS

    sizes = tuple(size for size in (wanted.size, wanted.short_size) if size is not None)

    def read_all(path: Path) -> None:
        assert wanted.model is not None
        read(path, MODELS[wanted.model].build())

    def is_checkpoint(path: Path) -> None:
        file = examine(path)
        if file.kind not in (Kind.ZIP, Kind.PICKLE):
            found = "other bytes" if file.kind is Kind.DARKNET else file.kind.value[0]
            raise WeightsError(
                "weights.not-a-checkpoint",
                "not a checkpoint",
                where=str(path),
                expected="what torch.save writes",
                found=found,
            )

    if wanted.file is not None and wanted.file.endswith(".pth"):
        return Expected(sizes, wanted.sha256, is_checkpoint, "a checkpoint by its first bytes")
    return Expected(sizes, wanted.sha256, read_all, "every number read")


def _bar(bars: ExitStack, file: str) -> Callable[[int, int | None], None]:
    """A progress line that begins with the first bytes; none where stderr is no terminal or CI is set."""
    from cspbench.cli.progress import Progress

    shown: list[Progress] = []

    def reach(done: int, total: int | None) -> None:
        if not shown:
            shown.append(bars.enter_context(Progress(f"{file}, MB", round((total or 0) / 1e6))))
        shown[0].reach(round(done / 1e6))

    return reach
