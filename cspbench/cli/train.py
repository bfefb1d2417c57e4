"""`cspbench train`: a network as Darknet trains it, from a cfg file, the catalogue or a published row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import arguments, options
from cspbench.cli import training_options as own
from cspbench.cli.choices import Format
from cspbench.cli.terminal import completion
from cspbench.cli.terminal.printing import Style
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.augment.images import ClassifierImages, DetectorImages
    from cspbench.training.recipes.chosen import Chosen
    from cspbench.training.run import Options, Trained


def train(
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="A model, a published row (TABLE:ROW) or a .cfg file.",
            autocompletion=completion.models,
        ),
    ] = None,
    data: options.DataOption = None,
    cfg: options.CfgOption = None,
    run: options.RunOption = Path("training"),
    weights: own.WeightsOption = None,
    freeze: own.FreezeOption = 0,
    clear: own.ClearOption = False,
    settings: own.SetOption = None,
    subdivisions: own.SubdivisionsOption = None,
    seed: options.SeedOption = 0,
    iterations: own.IterationsOption = None,
    epochs: own.EpochsOption = None,
    eval_every: own.EvalEveryOption = 0,
    save_every: own.SaveEveryOption = 100,
    era: own.EraOption = None,
    gradients: own.GradientsOption = "darknet",
    preview: own.PreviewOption = None,
    device: options.DeviceOption = None,
    precision: options.PrecisionOption = "fp32",
    compiled: options.CompileOption = False,
    workers: options.WorkersOption = "auto",
    allow_bad: options.BadOption = 0,
    form: options.FormatOption = Format.MD,
) -> None:
    """Train a network as Darknet does.

    The recipe is that of [net] in the cfg, or the published one (`cspbench show MODEL --recipe`). A killed run resumes
    with the same command. The folder gets Darknet's NAME_last.weights and NAME_final.weights, and log.jsonl. `torchrun
    --nproc-per-node N -m cspbench train ...` shares the mini-batches out; name the folder with --run-dir there.

    Exit codes: 3 data, recipe or weights are unusable; 4 the training diverged.
    """
    from cspbench.training.run import Options, prepared
    from cspbench.training.run import train as begin

    if data is None:
        raise UsageError("usage.needs-data", "no images to train on", remedy="Name the data set with --data")
    arguments.refuse_together({"--iterations": iterations, "--epochs": epochs}, {"--iterations": ("--epochs",)})
    listener = terminal()
    fit = subdivisions == "auto"
    again = [text for text in settings or [] if text.partition("=")[0].strip() in ("subdivisions", "net.subdivisions")]
    arguments.refuse_together({"--subdivisions": subdivisions, "--set": again}, {"--subdivisions": ("--set",)})
    number = [f"subdivisions={subdivisions}"] if subdivisions is not None and not fit else []
    chosen = _chosen(model, cfg, [*(settings or []), *number], freeze, era)
    how = arguments.execution("auto", workers, device, precision, compiled=False, fresh=False)
    about = Options(
        weights=weights,
        clear=clear,
        exact=gradients == "exact",
        seed=seed,
        iterations=iterations,
        epochs=epochs,
        every=save_every,
        eval_every=eval_every,
        allow_bad=allow_bad,
        fit=fit,
        execution=replace(how, compiled=compiled),
    )
    if preview is not None:
        _preview(*prepared(chosen, data, about, listener), seed, preview)
        return
    from cspbench.training.evaluated import evaluate, figure

    def measured(chosen: Chosen, file: Path) -> float | None:
        result = evaluate(chosen, data, file, how, allow_bad, listener)
        return None if result is None else figure(result)

    _finish(begin(chosen, data, run, about, listener, measured), data, about, form)


def _chosen(model: str | None, cfg: Path | None, settings: list[str], freeze: int, era: str | None) -> Chosen:
    from cspbench.training.recipes.chosen import of_cfg, of_name, with_settings

    name = arguments.either(model, str(cfg) if cfg else None, "--cfg")
    if name is None:
        raise UsageError(
            "usage.needs-model", "train needs a network", remedy="Name a model, TABLE:ROW, or a file with --cfg"
        )
    return with_settings(of_cfg(cfg) if cfg else of_name(name), settings, freeze, era)


def _preview(chosen: Chosen, images: ClassifierImages | DetectorImages, seed: int, folder: Path) -> None:
    from cspbench.plots.augmented import preview
    from cspbench.training.run import mini_batches

    written = preview(mini_batches(chosen, images, seed), images.names, folder)
    terminal().note(f"wrote {len(written)} pictures to {folder}")


def _finish(trained: Trained, data: str, about: Options, form: Format) -> None:
    """Print what was trained, and the evaluation of the final weights."""
    from cspbench.cli.trained import print_evaluation
    from cspbench.training.evaluated import evaluate

    listener = terminal()
    if trained.standing is not None:
        listener.note(f"the last iteration: {trained.standing}")
    listener.note(f"wrote {trained.weights}")
    result = evaluate(trained.chosen, data, trained.weights, about.execution, about.allow_bad, listener)
    if result is not None:
        listener.note(f"retrained with seed {about.seed}: never judged as the published weights")
        print_evaluation(result, Style(form), about.allow_bad)
