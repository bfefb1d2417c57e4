"""Which preprocessing step changes a classifier's accuracy: `eval-imagenet --explain`."""

from __future__ import annotations

from pathlib import Path

from cspbench.classification.ablation import MOST, Classifier, Explained, explain
from cspbench.data.source import Source
from cspbench.evaluation.execution import SILENT, Execution, Listener, steps
from cspbench.evaluation.imagenet import chosen_classes, chosen_preset
from cspbench.evaluation.part import Part
from cspbench.evaluation.subject import subject_of
from cspbench.inference import footprint
from cspbench.inference.description import Described
from cspbench.network.network import Network


def explain_imagenet(
    model: str | Network | Described,
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
    from cspbench.inference.engine import choose_device

    execution, source, subject = execution or Execution(), data, subject_of(model, weights, size, ema)
    for line in subject.said:
        listener.note(line)
    if subject.network is not None:
        footprint.check(subject.network)
    if len(source) > MOST:
        listener.note(f"--explain takes {MOST} of the {len(source)} images, drawn at random")
        source = Part(source, MOST, seed)
    device = choose_device(execution.device)
    means = (device, execution.precision, *execution.batch_and_workers(device))
    classifier = Classifier(subject.build, subject.size, source.own_classes or chosen_classes(subject, classes), *means)
    reference = chosen_preset(subject, preset, decoder)
    with listener.progress(f"explaining {subject.name}", 0) as reach:
        return explain(classifier, source, reference, steps(reach))
