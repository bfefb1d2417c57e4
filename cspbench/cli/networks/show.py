"""`cspbench show`: one model, layer by layer; as a Darknet cfg; as a drawing."""

from __future__ import annotations

import textwrap
from pathlib import Path
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import either, named, parse_size, refuse_existing, refuse_together, resized
from cspbench.cli.choices import Format
from cspbench.cli.networks.differences import every_difference
from cspbench.cli.terminal import completion
from cspbench.cli.terminal.printing import Style, print_json, print_ledgers
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.network.modular.architecture import Architecture
    from cspbench.zoo.model import Model


_APART = {
    "--against": ("--why", "--out", "--plot", "--size"),
    "--why": ("--out", "--plot", "--size", "--format csv", "--format latex"),
    "--recipe": ("--against", "--why", "--out", "--plot", "--size"),
    "--assign": ("--against", "--why", "--recipe", "--plot"),
    "--out": ("--format json", "--format csv", "--format latex"),
    "--plot": ("--format json", "--format csv", "--format latex"),
}
"""Options that exclude each other."""


def show(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A model, a row (CSPResNeXt-50, TABLE:ROW) or a .cfg file.",
            autocompletion=completion.models,
        ),
    ] = None,
    model_option: options.ModelOption = None,
    size: options.SizeOption = None,
    own_tables: options.TablesOption = None,
    out: options.OutOption = None,
    cfg: Annotated[Path | None, typer.Option("--cfg", hidden=True, help="The old name of --out.")] = None,
    plot: Annotated[Path | None, typer.Option("--plot", hidden=True, help="The old name of --out.")] = None,
    force: options.ForceOption = False,
    against: options.AgainstOption = None,
    why: Annotated[bool, typer.Option("--why", help="The evidence for the definition, and nothing else.")] = False,
    recipe: Annotated[bool, typer.Option("--recipe", help="How it is trained, and nothing else.")] = False,
    assign: Annotated[
        str | None, typer.Option("--assign", metavar="IMAGE", help="Which points of an image learn which object.")
    ] = None,
    data: options.DataOption = None,
    weights: options.WeightsOption = None,
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
) -> None:
    """Show a model layer by layer, as a cfg or as a drawing.

    With where it comes from, shapes, parameters and operations. --out FILE writes it instead: NAME.cfg, or - for
    stdout, as a Darknet cfg; .svg, .png or .pdf as a drawing. --against shows every difference from another model or
    .cfg file; exit code 1: there is one. --assign draws SimOTA beside Darknet's rule, for the objects of --data or of a
    label file beside the image.
    """
    from cspbench.network.counting import PARAMETER_COUNTINGS, parameters, stored_bytes
    from cspbench.network.network import Network
    from cspbench.report.tables.network import totals

    name = either(model, model_option, "--model")
    if name is None:
        raise UsageError("usage.needs-model", "show needs a model", remedy="`cspbench list --models` names every model")
    values = {"--why": why, "--out": out or cfg, "--plot": plot, "--size": size, "--against": against}
    values |= {"--recipe": recipe, "--assign": assign}
    values |= {f"--format {choice.value}": form is choice for choice in Format}
    refuse_together(values, _APART)
    if assign is not None or data is not None or weights is not None:
        from cspbench.cli.training.assignments import show_assignments

        show_assignments(name, assign, data, weights, parse_size(size), out, force, form)
        return
    if recipe:
        from cspbench.cli.training.recipes import print_recipe

        print_recipe(name, form)
        return
    entry = named(name, terminal())
    if why:
        _evidence(entry, form)
        return
    if against is not None:
        every_difference(entry.build(), against, form)
        return
    network = resized(entry.architecture(), parse_size(size), terminal())
    files = [file for file in (out, cfg, plot) if file is not None]
    for file in files:
        refuse_existing(file, force)
        _write(network, file)
    if files:
        return
    if form in (Format.RICH, Format.MD):
        counts = ", ".join(f"{parameters(network, rule):,} {rule}" for rule in PARAMETER_COUNTINGS)
        operations = ", ".join(f"{total / 1e9:.5f} G {name}" for name, total in totals(network).items())
        lines = [*_origin(entry).split("\n"), f"Parameters: {counts}", f"Operations: {operations}"]
        if isinstance(network, Network):
            lines.append(f"Weight file: {stored_bytes(network):,} bytes")
        width = get_terminal_size().columns if form is Format.RICH else None
        texts = [textwrap.fill(line, width, subsequent_indent="  ") if width else line for line in lines]
        typer.echo("\n".join([f"# {entry.name}", "", *texts, ""]))
    print_ledgers([network], Style(form, wide))


def _evidence(entry: Model, form: Format) -> None:
    if form is Format.JSON:
        keys = ("name", "definition", "source", "confidence", "unknown", "evidence")
        print_json({key: getattr(entry, key) for key in keys})
    else:
        typer.echo(f"# {entry.name}\n\n{_origin(entry)}\n\n{entry.evidence}")


def _origin(entry: Model) -> str:
    lines = [f"Definition: {entry.definition}, {entry.source}", f"Confidence: {entry.confidence}"]
    return "\n".join([*lines, f"Unknown: {entry.unknown}"] if entry.unknown else lines)


def _write(architecture: Architecture, file: Path) -> None:
    """Write a network as a drawing, or as a cfg if that is the suffix, or there is none, or the file is a device."""
    from cspbench.io import write_text
    from cspbench.network.cfg.writer import write
    from cspbench.network.modular.architecture import layered
    from cspbench.network.shortcut_checks import old_only
    from cspbench.plots.network import draw

    network = layered(architecture)
    if file.suffix.lower() not in ("", ".cfg") and (not file.exists() or file.is_file()):
        draw(network, file)
    else:
        text = write(network)
        for line in old_only(network):
            terminal().note(f"warning: {line}")
        if str(file) == "-":
            typer.echo(text, nl=False)
            return
        write_text(file, text, named=True)
    terminal().note(f"wrote {file}")
