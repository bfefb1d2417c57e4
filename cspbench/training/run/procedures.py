"""The way of training that a network has."""

from __future__ import annotations

from cspbench.data.augment.images import ClassifierImages, DetectorImages
from cspbench.data.augment.minibatches import MiniBatches
from cspbench.evaluation.execution import Listener
from cspbench.training.mmcls.chosen import ClassifierChosen
from cspbench.training.modular.chosen import AnyChosen, YoloxChosen
from cspbench.training.recipes.chosen import Images
from cspbench.training.run.classifier import ClassifierProcedure, classifier_mini_batches
from cspbench.training.run.darknet import DarknetProcedure
from cspbench.training.run.options import Options
from cspbench.training.run.preparation import mini_batches as darknet_mini_batches
from cspbench.training.run.procedure import Procedure
from cspbench.training.run.yolox import YoloxProcedure, yolox_mini_batches


def mini_batches(chosen: AnyChosen, images: Images, seed: int) -> MiniBatches:
    """The mini-batches of a run."""
    if isinstance(chosen, YoloxChosen):
        assert isinstance(images, DetectorImages)
        return yolox_mini_batches(chosen, images, seed)
    if isinstance(chosen, ClassifierChosen):
        assert isinstance(images, ClassifierImages)
        return classifier_mini_batches(chosen, images, seed)
    return darknet_mini_batches(chosen, images, seed)


def procedure(chosen: AnyChosen, images: Images, options: Options, listener: Listener) -> Procedure:
    """Raises `UsageError` and `WeightsError` for options and weights with which the training cannot begin."""
    if isinstance(chosen, YoloxChosen):
        return YoloxProcedure(chosen, images, options, listener)
    if isinstance(chosen, ClassifierChosen):
        return ClassifierProcedure(chosen, images, options, listener)
    return DarknetProcedure(chosen, images, options, listener)
