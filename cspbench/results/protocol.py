"""A measurement's deviations from its claim's protocol."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cspbench.claims.model import Row
from cspbench.claims.verdict import Deviation
from cspbench.classification.classifiers import class_order, preset_of
from cspbench.data import detection_presets
from cspbench.errors import brief
from cspbench.results import match
from cspbench.results.schema import Identity, ImagenetIdentity, Run
from cspbench.zoo.detector_protocol import DetectorProtocol
from cspbench.zoo.registry import MODELS

UNKNOWN = "(no published digest to compare with)"
CHANGED = "the network has changed since"

Networks = Mapping[tuple[str, tuple[int, int]], str]
"""The digests of a catalogue's networks at an earlier commit, by model and (height, width)."""
Overrides = Mapping[str, tuple[str, str]]
"""Fields of a preset that a run overrode: the run's value and the preset's, in words."""


def definition(model: str, size: tuple[int, int], measured: str, then: Networks | None = None) -> list[Deviation]:
    """A deviation where a measured network's digest is not the catalogue model's at that size, now or `then`."""
    expected = (then or {}).get((model, size)) or MODELS[model].digest(size)
    return [] if measured == expected else [Deviation(CHANGED)]


def network(identity: Identity, then: Networks | None = None) -> list[Deviation]:
    """Deviations of a catalogue model's layers, of the order of its classes and of the arithmetic."""
    deviations = []
    if identity.model in MODELS and not identity.user_file:
        deviations += definition(identity.model, identity.size, identity.network, then)
        order = class_order(identity.model)
        if isinstance(identity, ImagenetIdentity) and identity.classes != order:
            deviations.append(Deviation(f"class order {brief(identity.classes)}, not {order}"))
    if identity.precision != "fp32":
        deviations.append(Deviation(f"{identity.precision} arithmetic"))
    return deviations


def weights(row: Row, run: Run) -> list[Deviation]:
    """A deviation where the weights are known not to be the row's."""
    if run.weights.origin == "retrained":
        return [Deviation("retrained, not the published weights")]
    same = match.published_weights(row).are(run.identity.weights, run.weights.file)
    return [Deviation("other weights than the published file's")] if same is False else []


def weights_text(row: Row, run: Run) -> str:
    """The digest of a run's weights, and whether there was a published one to compare it with."""
    same = match.published_weights(row).are(run.identity.weights, run.weights.file)
    return run.identity.weights if same is not None else f"{run.identity.weights} {UNKNOWN}"


def overrides_of(used: Mapping[str, Any], preset: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """The fields in which a run differs from its preset.

    A field that the run did not record is not among them: the run is older than that choice. One that the preset lacks
    is recorded only where it is not at its default.
    """
    plain = json.loads(json.dumps(preset))  # tuples are lists in a file
    plain |= {field: "its default" for field in used if field not in plain}
    return {
        field: (_text(used[field]), _text(value))
        for field, value in plain.items()
        if field in used and used[field] != value
    }


def of_classifier(identity: ImagenetIdentity) -> dict[str, tuple[str, str]]:
    """The fields of a classifier's preset that a run overrode."""
    preset = preset_of(identity.model, str(identity.preset["name"]), identity.user_file)
    return overrides_of(identity.preset, preset.as_json())


def of_detector(run: Run) -> dict[str, tuple[str, str]]:
    """The fields of a detector's preset, or of a quoted one's protocol, that a run overrode; NMS is left out."""
    identity, settings = run.identity, run.settings
    assert settings is not None
    if getattr(identity, "quoted", False):
        return overrides_of(identity.preset, _detector_protocol(identity.model).as_json())
    preset = detection_presets.PRESETS.get(settings.name)
    if preset is None:
        return {}
    # NMS may differ each time that a run is scored
    fields = {name: value for name, value in preset.as_json().items() if name not in ("name", "nms", "nms_kind")}
    used = {**settings.fields, "conf": settings.conf}
    overrides = overrides_of(used, fields) | overrides_of(identity.preset, preset.forward_json())
    if preset.cfg_letterbox:
        overrides.pop("letterbox", None)  # the network chooses
    return overrides


def suppression(run: Run) -> tuple[float, str | None]:
    """A preset's NMS threshold and kind of NMS; the kind is None for a quoted detector, where it cannot be chosen."""
    settings = run.settings
    assert settings is not None
    if getattr(run.identity, "quoted", False):
        return _detector_protocol(run.identity.model).nms.overlap, None
    preset = detection_presets.PRESETS.get(settings.name)
    return (settings.nms, None) if preset is None else (preset.nms, preset.nms_kind)


def _detector_protocol(model: str) -> DetectorProtocol:
    detector_protocol = MODELS[model].detector_protocol if model in MODELS else None
    if detector_protocol is None:
        raise ValueError(f"{model} has no protocol of its own")
    return detector_protocol


def deviations(overrides: Overrides) -> list[Deviation]:
    """Each overridden field as a deviation: "conf 0.3, not 0.005"."""
    return [Deviation(f"{field} {used}, not {default}") for field, (used, default) in overrides.items()]


def preset_text(name: str, overrides: Overrides) -> str:
    """A preset's name with the fields that were overridden: "readme with conf 0.3"."""
    changed = ", ".join(f"{field} {used}" for field, (used, _) in overrides.items())
    return f"{name} with {changed}" if changed else name


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int | float):
        return f"{value:g}"
    return brief(value if isinstance(value, str) else json.dumps(value))
