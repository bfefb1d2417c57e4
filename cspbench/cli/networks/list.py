"""`cspbench list`: every published row, the model behind it and where its definition comes from."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Annotated, Any

import typer

from cspbench.cli import options
from cspbench.cli.arguments import refuse_together
from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import Style, print_blocks, print_table, table_of
from cspbench.report.formats import WIDE_ONLY, Block, Paragraph

RANKS = {"layers": 1} | dict.fromkeys(("id", "confidence", "source", "unknown"), WIDE_ONLY)
"""Which columns a terminal leaves out."""


def list_rows(
    table: options.TableOption = None,
    own_tables: options.TablesOption = None,
    models: Annotated[bool, typer.Option("--models", help="The catalogue's models instead of the rows.")] = False,
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
) -> None:
    """List every published row and the model behind it."""
    refuse_together({"--models": models, "--table": table}, {"--models": ("--table",)})
    lines = _models() if models else _rows(table or [])
    if form is not Format.RICH or models:
        print_table(lines, form, RANKS, wide)
        return
    parts: list[Block] = []
    for name, rows in groupby(lines, itemgetter("table")):
        parts.append(Paragraph(name, "heading"))
        parts.append(table_of([{key: row[key] for key in row if key != "table"} for row in rows], RANKS))
    print_blocks(parts, Style(form, wide))


def _rows(names: list[str]) -> list[dict[str, Any]]:
    from cspbench.claims import tables
    from cspbench.zoo.registry import MODELS

    lines = []
    for table in [tables.load(name) for name in tables.matching(names)] or tables.load_all():
        for row in table.rows:
            model = MODELS[row.model] if row.model else None
            size = row.size or (model.architecture().input[1:] if model else None)
            lines.append(
                {
                    "table": table.name,
                    "row": row.label,
                    "id": row.id,
                    "model": model.name if model else None,
                    "definition": model.definition if model else "none",
                    "confidence": model.confidence if model else None,
                    "input": "×".join(map(str, size)) if size else None,
                    "source": model.source if model else None,
                    "unknown": model.unknown if model else row.note,
                }
            )
    return lines


def _models() -> list[dict[str, Any]]:
    from cspbench.network.network import Network
    from cspbench.zoo.registry import MODELS

    lines = []
    for model in MODELS.values():
        network = model.architecture()
        lines.append(
            {
                "model": model.name,
                "definition": model.definition,
                "confidence": model.confidence,
                "input": "×".join(map(str, network.input[1:])),
                "layers": len(network.layers) if isinstance(network, Network) else None,
                "source": model.source,
                "unknown": model.unknown,
            }
        )
    return lines
