"""Predictions for a notebook: `predict` for pictures of any kind, `inference_model` for one, as mmpretrain has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from cspbench.errors import BadImageError, UsageError
from cspbench.evaluation.execution import SILENT, Execution, Listener
from cspbench.inference.description import Described
from cspbench.network.modular.architecture import Architecture
from cspbench.prediction.pictures import pictures_of
from cspbench.prediction.predictions import Classified, Detected

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from cspbench.prediction.predictor import Predictor

    Picturable = str | Path | Image | NDArray[np.uint8]


def predict(
    model: str | Architecture | Described | Predictor,
    images: Picturable | Sequence[Picturable],
    *,
    weights: str | Path | None = None,
    ema: bool | None = None,
    names: str | Path | None = None,
    preset: str | None = None,
    decoder: str | None = None,
    classes: str | None = None,
    size: tuple[int, int] | None = None,
    topk: int | None = None,
    conf: float | None = None,
    nms: float | None = None,
    nms_kind: str | None = None,
    batch: int | Literal["auto"] = "auto",
    device: str | None = None,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    listener: Listener = SILENT,
) -> list[Classified] | list[Detected]:
    """The `topk` (5) classes, or the boxes with scores above `conf` (0.25), of each picture.

    `model` is that of `evaluate_imagenet` or `evaluate_coco`, or what `cspbench.prediction.loading.predictor_of`
    returns, which loads it once for several calls. `images` are paths of files and folders, patterns, images of Pillow
    or arrays (uint8, RGB), or a list of them. `names` is a file with the names of the classes. Pixels, decoding and
    numbers are those of the evaluation under the same options, but for `conf`.

    Raises `BadImageError` for the first picture that cannot be used, `UsageError`, `WeightsError`.
    """
    from cspbench.prediction.loading import predictor_of
    from cspbench.prediction.predictor import Predictor

    pictures = pictures_of(images)
    if isinstance(model, Predictor):
        predictor = model
    else:
        predictor = predictor_of(
            model,
            weights=weights,
            ema=ema,
            names=names,
            preset=preset,
            decoder=decoder,
            classes=classes,
            size=size,
            topk=topk,
            conf=conf,
            nms=nms,
            nms_kind=nms_kind,
            execution=Execution(batch=batch, device=device, precision=precision),
            listener=listener,
        )
    results: list[Any] = []
    with listener.progress(predictor.subject.name, len(pictures)) as reach:
        for result in predictor.predict(pictures):
            if isinstance(result, BadImageError):
                raise result
            results.append(result)
            reach(len(results))
    return results


def inference_model(
    model: str | Architecture | Described | Predictor, image: Picturable, **options: Any
) -> dict[str, Any]:
    """A classifier's prediction for one image: `pred_label`, `pred_class`, `pred_score`, `pred_scores`.

    As mmpretrain's function of this name. `options` are those of `predict`. Raises `UsageError` for a detector, and for
    several images.
    """
    results = predict(model, image, **options)
    if len(results) != 1:
        raise UsageError(
            "usage.one-picture",
            "inference_model takes one image",
            found=f"{len(results)} images",
            remedy="Use cspbench.predict for several",
        )
    result = results[0]
    if isinstance(result, Detected):
        raise UsageError(
            "usage.other-task",
            "the model is a detector",
            expected="a classifier",
            remedy="Use cspbench.predict, which returns boxes",
        )
    return {
        "pred_label": result.pred_label,
        "pred_class": result.pred_class,
        "pred_score": result.pred_score,
        "pred_scores": result.pred_scores,
    }
