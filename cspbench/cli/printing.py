"""Tables and facts on stdout, in any format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import typer

from cspbench.cli.choices import Format
from cspbench.report.formats import table


def format_of(form: Format, as_json: bool) -> Format:
    """The format, also by `--json`, which is older than `--format`."""
    return Format.JSON if as_json else form


def print_table(lines: list[dict[str, Any]], form: Format) -> None:
    """Print objects with the same keys as the lines of a table; None is a dash."""
    if form is Format.JSON:
        print_json(lines)
        return
    keys = [key if form is Format.CSV else key.capitalize() for key in lines[0]]
    texts = [["-" if value is None else str(value) for value in line.values()] for line in lines]
    typer.echo(table(keys, texts, form), nl=False)


def print_json(document: Any) -> None:
    """Print a document as JSON; control characters, which a terminal would obey, are escaped."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    typer.echo("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def print_facts(facts: Mapping[str, str | None], form: Format, document: Any = None) -> None:
    """Print names and values, one on a line or as a table of two columns; as JSON print `document`, if any."""
    if form is Format.JSON:
        print_json(dict(facts) if document is None else document)
    elif form is Format.MD:
        width = max(map(len, facts))
        typer.echo("\n".join(f"{name:<{width}}  {value or '-'}" for name, value in facts.items()))
    else:
        lines = [[name, value or "-"] for name, value in facts.items()]
        typer.echo(table(("name", "value"), lines, form.value), nl=False)
