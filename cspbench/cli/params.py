"""`cspbench params`: parameters and operations, counted twice and held against the published numbers."""

from __future__ import annotations

import gc
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli.options import Format, FormatOption, SizeOption, parse_size, refuse_together, resized
from cspbench.cli.saved_counts import refuse_to_lose
from cspbench.cli.saved_counts import save as save_counts
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.evaluation.counts import RowCount, Subject
    from cspbench.network.network import Network
    from cspbench.zoo.catalogue import Model


OUT = Path("results")
_APART = {
    "--against": ("--layers", "--size", "--counting", "--save", "--strict", "--format csv", "--format latex"),
    "--layers": ("--counting", "--save", "--strict"),
}
"""Options that make no sense together."""


def params(
    models: Annotated[
        list[str] | None, typer.Argument(metavar="[MODEL]...", help="Models or patterns (csresnet*).")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every row of every published table.")] = False,
    table: Annotated[list[str] | None, typer.Option("--table", help="Every row of this table.")] = None,
    cfg: Annotated[Path | None, typer.Option("--cfg", help="A Darknet .cfg file.")] = None,
    size: SizeOption = None,
    counting: Annotated[
        list[str] | None, typer.Option("--counting", help="Count so, instead of as each claim was counted.")
    ] = None,
    form: FormatOption = Format.MD,
    layers: Annotated[bool, typer.Option("--layers", help="The ledger of each layer.")] = False,
    against: Annotated[Path | None, typer.Option("--against", help="Compare with a .cfg, layer by layer.")] = None,
    save: Annotated[
        bool, typer.Option("--save", help="Also write params.json and .md; with --all the sample's, too.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Where --save writes.")] = OUT,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 also for explained differences.")] = False,
) -> None:
    """Count parameters and operations and hold them against the published numbers.

    Countings of parameters: weights (the README's), learnable, stored. Of operations: conv, conv+maxpool (the
    README's BFLOPs), conv+maxpool+shortcut, mac, fvcore, thop, mmcv, sparsenet, elastic. Under another counting than
    a claim's there is no verdict on it. Exit code 1: a cell is off, no network of the same name explains it, and the
    network is no stand-in of ours.
    """
    from cspbench.claims import tables
    from cspbench.zoo import catalogue

    given = [bool(models), every, bool(table), cfg is not None]
    if sum(given) != 1:
        raise UsageError(
            "usage.nothing-to-count",
            "say what to count",
            expected="one of MODEL..., --all, --table, --cfg",
            remedy="Try `cspbench params --all`",
        )
    options = {"--against": against, "--layers": layers, "--size": size, "--counting": counting, "--save": save}
    options |= {"--strict": strict, "--format csv": form is Format.CSV, "--format latex": form is Format.LATEX}
    refuse_together(options, _APART)
    if out != OUT and not save:
        raise UsageError("usage.out-without-save", "--out is where --save writes", remedy="Give --save as well")
    pixels = parse_size(size)
    if pixels and not (models or cfg):
        raise UsageError(
            "usage.needs-model", "--size goes with MODEL or --cfg", remedy="The tables' rows have sizes of their own"
        )
    chosen = catalogue.matching(models or [])
    if cfg is not None:
        chosen = [_from_file(cfg)]
    if against is not None:
        _compare([model.build() for model in chosen], against, form)
        return
    networks = [resized(model.build(), pixels) for model in chosen] if layers or pixels else []
    if layers:
        _print_layers(networks, form)
        return
    subjects = _subjects(chosen, every, table or [], pixels)
    if save and not every:
        refuse_to_lose(out / "params.json", subjects)
    results = _measured(subjects, counting or [])
    _print(results, form)
    if save:
        save_counts(results, out, "params", tables.load_all())
        if every:
            results += _sample(out)
    wrong = any(cell.verdict.word == "off" for result in results for cell in result.cells.values())
    if any(result.failed for result in results) or (strict and wrong):
        raise typer.Exit(1)


def _from_file(path: Path) -> Model:
    from cspbench.zoo.catalogue import Model

    network = _read(path)
    return Model(network.name, lambda: network, "file", str(path))


def _read(path: Path) -> Network:
    from cspbench.network.cfg import read

    reading = read(path)
    for warning in reading.warnings:
        typer.echo(f"cspbench: warning: {warning}", err=True)
    return reading.network


def _subjects(models: list[Model], every: bool, names: list[str], size: tuple[int, int] | None) -> list[Subject]:
    from cspbench.claims import tables
    from cspbench.evaluation.counts import of_models, published

    if models:
        return of_models(models, tables.load_all(), size)
    return published(tables.load_all() if every else [tables.load(name) for name in names])


def _measured(subjects: list[Subject], countings: list[str]) -> list[RowCount]:
    from cspbench.cli.progress import Progress
    from cspbench.evaluation.counts import measure
    from cspbench.network.counter import Counter
    from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS

    overrides: dict[str, str] = {}
    for name in countings:
        if name not in PARAMETER_COUNTINGS and name not in COUNTINGS:
            known = ", ".join([*PARAMETER_COUNTINGS, *COUNTINGS])
            raise UsageError(
                "usage.unknown-counting",
                f"unknown counting {name!r}",
                expected=f"one of {known}",
                remedy="Correct --counting",
            )
        metric = "params" if name in PARAMETER_COUNTINGS else "bflops"
        if overrides.setdefault(metric, name) != name:
            raise UsageError(
                "usage.two-countings",
                f"two countings of {'parameters' if metric == 'params' else 'operations'}",
                expected="one --counting of each",
                found=f"{overrides[metric]} and {name}",
                remedy="Run once for each",
            )
    # the collector would walk all that torch made when it was imported again and again, a fifth of the time
    gc.freeze()
    with Progress("counting", len(subjects)) as progress:
        return measure(subjects, Counter(), overrides, progress.step)


def _print(results: list[RowCount], form: Format) -> None:
    from cspbench.claims import tables
    from cspbench.evaluation.counts_json import as_json
    from cspbench.report import counts_table

    rows = [as_json(result) for result in results]
    known = (*tables.load_all(), *tables.load_all(kind="sample"))
    text = {
        Format.MD: lambda: counts_table.markdown(rows, known),
        Format.JSON: lambda: json.dumps(rows, indent=1, ensure_ascii=False) + "\n",
        Format.CSV: lambda: counts_table.as_csv(rows),
        Format.LATEX: lambda: counts_table.as_latex(rows),
    }[form]()
    typer.echo(text, nl=False)


def _sample(out: Path) -> list[RowCount]:
    """Count the rows of the sample and save the counts to `out`, beside those of the published tables."""
    from cspbench.claims import tables
    from cspbench.evaluation.counts import published

    chosen = tables.load_all(kind="sample")
    results = _measured(published(chosen), [])
    save_counts(results, out, "sample-params", chosen)
    return results


def count_all(out: Path) -> tuple[str, bool]:
    """Count every row of the published tables and of the sample's, and save the counts to `out`.

    The counts summed up, a line a kind of table, and whether a cell is off that nothing explains.
    """
    from cspbench.claims import tables
    from cspbench.evaluation.counts import published
    from cspbench.evaluation.counts_json import as_json
    from cspbench.report.counts_table import summary

    chosen = tables.load_all()
    results = _measured(published(chosen), [])
    save_counts(results, out, "params", chosen)
    every = {"published": results, "sample": _sample(out)}
    lines = [f"{kind}: {summary([as_json(each) for each in found])}" for kind, found in every.items()]
    return "\n".join(lines), any(each.failed for found in every.values() for each in found)


def _compare(networks: list[Network], path: Path, form: Format) -> None:
    from cspbench.network.network import difference

    if len(networks) != 1:
        raise UsageError(
            "usage.one-model",
            "--against compares one model",
            expected="one MODEL",
            found=str(len(networks)),
            remedy="Name a single model",
        )
    network = networks[0]
    found = difference(network, _read(path), (network.name, path.name))
    if form is Format.JSON:
        layers = len(network.layers)
        compared = {"model": network.name, "against": str(path), "layers": layers, "equal": not found}
        typer.echo(json.dumps({**compared, "difference": found}, indent=1, ensure_ascii=False))
    elif found:
        typer.echo(f"different: {found}")
    else:
        typer.echo(f"equal: {network.name} and {path.name}, all {len(network.layers)} layers")
    if found:
        raise typer.Exit(1)


def _print_layers(networks: list[Network], form: Format) -> None:
    from cspbench.report.network_table import ledger_text

    if not networks:
        raise UsageError("usage.needs-model", "--layers goes with MODEL or --cfg", remedy="Name the models")
    typer.echo(ledger_text(networks, form.value), nl=False)
