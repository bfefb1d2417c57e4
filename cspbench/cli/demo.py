"""`cspbench demo`: everything cspbench does, on a sample that it draws itself; nothing is downloaded."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from cspbench.cli import evaluating as shared
from cspbench.provenance import CHANGED

NMS = "0.45,0.50,0.55,0.60,0.65,0.70"
"""The thresholds of the README's NMS table."""


def demo(
    out: Annotated[Path, typer.Option("--out", help="Where the reports are written.")] = Path("results"),
    run: shared.RunOption = Path("runs/sample"),
    fresh: shared.FreshOption = False,
) -> None:
    """Count every published row, evaluate the bundled nets on drawn images, and write all reports to results/.

    The published accuracies stay unmeasured: they need the authors' weights and ImageNet or COCO. Predictions that
    other code made are made anew. Exit code 1: a number is off.
    """
    from cspbench.cli.eval_coco import eval_coco
    from cspbench.cli.eval_imagenet import eval_imagenet
    from cspbench.cli.params import count_all
    from cspbench.cli.report import list_off, save
    from cspbench.io import check_folder

    begun = time.monotonic()
    check_folder(out)
    if not fresh and (made := outdated(run)):
        typer.echo(f"cspbench: {run}: made by {made}, evaluated anew", err=True)
        fresh = True
    typer.echo("# Parameters and BFLOPs of every row\n")
    summary, failed = count_all(out)
    typer.echo(summary)
    if listed := list_off(out):
        typer.echo(f"\nOff:\n\n{listed}")
    typer.echo("\n# A classifier on drawn images\n")
    codes = [int(failed), _code(lambda: eval_imagenet(sample=True, run=run, fresh=fresh))]
    typer.echo("\n# A detector on drawn images, at six NMS thresholds\n")
    codes.append(_code(lambda: eval_coco(sample=True, nms=NMS, run=run, fresh=fresh)))
    typer.echo("\n# The reports\n")
    written = save(out, [run])
    typer.echo("\n".join(f"- {path}" for path in written))
    typer.echo(f"\nDone in {time.monotonic() - begun:.0f} s. To read: {out / 'report.html'}")
    raise typer.Exit(max(codes))


def outdated(runs: Path) -> str | None:
    """What made the predictions there, where that is not this code as it is now; None where it is, or there are none.

    Of a checkout with changes nobody knows which they were.
    """
    from cspbench import __version__
    from cspbench.inference import record, resume
    from cspbench.inference.run import SHARD
    from cspbench.io import read_file
    from cspbench.provenance import commit

    own = __version__, commit()
    for path in sorted(runs.glob("*/run.json")):
        try:
            found = record.parse(read_file(path, record.LARGEST), SHARD)
        except (OSError, ValueError):
            return f"nobody knows what ({path} cannot be read)"
        for session in resume.sessions(found):
            made = session.get("cspbench"), session.get("commit")
            if made != own or str(made[1]).endswith(CHANGED):
                return f"cspbench {made[0]}, commit {made[1]}" if made[1] else f"cspbench {made[0]}"
    return None


def _code(command: Callable[[], None]) -> int:
    """What a command would leave with."""
    try:
        command()
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    return 0
