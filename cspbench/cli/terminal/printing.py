"""Tables and facts on stdout, in any format."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import typer

from cspbench.cli.choices import Format
from cspbench.report.formats import Block, Column, Table, flat_csv, latex_tables, markdown, table

if TYPE_CHECKING:
    from cspbench.network.modular.architecture import Architecture


@dataclass(frozen=True)
class Style:
    """How a result is printed: the format, and on a terminal all columns (`wide`) and the legend."""

    form: Format = Format.MD
    wide: bool = False
    legend: bool = False


def format_of(form: Format, as_json: bool) -> Format:
    """The format, also by `--json`, which is older than `--format`."""
    return Format.JSON if as_json else form


def print_blocks(blocks: Sequence[Block], style: Style) -> None:
    """Print tables and paragraphs for a terminal, as markdown, or the tables alone as LaTeX."""
    if style.form is Format.RICH:
        from cspbench.cli.terminal.rich_tables import show

        show(blocks, style.wide, style.legend)
    else:
        typer.echo((latex_tables if style.form is Format.LATEX else markdown)(blocks), nl=False)


def print_ledgers(networks: Sequence[Architecture], style: Style) -> None:
    """Print the layers of networks."""
    from cspbench.report.tables.network import blocks, ledger_text

    if style.form in (Format.RICH, Format.MD):
        print_blocks(blocks(networks), style)
    else:
        typer.echo(ledger_text(networks, style.form.value), nl=False)


_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?")
Objects = Sequence[Mapping[str, Any]]


def print_table(lines: Objects, form: Format, ranks: Mapping[str, int] | None = None, wide: bool = False) -> None:
    """Print objects with the same keys as the lines of a table; None is a dash, and empty in CSV."""
    if form is Format.JSON:
        print_json(lines)
        return
    if form is Format.CSV:
        typer.echo(flat_csv(list(lines[0]) if lines else [], [list(line.values()) for line in lines]), nl=False)
        return
    print_blocks([table_of(lines, ranks)], Style(form, wide))


def table_of(lines: Objects, ranks: Mapping[str, int] | None = None) -> Table:
    """Objects with the same keys as a table.

    `ranks` says by key which columns a narrow terminal leaves out first, those without a rank never.
    """
    keys, ranks = list(lines[0]) if lines else [], ranks or {}
    columns = [Column(key.capitalize(), ranks.get(key, 0), _kind([line[key] for line in lines])) for key in keys]
    return Table(columns, [["-" if value is None else str(value) for value in line.values()] for line in lines])


def _kind(values: Sequence[Any]) -> Literal["number", "text"]:
    return "number" if all(value is None or _NUMBER.fullmatch(str(value)) for value in values) else "text"


def print_json(document: Any) -> None:
    """Print a document as JSON; control characters, which a terminal would obey, are escaped."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    typer.echo("".join(char if char.isprintable() or char == "\n" else json.dumps(char)[1:-1] for char in text))


def print_facts(facts: Mapping[str, str | None], form: Format, document: Any = None) -> None:
    """Print names and values, one on a line or as a table of two columns; as JSON print `document`, if any."""
    if form is Format.JSON:
        print_json(dict(facts) if document is None else document)
    elif form is Format.CSV:
        typer.echo(flat_csv(("name", "value"), facts.items()), nl=False)
    elif form is Format.LATEX:
        typer.echo(table(("name", "value"), [[name, value or "-"] for name, value in facts.items()], form), nl=False)
    else:
        width = max(map(len, facts))
        typer.echo("\n".join(f"{name:<{width}}  {value or '-'}" for name, value in facts.items()))
