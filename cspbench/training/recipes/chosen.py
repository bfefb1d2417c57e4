"""What one run trains, and how: of a cfg file, a model of the catalogue or a published row, with changes to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from cspbench.claims import tables
from cspbench.claims.model import Row, unknown
from cspbench.data.augment.images import ClassifierImages, DetectorImages
from cspbench.errors import DefinitionError, UsageError
from cspbench.models.heads import classes_of, with_classes
from cspbench.network import cfg
from cspbench.network.cfg import recipe as training_keys
from cspbench.network.cfg.parser import Section
from cspbench.network.cfg.settings import SIZES, changed
from cspbench.network.era import Era
from cspbench.network.network import Network
from cspbench.network.recipe import Recipe, default
from cspbench.training.recipes.published import of_model
from cspbench.zoo import names, registry

NEEDED = ("batch", "learning_rate", "max_batches")
"""Keys of [net] without which a cfg says hardly anything on training."""
NEVER = 2**31 - 1
SET = "--set"
"""The source of what the command changes."""
Images = ClassifierImages | DetectorImages


@dataclass(frozen=True)
class Chosen:
    """A network with its recipe; `original` is the same network with its own head."""

    network: Network
    recipe: Recipe
    era: Era
    original: Network
    row: Row | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """The source of each setting, of those that a catalogue's recipe or the command has."""
    unknown: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    """Of a cfg file."""
    iterations: int = 0
    """Those of the recipe, before any change."""
    changed: tuple[str, ...] = ()
    """What the command changes but the number of iterations, as key=value: settings, frozen layers, era."""

    @property
    def subdivisions(self) -> int:
        return self.recipe.net.subdivisions

    @property
    def detects(self) -> bool:
        return bool(self.network.detections)


def of_cfg(path: str | Path) -> Chosen:
    """The network and recipe of a cfg file. Raises `DefinitionError`."""
    reading = cfg.read(path)
    read = reading.training
    absent = [key for key in NEEDED if key not in reading.sections[0].keys]
    notes = [*reading.warnings, *read.warnings]
    if absent:
        taken = ", ".join(f"{key}={getattr(read.recipe.net, key)}" for key in absent)
        notes.append(f"{path}: [net] has no {', '.join(absent)}: Darknet's defaults are taken, {taken}")
    network = reading.network
    count = read.recipe.net.max_batches
    return Chosen(
        network, read.recipe, Era.HEAD, network, notes=tuple(notes), sections=reading.sections, iterations=count
    )


def of_network(network: Network) -> Chosen:
    """A network with the recipe of the catalogue's if it is that, else with Darknet's defaults, with a note."""
    entry = registry.entry_of(network)
    if entry is not None and entry.build() == network:
        return of_name(entry.name)
    note = f"{network.name} has no recipe of its own: Darknet's defaults are taken, and settings"
    return Chosen(network, default(network), Era.HEAD, network, notes=(note,))


def of_name(name: str) -> Chosen:
    """The network and recipe of a .cfg path, a model of the catalogue, or TABLE:ROW. Raises `UsageError`."""
    if registry.is_file(name):
        return of_cfg(name)
    model = registry.model(name)
    row = row_of(name)
    published = of_model(model.name, model.build(), row)
    network, recipe = published.network, published.recipe
    about = row, published.sources, published.unknown, model.warnings
    return Chosen(network, recipe, published.era, network, *about, iterations=recipe.net.max_batches)


def row_of(name: str) -> Row | None:
    """The row that TABLE:ROW names."""
    table, colon, _ = name.partition(":")
    if not colon or table not in tables.names(kind=None):
        return None
    return next((found.row for found in names.meanings(name, registry.MODELS) if found.row is not None), None)


