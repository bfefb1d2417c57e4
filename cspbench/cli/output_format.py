"""The options of how a result is printed: markdown, or tables for people where stdout is a terminal."""

from __future__ import annotations

import sys
from typing import Annotated, TypeVar

import typer

from cspbench.cli.choices import Format, PredictionFormat

AnyFormat = TypeVar("AnyFormat", Format, PredictionFormat)


def rich_on_a_terminal(context: typer.Context, parameter: typer.CallbackParam, value: AnyFormat) -> AnyFormat:
    """The format that was asked for; without one, `rich` where stdout is a terminal."""
    source = context.get_parameter_source(parameter.name or "")
    return type(value)["RICH"] if source is not None and source.name == "DEFAULT" and sys.stdout.isatty() else value


_FORMAT = typer.Option(
    "--format",
    callback=rich_on_a_terminal,
    show_default=False,
    help="How the output is printed: by default rich on a terminal, md elsewhere.",
)
FormatOption = Annotated[Format, _FORMAT]
PredictionFormatOption = Annotated[PredictionFormat, _FORMAT]
WideOption = Annotated[bool, typer.Option("--wide", help="Leave out no column on a narrow terminal.")]
LegendOption = Annotated[bool, typer.Option("--legend", help="Explain the words of the tables on a terminal.")]
