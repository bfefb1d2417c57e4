"""How the published networks were trained, with what is assumed (spec training f)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TypeVar

from cspbench.claims.model import CHECK, Row
from cspbench.network import cfg
from cspbench.network.cfg.settings import changed
from cspbench.network.era import Era
from cspbench.network.network import Network
from cspbench.network.recipe import Recipe, YoloRecipe, default
from cspbench.weights.catalogue import SHIPPED

Value = TypeVar("Value")
ASSUMED = "assumed"
"""The source of what no published file says."""
_CLASSIFIER = """batch=128 subdivisions=4 learning_rate=0.1 policy=poly power=4 max_batches=800000 burn_in=1000
    momentum=0.9 decay=0.0005 angle=7 hue=0.1 saturation=0.75 exposure=0.75 aspect=0.75 min_crop=128 max_crop=448"""
_DETECTOR = """batch=64 subdivisions=16 learning_rate=0.001 policy=steps steps=400000,450000 scales=0.1,0.1
    max_batches=500500 burn_in=1000 momentum=0.9 decay=0.0005 saturation=1.5 exposure=1.5 hue=0.1
    yolo.jitter=0.3 yolo.ignore_thresh=0.7 yolo.random=1"""
_LONG = "max_batches=1200000 label_smooth_eps=0.1 cutmix=1 mosaic=1"
_OPTIMAL = """subdivisions=8 learning_rate=0.00261 momentum=0.949 mosaic=1 yolo.iou_loss=ciou yolo.iou_normalizer=0.07
    yolo.iou_thresh=0.213"""
_OWN_FILE: dict[str, str] = {
    **dict.fromkeys(("csresnext50", "csresnet50", "csdarknet53", "darknet53", "resnet50", "resnext50"), ""),
    **dict.fromkeys(("csresnext50-mish", "csresnext50-swish"), ""),
    "csdarknet53-elastic": "subdivisions=8",
    "*-elastic": "",
    "*-gamma": _LONG,
    "*-omega": _LONG,
    **dict.fromkeys(("darknet", "resnet10", "icfg-*"), "subdivisions=1"),
    **dict.fromkeys(("csmobilenet-v2", "mobilenet-v2", "res2netlite72"), "subdivisions=2"),
    "enetb0": """batch=120 subdivisions=4 learning_rate=0.256 policy=step step=10000 scale=0.96 max_batches=1600000
        min_crop=224 max_crop=256""",
    **dict.fromkeys(("densenet201", "resnet152"), "min_crop=256 max_batches=1600000"),
}
"""Settings of classifiers with a published cfg, beside those that all have."""
_DETECTORS: dict[str, str] = {
    "csresnext50-panet-spp": "width=416 height=416",
    "csresnext50-panet-spp-giou": "width=416 height=416 yolo.iou_loss=giou yolo.iou_normalizer=0.5",
    "csresnext50-panet-spp-iou": "width=416 height=416 yolo.iou_loss=ciou yolo.iou_normalizer=0.5",
    "csresnext50-panet-spp-original-optimal": f"width=512 height=512 {_OPTIMAL}",
    "csresnext50-panet-spp-giou-optimal": f"width=512 height=512 {_OPTIMAL} yolo.iou_loss=giou",
    "cd53paspp-gamma": f"width=512 height=512 {_OPTIMAL}",
    "csdarknet53-panet-spp": "width=416 height=416 subdivisions=4",
    "csresnet50-panet-spp": "width=416 height=416 subdivisions=4",
    "enet-coco": "width=416 height=416 subdivisions=8 max_batches=500200 yolo.random=0",
    "yolov3-tiny*": "width=416 height=416 subdivisions=2 max_batches=500200",
}
_ASSUMPTIONS = {
    "csresnext50-panet-spp-iou": ("yolo.iou_loss", "yolo.iou_normalizer"),
    "csresnext50-panet-spp-giou-optimal": ("yolo.iou_loss",),
    **dict.fromkeys(("densenet201", "resnet152"), ("batch", "subdivisions")),
    "yolov3-tiny*": ("batch", "subdivisions"),
}
"""By network, the settings that its published file does not say."""
_FILES = {
    **dict.fromkeys(("csresnext50-mish", "csresnext50-swish"), "csresnext50"),
    "csresnext50-panet-spp-iou": "csresnext50-panet-spp-giou",
    "csresnext50-panet-spp-giou-optimal": "csresnext50-panet-spp-original-optimal",
}
"""The published cfg that stands for that of a network without one, which differs in its activation or loss."""
_TRICKS = {
    **{"Mixup": "mixup=1", "MixUp": "mixup=1", "Cutmix": "cutmix=1", "CutMix": "cutmix=1", "Mosaic": "mosaic=1"},
    **{"Cutmix+Mixup": "mixup=1 cutmix=1", "Blur": "blur=1", "Bluring": "blur=1"},
    **{"Smooth": "label_smooth_eps=0.1", "Label Smoothing": "label_smooth_eps=0.1"},
    **{"DIoU": "yolo.iou_loss=diou", "CIoU": "yolo.iou_loss=ciou"},
}
"""Settings by what a row's columns say."""
_DETECTOR_TRICKS = {
    "Mosaic": "mosaic=1",
    "IoU Threshold": "yolo.iou_thresh=0.213",
    "Genetic": "learning_rate=0.00261 momentum=0.949 yolo.iou_normalizer=0.07",
    "Label Smoothing": "yolo.label_smooth_eps=0.1",
    "Cosine Annealing Scheduler": "policy=sgdr",
}
"""Those of the table of a detector's tricks that are known."""
_UNKNOWN = {
    "Mixup": "the day's code: whether every chunk was mixed, or a half, and whether its labels were right",
    "Cutmix": "the day's code: whether every chunk was mixed, or a half, and where the rectangles lay",
    "Cutmix+Mixup": "the day's code, from 2019-11-30 to 12-02",
    "Smooth": "the strength of the smoothing: 0.1 is assumed",
    "DIoU": "no cfg was published; taken to be GIoU's with another iou_loss",
    "CIoU": "no cfg was published; taken to be GIoU's with another iou_loss",
}
ALWAYS_UNKNOWN = "the number of repeats and their seeds, and whether the last or the best weights were published"


