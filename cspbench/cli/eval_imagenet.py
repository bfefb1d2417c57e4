"""`cspbench eval-imagenet`: top-1 and top-5 of the authors' weights, on Darknet's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import arguments, bundled, options
from cspbench.cli.options import Format
from cspbench.cli.printing import print_json
from cspbench.cli.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.source import Source
    from cspbench.evaluation.execution import Execution
    from cspbench.evaluation.imagenet import ClassificationResult
    from cspbench.evaluation.selection import Selected


def eval_imagenet(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help=f"The ImageNet validation set; by default ${options.IMAGENET}."),
    ] = None,
    data_option: options.DataOption = None,
    models: options.ModelsOption = None,
    cfg: options.CfgOption = None,
    weights: options.WeightsOption = None,
    sample: options.SampleOption = False,
    labels: options.LabelsOption = None,
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
    explain: Annotated[
        bool, typer.Option("--explain", help="Show which step of preprocessing moves the accuracy.")
    ] = False,
    channels_last: options.LastOption = True,
    form: options.FormatOption = Format.MD,
) -> None:
    """Evaluate ImageNet classifiers as their own framework did, and hold top-1 and top-5 against the claims.

    Without models, every published one that has weights. Killed runs resume; `torchrun --nproc-per-node N -m cspbench
    eval-imagenet ...` shares the work (name the run directory with --run-dir there, torchrun takes --run for its own).

    Exit codes: 1 an accuracy is off; 3 labels or class order do not match the declaration; 4 images could not be read.
    """
    from cspbench.cli.classification_results import finish
    from cspbench.data.imagenet import open_imagenet
    from cspbench.evaluation import selection
    from cspbench.evaluation.imagenet import check_classes, evaluate
    from cspbench.evaluation.part import part_of
    from cspbench.evaluation.subject import subject_of

    listener = terminal()
    how = arguments.execution(batch, workers, device, precision, compiled, fresh)
    place = arguments.place_of_data(data, data_option, options.IMAGENET)
    on_sample = bundled.wanted(sample, data if data is not None else data_option, place, models, cfg, weights)
    if on_sample:
        place = str(bundled.images("classification", listener))
    if place is None:
        raise UsageError(
            "usage.no-data",
            "no images to evaluate on",
            expected=f"DATA, ${options.IMAGENET} or --sample",
            remedy=f"Name the ImageNet validation set: cspbench eval-imagenet PATH, or set ${options.IMAGENET}",
        )
    if not place or not (Path(place).expanduser().exists() or place.startswith(("hfds/", "tfds/", "wds/"))):
        open_imagenet(place, labels)  # raises: report a mistyped path before missing weights
    pixels = arguments.parse_size(size)
    if cfg is not None:
        chosen = selection.of_file(arguments.read_cfg(cfg, listener), weights, models or [], detectors=False)
    else:
        tables = selection.rows_of("imagenet", on_sample)
        chosen = selection.of_models(models or [], weights, tables, detectors=False, listener=listener)
    source = part_of(open_imagenet(place, labels), limit, seed)
    if explain:
        _explain(chosen.models, pixels, source, (preset, decoder, classes, seed), how, form, allow_bad)
        return

    def evaluated(model: Selected) -> ClassificationResult | None:
        check_classes(model.name, source, classes)  # before its weights are read
        subject = subject_of(model.network, model.file, pixels)
        return evaluate(subject, source, preset, decoder, classes, run, how, listener)

    results, failed = selection.evaluate_all(
        [(model.name, partial(evaluated, model)) for model in chosen.models], listener
    )
    finished = [result for result in results if result is not None]
    if len(finished) == len(results):  # otherwise this process only helped another
        finish(finished, chosen.without, form, allow_bad, listener, failed)


def _explain(
    models: Sequence[Selected],
    pixels: tuple[int, int] | None,
    source: Source,
    protocol: tuple[str | None, str | None, str | None, int],
    how: Execution,
    form: Format,
    allow_bad: int,
) -> None:
    from cspbench.cli.classification_results import name_bad
    from cspbench.evaluation.explain import explain_imagenet
    from cspbench.evaluation.subject import subject_of
    from cspbench.report.classification_table import explanation

    listener = terminal()
    preset, decoder, classes, seed = protocol
    worst = 0
    for model in models:
        subject = subject_of(model.network, model.file, pixels)
        explained = explain_imagenet(
            subject,
            source,
            preset=preset,
            decoder=decoder,
            classes=classes,
            seed=seed,
            execution=how,
            listener=listener,
        )
        if form is Format.JSON:
            print_json([asdict(step) for step in explained.steps])
        else:
            heading = f"# {subject.name}, {explained.images} images\n\n" if form is Format.MD else ""
            typer.echo(heading + explanation(explained.steps, form.value), nl=form is Format.MD)
        name_bad(list(explained.bad), {}, "is left out", listener)
        worst = max(worst, len(explained.bad))
    if worst > allow_bad:
        raise typer.Exit(4)
