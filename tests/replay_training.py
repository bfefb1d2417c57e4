"""Trains the networks of recorded cases, and prints how far every kind of array is off.

    python -m tests.replay_training FOLDER [CASE ...]

The folder holds NAME.npz for each case, cfg/NAME.cfg, common.npz and perhaps learning_rates.json, augment.npz and
blur.npz. The exit code is 1 where an array is off by more than its tolerance, 2 where the folder has no case.
"""

from __future__ import annotations

import importlib
import json
import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, fx, nn

from cspbench.network import cfg, layers
from cspbench.network.era import Era
from cspbench.network.network import Network
from cspbench.network.recipe import Policy, Recipe
from cspbench.training.iteration import Trainer
from cspbench.training.losses import boxes
from cspbench.training.losses.layers import Loss
from cspbench.training.losses.outcome import Outcome
from cspbench.training.module import Dropout, TrainingWriter, finished
from cspbench.training.schedule import rate
from cspbench.weights.arrays import Weights
from cspbench.weights.loading import extract, load

Arrays = Mapping[str, NDArray[Any]]
Layers = tuple[dict[str, NDArray[Any]], ...]
ROLES = {"w": "weight", "b": "bias", "g": "scale", "m": "mean", "v": "variance"}
ERAS = {"e1": Era.OCT2019, "e2": Era.NOV2019}
TOLERANCES = dict.fromkeys(("loss", "rate", "cost", *ROLES.values()), 1e-5) | {"delta": 2e-5, "output": 2e-5}
"""Of the largest magnitude of the array, by kind."""
SUMMARISED = {**dict.fromkeys(TOLERANCES, 1e-4), "delta": 3e-4, "output": 3e-4, "rate": 1e-5}
"""For a published network, of which summaries are kept."""
SAMPLES = 48
"""Values, at most, of an array that is kept in part."""
NOT_CASES = ("common", "augment", "blur")
PICTURES = "tests.replay_augment"
"""The replay of augment.npz and blur.npz."""


@dataclass(frozen=True)
class Difference:
    """An array and how far it is off, divided by its largest magnitude."""

    case: str
    kind: str
    key: str
    relative: float
    tolerance: float

    @property
    def passes(self) -> bool:
        return self.relative <= self.tolerance


class Tap(nn.Module):
    """A layer's output under a tensor of its own, so that its gradient is what its own readers give."""

    def forward(self, x: Tensor) -> Tensor:
        return x.view_as(x)


class _Recorder(TrainingWriter):
    def layer(self, index: int, layer: layers.Layer, inputs: list[fx.Node], shapes: list[layers.Shape]) -> fx.Node:
        return self.call("tap", Tap(), super().layer(index, layer, inputs, shapes))


def _on_gradient(tensor: Tensor, action: Callable[[Tensor], None]) -> None:
    tensor.register_hook(action)  # type: ignore[no-untyped-call]


