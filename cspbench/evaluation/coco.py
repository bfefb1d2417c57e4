"""Detectors on COCO: candidates of a model on a data set, AP at any NMS threshold, kept in a run directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cspbench.data.coco import CocoSource, data_path, open_coco
from cspbench.data.coco_annotations import COCO_CATEGORIES
from cspbench.data.detection_presets import DetectionPreset, detection_preset
from cspbench.detection.ap import bootstrap as resampling
from cspbench.detection.collect import AtThreshold, Collected, category_ids, collect, evaluated
from cspbench.errors import UsageError, brief
from cspbench.evaluation import server
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.part import coco_part_of
from cspbench.evaluation.runner import run_or_resume
from cspbench.evaluation.scoring import ScoringOptions, checked_thresholds, earlier, recipe_of
from cspbench.evaluation.subject import Subject, subject_of
from cspbench.inference.description import Described
from cspbench.network.layers import Yolo
from cspbench.network.network import Network
from cspbench.results import runs, sessions
from cspbench.results.runs import RunDirectory, run_path
from cspbench.results.schema import (
    CocoIdentity,
    Data,
    DetectionMetrics,
    DetectionSettings,
    LastLayer,
    Threshold,
)
from cspbench.results.store import StoredEvaluation

if TYPE_CHECKING:
    from pandas import DataFrame

    from cspbench.detection.detector import Detector


@dataclass(frozen=True, eq=False)
class DetectionResult:
    """A scored run of a detector: the numbers asked for now, and what they were computed from."""

    run: RunDirectory
    metrics: DetectionMetrics
    source: CocoSource
    at: tuple[AtThreshold, ...]
    """Detections and curves at each threshold."""

    @property
    def stored(self) -> StoredEvaluation:
        """As reports read it."""
        return StoredEvaluation(self.run.path.resolve().name, str(self.run.path), self.run.record, self.metrics)

    def frame(self) -> DataFrame:
        """One line for each number, with its interval, claim and verdict."""
        from cspbench.evaluation.frames import of_evaluation

        return of_evaluation(self.stored)


def evaluate_coco(
    model: str | Network | Described,
    data: str | Path | CocoSource,
    *,
    weights: str | Path | None = None,
    preset: str | DetectionPreset = "readme",
    nms: float | Sequence[float] | None = None,
    nms_kind: str | None = None,
    conf: float | None = None,
    decoder: str | None = None,
    split: str | None = None,
    engine: str = "cspbench",
    bootstrap: bool | None = None,
    per_class: bool = False,
    size: tuple[int, int] | None = None,
    limit: str | None = None,
    seed: int = 0,
    store: str | Path = "runs",
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> DetectionResult | None:
    """Evaluate a detector as Darknet did, and keep the run below `store`; one forward pass serves every threshold.

    `model` is a catalogue's name, a `Network` with its weight file, or an `nn.Module` that describes itself
    (`cspbench.inference.description.Description`). `nms` are thresholds, the preset's own by default; `limit` draws
    "100" or "5%" of the images with `seed`. None in a process of torchrun that only helped.
    """
    own = detection_preset(preset) if isinstance(preset, str) else preset
    own = own.overridden(conf=conf, nms_kind=nms_kind, decoder=decoder)
    source = data if isinstance(data, CocoSource) else open_coco(data, split)
    thresholds = (own.nms,) if nms is None else checked_thresholds([nms] if isinstance(nms, int | float) else nms)
    options = ScoringOptions(thresholds, own.nms_kind, engine, bootstrap, per_class)
    subject = subject_of(model, weights, size)
    part = coco_part_of(source, limit, seed)
    place = None if isinstance(data, CocoSource) else str(data_path(data).resolve())
    return evaluate(subject, part, own, options, Path(store), execution or Execution(), listener, place, split)


def evaluate(
    subject: Subject,
    source: CocoSource,
    preset: DetectionPreset,
    options: ScoringOptions,
    store: Path,
    execution: Execution,
    listener: Listener,
    place: str | None = None,
    split: str | None = None,
) -> DetectionResult | None:
    """The same for a subject and a source that are ready. A quoted detector heeds its own protocol alone."""
    from cspbench.detection import predict
    from cspbench.detection.detector import detector_of

    recipe = subject.recipe
    detector = detector_of(subject.description, preset, recipe)
    settings = _settings(preset)
    if recipe is not None:
        options = replace(options, thresholds=(recipe.nms.overlap,))
        settings = DetectionSettings("its own protocol", recipe.conf, recipe.nms.overlap, "default")
    category_ids(source, detector.heads[-1].classes)
    identity = _identity(subject, detector, source, execution.precision)
    run = run_or_resume(
        run_path(store, identity, settings.name.replace(" ", "-")),
        subject,
        detector.epsilon,
        identity,
        source,
        predict.predictor(predict.PreparedImages(source, detector)),
        execution,
        listener,
        settings,
        place,
    )
    return None if run is None else score_detector(run, source, options, execution, listener)


def _settings(preset: DetectionPreset) -> DetectionSettings:
    fields = {
        name: value for name, value in preset.as_json().items() if name not in ("name", "conf", "nms", "nms_kind")
    }
    return DetectionSettings(preset.name, preset.conf, preset.nms, preset.nms_kind, fields)


def _identity(subject: Subject, detector: Detector, source: CocoSource, precision: Any) -> CocoIdentity:
    last = detector.heads[-1]
    return CocoIdentity(
        model=subject.name,
        network=subject.network_digest,
        weights=subject.weights_digest,
        data=msgspec.convert(source.as_json(), Data),
        preset=msgspec.json.decode(msgspec.json.encode(detector.forward_json())),  # as it is read again
        size=subject.size,
        precision=precision,
        quoted=subject.recipe is not None,
        user_file=subject.user_file,
        last=LastLayer(last.classes, getattr(last, "nms_kind", "default"), float(getattr(last, "beta_nms", 0.6))),
    )


def score_detector(
    run: RunDirectory,
    source: CocoSource,
    options: ScoringOptions,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> DetectionResult:
    """AP of a complete run at every threshold asked for, from its candidates; kept in its metrics where possible.

    On a test split that is what the server has said of them, if it has; without an answer the zip for the server is
    written.
    """
    execution = execution or Execution()
    collected, at = detect(run, source, options, listener)
    _warn(run, source, collected, listener)
    split = run.identity.data.split or ""
    answers = server.answers(run) if split.startswith("test") else {}
    thresholds = [_threshold(run, each, options, answers, listener) for each in at]
    submissions = None
    if source.ground_truth is None:
        submissions = server.submit(run, options.nms_kind, at, listener)
    identity = run.identity
    assert isinstance(identity, CocoIdentity)
    metrics = DetectionMetrics(
        identity=identity,
        images=run.samples,
        bad=list(collected.bad),
        thresholds=thresholds,
        pixels=collected.images_digest,
        submissions=submissions,
    )
    keep(run, metrics, execution, listener)
    return DetectionResult(run, metrics, source, tuple(at))


def keep(run: RunDirectory, metrics: DetectionMetrics, execution: Execution, listener: Listener) -> None:
    """Write a run's metrics where that is possible."""
    numbers = [f"{each.nms:g} {each.kind}" for each in metrics.thresholds]
    if not runs.write_metrics(run, metrics, sessions.scored(execution.made_by, numbers)):
        listener.note(f"warning: {run.path} cannot be written: the metrics are shown and not kept")


