"""How a network is trained, as `cspbench show --recipe` prints it."""

from __future__ import annotations

import typer

from cspbench.cli.choices import Format
from cspbench.cli.terminal.printing import print_json, print_table
from cspbench.cli.terminal.progress import listener as terminal


def print_recipe(name: str, form: Format) -> None:
    """Print every setting of a model's, a row's or a cfg file's training with its source, and what is unknown."""
    from cspbench.training.modular.module import ModuleChosen, shown_module
    from cspbench.training.recipes.chosen import shown
    from cspbench.training.recipes.cost import Estimate, estimate, estimate_module
    from cspbench.training.train import choose

    chosen = choose(name)
    for note in chosen.notes:
        terminal().note(note)
    cost: Estimate | None
    if isinstance(chosen, ModuleChosen):
        cost, lines, code = estimate_module(chosen), shown_module(chosen), chosen.code
    else:
        cost, lines, code = estimate(chosen), shown(chosen), f"the Darknet of {chosen.era}"
    if form is Format.JSON:
        unknown = list(chosen.unknown)
        about = {"model": chosen.network.name, "era": str(chosen.era), "settings": lines, "unknown": unknown}
        print_json({**about, "estimated": cost.as_json() if cost else None})
        return
    if form in (Format.RICH, Format.MD):
        typer.echo(f"# {chosen.network.name}, trained with {code}\n")
    print_table(lines, form)
    if form in (Format.RICH, Format.MD):
        texts = [f"Unknown: {text}" for text in chosen.unknown] + ([f"Estimated: {cost}"] if cost else [])
        typer.echo("".join(f"\n{text}" for text in texts))
