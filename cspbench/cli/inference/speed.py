"""`cspbench speed`: latency, throughput and their ratios, beside the published frame rates."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import choices, options
from cspbench.cli.arguments import command, either, execution, parse_size, refuse_together
from cspbench.cli.cfg_files import read_cfgs, with_arguments
from cspbench.cli.choices import Format
from cspbench.cli.terminal import completion
from cspbench.cli.terminal.printing import Style, print_blocks, print_json
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.results.speeds.record import Setting, SpeedRun
    from cspbench.speed.subjects import Group


def speed(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MODEL...", help="Models, rows, .cfg files or patterns.", autocompletion=completion.models
        ),
    ] = None,
    model_option: options.ModelsOption = None,
    table: options.TableOption = None,
    own_tables: options.TablesOption = None,
    cfg: options.CfgsOption = None,
    size: options.SizeOption = None,
    batch: options.BatchOption = "auto",
    device: options.DeviceOption = None,
    precision: Annotated[
        list[choices.Arithmetic] | None,
        typer.Option("--precision", help="Arithmetic of the network; repeatable. [default: fp32]"),
    ] = None,
    compiled: options.CompileOption = False,
    seconds: Annotated[
        float, typer.Option("--seconds", metavar="S", help="Time for each network under each setting, about.")
    ] = 10.0,
    save: options.SaveOption = False,
    results: options.ResultsOption = Path("results"),
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
    legend: options.LegendOption = False,
) -> None:
    """Time networks beside the published frame rates.

    By default every row with a frame rate, table by table; the networks of a table take turns, so that the ratios of
    its rows do not depend on what else the machine does. At batch 1 and at the batch with the highest throughput (-b N:
    only at N); --compile also measures with torch.compile. Three rates of each: the network, with decoding of boxes and
    NMS, and with image loading. Weights are the published ones where they are there, else drawn.

    No verdict and no exit code comes of a time. --save adds the times to speed.json in --results, for the report.
    """
    from cspbench.report.tables.speed import as_csv, as_json, blocks, warning
    from cspbench.results.speeds.keep import keep
    from cspbench.speed.measure import measure

    listener = terminal()
    cfg, models = with_arguments(cfg, models)
    names = either(models, model_option, "--model") or []
    groups = _groups(names, table, cfg, parse_size(size))
    settings = _settings(batch, precision or [choices.Arithmetic.FP32], compiled)
    runs: list[SpeedRun] = []
    for run in measure(groups, settings, device=device, seconds=seconds, command=command(), listener=listener):
        if not runs and (busy := warning(run.machine.load)):
            listener.note(f"warning: {busy}")
        runs.append(run)
        if save:
            listener.note(f"wrote {keep(results, run)}")
    if form is Format.JSON:
        print_json(as_json(runs))
    elif form is Format.CSV:
        typer.echo(as_csv(runs), nl=False)
    else:
        print_blocks(blocks(runs), Style(form, wide, legend))


def _groups(
    names: list[str], of_tables: list[str] | None, cfgs: list[str] | None, size: tuple[int, int] | None
) -> list[Group]:
    """The networks that the command line names."""
    from cspbench.claims import tables
    from cspbench.speed import subjects
    from cspbench.zoo import registry

    refuse_together({"--table": of_tables, "MODEL": names, "--cfg": cfgs}, {"--table": ("MODEL", "--cfg")})
    if not (names or cfgs):
        if size:
            raise UsageError(
                "usage.needs-model",
                "--size goes with MODEL or --cfg",
                remedy="The tables' rows have sizes of their own",
            )
        return subjects.of_tables(
            [tables.load(name) for name in tables.matching(of_tables)] if of_tables else tables.load_all()
        )
    models = registry.matching(names)
    if cfgs:
        of_files, unusable = read_cfgs(cfgs, terminal())
        if unusable:
            raise typer.Exit(unusable)
        models += of_files
    for warning in (line for model in models for line in model.warnings):
        terminal().note(f"warning: {warning}")
    return [subjects.of_models(models, size)]


def _settings(batch: str, precisions: list[choices.Arithmetic], compiled: bool) -> list[Setting]:
    """Every combination: batch 1 and the best, or one batch; eager, and compiled if asked for."""
    from cspbench.results.speeds.record import Setting

    number = execution(batch, "auto", None, "fp32", compiled=False, fresh=False).batch
    return [
        Setting(precision.value, with_compile, of)
        for precision in dict.fromkeys(precisions)
        for with_compile in ((False, True) if compiled else (False,))
        for of in ((1, "best") if number == "auto" else (number,))
    ]
