"""What eval-coco, score and compare compute from a detector's kept candidates."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from cspbench.cli.options import Format
from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.coco import CocoSource
    from cspbench.data.detection_presets import DetectionPreset
    from cspbench.evaluate.coco import Collected, Thresholded
    from cspbench.evaluate.run import Run
    from cspbench.report.verdicts import Verdict


LARGEST = 1 << 24
"""Bytes of a metrics.json that is read again; one with every class at six thresholds has 200 kB."""
MOST = 100
"""Thresholds that are taken over from it."""


@dataclass(frozen=True)
class Asked:
    """What is to be computed from a run's candidates."""

    preset: DetectionPreset
    thresholds: list[float]
    engine: str = "cspbench"
    bootstrap: bool = False
    per_class: bool = False
    save_json: Path | None = None
    draw: tuple[int, Path] | None = None
    plots: Path | None = None
    partial: bool = False

    def __post_init__(self) -> None:
        from cspbench.evaluate.average_precision import ENGINES

        if self.engine not in ENGINES:
            raise UsageError(
                "no such engine",
                expected=f"one of {', '.join(ENGINES)}",
                found=repr(self.engine),
                remedy="Correct --engine",
            )
        if self.bootstrap and self.engine != "cspbench":
            raise UsageError(
                "--bootstrap needs the matches of the engine cspbench",
                expected="--engine cspbench",
                found=self.engine,
                remedy="Leave out --engine: the numbers are the referee's to the last bit",
            )


def again(
    run: Run,
    nms: str | None,
    nms_kind: str | None = None,
    engine: str = "cspbench",
    bootstrap: bool = False,
    per_class: bool = False,
    save_json: Path | None = None,
) -> Asked:
    """What to compute from the candidates of a run that is there, by default as when it was made."""
    from cspbench.data.detection_presets import detection_preset
    from cspbench.evaluate.coco import parse_thresholds
    from cspbench.evaluate.run import record

    kept = record(run.path)
    if run.identity["quoted"]:
        return _quoted(run, nms or nms_kind, engine, bootstrap, per_class, save_json, kept["data"]["limit"] is not None)
    last = _last(run)
    if nms is None and last:
        nms = ",".join(str(each["nms"]) for each in last)
        nms_kind = nms_kind or last[0]["asked"]
    made = detection_preset(kept["preset"]["name"])
    own = made.overridden(conf=kept["preset"]["conf"], nms_kind=nms_kind or _overridden(kept["preset"], made))
    partial = kept["data"]["limit"] is not None
    return Asked(own, parse_thresholds(nms, own), engine, bootstrap, per_class, save_json, partial=partial)


def _last(run: Run) -> list[dict[str, Any]]:
    """The thresholds of the run's last metrics; empty without any that can be read."""
    from cspbench.files import read_file

    try:
        found = json.loads(read_file(run.path / "metrics.json", LARGEST))["thresholds"][:MOST]
        return [{"nms": float(each["nms"]), "asked": str(each["asked"])} for each in found]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return []


def _quoted(
    run: Run, other: str | None, engine: str, bootstrap: bool, per_class: bool, save_json: Path | None, partial: bool
) -> Asked:
    """A quoted detector has one suppression, its authors'; `other` is another one that was asked for."""
    from cspbench.data.detection_presets import detection_preset
    from cspbench.zoo.catalogue import MODELS

    recipe = MODELS[run.identity["model"]].recipe
    assert recipe is not None
    if other is not None:
        raise UsageError(
            f"{run.identity['model']} has its authors' own suppression",
            expected="no --nms and no --nms-kind",
            found=other,
            remedy="Leave them out",
        )
    own = detection_preset("readme")
    return Asked(own, [recipe.nms.overlap], engine, bootstrap, per_class, save_json, partial=partial)


def _overridden(kept: dict[str, Any], made: DetectionPreset) -> str | None:
    return None if kept["nms_kind"] == made.nms_kind else str(kept["nms_kind"])