def detect(
    run: RunDirectory, source: CocoSource, options: ScoringOptions, listener: Listener = SILENT
) -> tuple[Collected, list[AtThreshold]]:
    """A run's detections and their AP at every threshold asked for."""
    from cspbench.inference.memory import keep_freed_memory

    identity = run.identity
    assert isinstance(identity, CocoIdentity)
    keep_freed_memory()  # large arrays come and go in the suppression, too
    # what suppression asks of the last box layer; its anchors are not among it
    last = Yolo(sources=(-1,), anchors=((1.0, 1.0),), mask=(0,), **msgspec.to_builtins(identity.last))
    recipe = recipe_of(run)
    with listener.progress("suppressing", run.samples) as reach:
        collected = collect(
            run.shards, source, options.thresholds, options.nms_kind, last, recipe, lambda done: reach(done, "")
        )
    return collected, evaluated(collected, options.thresholds, source.ground_truth, options.engine)


def _threshold(
    run: RunDirectory,
    at: AtThreshold,
    options: ScoringOptions,
    answers: Mapping[tuple[float, str], server.Answer],
    listener: Listener,
) -> Threshold:
    kind = server.kind_of(run, options.nms_kind)
    answer = answers.get((at.nms, kind))
    if at.measured is None and answer is not None:
        return server.threshold(answer, options.nms_kind)
    intervals, per_class = None, None
    wanted = run.record.identity.data.seed is not None if options.bootstrap is None else options.bootstrap
    if wanted and at.measured is not None and at.measured.matches is not None:
        intervals = intervals_of(at, listener)
    if options.per_class and at.measured is not None:
        per_class = at.measured.per_class()
    return Threshold(
        nms=at.nms,
        kind=kind,
        asked=options.nms_kind,
        scoring=sessions.scoring(),
        engine=at.measured.engine if at.measured else None,
        ap=at.measured.percent() if at.measured else {},
        intervals=intervals,
        per_class=per_class,
        detections=len(at.detections.scores),
    )


