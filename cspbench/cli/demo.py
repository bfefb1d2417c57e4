"""`cspbench demo`: everything that cspbench does, on a sample that it draws itself, without downloads."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import typer

from cspbench.cli import options
from cspbench.cli.progress import listener as terminal

NMS = "0.45,0.50,0.55,0.60,0.65,0.70"
"""The thresholds of the README's NMS table."""


def demo(
    out: options.OutOption = None, run: options.RunOption = Path("runs/sample"), fresh: options.FreshOption = False
) -> None:
    """Count every published row, evaluate the bundled networks on drawn images, and write all reports to --out.

    By default they go to results. The published accuracies stay unmeasured: they need the authors' weights and ImageNet
    or COCO. Predictions made by a different version are computed again. Exit code 1: a number is off.
    """
    from cspbench.claims import own, tables
    from cspbench.cli.counting import count_all
    from cspbench.cli.eval_coco import eval_coco
    from cspbench.cli.eval_imagenet import eval_imagenet
    from cspbench.io import check_folder
    from cspbench.plots import report_files
    from cspbench.report.build import build
    from cspbench.report.markdown import off
    from cspbench.results.runs import other_program

    own.use_published()
    start = time.monotonic()
    out = out or Path("results")
    check_folder(out)
    if not fresh and (versions := other_program(run)):
        terminal().note(f"{run}: made by {versions}, evaluated again")
        fresh = True
    typer.echo("# Parameters and BFLOPs of every row\n")
    summary, failed = count_all(out)
    typer.echo(summary)
    if cells := off(build(out), tables.load_all(kind=None)):
        typer.echo(f"\nOff:\n\n{cells}")
    typer.echo("\n# A classifier on drawn images\n")
    codes = [int(failed), _code(lambda: eval_imagenet(sample=True, run=run, fresh=fresh))]
    typer.echo("\n# A detector on drawn images, at six NMS thresholds\n")
    codes.append(_code(lambda: eval_coco(sample=True, nms=NMS, run=run, fresh=fresh)))
    typer.echo("\n# The reports\n")
    written, _ = report_files.save(out, [run], terminal().note)
    typer.echo("\n".join(f"- {path}" for path in written))
    typer.echo(f"\nDone in {time.monotonic() - start:.0f} s. To read: {out / 'report.html'}")
    raise typer.Exit(max(codes))


def _code(command: Callable[[], None]) -> int:
    try:
        command()
    except typer.Exit as end:
        return int(end.exit_code)
    return 0
