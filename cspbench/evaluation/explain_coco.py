"""The effect of each part of a detector's protocol on AP. Nothing is stored or judged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cspbench.data.coco.source import CocoSource
from cspbench.data.detection_presets import DetectionPreset, detection_preset
from cspbench.detection.ap import bootstrap as resampling
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE
from cspbench.errors import UsageError
from cspbench.evaluation.detection_data import ClassNames, categories, ground_truth, known_names, opened
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.part import part_of
from cspbench.evaluation.scoring import ScoringOptions, Thresholds, one_threshold, thresholds_of
from cspbench.evaluation.subject import default_preset, subject_of
from cspbench.inference import footprint
from cspbench.inference.description import Described
from cspbench.network.modular.architecture import Architecture

if TYPE_CHECKING:
    from cspbench.detection.ablation.explain import Change


@dataclass(frozen=True)
class Explained:
    """The changes of a model's protocol, the preset itself first, on so many images.

    `size` is the input's (height, width); `bad` are the keys of images that some decoder could not read.
    """

    model: str
    size: tuple[int, int]
    images: int
    changes: tuple[Change, ...]
    bad: tuple[str, ...]


def explain_coco(
    model: str | Architecture | Described,
    data: str | Path | CocoSource,
    *,
    weights: str | Path | None = None,
    ema: bool | None = None,
    preset: str | DetectionPreset | None = None,
    nms: Thresholds | None = None,
    nms_kind: str | None = None,
    conf: float | None = None,
    decoder: str | None = None,
    split: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool | None = None,
    names: str | Path | ClassNames | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Explained:
    """AP of a detector under its preset and under each change of it, on 1000 images at most, drawn with `seed`.

    The arguments are those of `evaluate_coco`, with one NMS threshold; `bootstrap` adds intervals of the differences.
    Raises `UsageError` for a quoted detector, whose protocol has no parts to exchange.
    """
    from cspbench.detection.ablation.explain import MOST_IMAGES, Subject, changes, measure, passes
    from cspbench.detection.ablation.variants import variants
    from cspbench.detection.detector import PresetDetector, detector_of
    from cspbench.inference.engine import choose_device

    execution = execution or Execution()
    if preset is None or isinstance(preset, str):
        preset = detection_preset(preset or default_preset(model))
    threshold = one_threshold(thresholds_of(nms, preset))
    preset = preset.overridden(conf=conf, nms=threshold, nms_kind=nms_kind, decoder=decoder)
    ScoringOptions((threshold,), preset.nms_kind, engine, bootstrap)  # refuses what does not go together
    subject = subject_of(model, weights, size, ema)
    for line in subject.said:
        listener.note(line)
    letter_box = subject.description.letter_box
    preset = preset.for_network(letter_box)
    detector = detector_of(subject.description, preset, subject.detector_protocol)
    if not isinstance(detector, PresetDetector):
        raise UsageError(
            "usage.own-protocol",
            f"{subject.name} has its authors' own protocol",
            expected="a detector under a preset",
            found="--explain",
            remedy="Leave it out",
        )
    if subject.network is not None:
        footprint.check(subject.network)
    last = detector.heads[-1]
    known = known_names(names, [Path(weights)] if weights is not None and subject.user_file else [], last.classes)
    upright, texts = preset.decoder == "opencv", known and known.texts
    source = opened(data, split, listener, names=texts, classes=last.classes, upright=upright)
    truth = ground_truth(source)
    if len(source) > MOST_IMAGES:
        listener.note(f"--explain takes {MOST_IMAGES} of the {len(source)} images, drawn at random")
        source = part_of(source, str(MOST_IMAGES), seed)
        truth = ground_truth(source)
    ids = categories(source, last.classes, known, subject.user_file, listener)
    device = choose_device(execution.device)
    means = (device, execution.precision, *execution.batch_and_workers(device))
    changed = variants(preset, last, letter_box=letter_box, grey=detector.channels == 1)
    on = Subject(subject.build, detector, ids, *means)
    with listener.progress(f"explaining {subject.name}", passes(changed) * len(source)) as reach:
        measured, bad = measure(on, source, truth, changed, engine, reach)
    if not bootstrap:
        return Explained(subject.name, detector.size, len(source), changes(changed, measured), bad)
    with listener.progress("bootstrap", resampling.DRAWS) as reach:
        return Explained(subject.name, detector.size, len(source), changes(changed, measured, reach), bad)