class Recording:
    """A trainer whose layers' outputs and gradients can be read after a mini-batch."""

    def __init__(self, network: Network, recipe: Recipe, era: Era) -> None:
        writer = _Recorder(network, recipe)
        read: list[fx.Node] = []
        for index, layer in enumerate(network.layers):
            if isinstance(layer, layers.Yolo | layers.Softmax | layers.Loss):
                read.append(writer.nodes[layer.sources[0] + 1])
            writer.append(index)
        self.network = network
        self.trainer = Trainer(network, recipe, era, module=finished(writer, tuple(read)))
        self.trainer.losses = {index: self._recorded(index, loss) for index, loss in self.trainer.losses.items()}
        self.outcomes: dict[int, Outcome] = {}
        self.outputs: dict[int, Tensor] = {}
        self.gradients: dict[int, Tensor] = {}
        modules = dict(self.trainer.module.named_modules())
        for index, layer in enumerate(network.layers):
            # of a convolution the gradient before normalisation, of a shortcut that before its activation
            inner = {"convolutional": "conv", "shortcut": "sum"}.get(layer.section, "tap")
            modules[f"layers.{index}.tap"].register_forward_hook(self._keep(index))
            modules[f"layers.{index}.{inner}"].register_forward_hook(self._watch(index))

    def _keep(self, index: int) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            self.outputs[index] = output.detach().clone()
            layer = self.network.layers[index]
            if isinstance(layer, layers.Dropout):
                self.outputs[index - 1] = self.outputs[index]

        return hook

    def _watch(self, index: int) -> Callable[..., None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            if output.requires_grad:
                _on_gradient(output, lambda gradient: self.gradients.__setitem__(index, gradient.clone()))

        return hook

    def _recorded(self, index: int, loss: Loss) -> Loss:
        def recorded(raw: Tensor, truths: Tensor, size: tuple[int, int]) -> Outcome:
            self.outcomes[index] = loss(raw, truths, size)
            return self.outcomes[index]

        return recorded

    def delta(self, index: int) -> Tensor:
        """Minus the gradient at a layer, in the place where the original program has it."""
        return -self.outcomes[index].gradient if index in self.outcomes else -self.gradients[index]

    def output(self, index: int) -> Tensor:
        """A layer's output; [yolo]'s with its activations."""
        layer = self.network.layers[index]
        if not isinstance(layer, layers.Yolo):
            return self.outputs[index]
        values = torch.unflatten(self.outputs[index].clone(), 1, (layer.used, 5 + layer.classes))
        values[:, :, :2] = boxes.offsets(layer, values[:, :, :2])
        if not layer.new_coords:
            values[:, :, 4:] = torch.sigmoid(values[:, :, 4:])
        return values


def _starting_arrays(name: str, network: Network, common: Arrays) -> Layers:
    if name.startswith("r"):
        return _published(name, network)
    result = sorted({key.split(".")[0] for key in common if re.fullmatch(r"\w+\.[wbgmv]\.\d+", key)})
    own = name.split("_")[0]
    for arch in sorted(result, key=lambda each: each != own):
        arrays: list[dict[str, NDArray[Any]]] = []
        for index in range(len(network.layers)):
            kinds = {role: kind for kind, role in ROLES.items()}
            keys = {weight.role: f"{arch}.{kinds.get(weight.role, '-')}.{index}" for weight in network.weights(index)}
            shapes = {weight.role: weight.shape for weight in network.weights(index)}
            if any(key not in common or common[key].shape != shapes[role] for role, key in keys.items()):
                break
            arrays.append({role: common[key] for role, key in keys.items()})
        else:
            return tuple(arrays)
    raise SystemExit(f"{name}: common.npz has no weights that fit the network")


def _published(name: str, network: Network) -> Layers:
    """The weights of the forward case whose name is the longest beginning of this one's."""
    rule = importlib.import_module("tests.golden.rule")
    rest = name.partition("_")[2]
    known = [case for case in rule.CASES if rest.startswith(case)]
    if not known:
        raise SystemExit(f"{name}: no forward case has a name that this one begins with")
    numbers = np.frombuffer(rule.weights(max(known, key=len)), np.float32, offset=len(rule.HEADER))
    result: list[dict[str, NDArray[Any]]] = []
    at = 0
    for index in range(len(network.layers)):
        result.append({})
        for weight in network.weights(index):
            result[-1][weight.role] = numbers[at : at + weight.size].reshape(weight.shape)
            at += weight.size
    assert at == len(numbers)
    return tuple(result)


def _given(name: str, case: Arrays, common: Arrays) -> tuple[Tensor, Tensor]:
    """Images, and their labels or true boxes."""
    letter = {"e": "d"}.get(name[0], name[0])
    both = {**common, **case}
    images = torch.from_numpy(both[f"x_{letter}"])
    return images, torch.from_numpy(both["y"] if "y" in both else both["truth_d"].reshape(len(images), -1, 6))


def replay(folder: Path, name: str) -> list[Difference]:
    """Every array of a case."""
    differences: list[Difference] = []
    common, case = _arrays(folder / "common.npz"), _arrays(folder / f"{name}.npz")
    reading = cfg.read(folder / "cfg" / f"{name}.cfg")
    network, recipe = reading.network, reading.training.recipe
    recording = Recording(network, recipe, ERAS.get(name.split("_")[0], Era.HEAD))
    trainer = recording.trainer
    start = _starting_arrays(name, network, common)
    load(trainer.module, network, Weights(Path(name), start, len(start)))
    summarised = name.startswith("r")
    images, truths = _given(name, case, common)
    limits = SUMMARISED if summarised else TOLERANCES

    def compare(kind: str, key: str, found: Any, wanted: Any) -> None:
        found, wanted = np.asarray(found, np.float64).ravel(), np.asarray(wanted, np.float64).ravel()
        if summarised and kind in ("delta", *ROLES.values()) and len(wanted) == len(summary(found)) != len(found):
            found = summary(found)
        elif len(wanted) < len(found):  # thinned out
            found = found[:: -(-len(found) // SAMPLES)]
        assert found.shape == wanted.shape, (name, key, found.shape, wanted.shape)
        largest = float(np.abs(wanted).max())
        relative = float(np.abs(found - wanted).max()) / (largest or 1.0)
        differences.append(Difference(name, kind, key, relative if np.isfinite(relative) else np.inf, limits[kind]))

    def mini_batches(iteration: int) -> Iterator[tuple[Tensor, Tensor]]:
        for part in range(recipe.net.subdivisions):
            prefix = f"gpu.it{iteration}.sub{part}."
            _draw(trainer.module, case, prefix)
            first = part * recipe.net.mini_batch
            yield images[first : first + recipe.net.mini_batch], truths[first : first + recipe.net.mini_batch]
            # now the trainer is done with it
            for key in (key for key in case if key.startswith(prefix)):
                kind, index = key.removeprefix(prefix).rsplit(".", 1)
                match kind:
                    case "cost":
                        compare("cost", key, recording.outcomes[int(index)].cost, case[key])
                    case "delta" | "delta_summary":
                        compare("delta", key, recording.delta(int(index)), case[key])
                    case "output":
                        compare("output", key, recording.output(int(index)), case[key])

    for iteration in range(1, len(case["gpu.loss"]) + 1):
        update = trainer.iterate(mini_batches(iteration))
        assert update.iteration == iteration
        compare("rate", f"gpu.rate {iteration}", update.rate, case["gpu.rate"][iteration - 1])
        compare("loss", f"gpu.loss {iteration}", update.loss, case["gpu.loss"][iteration - 1])
        arrays = extract(trainer.module, network)
        for key in case:
            if match := re.fullmatch(rf"gpu\.it{iteration}\.([wbgmv])\.(\d+)", key):
                role = ROLES[match[1]]
                compare(role, key, arrays[int(match[2])][role], case[key])
    return differences


def summary(values: NDArray[Any]) -> NDArray[Any]:
    """L2 norm, sum, and six samples."""
    step = max(1, len(values) // 6)
    return np.array([np.sqrt((values**2).sum()), values.sum(), *values[: 6 * step : step][:6]])


def _draw(module: nn.Module, case: Arrays, prefix: str) -> None:
    """Let [dropout] take the recorded numbers."""
    for name, part in module.named_modules():
        key = f"{prefix}rand.{name.split('.')[1]}" if isinstance(part, Dropout) else ""
        if isinstance(part, Dropout) and key in case:
            numbers = torch.from_numpy(case[key])
            part.uniform = lambda x, numbers=numbers: numbers.reshape(x.shape)  # type: ignore[misc]


def rates(path: Path) -> Iterator[Difference]:
    """Every learning rate of a file of schedules."""
    for name, schedule in json.loads(path.read_text("utf-8")).items():
        net = cfg.parse(schedule["net"] + "[dropout]\n", name).training.recipe.net
        for iteration, wanted in schedule["rate"]:
            relative = abs(rate(net, iteration) - wanted) / (abs(wanted) or 1.0)
            late = net.policy is Policy.POLY and net.power >= 1 and iteration > 0.99 * net.max_batches
            tolerance = 2e-4 if late or net.policy is Policy.EXP else 1e-5
            yield Difference(name, "schedule", f"iteration {iteration}", relative, tolerance)


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def cases(folder: Path) -> list[str]:
    """Names of the cases that have a network."""
    names = sorted(path.stem for path in folder.glob("*.npz") if path.stem not in NOT_CASES)
    return [name for name in names if (folder / "cfg" / f"{name}.cfg").is_file()]


def worst(differences: Iterable[Difference]) -> dict[str, Difference]:
    """By kind of array the largest difference, in units of its tolerance."""
    by_kind: dict[str, list[Difference]] = defaultdict(list)
    for difference in differences:
        by_kind[difference.kind].append(difference)
    return {kind: max(result, key=lambda each: each.relative / each.tolerance) for kind, result in by_kind.items()}


def main(arguments: list[str]) -> int:
    """The exit code for a folder and the names of cases, all by default."""
    folder = Path(arguments[0]) if arguments else Path()
    names = [name for name in cases(folder) if not arguments[1:] or name in arguments[1:]]
    schedules = folder / "learning_rates.json"
    pictures = [] if arguments[1:] or not arguments else importlib.import_module(PICTURES).replay(folder)
    if not arguments or not (names or schedules.is_file() or pictures):
        print(__doc__ if not arguments else f"{folder}: no case", file=sys.stderr)
        return 2
    rows = {name: worst(replay(folder, name)) for name in names}
    if schedules.is_file() and not arguments[1:]:
        rows["learning_rates"] = worst(rates(schedules))
    failed = False
    for name, result in rows.items():
        print(name)
        for kind, difference in result.items():
            failed |= not difference.passes
            mark = "" if difference.passes else "  FAILS"
            print(f"  {kind:9} {difference.relative:8.1e} of {difference.tolerance:.0e}  {difference.key}{mark}")
    for difference in pictures:
        failed |= not difference.good
    if pictures:
        importlib.import_module(PICTURES).show(pictures)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
