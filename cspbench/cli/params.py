"""`cspbench params`: parameters and operations, counted twice and compared with the published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import either, parse_size, read_cfg, refuse_together
from cspbench.cli.cfg_files import read_cfgs, with_arguments
from cspbench.cli.options import Format
from cspbench.cli.printing import print_json
from cspbench.cli.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.network.network import Network

_APART = {
    "--against": ("--layers", "--size", "--counting", "--save", "--strict", "--format csv", "--format latex"),
    "--layers": ("--counting", "--save", "--strict"),
}
"""Options that exclude each other."""


def params(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="MODEL...", help="Models or patterns (csresnet*).")
    ] = None,
    model_option: options.ModelsOption = None,
    every: options.AllOption = False,
    table: options.TableOption = None,
    own_tables: options.TablesOption = None,
    cfg: options.CfgsOption = None,
    size: options.SizeOption = None,
    counting: Annotated[
        list[str] | None,
        typer.Option("--counting", metavar="RULE", help="Use this counting instead of each claim's own; repeatable."),
    ] = None,
    form: options.FormatOption = Format.MD,
    layers: Annotated[bool, typer.Option("--layers", help="Show the counts of each layer.")] = False,
    against: Annotated[
        Path | None, typer.Option("--against", metavar="FILE", help="Compare with a .cfg, layer by layer.")
    ] = None,
    save: options.SaveOption = False,
    out: options.OutOption = None,
    strict: options.StrictOption = False,
) -> None:
    """Count parameters and operations and hold them against the published numbers.

    Countings of parameters: weights (the README's), learnable, stored. Of operations: conv, conv+maxpool (the
    README's BFLOPs), conv+maxpool+shortcut, mac, fvcore, thop, mmcv, sparsenet, elastic. A claim is not
    judged under another counting than its own. --save writes params.json and .md to the folder --out, by default
    results; with --all the sample's, too.

    Exit code 1: a cell is off, and neither a namesake network nor a stand-in explains it.
    """
    from cspbench.claims import own, tables
    from cspbench.cli.counting import at_size, count_tables, counted_apart
    from cspbench.cli.counting import save as save_counts
    from cspbench.evaluation.counts import of_models, overrides_of, published
    from cspbench.report import counts_table
    from cspbench.report.counts_table import refuse_to_lose
    from cspbench.report.network_table import ledger_text
    from cspbench.zoo import registry
    from cspbench.zoo.model import Model

    cfg, models = with_arguments(cfg, models)
    names = either(models, model_option, "--model") or []
    if sum([bool(names), every, bool(table), bool(cfg)]) != 1:
        raise UsageError(
            "usage.nothing-to-count", "say what to count", remedy="Give one of MODEL..., --all, --table and --cfg"
        )
    values = {"--against": against, "--layers": layers, "--size": size, "--counting": counting, "--save": save}
    values |= {"--strict": strict, "--format csv": form is Format.CSV, "--format latex": form is Format.LATEX}
    refuse_together(values, _APART)
    if out is not None and not save:
        raise UsageError("usage.out-without-save", "--out is where --save writes", remedy="Give --save as well")
    pixels = parse_size(size)
    if pixels and not (names or cfg):
        raise UsageError(
            "usage.needs-model", "--size goes with MODEL or --cfg", remedy="The tables' rows have sizes of their own"
        )
    chosen = registry.matching(names)
    unusable = 0
    if cfg:
        found, unusable = read_cfgs(cfg, terminal())
        chosen = [Model(each.network.name, each.build, "file", each.source) for each in found]
    networks: list[Network] = []
    if layers or pixels:
        chosen, networks, unfit = at_size(chosen, pixels)
        unusable = unfit or unusable
    if unusable and not chosen:
        raise typer.Exit(unusable)
    if against is not None:
        _compare([model.build() for model in chosen], against, form)
        return
    if layers:
        if not networks:
            raise UsageError("usage.needs-model", "--layers goes with MODEL or --cfg", remedy="Name the models")
        typer.echo(ledger_text(networks, form.value), nl=False)
        if unusable:
            raise typer.Exit(unusable)
        return
    of_tables = [tables.load(name) for name in table] if table else tables.load_all()
    countables = of_models(chosen, of_tables, pixels) if chosen else published(of_tables)
    folder = out or Path("results")
    if save and not every:
        keys: list[tuple[str | None, str | None]] = [
            (row.table, row.id) if row else (None, model.name if model else None) for row, model, _ in countables
        ]
        refuse_to_lose(folder / "params.json", keys)
    rows, uncounted = counted_apart(countables, overrides_of(counting or []))
    unusable = uncounted or unusable
    if form is Format.JSON:
        print_json(list(map(counts_table.as_json, rows)))
    else:
        write = {Format.MD: counts_table.markdown, Format.CSV: counts_table.as_csv, Format.LATEX: counts_table.as_latex}
        typer.echo(write[form](rows), nl=False)
    if save:
        save_counts(rows, folder, "params")
        if every and own.folder() is None:
            rows += count_tables(folder, "sample-params", "sample")
    if unusable:
        raise typer.Exit(unusable)
    if any(row.failed or (strict and row.off) for row in rows):
        raise typer.Exit(1)


def _compare(networks: list[Network], path: Path, form: Format) -> None:
    from cspbench.network.network import difference

    if len(networks) != 1:
        raise UsageError(
            "usage.one-model", "--against compares one model", found=str(len(networks)), remedy="Name a single model"
        )
    network = networks[0]
    different = difference(network, read_cfg(path, terminal()), (network.name, path.name))
    if form is Format.JSON:
        layers = len(network.layers)
        compared = {"model": network.name, "against": str(path), "layers": layers, "equal": not different}
        print_json({**compared, "difference": different})
    elif different:
        typer.echo(f"different: {different}")
    else:
        typer.echo(f"equal: {network.name} and {path.name}, all {len(network.layers)} layers")
    if different:
        raise typer.Exit(1)