def at_thresholds(run: Run, source: CocoSource, asked: Asked) -> tuple[Collected, list[Thresholded]]:
    """A run's detections and their AP at every threshold asked for."""
    from cspbench.evaluate import coco
    from cspbench.evaluate.memory import keep_freed_memory

    keep_freed_memory()  # large arrays come and go in the suppression, too
    collected = coco.collect(run, source, asked.thresholds, asked.preset.nms_kind)
    return collected, coco.evaluated(collected, asked.thresholds, source.ground_truth, asked.engine)


def result(run: Run, source: CocoSource, asked: Asked) -> dict[str, Any]:
    """AP of a complete run at every threshold asked for, from its candidates; also written to its metrics.json."""
    from cspbench.results import write_json

    collected, found = at_thresholds(run, source, asked)
    split = run.identity["data"]["split"]
    data: dict[str, Any] = {
        "identity": dict(run.identity),
        "preset": "its own recipe" if run.identity["quoted"] else asked.preset.name,
        "images": run.samples,
        "bad": list(collected.bad),
        "pixels": collected.pixels,
        "thresholds": [],
    }
    for each in found:
        intervals = _intervals(each) if asked.bootstrap and each.measured else {}
        percent = each.measured.percent() if each.measured else {}
        numbers = each.measured.as_json(asked.per_class) if each.measured else {}
        per_class = numbers.pop("per_class", None)
        data["thresholds"].append(
            {
                "nms": each.nms,
                "kind": _kind(run, asked),
                "asked": asked.preset.nms_kind,
                "detections": len(each.detections.scores),
                "engine": numbers.pop("engine", None),
                "ap": numbers,
                "intervals": intervals or None,
                "per_class": per_class,
                "claims": _claims(run, each.nms, asked, percent, intervals),
            }
        )
    if source.ground_truth is None:
        data["submissions"] = _submit(found, run.identity["model"], split, run.path)
    write_json(run.path / "metrics.json", data)
    _pictures(source, asked, found)
    return {**data, "run": str(run.path)}


def _kind(run: Run, asked: Asked) -> str:
    if run.identity["quoted"]:
        return str(run.identity["preset"]["nms_kind"])
    kind = asked.preset.nms_kind
    return str(run.identity["last"]["nms_kind"]) if kind == "cfg" else kind


def _claims(
    run: Run, nms: float, asked: Asked, percent: dict[str, Any], intervals: dict[str, Any]
) -> list[dict[str, Any]]:
    """Every published number that this one stands against, with its verdict.

    A row that names no threshold is held against the preset's own where that is among those asked for.
    """
    from cspbench.evaluate import claimed
    from cspbench.evaluate.run import record
    from cspbench.report import faults

    usual = asked.preset.nms if asked.preset.nms in asked.thresholds else nms
    other = [*faults.said(faults.of_detector(record(run.path))), *faults.network(run.identity)]
    kind = faults.suppression(record(run.path))[1]
    if kind is not None and asked.preset.nms_kind != kind:
        other.append(f"nms_kind {asked.preset.nms_kind}, not {kind}")
    return [
        {
            "table": row.table,
            "row": row.label,
            "id": row.id,
            "metric": metric,
            "published": str(verdict.claim),
            "measured": _shown(verdict),
            "delta": None if verdict.delta is None else f"{verdict.delta:+f}",
            "verdict": str(verdict.word),
            "reason": str(verdict.reason) if verdict.reason else None,
        }
        for row in claimed.of_detector(run.identity, nms)
        if nms == usual or "Threshold" in row.settings
        for metric, judged in claimed.precisions(row, run.identity, percent, intervals, asked.partial).items()
        for verdict in [faults.held(judged, [*other, *faults.weights(row, run.identity)])]
    ]


def _shown(verdict: Verdict) -> str | None:
    """The measurement as rounded for the comparison, or to three decimals where there is none."""
    if verdict.measured is None:
        return None
    return f"{verdict.measured:.3f}" if verdict.delta is None else f"{verdict.measured:f}"


