"""The preset of an exported model, and a picture as it makes the network's input."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cspbench.classification.classifiers import preset_of
from cspbench.data.detection_presets import DetectionPreset, detection_preset
from cspbench.data.presets import ClassificationPreset
from cspbench.detection.detector import detector_of
from cspbench.errors import UsageError
from cspbench.evaluation.subject import Subject
from cspbench.inference.description import input_channels

PICTURE = 8
"""The number of the picture in the sample for detectors, from 1: one with many objects."""


@dataclass(frozen=True)
class Protocol:
    """What turns a picture into the input and, for Darknet's detectors, outputs into detections."""

    name: str
    epsilon: str
    settings: dict[str, Any]
    detection: DetectionPreset | None = None
    """None for a classifier and for a detector with its authors' protocol."""
    classification: ClassificationPreset | None = None

    def picture(self, subject: Subject) -> Tensor:
        """A drawn picture as the network's input, (1, C, H, W)."""
        from cspbench.sample.canvas import jpeg
        from cspbench.sample.detection import draw
        from cspbench.sample.seeds import HELD_OUT

        data, description = jpeg(draw(HELD_OUT + PICTURE - 1)[0]), subject.description
        if self.classification is not None:
            if description.input[0] != 3:
                raise input_channels(description, "3")
            return torch.from_numpy(self.classification.load(data, description.size, "the picture"))[None]
        preset = self.detection or detection_preset("readme")
        detector = detector_of(description, preset, subject.detector_protocol)
        return torch.from_numpy(detector.load(data, "the picture")[0])[None]


def protocol_of(subject: Subject, preset: str | None, conf: float | None) -> Protocol:
    """The protocol under a preset's name, by default the model's own. Raises `UsageError`."""
    description, own = subject.description, subject.detector_protocol
    if not description.heads:
        if conf is not None:
            raise UsageError(
                "usage.detector-options",
                "options of detectors do not go with classifiers",
                found=f"--conf {conf:g}, and {subject.name}",
                remedy="Leave them out",
            )
        chosen = preset_of(subject.name, preset or description.preset, subject.user_file)
        chosen.check_size(description.size)
        return Protocol(chosen.name, chosen.epsilon, chosen.as_json(), classification=chosen)
    if own is not None:
        if preset is not None or conf is not None:
            raise UsageError(
                "usage.own-protocol",
                f"{subject.name} has its authors' own protocol",
                expected="no --preset or --conf",
                remedy="Leave it out",
            )
        return Protocol("its authors'", own.epsilon, own.as_json())
    found = detection_preset(preset or "readme").for_network(description.letter_box).overridden(conf=conf)
    return Protocol(found.name, found.epsilon, found.as_json(), detection=found)


def input_text(protocol: Protocol, channels: int) -> str:
    """What the input's values are, for the metadata."""
    order = "grey" if channels == 1 else "BGR" if protocol.settings.get("bgr") else "RGB"
    deviation = protocol.settings.get("std") or protocol.settings.get("deviation")
    mean = protocol.settings.get("mean")
    if deviation is None or (set(deviation) == {1.0} and set(mean or ()) == {0.0}):
        return f"{order}, 0 to 1"
    unit = "0 to 255" if "bgr" in protocol.settings else "0 to 1"
    numbers = f"mean {json.dumps(mean)}, deviation {json.dumps(deviation)}"
    return f"{order}, (value - mean) / deviation of values {unit}: {numbers}"
