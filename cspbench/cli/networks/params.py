"""`cspbench params`: parameters and operations, counted twice and compared with the published numbers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import options
from cspbench.cli.arguments import either, parse_size, refuse_together
from cspbench.cli.cfg_files import read_cfgs, with_arguments
from cspbench.cli.choices import Format
from cspbench.cli.networks.differences import first_difference
from cspbench.cli.terminal import completion
from cspbench.cli.terminal.printing import Style, print_ledgers
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.claims.model import Table
    from cspbench.network.modular.architecture import Architecture

_APART = {
    "--against": ("--layers", "--size", "--counting", "--save", "--strict", "--format csv", "--format latex"),
    "--layers": ("--counting", "--save", "--strict"),
}
"""Options that exclude each other."""


def params(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...",
            help="Models, rows (CSPResNeXt-50, TABLE:ROW), .cfg files or patterns (csresnet*).",
            autocompletion=completion.models,
        ),
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
    against: options.AgainstOption = None,
    save: options.SaveOption = False,
    out: options.OutOption = None,
    strict: options.StrictOption = False,
    wide: options.WideOption = False,
    legend: options.LegendOption = False,
) -> None:
    """Count parameters and operations beside the published numbers.

    Countings of parameters: weights (the README's), learnable, stored. Of operations: conv, conv+maxpool (the
    README's BFLOPs), conv+maxpool+shortcut, mac, fvcore, thop, thop-2021 (YOLOX's), mmcv, sparsenet, elastic. A
    claim is not judged under another counting than its own. --save writes params.json and .md to the folder --out,
    by default results; with --all the sample's, too.

    Exit code 1: a cell is off, and neither a namesake network nor a stand-in explains it.
    """
    from cspbench.claims import own, tables
    from cspbench.cli.networks.counting import at_size, count_tables, counted_apart, overrides_of, print_counts
    from cspbench.cli.networks.counting import save as save_counts
    from cspbench.network.counter import Counter

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
    overrides = overrides_of(counting or [])
    counter = Counter()
    of_tables: Sequence[Table] = ()
    if every or table:
        of_tables = [tables.load(name) for name in tables.matching(table)] if table else tables.load_all()
        counter.begin(sum(len(claimed.rows) for claimed in of_tables) // 2)  # many a network has two rows

    from cspbench.evaluation.counts import of_models, published
    from cspbench.report.tables.counts import refuse_to_lose
    from cspbench.zoo import registry

    chosen = registry.matching(name for name in names if not registry.is_file(name))
    unusable = 0
    if cfg := cfg or [name for name in names if registry.is_file(name)]:
        of_files, unusable = read_cfgs(cfg, terminal())
        chosen += of_files
    networks: list[Architecture] = []
    if layers or pixels:
        chosen, networks, unfit = at_size(chosen, pixels)
        unusable = unfit or unusable
    if unusable and not chosen:
        raise typer.Exit(unusable)
    if against is not None:
        first_difference([model.build() for model in chosen], against, form, [*(cfg or names), "-"][0])
        _leave(unusable)
        return
    if layers:
        if not networks:
            raise UsageError("usage.needs-model", "--layers goes with MODEL or --cfg", remedy="Name the models")
        print_ledgers(networks, Style(form, wide))
        _leave(unusable)
        return
    countables = of_models(chosen, tables.load_all(), pixels) if chosen else published(of_tables)
    folder = out or Path("results")
    if save and not every:
        keys: list[tuple[str | None, str | None]] = [
            (row.table, row.id) if row else (None, model.name if model else None) for row, model, _ in countables
        ]
        refuse_to_lose(folder / "params.json", keys)
    rows, uncounted = counted_apart(countables, overrides, counter)
    unusable = uncounted or unusable
    print_counts(rows, Style(form, wide, legend))
    if save:
        save_counts(rows, folder, "params")
        if every and own.folder() is None:
            rows += count_tables(folder, "sample-params", "sample")
    _leave(unusable or int(any(row.failed or (strict and row.off) for row in rows)))


def _leave(exit_code: int) -> None:
    if exit_code:
        raise typer.Exit(exit_code)
