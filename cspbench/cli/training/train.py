"""`cspbench train`: a network as Darknet, Megvii or mmcls trains it, from a cfg, the catalogue or a published row."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cspbench.cli import arguments, options
from cspbench.cli.choices import Format
from cspbench.cli.terminal import completion
from cspbench.cli.terminal.printing import Style
from cspbench.cli.terminal.progress import listener as terminal
from cspbench.cli.training import training_options as own
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.training.modular.chosen import AnyChosen
    from cspbench.training.run.options import Options


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
    backbone: own.BackboneOption = None,
    freeze_backbone: own.FreezeBackboneOption = "0",
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
    tensorboard: own.TensorboardOption = False,
    device: options.DeviceOption = None,
    precision: options.PrecisionOption = "fp32",
    compiled: options.CompileOption = False,
    workers: options.WorkersOption = "auto",
    allow_bad: options.BadOption = 0,
    form: options.FormatOption = Format.MD,
) -> None:
    """Train a network as Darknet, Megvii (YOLOX) or mmcls does.

    The recipe is that of [net] in the cfg, or the published one (`cspbench show MODEL --recipe`). A killed run resumes
    with the same command. The folder gets NAME_last.weights and NAME_final.weights, of a torch module .safetensors, and
    log.jsonl. `torchrun --nproc-per-node N -m cspbench train ...` shares the mini-batches out; name the folder with
    --run-dir there.

    Exit codes: 3 data, recipe or weights are unusable; 4 the training diverged.
    """
    from cspbench.training.run.options import Options
    from cspbench.training.train import choose
    from cspbench.training.train import train as begin

    if data is None:
        raise UsageError("usage.needs-data", "no images to train on", remedy="Name the data set with --data")
    arguments.refuse_together({"--iterations": iterations, "--epochs": epochs}, {"--iterations": ("--epochs",)})
    arguments.refuse_together({"--backbone": backbone, "--weights": weights}, {"--backbone": ("--weights",)})
    again = [text for text in settings or [] if text.partition("=")[0].strip() in ("subdivisions", "net.subdivisions")]
    arguments.refuse_together({"--subdivisions": subdivisions, "--set": again}, {"--subdivisions": ("--set",)})
    name = arguments.either(model, str(cfg) if cfg else None, "--cfg")
    if name is None:
        raise UsageError(
            "usage.needs-model", "train needs a network", remedy="Name a model, TABLE:ROW, or a file with --cfg"
        )
    listener = terminal()
    number = [f"subdivisions={subdivisions}"] if subdivisions not in (None, "auto") else []
    if preview is not None:
        about = Options(seed=seed, iterations=iterations, epochs=epochs, allow_bad=allow_bad)
        _preview(choose(cfg or name, [*(settings or []), *number], freeze, era), data, about, preview)
        return
    trained = begin(
        cfg or name,
        data,
        run,
        weights=weights,
        backbone=backbone,
        freeze_backbone=own.epochs_of(freeze_backbone),
        clear=clear,
        freeze=freeze,
        settings=[*(settings or []), *number],
        subdivisions="auto" if subdivisions == "auto" else None,
        era=era,
        exact=gradients == "exact",
        seed=seed,
        iterations=iterations,
        epochs=epochs,
        save_every=save_every,
        eval_every=eval_every,
        tensorboard=tensorboard,
        allow_bad=allow_bad,
        execution=arguments.execution("auto", workers, device, precision, compiled=compiled, fresh=False),
        listener=listener,
    )
    if trained.standing is not None:
        listener.note(f"the last iteration: {trained.standing}")
    listener.note(f"wrote {trained.weights}")
    if trained.result is not None:
        from cspbench.cli.training.final_evaluation import print_evaluation

        listener.note(f"retrained with seed {seed}: never judged as the published weights")
        print_evaluation(trained.result, Style(form), allow_bad)


def _preview(chosen: AnyChosen, data: str, about: Options, folder: Path) -> None:
    from cspbench.plots.augmented import preview
    from cspbench.training.run.preparation import prepared
    from cspbench.training.run.procedures import mini_batches

    chosen, images = prepared(chosen, data, about, terminal())
    written = preview(mini_batches(chosen, images, about.seed), images.names, folder)
    terminal().note(f"wrote {len(written)} pictures to {folder}")
