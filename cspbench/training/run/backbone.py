"""A YOLOX that begins with the backbone of a classifier (spec yolox a.10)."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from torch import nn

from cspbench.errors import UsageError
from cspbench.evaluation.execution import Listener
from cspbench.models.sources import Source
from cspbench.network.modular.network import ModuleNetwork
from cspbench.retrained.record import Start
from cspbench.training.modular.chosen import AnyChosen
from cspbench.training.run.options import Options
from cspbench.training.start import load
from cspbench.weights import backbone
from cspbench.weights.arrays import Weights, digest
from cspbench.zoo.yolox import LEGACY
from cspbench.zoo.yolox.designs import YoloxDesign
from cspbench.zoo.yolox.generations import OF_CLASSIFIERS, normalised

PART = "backbone.backbone"
"""Of a YOLOX's module, with either backbone."""


@dataclass(frozen=True)
class Begun:
    """The arrays of a backbone, and what is recorded of them."""

    network: ModuleNetwork
    weights: Weights
    start: Start

    def load(self, module: nn.Module) -> None:
        """Copy them into the module of a YOLOX, in place."""
        load(module.get_submodule(PART), self.network, Source(self.weights))


def begun(path: Path, network: ModuleNetwork, listener: Listener) -> Begun:
    """The backbone of a file for a YOLOX. Raises `WeightsError`; says where it was trained on other pixels."""
    own = backbone.backbone_of(network)
    weights = backbone.read(path, own)
    for topic, words in weights.said.items():
        listener.note(f"{path}: {topic} {words}")
    _check_pixels(path, network, weights, listener)
    given = sum(1 for index in range(len(own.layers)) if own.weights(index))
    return Begun(own, weights, Start(f"file:{digest(path)}", given, 0))


def _check_pixels(path: Path, network: ModuleNetwork, weights: Weights, listener: Listener) -> None:
    convolution, norm, *_ = weights.arrays
    wants = normalised(convolution["weight"], norm["scale"], norm["variance"], OF_CLASSIFIERS)
    if wants == (network.preset == LEGACY):
        return
    if wants:
        command = ["cspbench", "export", network.name, "--weights", str(path), "--to", "yolox-backbone"]
        command += ["--fold-pixels", "imagenet", "--out", str(path.with_name(f"{path.stem}-folded.safetensors"))]
        listener.advise(
            f"warning: {path}: the first convolution looks like one for normalised pixels, but {network.name} takes "
            "pixels from 0 to 255, blue first. To rewrite it (of a classifier by Darknet, darknet for imagenet):",
            shlex.join(command),
        )
    else:
        listener.note(
            f"warning: {path}: the first convolution looks like one for pixels from 0 to 255, but {network.name} takes "
            "normalised ones; the network without -legacy takes those"
        )


def check(chosen: AnyChosen, options: Options) -> None:
    """Raise `UsageError` for a network that cannot begin with a backbone, or leave it as it is."""
    given = [
        *(["--backbone"] if options.backbone is not None else []),
        *(["--freeze-backbone"] if options.freeze_backbone else []),
    ]
    if given and not (isinstance(chosen.network, ModuleNetwork) and isinstance(chosen.network.design, YoloxDesign)):
        raise UsageError(
            "usage.no-csp-backbone",
            f"{given[0]} belongs to the training of a YOLOX with a CSPDarknet",
            expected="yolox-nano, -tiny, -s, -m, -l or -x",
            found=chosen.network.name,
            remedy=f"Leave {given[0]} out" + ("" if options.backbone is None else "; --weights takes partial files"),
        )
