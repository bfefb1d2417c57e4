"""What `cspbench study` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import Style, print_blocks, print_json

if TYPE_CHECKING:
    from cspbench.evaluation.execution import Listener
    from cspbench.study.study import Studied


def show(studied: Studied, style: Style, listener: Listener) -> None:
    """The studies on stdout, and a note on trainings that are left."""
    from cspbench.report.studies import flat, text
    from cspbench.report.text import some

    if style.form is Format.JSON:
        print_json(flat.as_json(studied.studies))
    elif style.form is Format.CSV:
        typer.echo(flat.as_csv(studied.studies), nl=False)
    else:
        print_blocks(list(text.blocks(studied.studies)), style)
    if studied.left:
        names = ", ".join(studied.left[:3])
        listener.note(f"{some(len(studied.left), 'training')} left, or with other workers: {names}")
