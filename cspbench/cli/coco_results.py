"""What eval-coco and score compute from a detector's kept candidates."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from cspbench import __version__
from cspbench.cli.coco_asked import LARGEST, Asked
from cspbench.cli.options import Format
from cspbench.errors import brief

if TYPE_CHECKING:
    from cspbench.data.coco import CocoSource
    from cspbench.evaluation.coco import Collected, Thresholded
    from cspbench.inference.run import Run


def at_thresholds(run: Run, source: CocoSource, asked: Asked) -> tuple[Collected, list[Thresholded]]:
    """A run's detections and their AP at every threshold asked for."""
    from cspbench.cli.progress import Progress
    from cspbench.evaluation import coco
    from cspbench.inference.memory import keep_freed_memory

    keep_freed_memory()  # large arrays come and go in the suppression, too
    with Progress("suppressing", run.samples) as progress:
        collected = coco.collect(run, source, asked.thresholds, asked.preset.nms_kind, progress.reach)
    return collected, coco.evaluated(collected, asked.thresholds, source.ground_truth, asked.engine)


def result(run: Run, source: CocoSource, asked: Asked) -> dict[str, Any]:
    """AP of a complete run at every threshold asked for, from its candidates; also kept in its metrics.json.

    On a test split that is what the server has said of them, if it has.
    """
    from cspbench.cli import coco_answers, coco_written

    collected, found = at_thresholds(run, source, asked)
    _warn(run, source, collected, asked)
    data = {**about(run, asked), "bad": list(collected.bad), "pixels": collected.pixels, "thresholds": []}
    answers = coco_answers.known(run) if str(run.identity["data"]["split"]).startswith("test") else {}
    for each in found:
        answer = answers.get((each.nms, kind_of(run, asked)))
        if each.measured is None and answer is not None:
            data["thresholds"].append(coco_answers.threshold(run, asked, answer))
            continue
        bounds = intervals(each) if asked.bootstrap and each.measured else {}
        percent = each.measured.percent() if each.measured else {}
        numbers = each.measured.as_json(asked.per_class) if each.measured else {}
        per_class = numbers.pop("per_class", None)
        data["thresholds"].append(
            {
                **threshold(run, asked, each.nms, percent, bounds),
                "detections": len(each.detections.scores),
                "engine": numbers.pop("engine", None),
                "ap": numbers,
                "per_class": per_class,
            }
        )
    if source.ground_truth is None:
        submissions = coco_written.submit(run, asked, found)
        if submissions is not None:
            data["submissions"] = submissions
    keep(run, data)
    coco_written.pictures(source, asked, found)
    return shown(run, data)


def about(run: Run, asked: Asked) -> dict[str, Any]:
    """What a result says of its run, and with which version it was computed."""
    return {
        "cspbench": __version__,
        "identity": dict(run.identity),
        "preset": "its own recipe" if run.identity["quoted"] else asked.preset.name,
        "images": run.samples,
    }


def shown(run: Run, data: dict[str, Any]) -> dict[str, Any]:
    """A result with what only those who see it now need: where its run is, on what it ran, what was overridden."""
    from cspbench.inference.run import record
    from cspbench.results import protocol

    kept = record(run.path)
    described = protocol.named(data["preset"], protocol.of_detector(kept))
    partial = kept["data"]["limit"] is not None
    return {**data, "run": str(run.path), "device": kept.get("device"), "described": described, "partial": partial}


def keep(run: Run, data: dict[str, Any]) -> None:
    """Write a run's metrics.json: these thresholds last, before them what it had been scored at otherwise.

    An older entry stays where it is of the same images; one of the same threshold and kind is replaced.
    """
    from cspbench.io import write_json

    new = {(at["nms"], at["kind"]) for at in data["thresholds"]}
    older = [at for at in _older(run, data) if (at["nms"], at["kind"]) not in new]
    write_json(run.path / "metrics.json", {**data, "thresholds": [*older, *data["thresholds"]]})


