"""Detectors on COCO: a model's candidates on a data set, AP at any NMS threshold, stored in a run directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import structs

from cspbench.data.coco.annotations import COCO_CATEGORIES
from cspbench.data.coco.source import CocoSource
from cspbench.data.detection_presets import DetectionPreset, detection_preset
from cspbench.detection.ap import bootstrap as resampling
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE
from cspbench.detection.class_names import by_name
from cspbench.detection.collect import AtThreshold, Collected, categories_of, collect, evaluated
from cspbench.detection.map_of_run import SCORE
from cspbench.errors import brief
from cspbench.evaluation import server
from cspbench.evaluation.darknet_map import MapOptions, last_layer, map_of
from cspbench.evaluation.detection_data import ClassNames, categories, in_use, known_names, names_of, opened
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.part import part_of
from cspbench.evaluation.runner import ScoredRun, run_or_resume, store_metrics
from cspbench.evaluation.scoring import ScoringOptions, Thresholds, output_of, protocol_of, thresholds_of
from cspbench.evaluation.subject import Subject, default_preset, subject_of
from cspbench.inference.description import Described
from cspbench.io import argument_path
from cspbench.network.modular.architecture import Architecture
from cspbench.results import sessions
from cspbench.results.runs import RunDirectory, record_names, run_path
from cspbench.results.schema import CocoIdentity, Data, DetectionMetrics, DetectionSettings, LastLayer, Threshold

if TYPE_CHECKING:
    from cspbench.detection.detector import Detector


@dataclass(frozen=True, eq=False)
class DetectionResult(ScoredRun):
    """A scored run of a detector."""

    metrics: DetectionMetrics
    source: CocoSource
    at: tuple[AtThreshold, ...]
    """Detections and curves at each threshold."""


def evaluate_coco(
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
    engine: str = "cspbench",
    bootstrap: bool | None = None,
    per_class: bool = False,
    names: str | Path | ClassNames | None = None,
    darknet_map: MapOptions | None = None,
    allow_bad: int = 0,
    size: tuple[int, int] | None = None,
    limit: str | None = None,
    seed: int = 0,
    retrained: bool = False,
    store: str | Path = "runs",
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> DetectionResult | None:
    """Evaluate a detector as Darknet did, and store the run in `store`; one forward pass serves every threshold.

    `model` is a catalogue's name, a `Network` with its weight file, or an `nn.Module` that describes itself
    (`cspbench.inference.description.Description`). `preset` is by default that of the model's weights. `nms` are
    thresholds, the preset's own by default; `limit` draws
    "100" or "5%" of the images with `seed`; `ema` and `retrained` are those of `evaluate_imagenet`. A quoted
    detector uses only its own protocol. None in all processes of torchrun but the first.

    `data` may be in Darknet's form (a .data file, a list, a folder with one of them), with at most `allow_bad` faults;
    then Darknet's mAP is computed, too. `names` is a file with the names of the network's classes, by default one
    beside its weights; categories are assigned by name.
    """
    from cspbench.detection import predict
    from cspbench.detection.detector import detector_of

    runs, execution = argument_path("store", store), execution or Execution()
    if preset is None or isinstance(preset, str):
        # an unknown preset is reported before an unusable file
        preset = detection_preset(preset or default_preset(model))
    preset = preset.overridden(conf=conf, nms_kind=nms_kind, decoder=decoder)
    options = ScoringOptions(thresholds_of(nms, preset), preset.nms_kind, engine, bootstrap, per_class, darknet_map)
    subject = replace(subject_of(model, weights, size, ema), retrained=retrained)
    protocol = subject.detector_protocol
    warning = preset.letter_box_warning(subject.name, subject.description.letter_box)
    if warning is not None and protocol is None:
        listener.note(warning)
    preset = preset.for_network(subject.description.letter_box)
    detector = detector_of(subject.description, preset, protocol)
    classes = detector.heads[-1].classes
    known = known_names(names, [Path(weights)] if weights is not None and subject.user_file else [], classes)
    upright = (protocol.decoder if protocol else preset.decoder) == "opencv"
    about: dict[str, Any] = {"names": known and known.texts, "classes": classes, "upright": upright}
    source = part_of(opened(data, split, listener, allowed=allow_bad, **about), limit, seed)
    fields = {key: value for key, value in preset.as_json().items() if key not in ("name", "conf", "nms", "nms_kind")}
    settings = DetectionSettings(preset.name, preset.conf, preset.nms, preset.nms_kind, fields)
    if protocol is not None:
        options = replace(options, thresholds=(protocol.nms.overlap,))
        settings = DetectionSettings("its own protocol", protocol.conf, protocol.nms.overlap, "default")
    identity = _identity(subject, detector, source, execution.precision)
    path = run_path(runs, identity, settings.name.replace(" ", "-"))
    ids = categories(source, classes, known, subject.user_file, listener)
    settings = structs.replace(settings, names=in_use(source, ids, known))
    run = run_or_resume(
        path,
        subject,
        detector.epsilon,
        identity,
        source,
        predict.PreparedImages(source, detector).predict,
        execution,
        listener,
        settings,
        str(source.place.resolve()) if source.place else None,
    )
    if run is None:
        return None
    run = record_names(run, settings.names)
    return score_detector(run, source, options, execution, listener, ids)


def _identity(subject: Subject, detector: Detector, source: CocoSource, precision: Any) -> CocoIdentity:
    last = detector.heads[-1]
    return CocoIdentity(
        model=subject.name,
        network=subject.network_digest,
        weights=subject.weights_digest,
        data=msgspec.convert(source.as_json(), Data),
        preset=msgspec.json.decode(msgspec.json.encode(detector.forward_json())),  # tuples as lists
        size=subject.size,
        precision=precision,
        quoted=subject.detector_protocol is not None,
        user_file=subject.user_file,
        last=LastLayer(last.classes, getattr(last, "nms_kind", "default"), float(getattr(last, "beta_nms", 0.6))),
    )


def score_detector(
    run: RunDirectory,
    source: CocoSource,
    options: ScoringOptions,
    execution: Execution,
    listener: Listener,
    ids: Sequence[int],
) -> DetectionResult:
    """AP of a complete run at the requested thresholds, from its candidates; stored in its metrics where possible.

    `ids` are the categories of the network's classes.

    On a test split the numbers are the server's; without its answer the zip for the server is written.
    """
    collected, at = detect(run, source, options, listener, ids)
    _warn(run, source, collected, listener)
    identity, kind = run.identity, server.kind_of(run, options.nms_kind)
    assert isinstance(identity, CocoIdentity)
    answers = server.answers(run) if (identity.data.split or "").startswith("test") else {}
    if options.bootstrap is None:
        # a part of the images is shown with its interval
        part = identity.data.seed is not None or bool(collected.bad)
        options = replace(options, bootstrap=part and options.engine == DEFAULT_ENGINE)
    thresholds = []
    for entry in at:
        answer = answers.get((entry.nms, kind)) if entry.measured is None else None
        numbers = threshold_of(entry, kind, options, listener)
        thresholds.append(server.threshold(answer, options.nms_kind) if answer else numbers)
    darknet = options.darknet_map or default_map(run, source)
    submissions = server.submit(run, options.nms_kind, at, listener) if source.ground_truth is None else None
    metrics = DetectionMetrics(
        identity=identity,
        images=run.samples,
        bad=list(collected.bad),
        thresholds=thresholds,
        pixels=collected.images_digest,
        submissions=submissions,
        darknet_map=map_of(run, source, ids, darknet, listener) if darknet is not None else None,
    )
    run = store_metrics(run, metrics, execution, listener)
    return DetectionResult(run, metrics, source, tuple(at))


def default_map(run: RunDirectory, source: CocoSource) -> MapOptions | None:
    """How mAP is computed by default: on data in Darknet's form, if the run has all scores; else not at all."""
    identity, settings = run.identity, run.record.settings
    assert isinstance(identity, CocoIdentity)
    assert settings is not None
    complete = source.kind == "darknet" and not identity.quoted and settings.conf <= SCORE
    return MapOptions() if complete else None


