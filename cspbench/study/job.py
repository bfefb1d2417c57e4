"""One training of a study: from its start to what it gave."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from cspbench.data.augment.images import open_detector_images
from cspbench.data.classes import SAMPLE
from cspbench.errors import IncompleteRunError, OutputError, RunError, brief
from cspbench.evaluation.coco import DetectionResult, evaluate_coco
from cspbench.evaluation.execution import SILENT, Execution
from cspbench.evaluation.imagenet import evaluate_imagenet
from cspbench.io import read_file, write_bytes
from cspbench.network.network import Network
from cspbench.results.encoding import decode, encode
from cspbench.results.store import LARGEST
from cspbench.retrained.record import EVALUATIONS
from cspbench.retrained.studies import Outcome
from cspbench.study.networks import backbone_layers
from cspbench.study.pictures import place
from cspbench.study.plan import USUAL, Job, Plan
from cspbench.training.evaluated import Result
from cspbench.training.folder import Folder
from cspbench.training.modular.chosen import AnyChosen
from cspbench.training.recipes.chosen import Chosen, for_images
from cspbench.training.run.options import Options
from cspbench.training.run.preparation import open_images
from cspbench.training.run.session import train
from cspbench.weights import darknet
from cspbench.weights.header import Header

TRAININGS = "trainings"
OUTCOME = "outcome.json"
BATCH = 64
"""Pictures of an evaluation's forward pass."""
POINTS = 40
"""Of a curve of losses."""
TELLING = 5
"""A top-5 of no more classes says nothing."""


def outcome(folder: Path, job: Job) -> Outcome | None:
    """What a training gave, if it has ended. Raises `RunError` for a file that cannot be read."""
    file = folder / TRAININGS / job.name / OUTCOME
    if not file.exists():
        return None
    try:
        return decode(read_file(file, LARGEST), Outcome)
    except (OSError, ValueError) as error:
        raise RunError(
            "run.not-an-outcome",
            "the outcome of a training cannot be read",
            where=str(file),
            found=brief(str(error), 160),
            remedy="Remove the file: the training is evaluated again",
        ) from error


def iterations_of(folder: Path, job: Job) -> int:
    """How many iterations have been made, by the lines of the log."""
    path = folder / TRAININGS / job.name
    if (path / OUTCOME).exists():
        return job.iterations
    try:
        return min(job.iterations, read_file(path / "log.jsonl", LARGEST).count(b"\n"))
    except OSError:
        return 0


def run(folder: Path, plan: Plan, job: Job, execution: Execution) -> Outcome:
    """Train and evaluate, or go on where a killed worker stopped. Raises `IncompleteRunError` where it diverges."""
    path, begun = folder / TRAININGS / job.name, time.monotonic()
    data, drawn = place(folder, plan, job)
    chosen = fitted(plan, job, data)
    execution = replace(execution, precision=plan.precision, device=plan.device, batch=BATCH, workers=0)
    options = Options(
        weights=None if job.start is None else backbone(folder, plan, job.start),
        clear=job.start is not None,
        seed=job.seed,
        iterations=job.iterations,
        eval_every=job.iterations // plan.evaluations if plan.evaluations else 0,
        execution=execution,
    )
    store: dict[str, Any] = {"store": path / EVALUATIONS, "execution": execution, "retrained": True}

    def measured(trained: AnyChosen, file: Path) -> Result | None:
        final = file.stem.endswith("_final")
        try:
            if not trained.detects:
                classes = SAMPLE if drawn else None
                return evaluate_imagenet(trained.network, data, weights=file, classes=classes, **store)
            nms = _thresholds(plan, job, final)
            return evaluate_coco(trained.network, data, weights=file, nms=nms, bootstrap=False, **store)
        except OutputError as error:
            if not final:  # rolling variances begin at 0 and need some hundred mini-batches
                return None
            raise _useless(job, error) from error

    try:
        trained = train(chosen, data, path, options, SILENT, measured)
    except IncompleteRunError as error:
        raise error.at(job.name) from None
    assert trained.result is not None
    log = Folder(path, chosen.network.name)
    result = Outcome(
        numbers=numbers(trained.result, trained.record.data.classes),
        curve=[(at, value if chosen.detects else 100 * value) for at, value in log.evaluations()],
        losses=losses(log.lines()),
        seconds=round(time.monotonic() - begun, 1),
        data=trained.record.data,
        held=trained.result.metrics.images,
        start=trained.record.start.arrays,
    )
    write_bytes(path / OUTCOME, encode(result))
    return result


def fitted(plan: Plan, job: Job, data: str) -> AnyChosen:
    """The network and the recipe of a job, with a head for the classes of its data.

    Raises `DatasetError` for data of another kind or without classes.
    """
    chosen = plan.mini.chosen(job.variant, job.iterations, 1)
    if isinstance(chosen, Chosen):
        chosen = for_images(chosen, open_images(chosen, data))
        return replace(chosen, original=chosen.network, notes=())
    images = open_detector_images(data, classes=chosen.network.design.classes)
    return plan.mini.chosen(job.variant, job.iterations, len(images.images))


def backbone(folder: Path, plan: Plan, job: Job) -> Path:
    """The first layers of a finished classifier, as a file that a detector begins from."""
    network = plan.mini.network("classifier")
    assert isinstance(network, Network)
    trained = darknet.read(Folder(folder / TRAININGS / job.name, network.name).weights("final"), network)
    count = backbone_layers()
    path = folder / "backbone.weights"
    first = replace(network, layers=network.layers[:count])
    darknet.write(path, first, trained.arrays[:count], Header(), named=False)
    return path


def numbers(result: Result, classes: int) -> dict[str, dict[str, float]]:
    """The percentages of an evaluation by NMS threshold and metric; under "" those at the first threshold."""
    if not isinstance(result, DetectionResult):
        metrics = result.metrics
        telling = ("top1", "top5") if classes > TELLING else ("top1",)
        return {"": {name: 100 * getattr(metrics, name).correct / getattr(metrics, name).total for name in telling}}
    by_threshold = {
        f"{scored.nms:.2f}": {name: float(value) for name, value in scored.ap.items() if value is not None}
        for scored in result.metrics.thresholds
    }
    return {"": by_threshold.get(USUAL) or next(iter(by_threshold.values())), **by_threshold}


def losses(lines: Iterable[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """The mean losses of `POINTS` equal parts of a log, by the last iteration of each."""
    rows = [(line["iteration"], line["loss"]) for line in lines if line.get("loss") is not None]
    size = max(1, -(-len(rows) // POINTS))
    parts = [rows[at : at + size] for at in range(0, len(rows), size)]
    return [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts]


def _thresholds(plan: Plan, job: Job, final: bool) -> list[float] | None:
    """Those of the tables for the final weights, else the usual one; None, the preset's, of a YOLOX."""
    if job.variant.kind == "yolox":
        return None
    return [float(text) for text in (plan.thresholds() if final else [USUAL])]


def _useless(job: Job, error: OutputError) -> IncompleteRunError:
    return IncompleteRunError(
        "incomplete.study-useless",
        "a training of the study gave weights that cannot be evaluated",
        expected="some hundred mini-batches, which rolling variances need",
        found=error.found or error.what,
        remedy="Study with more --iterations in another --run",
    )
