"""`cspbench demo`: everything that cspbench does, on a sample that it draws itself, without downloads."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import typer

from cspbench.cli import options
from cspbench.cli.terminal.progress import listener as terminal

NMS = "0.45,0.50,0.55,0.60,0.65,0.70"
"""The thresholds of the README's NMS table."""
MENTIONED = 4
"""How many files beside the page are mentioned."""


def demo(
    out: options.OutOption = None, run: options.RunOption = Path("runs/sample"), fresh: options.FreshOption = False
) -> None:
    """Try everything on drawn images, without downloads.

    Counts every published row, evaluates the bundled networks, and writes all reports to --out, by default results. The
    published accuracies stay unmeasured: they need the authors' weights and ImageNet or COCO. Predictions made by a
    different version are computed again. Exit code 1: a number is off.
    """
    from cspbench.claims import own
    from cspbench.cli.evaluation.eval_coco import eval_coco
    from cspbench.cli.evaluation.eval_imagenet import eval_imagenet
    from cspbench.cli.networks.counting import count_all
    from cspbench.cli.reports.digest import digest
    from cspbench.io import check_folder
    from cspbench.plots import report_files
    from cspbench.results.runs import other_program

    own.use_published()
    start = time.monotonic()
    out = out or Path("results")
    check_folder(out)
    if not fresh and (versions := other_program(run)):
        terminal().note(f"{run}: made by {versions}, evaluated again")
        fresh = True
    failed = count_all(out)
    codes = [int(failed), _code(lambda: eval_imagenet(sample=True, run=run, fresh=fresh))]
    codes.append(_code(lambda: eval_coco(sample=True, nms=NMS, run=run, fresh=fresh)))
    written, rows = report_files.save(out, [run], terminal().note)
    for line in digest(rows):
        typer.echo(line)
    others = sorted((path.name for path in written if path.name != "report.html"), key=_place)
    typer.echo(f"\nDone in {time.monotonic() - start:.0f} s. To read: {out / 'report.html'}")
    typer.echo(f"Beside it: {', '.join(others[:MENTIONED])} and {len(others) - MENTIONED} more files")
    raise typer.Exit(max(codes))


def _place(name: str) -> tuple[bool, str]:
    return not name.startswith("report."), name


def _code(command: Callable[[], None]) -> int:
    """The exit code of a command, whose tables are not printed: the reports have them."""
    try:
        with redirect_stdout(io.StringIO()):
            command()
    except typer.Exit as end:
        return int(end.exit_code)
    return 0
