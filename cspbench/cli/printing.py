"""Tables and facts on stdout, in the form asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import typer

from cspbench.cli.options import Format


def format_of(form: Format, as_json: bool) -> Format:
    """The form asked for; `--json` is how it was said before there was --format."""
    return Format.JSON if as_json else form


def print_table(lines: list[dict[str, Any]], form: Format) -> None:
    """Objects with the same keys, one a line of a table; None prints as a dash."""
    if form is Format.JSON:
        print_json(lines)
        return
    keys = list(lines[0])
    texts = [["-" if value is None else str(value) for value in line.values()] for line in lines]
    typer.echo(table(keys if form is Format.CSV else [key.capitalize() for key in keys], texts, form), nl=False)


def table(header: Sequence[str], lines: Sequence[Sequence[str]], form: Format) -> str:
    """A table of texts as md, csv or latex."""
    from cspbench.report.formats import flat_csv, grid, latex

    written: Mapping[Format, Callable[[], str]] = {
        Format.MD: lambda: grid(header, lines) + "\n",
        Format.CSV: lambda: flat_csv(header, lines),
        Format.LATEX: lambda: latex(header, lines),
    }
    return written[form]()


def print_json(document: Any) -> None:
    """A document as JSON; what a terminal would obey, such as an escape in a file's name, is escaped."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    typer.echo("".join(each if each.isprintable() or each == "\n" else json.dumps(each)[1:-1] for each in text))


def print_facts(facts: Mapping[str, str | None], form: Format, document: Any = None) -> None:
    """Names and values: one a line for people, in a table of two columns else; JSON is `document`, if that is more."""
    if form is Format.JSON:
        print_json(dict(facts) if document is None else document)
    elif form is Format.MD:
        width = max(map(len, facts))
        typer.echo("\n".join(f"{name:<{width}}  {value or '-'}" for name, value in facts.items()))
    else:
        typer.echo(table(("name", "value"), [[name, value or "-"] for name, value in facts.items()], form), nl=False)
