"""`cspbench.train`: what a name means is trained, and the final weights are evaluated."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.io import argument_path
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network
from cspbench.training.evaluated import Result, evaluate
from cspbench.training.mmcls.chosen import of_classifier, with_classifier_settings
from cspbench.training.modular.chosen import AnyChosen, of_module, with_module_settings
from cspbench.training.recipes.chosen import of_cfg, of_name, of_network, row_of, with_settings
from cspbench.training.run import session
from cspbench.training.run.modular import refuse
from cspbench.training.run.options import Options, Trained
from cspbench.zoo import registry
from cspbench.zoo.yolox.designs import CspClassifierDesign


def train(
    model: str | Path | Network | ModuleNetwork,
    data: str | Path,
    run: str | Path = "training",
    *,
    weights: str | Path | None = None,
    backbone: str | Path | None = None,
    freeze_backbone: float | Literal["all"] = 0.0,
    clear: bool = False,
    freeze: int = 0,
    settings: Sequence[str] = (),
    subdivisions: int | Literal["auto"] | None = None,
    era: str | None = None,
    exact: bool = False,
    seed: int = 0,
    iterations: int | None = None,
    epochs: float | None = None,
    save_every: int = 100,
    eval_every: int = 0,
    tensorboard: bool = False,
    allow_bad: int = 0,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Trained:
    """Train a network as Darknet does, a YOLOX as Megvii or a CSPDarknet as mmcls does, and evaluate it.

    The same call resumes a run.

    `model` is a catalogue's name, a published row (TABLE:ROW), a .cfg file, or a `Network`. The recipe is that of the
    cfg's [net], or the published one, with `settings` as "key=value"; `iterations` or `epochs` stands for max_batches.
    The run directory `run` gets a checkpoint and the last weights every `save_every` iterations. `weights` is a file to
    begin from, also a partial one; its counter of images is where the schedule begins, unless `clear`. The first
    `freeze` layers stay as they are. `backbone` is a classifier's file, or one of its backbone alone, to begin a YOLOX
    with; it stays as it is in the first `freeze_backbone` epochs, or "all". `subdivisions` divide an iteration into
    other mini-batches; "auto" into as many as the device's memory needs. `era` is the version of Darknet, `exact` takes
    the exact gradients of the losses.

    Returns the final weight file (`weights`), the run's `record`, and the evaluation of the final weights (`result`, as
    `evaluate_imagenet` or `evaluate_coco` returns it; None for data without images for it, and in all processes of
    torchrun but the first). `eval_every` evaluates on the way, too, and keeps the best weights. Raises `RunError` for a
    folder with another training, `LockedError` while another process trains in it, `IncompleteRunError` for a loss that
    is not a number.
    """
    options = Options(
        weights=None if weights is None else argument_path("weights", weights),
        backbone=None if backbone is None else argument_path("backbone", backbone),
        freeze_backbone=math.inf if freeze_backbone == "all" else freeze_backbone,
        clear=clear,
        exact=exact,
        seed=seed,
        iterations=iterations,
        epochs=epochs,
        every=save_every,
        eval_every=eval_every,
        tensorboard=tensorboard,
        fit=subdivisions == "auto",
        allow_bad=allow_bad,
        execution=execution or Execution(),
    )

    def measured(chosen: AnyChosen, file: Path) -> Result | None:
        return evaluate(chosen, data, file, replace(options.execution, compiled=False), allow_bad, listener)

    number = [f"subdivisions={subdivisions}"] if isinstance(subdivisions, int) else []
    return session.train(choose(model, [*settings, *number], freeze, era), data, run, options, listener, measured)


def choose(
    model: str | Path | Network | ModuleNetwork, settings: Sequence[str] = (), freeze: int = 0, era: str | None = None
) -> AnyChosen:
    """The network and recipe that `train` takes; raises `UsageError` for an unknown name, `DefinitionError`."""
    row = None
    if isinstance(model, str) and not registry.is_file(model):
        architecture = registry.model(model).architecture()
        if isinstance(architecture, ModuleNetwork):
            row = row_of(model)
            model = architecture
    if isinstance(model, ModuleNetwork):
        refuse({"--freeze": freeze})
        if isinstance(model.design, CspClassifierDesign):
            return with_classifier_settings(of_classifier(model, row, era), settings)
        return with_module_settings(of_module(model, row, era), settings)
    if isinstance(model, Network):
        chosen = of_network(model)
    else:
        chosen = of_cfg(model) if isinstance(model, Path) else of_name(model)
    return with_settings(chosen, settings, freeze, era)
