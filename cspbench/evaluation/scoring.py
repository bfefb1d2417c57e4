"""What is to be computed from a detector's candidates, by choice or as a run was scored before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cspbench.data.detection_presets import CFG_NAMES, DetectionPreset, detection_preset
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE, ENGINES
from cspbench.errors import CspbenchError, UsageError
from cspbench.results import runs
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import CocoIdentity, DetectionMetrics
from cspbench.zoo.recipe import Recipe
from cspbench.zoo.registry import MODELS


@dataclass(frozen=True)
class ScoringOptions:
    """Thresholds and kind of suppression, and what is computed of the detections.

    `bootstrap` None: where the images are a part that was drawn, which nothing but an interval makes comparable.
    """

    thresholds: tuple[float, ...]
    nms_kind: str
    engine: str = DEFAULT_ENGINE
    bootstrap: bool | None = None
    per_class: bool = False

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise UsageError(
                "usage.unknown-engine",
                "unknown engine",
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


def thresholds_of(text: str | None, preset: DetectionPreset) -> tuple[float, ...]:
    """Read "0.6" or "0.45,0.50,..." as numbers between 0 and 1; the preset's own without a text."""
    if text is None:
        return (preset.nms,)
    try:
        return checked_thresholds([float(part) for part in text.split(",")])
    except ValueError:
        raise _unreadable(text) from None


def checked_thresholds(values: Sequence[float]) -> tuple[float, ...]:
    """The thresholds, each once; `UsageError` for one that is not between 0 and 1."""
    if not values or not all(0 <= value <= 1 for value in values):
        raise _unreadable(",".join(map(str, values)))
    return tuple(dict.fromkeys(values))


def _unreadable(text: str) -> UsageError:
    return UsageError(
        "usage.nms",
        "--nms cannot be read",
        expected="an IoU between 0 and 1, or several with commas",
        found=repr(text),
        remedy="Try --nms 0.6",
    )


def earlier(
    run: RunDirectory,
    nms: str | None = None,
    nms_kind: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool | None = None,
    per_class: bool = False,
) -> ScoringOptions:
    """What to compute from the candidates of a run that is there.

    Without thresholds every one that it was scored at, with the kind of suppression that was asked for last.
    """
    recipe = recipe_of(run)
    if recipe is not None:
        if nms or nms_kind:
            raise fixed_suppression(run.identity.model, str(nms or nms_kind))
        return ScoringOptions((recipe.nms.overlap,), "default", engine, bootstrap, per_class)
    scored = _scored(run) if nms is None else []
    if scored:
        nms_kind = CFG_NAMES.get(nms_kind, nms_kind) if nms_kind else scored[-1][1]
        values = sorted({value for value, asked in scored if asked == nms_kind})
        nms = ",".join(map(str, values)) or None
    preset = _preset(run, nms_kind)
    return ScoringOptions(thresholds_of(nms, preset), preset.nms_kind, engine, bootstrap, per_class)


def of_preset(run: RunDirectory, nms: str | None) -> ScoringOptions:
    """What to compute for a comparison: one threshold, the run's preset's own where none is named.

    However often a run was scored since, and at whatever thresholds, two runs compare the same.
    """
    recipe = recipe_of(run)
    if recipe is not None:
        if nms is not None:
            raise fixed_suppression(run.identity.model, nms)
        return ScoringOptions((recipe.nms.overlap,), "default")
    preset = _preset(run, None)
    thresholds = thresholds_of(nms, preset)
    if len(thresholds) != 1:
        raise UsageError(
            "usage.one-threshold", "compare takes one threshold", expected="--nms 0.6", found=nms, remedy="Name one"
        )
    return ScoringOptions(thresholds, preset.nms_kind)


def recipe_of(run: RunDirectory) -> Recipe | None:
    """The protocol of a quoted detector's run; None for any other. Raises `CspbenchError` where it is not known."""
    identity = run.identity
    if not isinstance(identity, CocoIdentity) or not identity.quoted:
        return None
    model = MODELS.get(identity.model)
    if model is None or model.recipe is None:
        raise CspbenchError(
            "results.not-results",
            "not a file of results",
            where=str(run.path / "run.json"),
            found=f"{identity.model} has no protocol of its own",
            remedy="Evaluate it again",
        )
    return model.recipe


def fixed_suppression(model: str, asked: str) -> UsageError:
    """The error for options that a quoted detector's own protocol leaves no room for."""
    return UsageError(
        "usage.own-recipe",
        f"{model} has its authors' own suppression",
        expected="no --nms and no --nms-kind",
        found=asked,
        remedy="Leave them out",
    )


def _preset(run: RunDirectory, nms_kind: str | None) -> DetectionPreset:
    """A run's preset with the score threshold and, unless it is another one now, the kind of NMS that it was given."""
    settings = run.record.settings
    assert settings is not None
    return detection_preset(settings.name).overridden(conf=settings.conf, nms_kind=nms_kind or settings.nms_kind)


def _scored(run: RunDirectory) -> list[tuple[float, str]]:
    """The thresholds of the run's metrics and the kinds asked for; empty without any that can be read."""
    try:
        metrics = runs.read_metrics(run)
    except CspbenchError:
        return []
    if not isinstance(metrics, DetectionMetrics):
        return []
    return [(threshold.nms, threshold.asked) for threshold in metrics.thresholds]
