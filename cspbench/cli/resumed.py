"""What a resumed run owes to earlier sessions, in words on stderr and in its run.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from cspbench.errors import printable
from cspbench.inference import record as records
from cspbench.inference import resume
from cspbench.inference.resume import Kept
from cspbench.inference.run import Run, record
from cspbench.weights.arrays import some


def say_resumed(name: str, run: Run, kept: Kept, missing: list[int], about: Mapping[str, Any]) -> None:
    """Say what of a run is not made now, and by whom it was; list this session with it where the rest is made now."""
    before = resume.sessions(record(run.path))
    there = run.samples - sum(len(run.block(shard)) for shard in missing)
    if kept.changed:
        typer.echo(
            f"cspbench: {name}: image files have changed since ({len(kept.changed)}), their shards are made anew: "
            f"{some(kept.changed)}",
            err=True,
        )
    if missing:
        # what the evaluation's server has said is of the predictions that were there
        (run.path / "server.json").unlink(missing_ok=True)
        session = {"when": records.now(), **about}
        (resume.add_session if there else resume.begin_again)(run.path, session)
    elif kept.elsewhere:
        resume.moved(run.path, about.get("files"))
    if not there:
        return
    makers = list(dict.fromkeys(map(resume.program, before)))
    when = printable(str(before[-1].get("when") or "an unknown time"))
    typer.echo(
        f"cspbench: {name}: {there} of {run.samples} images kept from {when} by {' and '.join(makers)}: {run.path}; "
        "--fresh makes them anew",
        err=True,
    )
    own = resume.program(about)
    if {own} != set(makers):
        mixed = "this run mixes programs" if missing or len(makers) > 1 else "another program made them"
        typer.echo(f"cspbench: warning: {name}: {mixed}, this one is {own}", err=True)