def detect(
    run: RunDirectory,
    source: CocoSource,
    options: ScoringOptions,
    listener: Listener = SILENT,
    ids: Sequence[int] | None = None,
) -> tuple[Collected, list[AtThreshold]]:
    """A run's detections and their AP at the requested thresholds; `ids` by default as its record has the names."""
    from cspbench.inference.memory import keep_freed_memory

    identity = run.identity
    assert isinstance(identity, CocoIdentity)
    keep_freed_memory()  # NMS allocates and frees large arrays
    last, protocol = last_layer(identity), protocol_of(run)
    if ids is None:
        ids = categories(source, last.classes, names_of(run), identity.user_file, SILENT)
    exact, most = output_of(run)
    with listener.progress("suppressing", run.samples) as reach:
        thresholds, kind = options.thresholds, options.nms_kind
        collected = collect(run.shards, source, thresholds, kind, last, protocol, ids, reach, exact=exact)
    return collected, evaluated(collected, options.thresholds, source.ground_truth, options.engine, most)


def threshold_of(at: AtThreshold, kind: str, options: ScoringOptions, listener: Listener) -> Threshold:
    """The numbers of detections at one threshold, as metrics hold them; none without ground truth."""
    measured, intervals = at.measured, None
    if options.bootstrap and measured is not None:
        with listener.progress("bootstrap", resampling.DRAWS) as reach:
            intervals = dict(resampling.intervals(measured, step=reach))
    return Threshold(
        nms=at.nms,
        kind=kind,
        asked=options.nms_kind,
        scoring=sessions.scoring(),
        engine=measured.engine if measured else None,
        ap=measured.percent() if measured else {},
        intervals=intervals,
        per_class=measured.per_class() if measured and options.per_class else None,
        detections=len(at.detections.scores),
    )


def _warn(run: RunDirectory, source: CocoSource, collected: Collected, listener: Listener) -> None:
    """Warn about sizes, ids and categories that differ from what is assumed."""
    from cspbench.detection.detections import image_id

    if collected.resized:
        listener.note(
            f"warning: {collected.resized} of {len(source)} images do not match the annotated size; "
            "`cspbench data check coco` names them"
        )
    settings = run.record.settings
    assert settings is not None
    rule = settings.fields.get("image_id")
    differing = (
        0
        if rule is None or source.kind == "darknet"
        else sum(image_id(image.file_name, rule) != image.id for image in source.images)
    )
    if differing:
        listener.note(
            f"warning: Darknet would read other ids from the names of {differing} of {len(source)} images "
            f"(image_id {rule}) than the annotations have; those of the annotations are used"
        )
    names = list(source.annotations.categories.values())
    named = names_of(run) is not None or by_name(categories_of(source), list(COCO_CATEGORIES.values())) is not None
    if not named and len(names) == len(COCO_CATEGORIES) and names != list(COCO_CATEGORIES.values()):
        pairs = zip(names, COCO_CATEGORIES.values(), strict=True)
        renamed = [f"{name!r} for {standard!r}" for name, standard in pairs if name != standard]
        listener.note(
            f"warning: {len(renamed)} of the 80 categories have different names from COCO's, in the order of their "
            f"ids: {brief(renamed[0], 100)}; a network for COCO takes them for COCO's"
        )
