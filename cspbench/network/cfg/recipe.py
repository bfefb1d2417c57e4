"""Reads and writes the training keys of a cfg, by the fields of a `Recipe` (spec training a.1, a.7, d.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, dataclass, fields, replace
from typing import Any, TypeVar

from cspbench.errors import DefinitionError, brief
from cspbench.network.cfg.parser import Section
from cspbench.network.network import Network
from cspbench.network.recipe import NAMES, LayerRecipe, NetRecipe, Policy, Recipe, YoloRecipe, kind_of

Part = TypeVar("Part", NetRecipe, LayerRecipe)

ALWAYS: dict[type, frozenset[str]] = {
    NetRecipe: frozenset(
        """batch subdivisions max_batches learning_rate momentum decay policy burn_in angle saturation exposure
        hue""".split()
    ),
    YoloRecipe: frozenset("max jitter ignore_thresh truth_thresh random iou_loss iou_normalizer".split()),
}
"""Keys that are written even at their defaults."""
_UNSUPPORTED_OF_LAYERS = "stopbackward:1"
_UNSUPPORTED = {
    "net": """time_steps:1 track dynamic_minibatch contrastive unsupervised adversarial_lr attention equidistant_point
        badlabels_rejection_percentage num_sigmas_reject_badlabels weights_reject_freq gaussian_noise""",
    "convolutional": "cbn batch_normalize:1 assisted_excitation grad_centr",
    "dropout": "dropblock",
    "yolo": "map embedding_layer",
    "maxpool": "maxpool_zero_nonmax",
}
"""By section, keys that training here implements at one value only, 0 unless another follows the colon."""


@dataclass(frozen=True)
class RecipeReading:
    """The recipe of a cfg file, and warnings about values that Darknet reads differently."""

    recipe: Recipe
    warnings: tuple[str, ...]


def read(network: Network, sections: tuple[Section, ...]) -> RecipeReading:
    """The recipe in the sections of a cfg, [net] first. Raises `DefinitionError`."""
    notes: list[str] = []
    net, *rest = (replace(section, notes=notes, used=set()) for section in sections)
    parts = []
    for index, (layer, section) in enumerate(zip(network.layers, rest, strict=True)):
        part = _part(kind_of(layer), section, network.place(index))
        if isinstance(part, YoloRecipe):
            _check_counters(part, section, getattr(layer, "classes", 0))
        parts.append(part)
    return RecipeReading(Recipe(_net(net), tuple(parts)), tuple(notes))


def _net(section: Section) -> NetRecipe:
    for key in ("steps", "scales"):
        if section.text("policy", "") == Policy.STEPS and key not in section.keys:
            raise section.missing(key, "a list of numbers, with policy=steps")
    return _part(NetRecipe, section, section.place)


def _part(kind: type[Part], section: Section, place: str) -> Part:
    values = {item.name: value(section, item) for item in fields(kind) if item.name != "unsupported"}
    try:
        return kind(**values, unsupported=_unsupported(section))
    except DefinitionError as error:
        raise error.at(place) from None


def value(section: Section, item: Field[Any]) -> Any:
    """The value of a field, by its type; the default where the key is absent."""
    key = NAMES.get(item.name, item.name)
    if key not in section.keys:
        return item.default
    match item.default:
        case Policy():
            return _policy(section)
        case bool():
            return section.integer(key, int(item.default)) != 0
        case int():
            return section.integer(key, item.default)
        case float():
            return section.real(key, item.default)
        case str():
            return section.text(key, item.default)
        case None:
            return section.integer(key, 0)
    if key == "scales":
        return tuple(section.reals(key, "numbers"))
    return tuple(section.integers(key, "integers"))


def _policy(section: Section) -> Policy:
    word = section.text("policy", "constant")
    if word in tuple(Policy):
        return Policy(word)
    known = ", ".join(Policy)
    section.note("policy", f"policy={brief(word)} is read as constant, as in Darknet, which knows {known}")
    return Policy.CONSTANT


def _unsupported(section: Section) -> tuple[str, ...]:
    if section.name == "contrastive":
        return ("[contrastive]",)
    name = "net" if section.name == "network" else section.name
    found = []
    everywhere = "" if name == "net" else _UNSUPPORTED_OF_LAYERS
    for item in f"{everywhere} {_UNSUPPORTED.get(name, '')}".split():
        key, _, plain = item.partition(":")
        if key in section.keys and section.keys[key][0] not in {plain or "0", "0"}:
            found.append(f"{key}={brief(section.keys[key][0])}")
    return tuple(found)


def _check_counters(part: YoloRecipe, section: Section, classes: int) -> None:
    count = len(part.counters_per_class)
    if count not in (0, classes):
        raise DefinitionError(
            "cfg.out-of-range",
            "counters_per_class does not fit the classes",
            where=section.at("counters_per_class"),
            expected=f"{classes} numbers, one for each class",
            found=str(count),
            remedy="Correct counters_per_class=",
        )


def pairs(part: NetRecipe | LayerRecipe) -> Iterator[tuple[str, object]]:
    """Keys and values that `read` reads back as the same recipe; defaults only where they are `ALWAYS` written."""
    for item in fields(part):
        key, value = NAMES.get(item.name, item.name), getattr(part, item.name)
        if item.name == "unsupported":
            for setting in value:
                name, separator, text = setting.partition("=")
                if separator:
                    yield name, text
        elif key in ALWAYS.get(type(part), ()) or value != item.default:
            yield key, _text(value)


def _text(value: object) -> object:
    match value:
        case bool():
            return int(value)
        case float():
            return repr(value).removesuffix(".0")
        case tuple():
            return ",".join(str(_text(each)) for each in value)
    return value
