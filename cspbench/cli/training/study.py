"""`cspbench study`: tables of tricks in miniature, trained with several seeds."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cspbench.cli import arguments, options
from cspbench.cli.choices import Format
from cspbench.cli.terminal import completion
from cspbench.cli.terminal.printing import Style
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.cli.training import training_options as own
from cspbench.cli.training.studied import show
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.study.work import Shard

Cluster = Literal["slurm", "local"]


def study(
    tables: Annotated[
        list[str],
        typer.Argument(
            metavar="TABLE...",
            help="imagenet-activation, imagenet-augmentation, imagenet-smoothing, coco-loss, coco-nms, "
            "coco-activation, results-imagenet, yolox-roadmap.",
            autocompletion=completion.tables,
        ),
    ],
    data: options.DataOption = None,
    model: options.ModelOption = None,
    width: Annotated[float, typer.Option("--width", metavar="F", help="Filters, as a factor.")] = 1.0,
    size: options.SizeOption = None,
    iterations: own.IterationsOption = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, max=100, metavar="K", help="Seeds of each variant [default: 3].")
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option("--budget", metavar="MINUTES", help="Choose iterations and seeds that take so long."),
    ] = None,
    run: options.RunOption = Path("study"),
    shard: Annotated[
        str | None, typer.Option("--shard", metavar="I/N", help="Only these trainings, of N machines that share --run.")
    ] = None,
    submit: Annotated[
        int | None, typer.Option("--submit", min=1, max=10_000, metavar="N", help="Submit N shards to a cluster.")
    ] = None,
    cluster: Annotated[
        Cluster | None, typer.Option("--cluster", help="With --submit [default: slurm]; local: processes here.")
    ] = None,
    partition: Annotated[
        str | None, typer.Option("--partition", metavar="NAME", help="With --submit: Slurm's partition.")
    ] = None,
    processes: Annotated[
        int, typer.Option("--processes", min=1, max=1024, metavar="N", help="Trainings at a time, on one thread each.")
    ] = 1,
    device: options.DeviceOption = None,
    precision: options.PrecisionOption = "fp32",
    results: options.ResultsOption = Path("results"),
    saving: options.SaveOption = False,
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
) -> None:
    """Run tables of tricks in miniature, and say what can be said.

    What each row changes is trained with several seeds on drawn pictures, or on your own, from the same initial values
    and in the same order of pictures. A row agrees if its measured difference from the base row has the published sign
    and the 95 % interval over seeds excludes 0; it disagrees with the other sign; else it is undecided. That is not
    a verdict on the published number: network, data and schedule are others. A killed study resumes with the same
    command.

    Exit codes: 3 data or network are unusable; 4 trainings are left, or one diverged.
    """
    from cspbench.study import study as library

    side = arguments.parse_size(size)
    if side is not None and side[0] != side[1]:
        raise UsageError("usage.size", "--size cannot be read", expected="N", found=str(size), remedy="Try --size 96")
    listener, execution = terminal(), arguments.execution("auto", "0", device, precision, compiled=False, fresh=False)
    beside = {"--submit": submit, "--shard": shard, "--processes": processes > 1}
    arguments.refuse_together(beside, {"--submit": ("--shard", "--processes")})
    if submit is None and (option := "--partition" if partition else "--cluster" if cluster else None):
        raise UsageError("usage.partition", f"{option} goes with --submit", remedy="Add --submit N, or leave it out")
    part = _shard(shard)
    plan = library.begin(
        tables,
        run,
        data=data,
        model=model,
        width=width,
        size=None if side is None else side[0],
        iterations=iterations,
        seeds=seeds,
        budget=budget,
        processes=submit or processes * part.count,
        device=device,
        precision=precision,
        execution=execution,
        listener=listener,
    )
    if submit is not None:
        from cspbench.study import cluster as clusters

        submitted = clusters.submit(run, submit, cluster or "slurm", partition=partition, execution=execution)
        ids = ", ".join(job.job_id for job in submitted)
        listener.note(f"submitted {submit} shards: {ids}; the same command without --submit shows the result")
        if cluster != "local":
            return
        clusters.wait(submitted)
    from cspbench.study.work import unfinished, work

    left = unfinished(run, plan) if submit else work(run, part, processes, execution, listener)
    studied = library.collected(run, execution, left, plan)
    if saving and studied.studies:
        from cspbench.retrained.studies import keep

        for file in keep(results, studied.studies):
            listener.note(f"wrote {file}")
    show(studied, Style(form, wide), listener)
    if studied.left:
        raise typer.Exit(4)


def _shard(given: str | None) -> Shard:
    from cspbench.study.work import Shard

    match = re.fullmatch(r"(\d{1,5})/(\d{1,5})", given or "1/1")
    if match is None:
        raise UsageError("usage.shard", "no such shard", expected="I/N", found=repr(given), remedy="Try --shard 1/2")
    return Shard(int(match[1]), int(match[2]))
