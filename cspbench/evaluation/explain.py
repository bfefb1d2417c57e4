"""Which preprocessing step changes a classifier's accuracy: `eval-imagenet --explain`."""

from __future__ import annotations

from cspbench.classification.ablation import MOST, Classifier, Explained, explain
from cspbench.data.source import Source
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.evaluation.imagenet import chosen_classes, chosen_preset
from cspbench.evaluation.part import Part
from cspbench.evaluation.subject import Subject
from cspbench.inference import footprint


def explain_imagenet(
    subject: Subject,
    source: Source,
    *,
    preset: str | None = None,
    decoder: str | None = None,
    classes: str | None = None,
    seed: int = 0,
    execution: Execution | None = None,
    listener: Listener = SILENT,
) -> Explained:
    """Top-1 of a classifier under its preset and under each change of it, on 1000 images at most, drawn with `seed`.

    Nothing is stored.
    """
    from cspbench.inference.engine import choose_device

    execution = execution or Execution()
    if subject.network is not None:
        footprint.check(subject.network)
    if len(source) > MOST:
        listener.note(f"--explain takes {MOST} of the {len(source)} images, drawn at random")
        source = Part(source, MOST, seed)
    device = choose_device(execution.device)
    means = (device, execution.precision, *execution.batch_and_workers(device))
    classifier = Classifier(subject.build, subject.size, chosen_classes(subject, classes), *means)
    reference = chosen_preset(subject, preset, decoder)
    with listener.progress(f"explaining {subject.name}", 0) as reach:
        done = 0

        def step(name: str) -> None:
            nonlocal done
            done += 1
            reach(done, name)

        return explain(classifier, source, reference, step)