def intervals_of(at: AtThreshold, listener: Listener) -> dict[str, tuple[float, float] | None]:
    """The bootstrap's intervals of one threshold's AP, in percent."""
    assert at.measured is not None
    with listener.progress("bootstrap", resampling.DRAWS) as reach:
        return dict(resampling.intervals(at.measured, step=lambda done: reach(done, "")))


def _warn(run: RunDirectory, source: CocoSource, collected: Collected, listener: Listener) -> None:
    """Say, once each, what is odd about the images, their ids and the classes."""
    from cspbench.detection.detections import image_id

    if collected.resized:
        listener.note(
            f"warning: {collected.resized} of {len(source)} images do not match the annotated size; "
            "`cspbench data check coco` names them"
        )
    settings = run.record.settings
    assert settings is not None
    rule = settings.fields.get("image_id")
    other = 0 if rule is None else sum(image_id(each.file_name, rule) != each.id for each in source.images)
    if other:
        listener.note(
            f"warning: Darknet would read other ids out of the names of {other} of {len(source)} images "
            f"(image_id {rule}) than the annotations give them; those are used"
        )
    names = list(source.annotations.categories.values())
    if len(names) == len(COCO_CATEGORIES) and names != list(COCO_CATEGORIES.values()):
        odd = [
            f"{one!r} for {other!r}" for one, other in zip(names, COCO_CATEGORIES.values(), strict=True) if one != other
        ]
        listener.note(
            f"warning: {len(odd)} of the 80 categories have different names from COCO's, in the order of their ids: "
            f"{brief(odd[0], 100)}; a network for COCO takes them for COCO's"
        )


def score_run(
    run: RunDirectory,
    data: Path | None = None,
    options: ScoringOptions | None = None,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> DetectionResult:
    """Score a detector's run again, at every threshold that it was scored at before unless `options` say otherwise."""
    return score_detector(run, data_of(run, data), options or earlier(run), execution, listener)


def data_of(run: RunDirectory, place: Path | None = None) -> CocoSource:
    """The data set of a detector's run, where it was or at `place`. Raises `UsageError` where it is another one."""
    data, where = run.identity.data, place or (Path(run.record.place) if run.record.place else None)
    if where is None:
        raise UsageError(
            "usage.run-without-data",
            "the run does not say where its data is",
            where=str(run.path),
            expected="--data COCO",
            remedy="Name the data set with --data",
        )
    source = open_coco(where, data.split)
    if data.limit is not None:
        source = coco_part_of(source, str(data.limit), data.seed or 0)
    own = msgspec.convert(source.as_json(), Data)
    if own != data:
        raise UsageError(
            "usage.other-data",
            "the data set is not the one of the run",
            where=str(where),
            expected=f"{data.images} images, sha256 {str(data.sha256)[:12]}...",
            found=f"{own.images} images, sha256 {str(own.sha256)[:12]}...",
            remedy="Name the right one with --data",
        )
    return source
