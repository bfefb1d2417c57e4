"""Whether a user's data fits a study: of the kind of its tables, with pictures that are held out."""

from __future__ import annotations

import os
from collections.abc import Sequence

from cspbench.data.augment.images import open_detector_images
from cspbench.data.imagenet import open_imagenet
from cspbench.data.source import ImageFiles, Region
from cspbench.errors import DatasetError
from cspbench.evaluation.detection_data import opened
from cspbench.evaluation.execution import SILENT
from cspbench.study.job import fitted
from cspbench.study.plan import Plan, jobs
from cspbench.training.modular.chosen import AnyChosen
from cspbench.training.recipes.chosen import Chosen, Images
from cspbench.training.run.preparation import open_images


def check(plan: Plan) -> None:
    """Raise `DatasetError` for data that is of another kind than the tables, or without pictures of its own to score.

    Pictures are the same if they are the same part of the same file.
    """
    data = str(plan.data)
    chosen = fitted(plan, jobs(plan)[-1], data)
    held = _regions(data, chosen.detects)
    images = _images(chosen, data).images
    trained = {(os.path.realpath(path), offset) for path, offset in map(images.place, range(len(images)))}
    common = [region for region in held if (os.path.realpath(region.path), region.offset) in trained]
    if common:
        raise DatasetError(
            "study.not-held-out",
            "pictures to score are among those to train on",
            where=data,
            expected="a train and a val part without common pictures",
            found=f"{len(common):,} of {len(held):,}, such as {common[0].path}",
            remedy="Put the pictures to score into a folder, or a valid= list, of their own",
        )


def _images(chosen: AnyChosen, data: str) -> Images:
    """Those to train on."""
    if isinstance(chosen, Chosen):
        return open_images(chosen, data)
    return open_detector_images(data, classes=chosen.network.design.classes)


def _regions(data: str, detects: bool) -> Sequence[Region]:
    source = opened(data, None, SILENT) if detects else open_imagenet(data)
    return source.regions if isinstance(source, ImageFiles) else ()