@dataclass(frozen=True)
class Published:
    """A recipe, the source of each setting (by key as in `changed`), and what is unknown about it."""

    network: Network
    """At the size of its training."""
    recipe: Recipe
    era: Era
    sources: dict[str, str] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


def of_model(name: str, network: Network, row: Row | None = None) -> Published:
    """The recipe of a model of the catalogue, with what a row changes; of a bundled network that of its own file."""
    bundled = SHIPPED / f"{name}.cfg"
    if bundled.is_file():
        return _of_file(bundled, network)
    detects = bool(network.detections)
    own = _matching(name, _DETECTORS if detects else _OWN_FILE)
    common, source = (_DETECTOR if detects else _CLASSIFIER).split(), ASSUMED
    if own is not None:
        source = f"{_FILES.get(name, name)}.cfg"
    settings = {**_by_key(common), **_by_key((own or "").split())}
    sources = dict.fromkeys(settings, source) | dict.fromkeys(_matching(name, _ASSUMPTIONS) or (), ASSUMED)
    unknown = [f"no cfg of {name} was published: the settings are those of other networks"] if own is None else []
    tricks = [] if row is None or row.links.get("cfg", "-").strip("-") else _tricks(row, detects)
    for trick, text in tricks:
        added = _by_key(text.split())
        settings |= added
        sources |= dict.fromkeys(added, f"{row.table}: {trick}" if row else "")
        unknown += [_UNKNOWN[trick]] if trick in _UNKNOWN else []
    unknown += [*([] if row is None or not detects else _unread(row)), ALWAYS_UNKNOWN]
    if not any(layer.kind == "yolo" for layer in default(network).layers):
        settings = {key: text for key, text in settings.items() if not key.startswith("yolo.")}
    network, recipe, _ = changed(network, default(network), [f"{key}={text}" for key, text in settings.items()])
    return Published(network, recipe, _era(recipe, name, bool(tricks)), sources, tuple(unknown))


def _of_file(file: Path, network: Network) -> Published:
    """The recipe in the cfg of the same layers."""
    reading = cfg.read(file)
    recipe, (net, *rest) = reading.training.recipe, reading.sections
    keys = [*net.keys]
    for part, section in zip(recipe.layers, rest, strict=True):
        keys += [f"{part.kind}.{key}" for key in section.keys]
    return Published(network, recipe, Era.HEAD, dict.fromkeys(keys, file.name))


def _matching(name: str, entries: Mapping[str, Value]) -> Value | None:
    return next((value for pattern, value in entries.items() if fnmatchcase(name, pattern)), None)


def _by_key(settings: list[str]) -> dict[str, str]:
    return {key: value for key, _, value in (setting.partition("=") for setting in settings)}


def _tricks(row: Row, detects: bool) -> list[tuple[str, str]]:
    """What the row's columns name, with its settings."""
    words = [header if text == CHECK else text for header, text in row.settings.items() if text]
    known = {**_TRICKS, **_DETECTOR_TRICKS} if detects else _TRICKS
    return [(word, known[word]) for word in words if word in known]


def _unread(row: Row) -> list[str]:
    """Tricks of a detector's row that no setting here stands for."""
    known = {*_DETECTOR_TRICKS, "Scale"}
    return [f"{name}: how it was set" for name, text in row.settings.items() if text == CHECK and name not in known]


def _era(recipe: Recipe, name: str, tricks: bool) -> Era:
    """The code of the time: boxes by MSE and GIoU before 2019-11-23, and by what came after."""
    kinds = {layer.iou_loss for layer in recipe.layers if isinstance(layer, YoloRecipe)}
    if not kinds:
        return Era.NOV2019 if recipe.net.blur or (recipe.net.mixup and recipe.net.cutmix) else Era.HEAD
    return Era.OCT2019 if kinds <= {"mse", "giou"} and not tricks and "optimal" not in name else Era.NOV2019