def _older(run: Run, data: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The thresholds in a run's metrics.json; none where it is not of the same images, or not readable."""
    from cspbench.io import read_file

    try:
        there = json.loads(read_file(run.path / "metrics.json", LARGEST))
        same = (there["identity"], there["images"]) == (json.loads(json.dumps(data["identity"])), data["images"])
        pixels = {each["pixels"] for each in (there, data) if each.get("pixels")}
        found = [
            at
            for at in there["thresholds"]
            if type(at["nms"]) in (int, float) and isinstance(at["kind"], str) and isinstance(at["ap"], dict)
        ]
        return found if same and len(pixels) <= 1 else []
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return []


def kind_of(run: Run, asked: Asked) -> str:
    """The kind of NMS that is used, in a word."""
    if run.identity["quoted"]:
        return str(run.identity["preset"]["nms_kind"])
    kind = asked.preset.nms_kind
    return str(run.identity["last"]["nms_kind"]) if kind == "cfg" else kind


def threshold(
    run: Run, asked: Asked, nms: float, percent: Mapping[str, Any], bounds: Mapping[str, Any]
) -> dict[str, Any]:
    """What is said of one NMS threshold beside its numbers, the claims among it."""
    from cspbench.cli.coco_claims import claims

    return {
        "nms": nms,
        "kind": kind_of(run, asked),
        "asked": asked.preset.nms_kind,
        "intervals": dict(bounds) or None,
        "claims": claims(run, nms, asked, percent, bounds),
    }


def intervals(each: Thresholded) -> dict[str, Any]:
    """The bootstrap's intervals of one threshold's AP."""
    from cspbench.cli.progress import Progress
    from cspbench.detection.ap.bootstrap import DRAWS, intervals

    assert each.measured is not None
    with Progress("bootstrap", DRAWS) as progress:
        return dict(intervals(each.measured, step=progress.reach))


def _warn(run: Run, source: CocoSource, collected: Collected, asked: Asked) -> None:
    """Say, once each, what is odd about the images, their ids and the classes."""
    from cspbench.data.coco_annotations import COCO_CATEGORIES
    from cspbench.detection.detections import image_id

    if collected.resized:
        typer.echo(
            f"cspbench: warning: {collected.resized} of {len(source)} images are not of the size that the annotations "
            "say; `cspbench data check coco` names them",
            err=True,
        )
    rule = asked.preset.image_id
    other = 0 if run.identity["quoted"] else sum(image_id(each.file_name, rule) != each.id for each in source.images)
    if other:
        typer.echo(
            f"cspbench: warning: Darknet would read other ids out of the names of {other} of {len(source)} images "
            f"(image_id {rule}) than the annotations give them; those are used",
            err=True,
        )
    names = list(source.annotations.categories.values())
    if len(names) == len(COCO_CATEGORIES) and names != list(COCO_CATEGORIES.values()):
        odd = [f"{one!r} for {other!r}" for one, other in zip(names, COCO_CATEGORIES.values(), strict=True)]
        odd = [each for each, one, other in zip(odd, names, COCO_CATEGORIES.values(), strict=True) if one != other]
        typer.echo(
            f"cspbench: warning: {len(odd)} of the 80 categories are not called as COCO's, in the order of their ids: "
            f"{brief(odd[0], 100)}; a network for COCO takes them for COCO's",
            err=True,
        )


def finish(results: list[dict[str, Any]], without: list[str], form: Format, allow_bad: int, left_out: int = 0) -> None:
    """Print results and leave with their exit code.

    `left_out` where that is one: of what could not be evaluated. 1 an AP is off, 4 unreadable images or a server to
    wait for.
    """
    from cspbench.report.detection_table import failed, text

    shown = json.dumps(results, indent=1) + "\n" if form is Format.JSON else text(results, without, form.value)
    typer.echo(shown, nl=False)
    for result in results:
        for key in result["bad"]:
            typer.echo(f"cspbench: could not be read, nothing detected: {key}", err=True)
    if left_out:
        raise typer.Exit(left_out)
    if any(len(result["bad"]) > allow_bad or _waits(result) for result in results):
        raise typer.Exit(4)
    if failed(results):
        raise typer.Exit(1)


def _waits(result: Mapping[str, Any]) -> bool:
    return "submissions" in result and any(not at["ap"] for at in result["thresholds"])
