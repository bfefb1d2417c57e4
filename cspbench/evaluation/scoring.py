"""Options for scoring a detector's run: as requested, or as the run was scored before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cspbench.claims.model import unknown
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
    """Thresholds and kind of NMS, and what is computed.

    `bootstrap` None means intervals only for a part of the images: drawn, or with some that could not be read.
    """

    thresholds: tuple[float, ...]
    nms_kind: str
    engine: str = DEFAULT_ENGINE
    bootstrap: bool | None = None
    per_class: bool = False

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise unknown("usage.unknown-engine", "unknown engine", self.engine, ENGINES)
        if self.bootstrap and self.engine != "cspbench":
            raise UsageError(
                "usage.bootstrap-engine",
                "--bootstrap needs the matches of the engine cspbench",
                expected="--engine cspbench",
                found=self.engine,
                remedy="Leave out --engine: the numbers are the referee's to the last bit",
            )


def thresholds_of(text: str | None, preset: DetectionPreset) -> tuple[float, ...]:
    """Parse "0.6" or "0.45,0.50,..." as numbers between 0 and 1; the preset's threshold for None."""
    if text is None:
        return (preset.nms,)
    try:
        return checked_thresholds([float(part) for part in text.split(",")])
    except ValueError:
        raise _unreadable(text) from None


def checked_thresholds(values: Sequence[float]) -> tuple[float, ...]:
    """The thresholds without duplicates; `UsageError` for one that is not between 0 and 1."""
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


def options_of(
    run: RunDirectory,
    nms: str | None = None,
    nms_kind: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool | None = None,
    per_class: bool = False,
) -> ScoringOptions:
    """Options for scoring a run again; by default the thresholds of its earlier scores, with the last kind of NMS."""
    recipe = recipe_of(run)
    if recipe is not None:
        if nms or nms_kind:
            raise fixed_suppression(run.identity.model, str(nms or nms_kind))
        return ScoringOptions((recipe.nms.overlap,), "default", engine, bootstrap, per_class)
    metrics = runs.readable_metrics(run) if nms is None else None
    if isinstance(metrics, DetectionMetrics) and metrics.thresholds:
        nms_kind = CFG_NAMES.get(nms_kind, nms_kind) if nms_kind else metrics.thresholds[-1].asked
        values = sorted({threshold.nms for threshold in metrics.thresholds if threshold.asked == nms_kind})
        nms = ",".join(map(str, values)) or None
    preset = _preset(run, nms_kind)
    return ScoringOptions(thresholds_of(nms, preset), preset.nms_kind, engine, bootstrap, per_class)


def of_preset(run: RunDirectory, nms: str | None) -> ScoringOptions:
    """Options for a comparison: one threshold, by default that of the run's preset, whatever its earlier scores."""
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
    """The protocol of a quoted detector's run; None for any other run. Raises `CspbenchError` for an unknown model."""
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


def fixed_suppression(model: str, options: str) -> UsageError:
    """The error for NMS options with a quoted detector, whose protocol fixes them."""
    return UsageError(
        "usage.own-recipe",
        f"{model} has its authors' own suppression",
        expected="no --nms and no --nms-kind",
        found=options,
        remedy="Leave them out",
    )


def _preset(run: RunDirectory, nms_kind: str | None) -> DetectionPreset:
    """A run's preset with its score threshold and kind of NMS, or the `nms_kind` requested now."""
    settings = run.record.settings
    assert settings is not None
    return detection_preset(settings.name).overridden(conf=settings.conf, nms_kind=nms_kind or settings.nms_kind)
