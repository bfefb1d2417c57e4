"""`cspbench list`: every published row, the model behind it and where its definition comes from."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cspbench.cli import options
from cspbench.cli.arguments import refuse_together
from cspbench.cli.choices import Format
from cspbench.cli.printing import print_table


def list_rows(
    table: options.TableOption = None,
    models: Annotated[bool, typer.Option("--models", help="The catalogue's models instead of the rows.")] = False,
    form: options.FormatOption = Format.MD,
) -> None:
    """List every published row with its model, definition and input size."""
    refuse_together({"--models": models, "--table": table}, {"--models": ("--table",)})
    print_table(_models() if models else _rows(table or []), form)


def _rows(names: list[str]) -> list[dict[str, Any]]:
    from cspbench.claims import tables
    from cspbench.zoo.registry import MODELS

    lines = []
    for table in [tables.load(name) for name in names] or tables.load_all():
        for row in table.rows:
            model = MODELS[row.model] if row.model else None
            size = row.size or (model.build().input[1:] if model else None)
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
    from cspbench.zoo.registry import MODELS

    lines = []
    for model in MODELS.values():
        network = model.build()
        lines.append(
            {
                "model": model.name,
                "definition": model.definition,
                "confidence": model.confidence,
                "input": "×".join(map(str, network.input[1:])),
                "layers": len(network.layers),
                "source": model.source,
                "unknown": model.unknown,
            }
        )
    return lines
