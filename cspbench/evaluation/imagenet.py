"""ImageNet classifiers: a model's predictions on a data set, top-1 and top-5, stored in a run directory."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cspbench.claims.model import unknown
from cspbench.classification.classifiers import class_order, other_outputs, preset_of
from cspbench.data.classes import ORDERS, SAMPLE, SAMPLE_WNIDS, order, places
from cspbench.data.imagenet import open_imagenet
from cspbench.data.label_order import advice, known_images, probe_order
from cspbench.data.presets import ClassificationPreset
from cspbench.data.source import Source
from cspbench.errors import BadImageError, UsageError
from cspbench.evaluation.execution import SILENT, Execution, Listener, steps
from cspbench.evaluation.part import Part, part_of
from cspbench.evaluation.runner import ScoredRun, run_or_resume, store_metrics
from cspbench.evaluation.subject import Subject, subject_of
from cspbench.inference import footprint
from cspbench.inference.description import Described, input_channels
from cspbench.io import argument_path
from cspbench.network.modular.architecture import Architecture
from cspbench.results import sessions
from cspbench.results.runs import RunDirectory, run_path
from cspbench.results.schema import ClassificationMetrics, ClassOrder, Data, Hits, ImagenetIdentity
from cspbench.zoo import registry

if TYPE_CHECKING:
    from cspbench.classification.ablation import Explained

NAMED = 20
"""Unreadable images whose error is looked up."""


@dataclass(frozen=True, eq=False)
class ClassificationResult(ScoredRun):
    """A scored run of a classifier. `faults` are the errors of the first unreadable images, by key."""

    metrics: ClassificationMetrics
    faults: Mapping[str, str]


def evaluate_imagenet(
    model: str | Architecture | Described,
    data: str | Path | Source,
    *,
    weights: str | Path | None = None,
    ema: bool | None = None,
    labels: str | Path | None = None,
    names: str | Path | None = None,
    allow_bad: int = 0,
    preset: str | ClassificationPreset | None = None,
    decoder: str | None = None,
    classes: str | None = None,
    size: tuple[int, int] | None = None,
    limit: str | None = None,
    seed: int = 0,
    retrained: bool = False,
    store: str | Path = "runs",
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> ClassificationResult | None:
    """Evaluate a classifier on ImageNet as its own framework did, and store the run in `store`.

    `model` is a catalogue's name, a `Network` with its weight file, or an `nn.Module` that describes itself
    (`cspbench.inference.description.Description`). `preset` and `classes` are the model's own by default; `limit` draws
    "100" or "5%" of the images with `seed`. `ema` takes averaged weights, or others, from a checkpoint that has both;
    by default those that timm takes. `retrained` weights are recorded as such, and are never judged as the published
    ones. None in all processes of torchrun but the first.

    `data` may be a .data file or a list of Darknet's, with at most `allow_bad` faults; `names` is the file of its
    labels, in the order of the network's outputs.
    """
    from cspbench.classification import predict

    runs, execution = argument_path("store", store), execution or Execution()
    if not isinstance(data, Source):
        data = open_imagenet(str(data), labels, names=names, allowed=allow_bad)
    for note in data.notes:
        listener.note(f"note: {note}")
    source = part_of(data, limit, seed)
    subject = replace(subject_of(model, weights, size, ema), retrained=retrained)
    preset = chosen_preset(subject, preset, decoder)
    numbering = source.own_classes or _own_sample(subject, source, classes) or chosen_classes(subject, classes)
    check_classes(subject.name, source, numbering)
    check_outputs(subject.network, numbering)
    preset.check_size(subject.size)
    if subject.description.input[0] != 3:
        raise input_channels(subject.description, "3")
    if subject.description.letter_box:
        listener.note(f"warning: {subject.name}: [net] letter_box=1 has no effect on a classifier, as in Darknet")
    identity = ImagenetIdentity(
        model=subject.name,
        network=subject.network_digest,
        weights=subject.weights_digest,
        data=msgspec.convert(source.as_json(), Data),
        preset=preset.as_json(),
        size=subject.size,
        precision=execution.precision,
        classes=numbering,
        user_file=subject.user_file,
    )
    images = predict.PreparedImages(source, preset, subject.size, subject.description.probabilities, numbering)
    run = run_or_resume(
        run_path(runs, identity, preset.name),
        subject,
        preset.epsilon,
        identity,
        source,
        images.predict,
        execution,
        listener,
    )
    if run is None:
        return None
    metrics = score_classifier(run)
    run = store_metrics(run, metrics, execution, listener)
    return ClassificationResult(run, metrics, predict.faults(images, metrics.bad[:NAMED]))


def chosen_preset(
    subject: Subject, preset: str | ClassificationPreset | None, decoder: str | None
) -> ClassificationPreset:
    """The requested preset, else that which the network's weights need, or that of its own framework."""
    if not isinstance(preset, ClassificationPreset):
        preset = preset_of(subject.name, preset or subject.description.preset, subject.user_file)
    return preset.overridden(decoder=decoder)


