"""Loads a model for prediction: its weights, its preset, its classes, and its device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Literal

from cspbench.data.detection_presets import detection_preset
from cspbench.data.presets import preset as classification_preset
from cspbench.detection.detector import detector_of
from cspbench.errors import UsageError
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.imagenet import chosen_classes, chosen_preset
from cspbench.evaluation.scoring import Thresholds, one_threshold, thresholds_of
from cspbench.evaluation.subject import Subject, default_preset, subject_of
from cspbench.inference import footprint
from cspbench.inference.description import Described, input_channels
from cspbench.inference.engine import Engine, choose_device, prepare
from cspbench.network.modular.architecture import Architecture
from cspbench.prediction.class_names import labels_of_classifier, labels_of_detector
from cspbench.prediction.predictor import BoxPredictor, ClassPredictor, Predictor
from cspbench.weights import recognition

CONF = 0.25
"""The default score above which boxes are shown, as in Darknet's `detector test`; AP counts many more."""
TOPK = 5


def predictor_of(
    model: str | Architecture | Described,
    *,
    weights: str | Path | None = None,
    ema: bool | None = None,
    names: str | Path | None = None,
    preset: str | None = None,
    decoder: str | None = None,
    classes: str | None = None,
    size: tuple[int, int] | None = None,
    topk: int | None = None,
    conf: float | Literal["preset"] | None = None,
    nms: Thresholds | None = None,
    nms_kind: str | None = None,
    beside: Sequence[Path] = (),
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Predictor:
    """A model that is ready to predict; the arguments are those of `predict`.

    `conf` "preset" means the score threshold of the evaluation. `beside` are the user's files of the network, beside
    which the names of its classes may be; by default its weights.

    Raises `UsageError` for options of the other kind of model, and for those that a quoted detector's protocol fixes.
    """
    execution = execution or Execution()
    subject = subject_of(model, weights, size, ema)
    if not beside and subject.user_file and weights is not None:
        beside = [Path(weights)]
    if subject.description.heads:
        _refuse(subject, "a classifier", {"topk": topk, "classes": classes})
        protocol = subject.detector_protocol
        if protocol is not None:
            _check_own_protocol(subject, {"preset": preset, "nms": nms, "nms-kind": nms_kind, "decoder": decoder})
        threshold = None if conf == "preset" else CONF if conf is None else conf
        rules = detection_preset(preset or default_preset(model)).overridden(
            threshold, nms_kind=nms_kind, decoder=decoder
        )
        rules = replace(rules, nms=one_threshold(thresholds_of(nms, rules)))
        if protocol is None:
            _note(rules.letter_box_warning(subject.name, subject.description.letter_box), listener)
        detector = detector_of(subject.description, rules, protocol)
        boxes = labels_of_detector(subject, detector.heads[-1].classes, names, beside)
        engine, batch = _engine(subject, detector.epsilon, execution, listener)
        _note(boxes.note, listener)
        return BoxPredictor(
            subject, engine, boxes, batch, detector, detector.rules.conf if threshold is None else threshold
        )
    _refuse(subject, "a detector", {"conf": conf, "nms": nms, "nms-kind": nms_kind})
    own = chosen_preset(subject, None if preset is None else classification_preset(preset).name, decoder)
    own.check_size(subject.size)
    if subject.description.input[0] != 3:
        raise input_channels(subject.description, "3")
    count = TOPK if topk is None else topk
    if count < 1:
        raise UsageError(
            "usage.topk", "topk is not a number of classes", expected="1 or more", found=str(count), remedy="Try 5"
        )
    numbering = chosen_classes(subject, classes)
    engine, batch = _engine(subject, own.epsilon, execution, listener)
    labels = labels_of_classifier(subject, _outputs(subject, engine), numbering, names, beside)
    _note(labels.note, listener)
    return ClassPredictor(subject, engine, labels, batch, own, count)


def _refuse(subject: Subject, kind: str, options: Mapping[str, object]) -> None:
    """Raise `UsageError` for options that have values although the model is of the other kind."""
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            "usage.other-kind",
            f"{subject.name} is not {kind}",
            expected=f"no {' or '.join(given)}",
            remedy="Leave it out, or name another model",
        )


def _check_own_protocol(subject: Subject, options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            "usage.own-protocol",
            f"{subject.name} has its authors' own protocol",
            expected=f"no {' or '.join(given)}",
            remedy=f"Leave it out: pixels and suppression of {subject.name} are the quoted paper's",
        )


def _outputs(subject: Subject, engine: Engine) -> int:
    """The number of a classifier's outputs; a module without a `Network` is run once to see it."""
    if subject.network is not None:
        return prod(subject.network.shape(len(subject.network.layers) - 1))
    import torch

    return int(engine(torch.zeros(1, *subject.description.input))[0].flatten(1).shape[1])


def _engine(subject: Subject, epsilon: str, execution: Execution, listener: Listener) -> tuple[Engine, int]:
    if subject.network is not None:
        footprint.check(subject.network)
        _note(recognition.remark(subject.network, subject.weights_digest.removeprefix("arrays:")), listener)
    for line in subject.said:
        listener.note(line)
    device = choose_device(execution.device)
    with footprint.enough_memory(f"the weights of {subject.name}"):
        engine = prepare(subject.build(epsilon), device, execution.precision, execution.compiled)
    return engine, execution.batch_and_workers(device)[0]


def _note(text: str | None, listener: Listener) -> None:
    if text is not None:
        listener.note(text)