def with_settings(chosen: Chosen, settings: Sequence[str], freeze: int = 0, era: str | None = None) -> Chosen:
    """The same with settings as key=value, with the first `freeze` layers frozen, and of another era.

    Raises `UsageError`, and `DefinitionError` for a value that cannot be read.
    """
    if era is not None and era not in tuple(Era):
        raise unknown("usage.unknown-era", "unknown version of the original", era, tuple(Era))
    network, recipe, notes = changed(chosen.network, chosen.recipe, settings, SET)
    if freeze:
        recipe = frozen(network, recipe, freeze)
    changes = ["".join(setting.split()) for setting in settings if setting.partition("=")[0].strip() != "max_batches"]
    changes += [f"freeze={freeze}"] if freeze else []
    changes += [f"era={era}"] if era and Era(era) is not chosen.era else []
    sources = {**chosen.sources, **{setting.partition("=")[0].strip(): SET for setting in settings}}
    return replace(
        chosen,
        network=network,
        original=network,
        recipe=recipe,
        era=Era(era) if era else chosen.era,
        sources=sources,
        notes=(*chosen.notes, *notes),
        changed=(*chosen.changed, *changes),
    )


def frozen(network: Network, recipe: Recipe, count: int) -> Recipe:
    """The recipe with stopbackward=1 in layer `count` - 1, which is also never updated. Raises `UsageError`."""
    if not 1 <= count < len(network.layers):
        raise UsageError(
            "usage.out-of-range",
            "--freeze takes layers, and leaves some to train",
            expected=f"1 to {len(network.layers) - 1} layers of {network.name}",
            found=str(count),
            remedy="Lower --freeze",
        )
    layers = list(recipe.layers)
    layers[count - 1] = replace(layers[count - 1], stopbackward=True, dont_update=NEVER)
    return Recipe(recipe.net, tuple(layers))


def for_images(chosen: Chosen, images: Images) -> Chosen:
    """The same with as many classes as the images have: a catalogue's network gets another head, with a note.

    Raises `DefinitionError` for a cfg file, with the lines to change.
    """
    classes, wanted = classes_of(chosen.network), len(images.names)
    if classes == wanted:
        return chosen
    if wanted == 0:
        raise UsageError(
            "usage.no-classes", "the data has no classes", remedy="Name the classes in its .names file, or names="
        )
    network, _ = with_classes(chosen.network, wanted)
    if chosen.sections:
        raise _other_classes(chosen, network, classes, wanted)
    note = f"{chosen.network.name}: the data has {wanted} classes, so the head gets {wanted} in place of {classes}"
    network = replace(network, places=())
    return replace(chosen, network=network, notes=(*chosen.notes, note))


def _other_classes(chosen: Chosen, network: Network, classes: int, wanted: int) -> DefinitionError:
    """The error that says which lines of a cfg file to change."""
    lines = []
    for index, (now, new) in enumerate(zip(chosen.network.layers, network.layers, strict=True)):
        if now == new:
            continue
        section = chosen.sections[index + 1]
        key = next(key for key in ("classes", "filters", "output", "outputs") if hasattr(new, key))
        place = section.at(key).rpartition(":")[2]
        lines.append(f"line {place}: {'output' if key == 'outputs' else key}={getattr(new, key)}")
    return DefinitionError(
        "train.other-classes",
        "the network has other classes than the data",
        where=chosen.sections[0].file,
        expected=f"{wanted} classes, as in the data",
        found=f"{classes}",
        remedy=f"Change {'; '.join(lines)}",
    )


def shown(chosen: Chosen) -> list[dict[str, str]]:
    """Every setting of [net] and of detection layers with its source; where there is none, Darknet's default."""
    lines = []
    _, height, width = chosen.network.input
    pairs = [("width", str(width)), ("height", str(height))]
    pairs += [(key, str(value)) for key, value in training_keys.pairs(chosen.recipe.net)]
    for part in chosen.recipe.layers:
        if part.kind != "layer":
            pairs += [(f"{part.kind}.{key}", str(value)) for key, value in training_keys.pairs(part)]
    written = {key for section in chosen.sections for key in section.keys}
    for key, value in dict.fromkeys(pairs):
        plain = key.rpartition(".")[2]
        own = chosen.sections[0].file if plain in written else "the network" if key in SIZES else "Darknet's default"
        lines.append({"setting": f"{key}={value}", "source": chosen.sources.get(key, own)})
    return lines
