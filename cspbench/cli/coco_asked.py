"""What is to be computed from a detector's kept candidates, and what a run was asked for before."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cspbench.errors import UsageError

if TYPE_CHECKING:
    from cspbench.data.detection_presets import DetectionPreset
    from cspbench.inference.run import Run

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
        from cspbench.detection.ap.average_precision import ENGINES

        if self.engine not in ENGINES:
            raise UsageError(
                "usage.unknown-engine",
                "no such engine",
                expected=f"one of {', '.join(ENGINES)}",
                found=repr(self.engine),
                remedy="Correct --engine",
            )
        if self.bootstrap and self.engine != "cspbench":
            raise UsageError(
                "usage.bootstrap-engine",
                "--bootstrap needs the matches of the engine cspbench",
                expected="--engine cspbench",
                found=self.engine,
                remedy="Leave out --engine: the numbers are the referee's to the last bit",
            )
        if self.draw is not None and self.draw[0] < 1:
            raise UsageError(
                "usage.draw-count",
                "--draw draws at least one image",
                expected="N of 1 or more",
                found=str(self.draw[0]),
                remedy="Correct N",
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
    """What to compute from the candidates of a run that is there.

    Without thresholds every one that it was scored at, with the kind of suppression that was asked for last.
    """
    from cspbench.data.detection_presets import CFG_NAMES
    from cspbench.evaluation.coco import parse_thresholds
    from cspbench.inference.run import record

    kept = record(run.path)
    partial = kept["data"]["limit"] is not None
    if run.identity["quoted"]:
        own, threshold = _quoted(run, nms or nms_kind)
        return Asked(own, [threshold], engine, bootstrap, per_class, save_json, partial=partial)
    last = _last(run) if nms is None else []
    if last:
        nms_kind = CFG_NAMES.get(nms_kind, nms_kind) if nms_kind else last[-1]["asked"]
        nms = (
            ",".join(f"{each}" for each in sorted({each["nms"] for each in last if each["asked"] == nms_kind})) or None
        )
    own = _preset(kept["preset"], nms_kind)
    return Asked(own, parse_thresholds(nms, own), engine, bootstrap, per_class, save_json, partial=partial)


def usual(run: Run, nms: str | None) -> Asked:
    """What to compute for a comparison: one threshold, the run's preset's own where none is named.

    However often a run was scored since, and at whatever thresholds, two runs compare the same.
    """
    from cspbench.evaluation.coco import parse_thresholds
    from cspbench.inference.run import record

    if run.identity["quoted"]:
        own, threshold = _quoted(run, nms)
        return Asked(own, [threshold])
    own = _preset(record(run.path)["preset"], None)
    thresholds = parse_thresholds(nms, own)
    if len(thresholds) != 1:
        raise UsageError(
            "usage.one-threshold", "compare takes one threshold", expected="--nms 0.6", found=nms, remedy="Name one"
        )
    return Asked(own, thresholds)


def _preset(kept: dict[str, Any], nms_kind: str | None) -> DetectionPreset:
    """A run's preset with the score threshold and, unless it is another one now, the kind of NMS that it was given."""
    from cspbench.data.detection_presets import detection_preset

    made = detection_preset(kept["name"])
    return made.overridden(conf=kept["conf"], nms_kind=nms_kind or str(kept["nms_kind"]))


def _last(run: Run) -> list[dict[str, Any]]:
    """The thresholds of the run's metrics, those scored last at the end; empty without any that can be read."""
    from cspbench.io import read_file

    try:
        found = json.loads(read_file(run.path / "metrics.json", LARGEST))["thresholds"][-MOST:]
        return [{"nms": float(each["nms"]), "asked": str(each["asked"])} for each in found]
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return []


def _quoted(run: Run, other: str | None) -> tuple[DetectionPreset, float]:
    """A quoted detector has one suppression, its authors'; `other` is another one that was asked for."""
    from cspbench.data.detection_presets import detection_preset
    from cspbench.zoo.catalogue import MODELS

    recipe = MODELS[run.identity["model"]].recipe
    assert recipe is not None
    if other is not None:
        raise UsageError(
            "usage.own-recipe",
            f"{run.identity['model']} has its authors' own suppression",
            expected="no --nms and no --nms-kind",
            found=other,
            remedy="Leave them out",
        )
    return detection_preset("readme"), recipe.nms.overlap