def chosen_classes(subject: Subject, classes: str | None) -> str:
    """The order in which the network numbers the classes: `darknet`, `sorted`, or `sample` for the bundled sample."""
    numbering = classes or subject.description.classes or class_order(subject.name)
    if numbering not in (*ORDERS, SAMPLE):
        raise unknown("usage.unknown-class-order", "unknown class order", numbering, ORDERS)
    return numbering


def _own_sample(subject: Subject, source: Source, classes: str | None) -> str | None:
    """The sample's order, for its images and a network with as many outputs that is not the catalogue's."""
    network = subject.network
    if classes is not None or network is None or registry.entry_of(network) is not None or not network.layers:
        return None
    if math.prod(network.shape(len(network.layers) - 1)) != len(SAMPLE_WNIDS):
        return None
    try:
        return SAMPLE if source.sample(0).wnid in SAMPLE_WNIDS else None
    except BadImageError:  # the evaluation will report it
        return None


def score_classifier(run: RunDirectory) -> ClassificationMetrics:
    """The metrics of a complete run, from its predictions."""
    from cspbench.classification.predict import score

    identity = run.identity
    assert isinstance(identity, ImagenetIdentity)
    scored = score(run.shards, order(identity.classes))
    bad = set(scored.bad)
    readable = [index for index, key in enumerate(scored.keys) if key not in bad]
    probe = probe_order(
        [int(scored.predicted[index]) for index in readable],
        [scored.wnids[index] for index in readable],
        identity.classes,
    )
    words, top = str(probe), [Hits(hits.correct, hits.total) for hits in scored.top]
    if probe.verdict == "swapped":
        images = known_images(zip(scored.keys, scored.wnids, strict=True))
        words += ". " + advice(identity.classes, probe.better, images)
    return ClassificationMetrics(
        identity=identity,
        images=run.samples,
        top1=top[0],
        top5=top[-1],
        top=top,
        bad=list(scored.bad),
        pixels=scored.images_digest,
        class_order=ClassOrder(probe.verdict, dict(probe.hits), words),
        scoring=sessions.scoring(),
    )


def check_outputs(network: Architecture | None, classes: str) -> None:
    """Raise `DatasetError` unless a network has as many outputs as the data has classes; a module's are not known."""
    if network is None or not network.layers:
        return
    outputs = math.prod(network.shape(len(network.layers) - 1))
    if outputs != len(order(classes)):
        raise other_outputs(network.name, outputs, classes)


def check_classes(model: str, source: Source, classes: str | None) -> None:
    """Raise `UsageError` where the images are not of the network's classes: the sample's are not ImageNet's.

    `classes` is the order in which the network numbers them, the model's own by default.
    """
    classes = source.own_classes or classes or class_order(model)
    try:
        wnid = source.sample(0).wnid
    except BadImageError:  # the evaluation will report it
        return
    if wnid and wnid not in places(classes):
        kinds = {True: "the bundled sample's classes", False: "ImageNet's classes"}
        raise UsageError(
            "usage.other-classes",
            f"{model} does not know these classes",
            expected=f"images of {kinds[classes == SAMPLE]}",
            found=f"images of {kinds[classes != SAMPLE]}, the first of {wnid}",
            remedy="Evaluate the sample's classifiers with --sample, and all others on ImageNet",
        )


def explain_imagenet(
    model: str | Architecture | Described,
    data: Source,
    *,
    weights: str | Path | None = None,
    ema: bool | None = None,
    preset: str | None = None,
    decoder: str | None = None,
    classes: str | None = None,
    size: tuple[int, int] | None = None,
    seed: int = 0,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Explained:
    """Top-1 of a classifier under its preset and under each change of it, on 1000 images at most, drawn with `seed`.

    Nothing is stored.
    """
    from cspbench.classification.ablation import MOST, Classifier, explain
    from cspbench.inference.engine import choose_device

    execution, subject = execution or Execution(), subject_of(model, weights, size, ema)
    for line in subject.said:
        listener.note(line)
    if subject.network is not None:
        footprint.check(subject.network)
    if len(data) > MOST:
        listener.note(f"--explain takes {MOST} of the {len(data)} images, drawn at random")
        data = Part(data, MOST, seed)
    device = choose_device(execution.device)
    means = (device, execution.precision, *execution.batch_and_workers(device))
    classifier = Classifier(subject.build, subject.size, data.own_classes or chosen_classes(subject, classes), *means)
    reference = chosen_preset(subject, preset, decoder)
    with listener.progress(f"explaining {subject.name}", 0) as reach:
        return explain(classifier, data, reference, steps(reach))