def imported(run: Run, asked: Asked, server: Path) -> dict[str, Any]:
    """A test-split run with the evaluation server's numbers, which are for one threshold."""
    from cspbench.evaluate.coco_server import import_server
    from cspbench.report.verdicts import round_half_up
    from cspbench.results import write_json

    split = run.identity["data"]["split"]
    if not split.startswith("test") or asked.partial or run.missing():
        raise UsageError(
            "the server's numbers are of a whole test split",
            where=str(run.path),
            expected="a complete run on test-dev2017",
            found=f"a run on {split}",
            remedy="Name the run whose zip the server was given",
        )
    if len(asked.thresholds) != 1:
        raise UsageError(
            "the server's numbers are of one threshold",
            expected="one --nms",
            found=str(len(asked.thresholds)),
            remedy="Say with --nms which zip the server was given",
        )
    percent = import_server(server)
    data = {
        "identity": dict(run.identity),
        "preset": asked.preset.name,
        "images": run.samples,
        "bad": [],
        "thresholds": [
            {
                "nms": asked.thresholds[0],
                "kind": _kind(run, asked),
                "asked": asked.preset.nms_kind,
                "engine": "server",
                "ap": {
                    name: None if value is None else float(round_half_up(value, 4)) for name, value in percent.items()
                },
                "intervals": None,
                "per_class": None,
                "claims": _claims(run, asked.thresholds[0], asked, percent, {}),
            }
        ],
    }
    write_json(run.path / "metrics.json", data)
    return {**data, "run": str(run.path)}


def _intervals(each: Thresholded) -> dict[str, Any]:
    from cspbench.cli.progress import Progress
    from cspbench.evaluate.bootstrap import DRAWS, intervals

    assert each.measured is not None
    with Progress("bootstrap", DRAWS) as progress:
        return dict(intervals(each.measured, step=progress.reach))


def _submit(found: list[Thresholded], model: str, split: str, path: Path) -> list[str]:
    """Write the server's zip at every threshold."""
    from cspbench.evaluate.coco_server import write_submission

    files = []
    for each in found:
        name = f"{model.replace('/', '-')}-nms{each.nms:g}"
        files.append(str(write_submission(each.detections, name, path, split)))
        typer.echo(f"cspbench: wrote {files[-1]}; awaiting-server", err=True)
    return files


def _pictures(source: CocoSource, asked: Asked, found: list[Thresholded]) -> None:
    if asked.save_json is not None:
        from cspbench.evaluate.detections import write

        write(found[0].detections, asked.save_json)
        typer.echo(f"cspbench: wrote {asked.save_json}, NMS {found[0].nms:g}", err=True)
    if asked.draw is not None:
        from cspbench.report.samples import draw_samples

        draw_samples(source, found[0].detections, *asked.draw)
    if asked.plots is not None:
        from cspbench.report import pictures

        curves = {f"NMS {each.nms:g}": each.measured for each in found if each.measured}
        if curves:
            first = next(iter(curves.values()))
            pictures.curves(first, asked.plots / "precision-recall.png")
            pictures.sizes(curves, asked.plots / "ap-by-size.png")
        if len(curves) > 1:
            lines = {
                label: {each.nms: float(each.measured.percent()[name] or 0) for each in found if each.measured}
                for name, label in (("ap", "AP"), ("ap50", "AP50"), ("ap75", "AP75"))
            }
            pictures.thresholds(lines, asked.plots / "ap-over-nms.png")


def finish(results: list[dict[str, Any]], without: list[str], form: Format, allow_bad: int, left_out: int = 0) -> None:
    """Print results and leave with their exit code.

    `left_out` where that is one: of what could not be evaluated. 1 an AP is off, 4 unreadable images or a server to
    wait for.
    """
    from cspbench.report.precisions import failed, text

    shown = json.dumps(results, indent=1) + "\n" if form is Format.JSON else text(results, without, form.value)
    typer.echo(shown, nl=False)
    for result in results:
        for key in result["bad"]:
            typer.echo(f"cspbench: could not be read, nothing detected: {key}", err=True)
    if left_out:
        raise typer.Exit(left_out)
    if any(len(result["bad"]) > allow_bad or "submissions" in result for result in results):
        raise typer.Exit(4)
    if failed(results):
        raise typer.Exit(1)
