"""The catalogue: every model by name with where its definition comes from, and the model behind each published row."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from cspbench.errors import UsageError
from cspbench.network.network import Network
from cspbench.zoo import (
    darknet,
    densenet,
    efficientnet,
    mobilenet,
    panet,
    prn,
    res2net,
    resnet,
    resnet_elastic,
    timm_cards,
    tiny,
)

Definition = Literal["cfg", "paper", "reconstruction", "stand-in", "file"]
"""cfg: equals a published file layer by layer. paper: another complete public definition. reconstruction: forced by
independent evidence. stand-in: chosen because it carries the published totals, so that agreement proves nothing.
file: a cfg the user gave."""


@dataclass(frozen=True)
class Model:
    """A network of the catalogue. `source` says in a few words what the definition rests on.

    `namesakes` are models that go by the same name elsewhere: where a row's number is off, they are tried as well.
    """

    name: str
    build: Callable[[], Network]
    definition: Definition
    source: str
    namesakes: tuple[str, ...] = ()


@dataclass(frozen=True)
class RowModel:
    """The model behind a published row, None while nobody has defined it; `note` is what a reader must know."""

    model: str | None
    note: str | None = None


_CSP = "WongKinYiu/CrossStagePartialNetworks"
_ALEXEY = "AlexeyAB/darknet"
_PRN = "WongKinYiu/PartialResidualNetworks"


def _cfg(build: Callable[[], Network], name: str, place: str = _CSP, namesakes: tuple[str, ...] = ()) -> Model:
    return Model(name, build, "cfg", f"{name.removeprefix('icfg-')}.cfg of {place}", namesakes)


def _icfg(build: Callable[[], Network], name: str) -> Model:
    return _cfg(build, name, f"{_CSP}, in progress/darknet/icfg")


_MODELS: tuple[Model, ...] = (
    _cfg(darknet.darknet53, "darknet53"),
    _cfg(darknet.csdarknet53, "csdarknet53"),
    _cfg(lambda: darknet.csdarknet53(name="csdarknet53-gamma"), "csdarknet53-gamma"),
    _cfg(lambda: darknet.csdarknet53("mish", "csdarknet53-omega"), "csdarknet53-omega"),
    _cfg(darknet.csdarknet53_elastic, "csdarknet53-elastic"),
    _cfg(resnet.resnet50, "resnet50", namesakes=("icfg-resnet50-leaky",)),
    _icfg(lambda: resnet.icfg_resnet50("leaky"), "icfg-resnet50-leaky"),
    _icfg(lambda: resnet.icfg_resnet50("relu"), "icfg-resnet50-relu"),
    _icfg(lambda: resnet.icfg_resnet50("mish"), "icfg-resnet50-mish"),
    _icfg(lambda: resnet.icfg_resnet50("swish"), "icfg-resnet50-swish"),
    _cfg(resnet.csresnet50, "csresnet50", namesakes=("timm/cspresnet50",)),
    _cfg(lambda: resnet.csresnet50(name="csresnet50-gamma"), "csresnet50-gamma"),
    _cfg(lambda: resnet.csresnet50("mish", "csresnet50-omega"), "csresnet50-omega"),
    _cfg(resnet_elastic.csresnet50_elastic, "csresnet50-elastic"),
    _cfg(resnet.resnext50, "resnext50"),
    _cfg(resnet.csresnext50, "csresnext50", namesakes=("timm/cspresnext50",)),
    _cfg(lambda: resnet.csresnext50(name="csresnext50-gamma"), "csresnext50-gamma"),
    _cfg(lambda: resnet.csresnext50("mish", "csresnext50-omega"), "csresnext50-omega"),
    Model(
        "csresnext50-mish",
        lambda: resnet.csresnext50("mish", "csresnext50-mish"),
        "paper",
        "csresnext50.cfg with mish for leaky, the layers of csresnext50-omega.cfg",
    ),
    _cfg(resnet_elastic.csresnext50_elastic, "csresnext50-elastic"),
    _cfg(resnet.resnet152, "resnet152", _ALEXEY),
    _cfg(densenet.densenet201, "densenet201", _ALEXEY),
    _icfg(densenet.icfg_densenet201_leaky, "icfg-densenet201-leaky"),
    _cfg(res2net.res2netlite72, "res2netlite72"),
    _cfg(efficientnet.enetb0, "enetb0"),
    _cfg(mobilenet.mobilenet_v2, "mobilenet-v2"),
    _cfg(mobilenet.csmobilenet_v2, "csmobilenet-v2"),
    _cfg(darknet.darknet, "darknet"),
    _cfg(resnet.resnet10, "resnet10"),
    _cfg(panet.csresnext50_panet_spp, "csresnext50-panet-spp"),
    _cfg(panet.csresnext50_panet_spp_giou, "csresnext50-panet-spp-giou"),
    Model(
        "csresnext50-panet-spp-iou",
        lambda: panet.csresnext50_panet_spp_giou().renamed("csresnext50-panet-spp-iou"),
        "reconstruction",
        "csresnext50-panet-spp-giou.cfg, since only the loss differs (high confidence; scale_x_y assumed alike)",
    ),
    _cfg(panet.csresnext50_panet_spp_original_optimal, "csresnext50-panet-spp-original-optimal"),
    Model(
        "csresnext50-panet-spp-giou-optimal",
        panet.csresnext50_panet_spp_giou_optimal,
        "reconstruction",
        "csresnext50-panet-spp-original-optimal.cfg, since only the loss differs (high confidence)",
    ),
    Model(
        "csresnext50-panet-spp-sam",
        panet.csresnext50_panet_spp_sam,
        "reconstruction",
        "csresnext50-panet-spp-original-optimal.cfg with a point-wise attention gate in each head, placed by the size "
        "of its sibling's weight file (high confidence)",
    ),
    _cfg(panet.csdarknet53_panet_spp, "csdarknet53-panet-spp"),
    _cfg(panet.cd53paspp_gamma, "cd53paspp-gamma", _ALEXEY),
    _cfg(panet.csresnet50_panet_spp, "csresnet50-panet-spp"),
    _cfg(tiny.yolov3_tiny, "yolov3-tiny", _PRN),
    _cfg(prn.yolov3_tiny_prn, "yolov3-tiny-prn", _PRN),
    _cfg(prn.enet_coco, "enet-coco", _ALEXEY),
    Model(
        "timm/cspdarknet53",
        timm_cards.timm_cspdarknet53,
        "paper",
        "timm's cspdarknet53, the graph of csdarknet53.cfg with a leaky slope of 0.01",
    ),
    Model("timm/cspresnet50", timm_cards.timm_cspresnet50, "paper", "timm's cspresnet50"),
    Model("timm/cspresnext50", timm_cards.timm_cspresnext50, "paper", "timm's cspresnext50"),
)
MODELS: dict[str, Model] = {entry.name: entry for entry in _MODELS}
"""Every model by name, in the order of the tables."""

_RESNET50 = (
    "9.74 was copied from the original author's page, whose later cfg pools before the 1000-way convolution; the file "
    "linked here pools after it"
)
_SAME_LAYERS = "trained otherwise, the same layers"
_LOSS = "no file was published; only the loss differs"

ROWS: dict[str, dict[str, RowModel]] = {
    "coco-headline": {
        "cspresnext50-panet-spp-sam-512": RowModel("csresnext50-panet-spp-sam"),
        "cspresnext50-panet-spp-sam-608": RowModel("csresnext50-panet-spp-sam"),
        "cspresnext50-panet-spp-giou-512": RowModel("csresnext50-panet-spp-giou-optimal", _LOSS),
        "cspresnext50-panet-spp-giou-608": RowModel("csresnext50-panet-spp-giou-optimal", _LOSS),
        "cspresnext50-panet-spp-512": RowModel("csresnext50-panet-spp-original-optimal"),
        "cspresnext50-panet-spp-608": RowModel("csresnext50-panet-spp-original-optimal"),
        "cspdarknet53-panet-spp-512": RowModel("cd53paspp-gamma"),
    },
    "imagenet-big": {
        "darknet-53": RowModel("darknet53"),
        "cspdarknet-53": RowModel("csdarknet53"),
        "cspdarknet-53-elastic": RowModel("csdarknet53-elastic"),
        "resnet-50": RowModel("resnet50", _RESNET50),
        "cspresnet-50": RowModel("csresnet50"),
        "cspresnet-50-elastic": RowModel("csresnet50-elastic"),
        "resnext-50": RowModel("resnext50"),
        "cspresnext-50": RowModel("csresnext50"),
        "cspresnext-50-elastic": RowModel("csresnext50-elastic"),
        "res2netlite-72": RowModel("res2netlite72"),
    },
    "imagenet-small": {
        "efficientnet-b0": RowModel("enetb0"),
        "mobilenet-v2": RowModel("mobilenet-v2"),
        "cspmobilenet-v2": RowModel("csmobilenet-v2"),
        "darknet-ref": RowModel(
            "darknet", "0.96 is the original author's figure: convolutions only, rounded to two decimals at once"
        ),
        "resnet-10": RowModel("resnet10"),
    },
    "imagenet-activation": {
        "cspresnext-50-lrelu": RowModel("csresnext50"),
        "cspresnext-50-mish": RowModel("csresnext50-mish", "no file was published for this row"),
    },
    "imagenet-augmentation": {
        "cspresnext-50-normal": RowModel("csresnext50"),
        **{
            f"cspresnext-50-{augmentation}": RowModel("csresnext50", _SAME_LAYERS)
            for augmentation in ("mixup", "cutmix", "cutmix-mixup", "mosaic", "blur")
        },
    },
    "imagenet-smoothing": {
        "cspresnext-50-normal": RowModel("csresnext50"),
        "cspresnext-50-smooth": RowModel("csresnext50", _SAME_LAYERS),
    },
    "coco-gpu": {
        "cspresnext50-panet-spp-512": RowModel("csresnext50-panet-spp"),
        "cspdarknet53-panet-spp-512": RowModel("csdarknet53-panet-spp"),
        "cspresnet50-panet-spp-512": RowModel("csresnet50-panet-spp"),
    },
    "coco-cpu": {
        "yolov3-tiny-416": RowModel("yolov3-tiny"),
        "yolov3-tiny-prn-416": RowModel("yolov3-tiny-prn"),
    },
    "coco-nms": {
        **{
            f"cspresnext50-panet-spp-512-nms{threshold}": RowModel("csresnext50-panet-spp")
            for threshold in ("0.45", "0.50", "0.55", "0.60", "0.65", "0.70")
        },
        **{
            f"cspresnext50-panet-spp-giou-512-nms{threshold}": RowModel("csresnext50-panet-spp-giou")
            for threshold in ("0.45", "0.50", "0.55", "0.60", "0.65", "0.70", "-aware")
        },
    },
    "coco-loss": {
        "cspresnext50-panet-spp-512-mse": RowModel("csresnext50-panet-spp"),
        "cspresnext50-panet-spp-512-giou": RowModel("csresnext50-panet-spp-giou"),
        "cspresnext50-panet-spp-512-diou": RowModel("csresnext50-panet-spp-iou", _LOSS),
        "cspresnext50-panet-spp-512-ciou": RowModel("csresnext50-panet-spp-iou", _LOSS),
    },
    "mmpretrain": {
        "cspdarknet50": RowModel("timm/cspdarknet53", "called cspdarknet50 there, and a CSPDarkNet-53"),
        "cspresnet50": RowModel("timm/cspresnet50"),
        "cspresnext50": RowModel("timm/cspresnext50"),
    },
    "timm": {"cspdarknet53": RowModel("timm/cspdarknet53", "counted on a 256x326 photo")},
}
"""The model of each published row by table and row id; rows without one have no definition yet."""


def row_model(table: str, row_id: str) -> RowModel:
    """The model behind a published row; `RowModel(None)` when there is none yet."""
    return ROWS.get(table, {}).get(row_id, RowModel(None))


def model(name: str) -> Model:
    """The model of that name; raises `UsageError` with the nearest names for another."""
    if name not in MODELS:
        near = difflib.get_close_matches(name.lower(), MODELS, n=3, cutoff=0.4)
        raise UsageError(
            f"unknown model {name!r}",
            remedy=f"Did you mean {', '.join(near)}?" if near else "`cspbench list` names every model",
        )
    return MODELS[name]


def matching(patterns: Iterable[str]) -> list[Model]:
    """The models whose names match any pattern (*, ?, [..]), in catalogue order; every pattern must match."""
    wanted: set[str] = set()
    for pattern in patterns:
        found = [name for name in MODELS if fnmatchcase(name, pattern)]
        wanted.update(found or [model(pattern).name])
    return [MODELS[name] for name in MODELS if name in wanted]
