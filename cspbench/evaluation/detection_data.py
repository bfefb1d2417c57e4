"""The data set of a detector's run, found again."""

from __future__ import annotations

from pathlib import Path

import msgspec

from cspbench.data.coco.annotations import GroundTruth
from cspbench.data.coco.source import CocoSource
from cspbench.data.darknet.opening import open_detection_data
from cspbench.errors import UsageError
from cspbench.evaluation.class_names import names_of
from cspbench.evaluation.part import part_of
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import CocoIdentity, Data


def data_of(run: RunDirectory, place: Path | None = None) -> CocoSource:
    """The data set of a detector's run, at its recorded path or `place`. `UsageError` for a different data set."""
    data, path = run.identity.data, place or (Path(run.record.place) if run.record.place else None)
    if path is None:
        raise UsageError(
            "usage.run-without-data",
            "the run has no path of its data",
            where=str(run.path),
            remedy="Name it with --data",
        )
    identity, names = run.identity, names_of(run)
    assert isinstance(identity, CocoIdentity)
    source = open_detection_data(
        path,
        data.split,
        names=names.texts if names else None,
        classes=identity.last.classes,
        allowed=None,
        upright=identity.preset.get("decoder") == "opencv",
        images=False,
    )
    if data.limit is not None:
        source = part_of(source, str(data.limit), data.seed or 0)
    actual = msgspec.convert(source.as_json(), Data)
    if actual != data:
        raise UsageError(
            "usage.other-data",
            "the data set is not the one of the run",
            where=str(path),
            expected=f"{data.images} images, sha256 {str(data.sha256)[:12]}...",
            found=f"{actual.images} images, sha256 {str(actual.sha256)[:12]}...",
            remedy="Name the right one with --data",
        )
    return source


def ground_truth(source: CocoSource) -> GroundTruth:
    """The annotated objects of a data set; `UsageError` for a test set, which has none."""
    if source.ground_truth is None:
        raise UsageError(
            "usage.no-ground-truth",
            "there is no ground truth",
            where=str(source.annotations.path),
            remedy="Use a set with annotations",
        )
    return source.ground_truth
