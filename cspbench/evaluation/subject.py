"""The model to evaluate: one of the catalogue, a network with a weight file, or a module with a description."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cspbench.errors import UsageError, brief, printable
from cspbench.inference.description import Described, Description, describe
from cspbench.io import argument_path
from cspbench.network import canonical
from cspbench.network.layers import Yolox
from cspbench.network.modular.architecture import Architecture, layered
from cspbench.network.modular.network import ModuleNetwork
from cspbench.network.network import Network, digest
from cspbench.weights.catalogue import find
from cspbench.weights.opening import open_weights
from cspbench.zoo import registry
from cspbench.zoo.detector_protocol import DetectorProtocol, at_size

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Subject:
    """A model ready to be evaluated, identified by `network_digest` and `weights_digest`.

    `build` returns the module with its weights, for a rule for batch norm's epsilon.
    """

    description: Description
    network_digest: str
    weights_digest: str
    weights_file: str | None
    """The sha256 of the weight file."""
    build: Callable[[str], nn.Module]
    network: Architecture | None = None
    user_file: bool = False
    detector_protocol: DetectorProtocol | None = None
    """The protocol of a quoted detector."""
    said: tuple[str, ...] = ()
    """What a user has to know of how the weights were read."""
    retrained: bool = False
    """Whether `cspbench.training` made the weights; they are never judged as the published ones."""

    @property
    def name(self) -> str:
        """The name of the model, the cfg file or the module, as it is recorded."""
        return self.description.name.encode("utf-8", "backslashreplace").decode()

    @property
    def size(self) -> tuple[int, int]:
        """Input height and width in pixels."""
        return self.description.size


def subject_of(
    model: str | Architecture | Described,
    weights: str | Path | None = None,
    size: tuple[int, int] | None = None,
    ema: bool | None = None,
) -> Subject:
    """The subject of a model's name (`registry.model`), a network or a module; `size` is its input (height, width).

    `ema` takes averaged weights, or others, from a checkpoint that has both; by default those that timm takes.
    Without a file, a catalogue model's weights are searched in $CSPBENCH_WEIGHTS, and a sample model's in this package.
    Any other network requires its file, and a module has its weights. Raises `UsageError` where there are none,
    `WeightsError` for a file that does not fit.
    """
    if isinstance(model, str):
        entry = registry.model(model)
        subject = _of_network(entry.architecture(), weights, size, ema)
        return replace(subject, said=(*(f"warning: {line}" for line in entry.warnings), *subject.said))
    if isinstance(model, Network | ModuleNetwork):
        return _of_network(model, weights, size, ema)
    if weights is not None or size is not None:
        raise UsageError(
            "usage.module-has-its-own",
            "a module brings its own weights and size",
            remedy="Load the weights into the module, and leave both out",
        )
    return _of_module(model)


def default_preset(model: str | Architecture | Described) -> str:
    """The name of the preset that a model's weights need, else that of Darknet when its tables were published."""
    network = registry.model(model).architecture() if isinstance(model, str) else model
    if isinstance(network, Network | ModuleNetwork):
        return network.preset or "readme"
    heads = description_of(cast("Described", network)).heads
    # one of create_model says which weights it has
    return getattr(network, "preset", "yolox") if heads and isinstance(heads[-1], Yolox) else "readme"


def weight_file(network: Architecture, weights: str | Path | None) -> Path | None:
    """The weight file of a network: the named one, else (or for "published") a catalogue model's, if there is one."""
    if weights not in (None, "published"):
        return argument_path("weights", weights)
    entry = registry.entry_of(network)
    return find(entry) if entry else None


def _of_network(
    network: Architecture, weights: str | Path | None, size: tuple[int, int] | None, ema: bool | None
) -> Subject:
    entry, file = registry.entry_of(network), weight_file(network, weights)
    detector_protocol = entry.detector_protocol if entry else None
    if file is None:
        raise UsageError(
            "usage.no-weights",
            "no weights to evaluate",
            where=network.name,
            remedy="Name the file with weights=, or set $CSPBENCH_WEIGHTS",
        )
    network = at_size(network, size, detector_protocol)
    if isinstance(network, Network):
        network.check_evaluable()
    opened = open_weights(file, network, ema=ema)

    def build(epsilon: str) -> nn.Module:
        from cspbench.network.epsilon import Epsilon
        from cspbench.network.module import to_module
        from cspbench.weights.loading import load

        if isinstance(network, ModuleNetwork):
            return load(network.design.module().eval(), network, opened, Epsilon(epsilon))
        return load(to_module(layered(network)), network, opened, Epsilon(epsilon))

    return Subject(
        describe(network),
        digest(network),
        f"arrays:{opened.digest}",
        opened.sha256,
        build,
        network,
        bool(network.places),
        detector_protocol,
        tuple(f"{printable(str(file))}: {topic} {words}" for topic, words in opened.said.items()),
    )


def description_of(module: Described) -> Description:
    """A module's description; raises `UsageError` if it has none."""
    description = getattr(module, "description", None)
    if not isinstance(description, Description):
        raise UsageError(
            "usage.module-without-description",
            "the module does not describe itself",
            expected="an attribute `description` of cspbench.inference.description.Description",
            found=type(module).__name__,
            remedy="Set module.description = Description(name, (3, height, width), heads or classes)",
        )
    return description


def _of_module(module: Any) -> Subject:
    description = description_of(module)
    state = module.state_dict()
    shapes = tuple((name, tuple(tensor.shape)) for name, tensor in state.items())
    arrays = hashlib.sha256()
    for tensor in state.values():
        arrays.update(tensor.detach().cpu().float().contiguous().numpy().astype("<f4").tobytes())

    def build(epsilon: str) -> nn.Module:
        return module.eval()  # type: ignore[no-any-return]

    return Subject(
        description, _module_digest(description, shapes), f"module:{arrays.hexdigest()}", None, build, user_file=True
    )


def _module_digest(description: Description, shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> str:
    """The sha256 of a module's input, heads and arrays, as "module-v2:" and 64 hexadecimal digits.

    Its name does not matter, and the order of its classes is recorded by itself. `canonical` explains the hashed form.
    """
    try:
        form = canonical.text(
            {
                "input": tuple(description.input),
                "heads": tuple(description.heads),
                "probabilities": description.probabilities,
                "arrays": shapes,
                **({"letter_box": True} if description.letter_box else {}),
            }
        )
    except TypeError as error:
        raise UsageError(
            "usage.module-description",
            "the module's description has a value of an unsupported type",
            expected="layers of cspbench.network.layers, with Python's own numbers and tuples",
            found=brief(str(error), 120),
            remedy="Correct module.description",
        ) from error
    return f"module-{canonical.VERSION}:{hashlib.sha256(form.encode()).hexdigest()}"
