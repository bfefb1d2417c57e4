"""`cspbench weights fetch`: downloads the weight files of published rows."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli import options
from cspbench.cli.arguments import either
from cspbench.cli.choices import Format
from cspbench.cli.terminal import completion
from cspbench.cli.terminal.printing import print_table
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Reach


def fetch_files(
    rows: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="ROW...",
            help="Row ids, TABLE:ROW, models, files or patterns (csp*).",
            autocompletion=completion.models,
        ),
    ] = None,
    model_option: options.ModelsOption = None,
    every: options.AllOption = False,
    out: options.OutOption = None,
    to: Annotated[Path | None, typer.Option("--to", hidden=True, help="The old name of --out.")] = None,
    mirror: Annotated[
        list[str] | None,
        typer.Option("--mirror", metavar="URL", help="A folder to try first, http(s):// or file://; repeatable."),
    ] = None,
    timeout: Annotated[
        float,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            min=0.1,
            max=86400,
            help="Retry after this many seconds without data (or twice as long below 1 kB/s).",
        ),
    ] = 30.0,
    retries: Annotated[
        int, typer.Option("--retries", min=0, max=1000, help="Times to resume an interrupted download.")
    ] = 5,
    sha256: Annotated[
        str | None,
        typer.Option("--sha256", metavar="HEX", help="Expected SHA-256 (or a prefix of it); only with a single file."),
    ] = None,
    force: options.ForceOption = False,
    form: options.FormatOption = Format.MD,
) -> None:
    """Download weight files.

    They are verified before being saved, and interrupted downloads resume. They go to the folder --out, by default
    $CSPBENCH_WEIGHTS. A file that exists already is only verified. Exit code 3: a requested file is unavailable; the
    table says why and what to do.
    """
    from cspbench.weights.catalogue import VARIABLE, folder_of_weights, weight_files
    from cspbench.weights.download.files import Patience
    from cspbench.weights.download.rows import NO_WEIGHTS, fetch_rows, rows_named

    names = either(rows, model_option, "--model") or []
    if bool(names) == every:
        raise UsageError(
            "usage.nothing-to-fetch", "name the rows to fetch", expected="ROW... or --all", remedy="Try --all"
        )
    catalogue = weight_files()
    chosen = [file for file in catalogue if file.status == "released"] if every else rows_named(names, catalogue)
    files = len({row.file for row in chosen if row.file})
    if sha256 is not None and (files != 1 or not re.fullmatch(r"[0-9a-fA-F]{8,64}", sha256)):
        raise UsageError(
            "usage.sha256",
            "--sha256 applies to a single file",
            expected="8 to 64 hexadecimal digits, and rows of one file",
            found=f"{len(sha256)} characters, rows of {files} files",
            remedy="Ask for one row",
        )
    folder = out or to or folder_of_weights()
    if folder is None:
        raise UsageError(
            "usage.no-folder",
            "no folder for the files",
            expected=f"--out DIR, or ${VARIABLE}",
            remedy="Name the folder",
        )
    outcomes = fetch_rows(
        chosen,
        folder,
        mirrors=mirror or [],
        patience=Patience(timeout, retries),
        sha256=sha256,
        force=force,
        say=terminal().note,
        progress=_bar,
    )
    lines: list[dict[str, Any]] = []
    try:
        lines.extend(asdict(outcome) for outcome in outcomes)
    except KeyboardInterrupt:
        again = shlex.join(["cspbench", *sys.argv[1:]])
        terminal().advise(f"interrupted; partial downloads are kept in {folder}. To resume:", again)
        raise
    finally:
        if lines:
            codes = form in (Format.JSON, Format.CSV)
            print_table([{key: line[key] for key in line if codes or key != "code"} for line in lines], form)
    if any(line["result"] == NO_WEIGHTS for line in lines):
        raise typer.Exit(3)


@contextmanager
def _bar(file: str) -> Iterator[Callable[[int, int | None], None]]:
    """A progress line that appears with the first bytes."""
    with ExitStack() as bars:
        shown: list[Reach] = []

        def reach(done: int, total: int | None) -> None:
            if not shown:
                shown.append(bars.enter_context(terminal().progress(f"{file}, MB", round((total or 0) / 1e6))))
            shown[0](round(done / 1e6))

        yield reach
