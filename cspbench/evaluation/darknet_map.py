"""Darknet's mAP of a detector's run, beside COCO's AP."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from cspbench.claims.model import unknown
from cspbench.data.coco.source import CocoSource
from cspbench.data.detection_presets import check_share
from cspbench.detection.ap.darknet_map import POINTS, darknet_map
from cspbench.detection.map_of_run import map_detections, objects_of
from cspbench.errors import UsageError
from cspbench.evaluation.execution import Listener
from cspbench.network.layers import Detection, Yolo
from cspbench.results.map_record import ClassMap, MapRecord
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import CocoIdentity


@dataclass(frozen=True)
class MapOptions:
    """As `detector map`'s -points, -iou_thresh and -thresh: which mAP, its IoU threshold, the score of the counts."""

    points: str = "area"
    iou: float = 0.5
    conf: float = 0.25

    def __post_init__(self) -> None:
        if self.points not in POINTS:
            raise unknown("usage.unknown-map", "unknown kind of mAP", self.points, list(POINTS))
        check_share("--map-iou", self.iou)
        check_share("--map-conf", self.conf)


def last_layer(identity: CocoIdentity) -> Detection:
    """A network's last box layer as far as NMS reads it: not its anchors."""
    return Yolo(sources=(-1,), anchors=((1.0, 1.0),), mask=(0,), **msgspec.to_builtins(identity.last))


def map_of(
    run: RunDirectory,
    source: CocoSource,
    category_ids: Sequence[int],
    options: MapOptions,
    listener: Listener,
) -> MapRecord:
    """The mAP of a complete run; `category_ids` are the categories of the network's classes.

    Raises `UsageError` for a quoted detector, whose suppression is not Darknet's, for a run without low scores and for
    a data set without objects.
    """
    identity = run.identity
    assert isinstance(identity, CocoIdentity)
    assert run.record.settings is not None
    if identity.quoted:
        raise UsageError(
            "usage.map-of-quoted",
            f"{identity.model} is not a network of Darknet's",
            expected="a network whose boxes Darknet suppresses",
            remedy="Leave out --map",
        )
    objects = objects_of(source, category_ids)
    with listener.progress("mAP", run.samples) as reach:
        detections = map_detections(run.shards, run.record.settings.conf, last_layer(identity), reach)
    result = darknet_map(
        objects,
        detections,
        len(category_ids),
        points=POINTS[options.points],
        iou_threshold=options.iou,
        confidence=options.conf,
    )
    names = [source.annotations.categories[key] for key in category_ids]
    classes = [ClassMap(*values) for values in zip(names, result.ap, result.per_class, strict=True)]
    return MapRecord(options.points, options.iou, options.conf, classes)  # type: ignore[arg-type]
