"""`cspbench show`: one model, layer by layer; as a Darknet cfg; as a drawing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli.options import Format, FormatOption, SizeOption, parse_size, refuse_together, resized

if TYPE_CHECKING:
    from cspbench.network.network import Network
    from cspbench.zoo.model import Model


_APART = {
    "--why": ("--cfg", "--plot", "--size", "--format csv", "--format latex"),
    "--cfg": ("--format json", "--format csv", "--format latex"),
    "--plot": ("--format json", "--format csv", "--format latex"),
}
"""Options that make no sense together."""


def show(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model of the catalogue (`cspbench list --models`).")],
    size: SizeOption = None,
    cfg: Annotated[Path | None, typer.Option("--cfg", help="Write it as a Darknet .cfg file (- for stdout).")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", help="Draw the graph: .svg, .png or .pdf.")] = None,
    why: Annotated[bool, typer.Option("--why", help="The evidence for the definition, and nothing else.")] = False,
    form: FormatOption = Format.MD,
) -> None:
    """Show a model: where it comes from, its layers, shapes, parameters and operations."""
    from cspbench.network.counting import PARAMETER_COUNTINGS, parameters, stored_bytes
    from cspbench.report.network_table import ledger_text, totals
    from cspbench.zoo import catalogue

    options = {"--why": why, "--cfg": cfg, "--plot": plot, "--size": size}
    options |= {f"--format {each.value}": form is each for each in Format}
    refuse_together(options, _APART)
    entry = catalogue.model(model)
    if why:
        _evidence(entry, form)
        return
    network = resized(entry.build(), parse_size(size))
    if cfg is not None or plot is not None:
        _write(network, cfg, plot)
        return
    if form is Format.MD:
        typer.echo(f"# {entry.name}\n")
        typer.echo(_origin(entry))
        typer.echo("Parameters: " + ", ".join(f"{parameters(network, rule):,} {rule}" for rule in PARAMETER_COUNTINGS))
        typer.echo("Operations: " + ", ".join(f"{total / 1e9:.5f} G {name}" for name, total in totals(network).items()))
        typer.echo(f"Weight file: {stored_bytes(network):,} bytes\n")
    typer.echo(ledger_text([network], form.value), nl=False)


def _evidence(entry: Model, form: Format) -> None:
    if form is Format.JSON:
        keys = ("name", "definition", "source", "confidence", "unknown", "why")
        typer.echo(json.dumps({key: getattr(entry, key) for key in keys}, indent=1, ensure_ascii=False))
    else:
        typer.echo(f"# {entry.name}\n\n{_origin(entry)}\n\n{entry.why}")


def _origin(entry: Model) -> str:
    lines = [f"Definition: {entry.definition}, {entry.source}", f"Confidence: {entry.confidence}"]
    return "\n".join([*lines, f"Unknown: {entry.unknown}"] if entry.unknown else lines)


def _write(network: Network, cfg: Path | None, plot: Path | None) -> None:
    from cspbench.io import write_text
    from cspbench.network.cfg_writer import write
    from cspbench.network.shortcut_checks import old_only

    if cfg is not None:
        text = write(network)
        for line in old_only(network):
            typer.echo(f"cspbench: warning: {line}", err=True)
        if str(cfg) == "-":
            typer.echo(text, nl=False)
        else:
            write_text(cfg, text, named=True)
            typer.echo(f"cspbench: wrote {cfg}", err=True)
    if plot is not None:
        from cspbench.plots.network import draw

        draw(network, plot)
        typer.echo(f"cspbench: wrote {plot}", err=True)
