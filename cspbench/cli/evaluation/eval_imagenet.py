"""`cspbench eval-imagenet`: top-1 and top-5 of the authors' weights, on Darknet's pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cspbench.cli import arguments, options
from cspbench.cli.choices import Format
from cspbench.cli.evaluation.data_and_models import chosen
from cspbench.cli.terminal.printing import Style, print_blocks, print_json, print_table
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import printable

if TYPE_CHECKING:
    from cspbench.classification.ablation import Explained
    from cspbench.evaluation.execution import Execution
    from cspbench.evaluation.imagenet import ClassificationResult
    from cspbench.evaluation.selection import Selected


def eval_imagenet(
    data: Annotated[
        str | None,
        typer.Argument(
            metavar="DATA",
            help=f"The ImageNet validation set, or Darknet's .data file or list; by default ${options.IMAGENET}.",
        ),
    ] = None,
    data_option: options.DataOption = None,
    models: options.ModelsOption = None,
    own_tables: options.TablesOption = None,
    cfg: options.CfgOption = None,
    weights: options.WeightsOption = None,
    ema: options.EmaOption = None,
    sample: options.SampleOption = False,
    labels: options.LabelsOption = None,
    names: options.NamesOption = None,
    preset: options.ClassifierPresetOption = None,
    decoder: options.DecoderOption = None,
    classes: options.ClassesOption = None,
    size: options.SizeOption = None,
    limit: options.LimitOption = None,
    seed: options.SeedOption = 0,
    batch: options.BatchOption = "auto",
    workers: options.WorkersOption = "auto",
    device: options.DeviceOption = None,
    precision: options.PrecisionOption = "fp32",
    compiled: options.CompileOption = False,
    run: options.RunOption = Path("runs"),
    fresh: options.FreshOption = False,
    allow_bad: options.BadOption = 0,
    explain: options.ExplainOption = False,
    flips: options.FlipsOption = False,
    channels_last: options.LastOption = True,
    form: options.FormatOption = Format.MD,
    wide: options.WideOption = False,
    legend: options.LegendOption = False,
) -> None:
    """Measure top-1 and top-5 of classifiers beside the claims.

    Each as its own framework evaluated it. Without models, every published one that has weights. Killed runs resume;
    `torchrun --nproc-per-node N -m cspbench eval-imagenet ...` shares the work (name the run directory with --run-dir
    there, torchrun takes --run for its own).

    Exit codes: 1 an accuracy is off; 3 labels or class order do not match the declaration; 4 images could not be read.
    """
    from cspbench.cli.evaluation.flips import check_flips, show_flips
    from cspbench.cli.evaluation.results import finish_classifiers
    from cspbench.data.imagenet import open_imagenet
    from cspbench.evaluation.imagenet import check_classes, evaluate_imagenet
    from cspbench.evaluation.part import part_of
    from cspbench.evaluation.selection import evaluate_all
    from cspbench.network.modular.network import ModuleNetwork

    listener, style = terminal(), Style(form, wide, legend)
    how = arguments.execution(batch, workers, device, precision, compiled, fresh)
    if flips:
        arguments.refuse_together({"--flips": flips, "--explain": explain}, {"--flips": ("--explain",)})
        check_flips(precision)
    pixels = arguments.parse_size(size)
    opened = partial(open_imagenet, labels=labels, names=names, allowed=allow_bad)
    place, selected = chosen("imagenet", data, data_option, sample, models, cfg, weights, opened, listener)
    source = part_of(opened(place), limit, seed)
    about: dict[str, Any] = {"preset": preset, "decoder": decoder, "classes": classes, "execution": how}
    about |= {"size": pixels, "ema": ema, "listener": listener}
    if explain:
        from cspbench.evaluation.imagenet import explain_imagenet

        _explain(selected.models, partial(explain_imagenet, data=source, seed=seed, **about), style, allow_bad)
        return

    def evaluated(model: Selected, execution: Execution = how) -> ClassificationResult | None:
        if not isinstance(model.network, ModuleNetwork):  # whose file says how many classes it has
            check_classes(model.name, source, classes)  # before its weights are read
        return evaluate_imagenet(
            model.network, source, weights=model.file, store=run, **about | {"execution": execution}
        )

    if flips:
        show_flips([partial(evaluated, model) for model in selected.models], how, form, allow_bad)
        return

    results, failed = evaluate_all([(model.name, partial(evaluated, model)) for model in selected.models], listener)
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):  # otherwise this process only helped another
        finish_classifiers(finished, selected.without, style, allow_bad, failed)


def _explain(models: Sequence[Selected], explain: Callable[..., Explained], style: Style, allow_bad: int) -> None:
    from cspbench.cli.evaluation.results import name_bad
    from cspbench.report.formats import Paragraph
    from cspbench.report.tables.classification import explanation

    worst = 0
    for model in models:
        result = explain(model.network, weights=model.file)
        if style.form is Format.JSON:
            print_json([asdict(step) for step in result.steps])
        elif style.form is Format.CSV:
            print_table([{"model": model.name, **asdict(step)} for step in result.steps], style.form)
        else:
            heading = Paragraph(f"# {printable(model.name)}, {result.images} images", "heading")
            print_blocks([heading, explanation(result.steps)], style)
        name_bad(list(result.bad), {}, "is left out")
        worst = max(worst, len(result.bad))
    if worst > allow_bad:
        raise typer.Exit(4)
