"""A model as a cfg file, or its weights alone in any format."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from cspbench.errors import printable
from cspbench.evaluation.subject import subject_of
from cspbench.export import check as checking
from cspbench.export.check import Difference, differences
from cspbench.export.exported import Exported
from cspbench.export.protocol import protocol_of
from cspbench.io import write_text
from cspbench.network import cfg
from cspbench.network.cfg import writer
from cspbench.network.epsilon import Epsilon
from cspbench.network.module import to_module
from cspbench.network.network import Network, difference
from cspbench.network.shortcut_checks import old_only
from cspbench.weights.arrays import Weights
from cspbench.weights.loading import load
from cspbench.weights.opening import open_weights
from cspbench.weights.timm_state import check_card
from cspbench.weights.writing import Form, write
from cspbench.zoo.timm_import import import_timm


def write_cfg(network: Network, path: Path, check: bool) -> Exported:
    """Write the definition as Darknet's cfg; the check reads it again and compares every layer."""
    write_text(path, writer.write(network), named=True)
    found: list[Difference] = []
    if check:
        count = len(network.layers)
        lost = difference(network, cfg.read(path).network) is not None
        found.append(Difference(network.input, "layers", (count,), count, float("inf") if lost else 0.0))
    return Exported(
        path, "cfg", differences=tuple(found), notes=tuple(f"warning: {line}" for line in old_only(network))
    )


def write_weights(network: Network, weights: Weights, path: Path, form: Form, check: bool) -> Exported:
    """Write weights; the check loads the file into the module, or into timm's, and compares outputs on a picture.

    Raises `UsageError` for a network that a framework does not have, `DefinitionError` where one that can only be
    counted is to be checked.
    """
    notes = tuple(f"{printable(str(weights.path))}: {topic} {words}" for topic, words in weights.said.items())
    if form in ("timm", "mmpretrain"):
        check_card(network, form)
    if check:
        network.check_evaluable()
    write(path, form, network, weights)
    if not check:
        return Exported(path, form, notes=notes)
    subject = subject_of(network, weights.path)
    protocol = protocol_of(subject, None, None)
    picture = protocol.picture(subject)
    epsilon = Epsilon(protocol.epsilon)
    expected = [each.numpy() for each in _run(load(to_module(network), network, weights, epsilon), picture)]
    found = [each.numpy() for each in _run(_reloaded(path, form, network, epsilon), picture)]
    outputs = {f"output_{index}": each for index, each in enumerate(expected)}
    return Exported(path, form, differences=tuple(differences(tuple(picture.shape), outputs, found)), notes=notes)


def _reloaded(path: Path, form: Form, network: Network, epsilon: Epsilon) -> nn.Module:
    """A module that has its weights from the file, by the way that its users take."""
    if form == "timm":
        module: nn.Module = import_timm().create_model(network.name.removeprefix("timm/"))
    elif form in ("safetensors", "state-dict"):
        module = load(to_module(network), network, open_weights(path, network), epsilon)  # for the epsilon
    else:
        return load(to_module(network), network, open_weights(path, network), epsilon)
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        state = load_file(path)
    else:
        state = torch.load(path, weights_only=True)
    module.load_state_dict(state, strict=True)
    return module.eval()


def _run(module: nn.Module, picture: Tensor) -> list[Tensor]:
    """The outputs; those of a classifier, (N, classes), whether or not it keeps two empty axes."""
    return [output.flatten(1) if output.shape[2:] == (1, 1) else output for output in checking.run(module, picture)]
