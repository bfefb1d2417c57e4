"""What a measurement was made otherwise with than its claim; such a number is shown, and not held against the claim."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

from cspbench.claims.model import Row
from cspbench.claims.verdict import Reason, Verdict, Word
from cspbench.classification.classifiers import class_order, preset_of
from cspbench.data import detection_presets
from cspbench.errors import brief
from cspbench.network.network import digest
from cspbench.results import match
from cspbench.zoo.catalogue import MODELS
from cspbench.zoo.recipe import Recipe

Fields = Mapping[str, Any]
UNKNOWN = "(no published digest to compare with)"
CHANGED = "the network has changed since"


Networks = Mapping[tuple[str, tuple[int, int]], str]
"""The digests of a catalogue's networks at another time, by model and (height, width)."""


@cache
def _digest(model: str, size: tuple[int, int]) -> str:
    return digest(MODELS[model].build().resized(*size))


def definition(model: str, size: Sequence[int], measured: str, then: Networks | None = None) -> list[str]:
    """Whether the network of that digest is the catalogue's model at that size, as it is now or as it was `then`."""
    key = (model, (int(size[0]), int(size[1])))
    wanted = (then or {}).get(key) or _digest(*key)
    return [] if measured == wanted else [CHANGED]


def network(identity: Fields, then: Networks | None = None) -> list[str]:
    """Whether a catalogue model's layers, the order of its classes and the arithmetic are the claim's."""
    found = []
    if identity["model"] in MODELS and not identity["file"]:
        found += definition(identity["model"], identity["size"], identity["definition"], then)
        own = class_order(identity["model"])
        if identity["task"] == "imagenet" and identity.get("classes", own) != own:
            found.append(f"class order {brief(str(identity['classes']))}, not {own}")
    if identity["precision"] != "fp32":
        found.append(f"{identity['precision']} arithmetic")
    return found


def weights(row: Row, identity: Fields) -> list[str]:
    """Whether the weight file is known to be another than the row's."""
    known = match.digests(row)
    other = known and not any(str(identity["weights"]).startswith(each) for each in known)
    return ["other weights than the published file's"] if other else []


def weights_text(row: Row, identity: Fields) -> str:
    """The digest of a run's weight file, and whether there was one to compare it with."""
    return f"{identity['weights']}" if match.digests(row) else f"{identity['weights']} {UNKNOWN}"


def overridden(found: Fields, wanted: Fields) -> dict[str, tuple[str, str]]:
    """The fields of a preset that are not as it has them, with their values and the preset's own, in words.

    A field that a run did not record is none of them: it was recorded before there was a choice.
    """
    plain = json.loads(json.dumps(wanted))  # tuples are lists in a file
    return {
        field: (_said(found[field]), _said(value))
        for field, value in plain.items()
        if field in found and found[field] != value
    }


def _one_decoder(preset: Fields) -> Fields:
    """A recorded preset whose decoder and EXIF are one field, as they are now; they were two."""
    if "exif" not in preset:
        return preset
    if preset.get("decoder") != "stb":
        return {**preset, "decoder": "opencv" if preset["exif"] else "pillow"}
    return preset


def of_classifier(identity: Fields) -> dict[str, tuple[str, str]]:
    """The fields of a classifier's preset that a run overrode."""
    found = _one_decoder(identity["preset"])
    return overridden(found, preset_of(identity["model"], found["name"], identity["file"]).as_json())


def of_detector(run: Fields) -> dict[str, tuple[str, str]]:
    """The fields of a detector's preset, or of a quoted one's recipe, that a run overrode; not its suppression."""
    identity = run["identity"]
    if identity["quoted"]:
        return overridden(identity["preset"], _recipe(identity["model"]).as_json())
    preset = detection_presets.PRESETS.get(run["preset"]["name"])
    if preset is None:
        return {}
    # the name stands apart; the suppression may be another one each time that a run is scored
    wanted = {name: value for name, value in preset.as_json().items() if name not in ("name", "nms", "nms_kind")}
    kept, fed = _one_decoder(run["preset"]), _one_decoder(identity["preset"])
    return overridden(kept, wanted) | overridden(fed, preset.forward_json())


def suppression(run: Fields) -> tuple[float, str | None]:
    """The NMS threshold that a run's preset or recipe has, and the kind of NMS; a recipe's kind cannot be chosen."""
    identity, name = run["identity"], run["preset"]["name"]
    if identity["quoted"]:
        return _recipe(identity["model"]).nms.overlap, None
    preset = detection_presets.PRESETS.get(name)
    return (float(run["preset"]["nms"]), None) if preset is None else (preset.nms, preset.nms_kind)


def _recipe(model: str) -> Recipe:
    recipe = MODELS[model].recipe
    if recipe is None:
        raise ValueError(f"a recipe of {model}, which has none")
    return recipe


def held(judged: Verdict, found: Sequence[str]) -> Verdict:
    """The verdict, taken off the claim where there is a fault; what is graver is said already."""
    if not found or judged.word in (Word.UNMEASURED, Word.UNPUBLISHED):
        return judged
    return replace(judged, word=Word.UNMEASURED, delta=None, reason=Reason.OTHER_WAY)


def said(fields: Mapping[str, tuple[str, str]]) -> list[str]:
    """Each overridden field as a fault: "conf 0.3, not 0.005"."""
    return [f"{field} {found}, not {own}" for field, (found, own) in fields.items()]


def named(name: str, fields: Mapping[str, tuple[str, str]]) -> str:
    """A preset's name with what overrides it: "readme with conf 0.3"."""
    changed = ", ".join(f"{field} {found}" for field, (found, _) in fields.items())
    return f"{name} with {changed}" if changed else name


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:g}"
    return brief(value if isinstance(value, str) else json.dumps(value))
