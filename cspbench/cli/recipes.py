"""How a network is trained, as `cspbench show --recipe` prints it."""

from __future__ import annotations

import typer

from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import print_json, print_table
from cspbench.cli.terminal.progress import listener as terminal


def print_recipe(name: str, form: Format) -> None:
    """Print every setting of a model's, a row's or a cfg file's training with its source, and what is unknown."""
    from cspbench.training.recipes.chosen import of_name, shown

    chosen = of_name(name)
    for note in chosen.notes:
        terminal().note(note)
    lines = shown(chosen)
    if form is Format.JSON:
        unknown = list(chosen.unknown)
        print_json({"model": chosen.network.name, "era": chosen.era.value, "settings": lines, "unknown": unknown})
        return
    if form in (Format.RICH, Format.MD):
        typer.echo(f"# {chosen.network.name}, trained with the Darknet of {chosen.era}\n")
    print_table(lines, form)
    if form in (Format.RICH, Format.MD) and chosen.unknown:
        typer.echo("\n" + "\n".join(f"Unknown: {text}" for text in chosen.unknown))
