"""Options for scoring a detector's run: as requested, or as the run was scored before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cspbench.claims.model import unknown
from cspbench.data.detection_presets import CFG_NAMES, DetectionPreset
from cspbench.detection.ap.average_precision import DEFAULT_ENGINE, ENGINES
from cspbench.detection.ap.matching import MOST
from cspbench.errors import CspbenchError, UsageError
from cspbench.evaluation.darknet_map import MapOptions
from cspbench.results import runs
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import CocoIdentity, DetectionMetrics
from cspbench.zoo.detector_protocol import DetectorProtocol
from cspbench.zoo.registry import MODELS

Thresholds = float | Sequence[float] | str


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
    darknet_map: MapOptions | None = None

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise unknown("usage.unknown-engine", "unknown engine", self.engine, ENGINES)
        if self.bootstrap and self.engine != "cspbench":
            raise UsageError(
                "usage.bootstrap-engine",
                "--bootstrap needs the engine cspbench",
                found=self.engine,
                remedy="Leave out --engine",
            )


def thresholds_of(nms: Thresholds | None, preset: DetectionPreset) -> tuple[float, ...]:
    """Thresholds between 0 and 1 without duplicates, as numbers or as text with commas; the preset's for None."""
    if nms is None:
        return (preset.nms,)
    try:
        values = [nms] if isinstance(nms, int | float) else nms.split(",") if isinstance(nms, str) else nms
        thresholds = tuple(dict.fromkeys(map(float, values)))
        if thresholds and all(0 <= value <= 1 for value in thresholds):
            return thresholds
    except ValueError:
        pass
    raise UsageError(
        "usage.nms",
        "--nms cannot be read",
        expected="an IoU between 0 and 1, or several with commas",
        found=repr(nms),
        remedy="Try --nms 0.6",
    )


def one_threshold(thresholds: Sequence[float]) -> float:
    """The single threshold. Raises `UsageError` for several."""
    if len(thresholds) == 1:
        return thresholds[0]
    raise UsageError(
        "usage.one-threshold",
        "more than one NMS threshold",
        expected="one",
        found=", ".join(map(str, thresholds)),
        remedy="Name one: --nms 0.6",
    )


def output_of(run: RunDirectory) -> tuple[bool, int]:
    """Whether thresholds and boxes of a run are `exact`, and the `most` detections of an image and class."""
    settings, identity = run.record.settings, run.identity
    assert settings is not None
    return identity.preset.get("resize", "darknet") != "darknet", settings.fields.get("most", MOST)


def options_of(
    run: RunDirectory,
    nms: Thresholds | None = None,
    nms_kind: str | None = None,
    engine: str = DEFAULT_ENGINE,
    bootstrap: bool | None = None,
    per_class: bool = False,
    darknet_map: MapOptions | None = None,
) -> ScoringOptions:
    """Options for scoring a run again; by default the threshold and the kind of NMS of its preset."""
    protocol = protocol_of(run)
    if protocol is not None:
        if nms is not None or nms_kind:
            raise UsageError(
                "usage.own-protocol",
                f"{run.identity.model} has its authors' own suppression",
                found=str(nms if nms is not None else nms_kind),
                remedy="Leave out --nms and --nms-kind",
            )
        return ScoringOptions((protocol.nms.overlap,), "default", engine, bootstrap, per_class, darknet_map)
    settings = run.record.settings
    assert settings is not None
    recorded = DetectionPreset(settings.name, settings.conf, settings.nms, "default")  # of one's own, perhaps
    preset = recorded.overridden(nms_kind=nms_kind or settings.nms_kind)
    return ScoringOptions(thresholds_of(nms, preset), preset.nms_kind, engine, bootstrap, per_class, darknet_map)


def at_one_threshold(run: RunDirectory, nms: Thresholds | None) -> ScoringOptions:
    """`options_of` with a single threshold. Raises `UsageError` for several."""
    options = options_of(run, nms)
    one_threshold(options.thresholds)
    return options


def rescoring_options(
    run: RunDirectory, nms: Thresholds | None = None, nms_kind: str | None = None, **more: Any
) -> ScoringOptions:
    """`options_of`, by default with the thresholds of the run's earlier scores and the last kind of NMS."""
    metrics = runs.readable_metrics(run) if nms is None and protocol_of(run) is None else None
    if isinstance(metrics, DetectionMetrics) and metrics.thresholds:
        nms_kind = CFG_NAMES.get(nms_kind, nms_kind) if nms_kind else metrics.thresholds[-1].asked
        nms = sorted({threshold.nms for threshold in metrics.thresholds if threshold.asked == nms_kind}) or None
    return options_of(run, nms, nms_kind, **more)


def protocol_of(run: RunDirectory) -> DetectorProtocol | None:
    """The protocol of a quoted detector's run; None for any other run. Raises `CspbenchError` for an unknown model."""
    identity = run.identity
    if not isinstance(identity, CocoIdentity) or not identity.quoted:
        return None
    model = MODELS.get(identity.model)
    if model is None or model.detector_protocol is None:
        raise CspbenchError(
            "results.not-results",
            "not a file of results",
            where=str(run.path / "run.json"),
            found=f"{identity.model} has no protocol of its own",
            remedy="Evaluate it again",
        )
    return model.detector_protocol
