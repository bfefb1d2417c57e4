"""The models with a published file, their close relatives, and those of timm's and mmpretrain's cards."""

from __future__ import annotations

from collections.abc import Callable

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
from cspbench.zoo.model import Model

_CSP = "WongKinYiu/CrossStagePartialNetworks"
_ALEXEY = "AlexeyAB/darknet"
_PRN = "WongKinYiu/PartialResidualNetworks"

_FILE = "Equal to the published file layer by layer: `cspbench params {name} --against {file}`."
_CARD = """\
Written after timm's models/cspnet.py. Learnable parameters are its card's, and its operations come out to the last one
under thop's rules (CSPDarkNet-53: 8,545,018,880 on a 256x326 photo) or mmcv's (mmpretrain's card)."""


def _cfg(build: Callable[[], Network], name: str, place: str = _CSP, namesakes: tuple[str, ...] = ()) -> Model:
    file = f"{name.removeprefix('icfg-')}.cfg"
    why = _FILE.format(name=name, file=file)
    return Model(name, build, "cfg", f"{file} of {place}", why=why, namesakes=namesakes)


def _icfg(build: Callable[[], Network], name: str) -> Model:
    return _cfg(build, name, f"{_CSP}, in progress/darknet/icfg")


CLASSIFIERS: tuple[Model, ...] = (
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
        "very high",
        "Whether the row was trained with that file or another one is not said.",
        "The row compares activations of one network, and the authors' own mish file of that network, "
        "csresnext50-omega.cfg, has these layers.",
    ),
    Model(
        "csresnext50-swish",
        lambda: resnet.csresnext50("swish", "csresnext50-swish"),
        "paper",
        "csresnext50.cfg with swish for leaky",
        "very high",
        "No file of it and no accuracy were published.",
        "The README names it only to say that swish does not suit ResNeXt (Mish paper); no row gives its accuracy.",
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
)

DETECTORS: tuple[Model, ...] = (
    _cfg(panet.csresnext50_panet_spp, "csresnext50-panet-spp"),
    _cfg(panet.csresnext50_panet_spp_giou, "csresnext50-panet-spp-giou"),
    Model(
        "csresnext50-panet-spp-iou",
        lambda: panet.csresnext50_panet_spp_giou().renamed("csresnext50-panet-spp-iou"),
        "reconstruction",
        "csresnext50-panet-spp-giou.cfg, since only the loss differs",
        "high",
        "Whether the other losses were trained with the same scale_x_y is assumed.",
        "The table varies the loss alone, and a loss has no layer; the file of its GIoU row is published.",
    ),
    _cfg(panet.csresnext50_panet_spp_original_optimal, "csresnext50-panet-spp-original-optimal"),
    Model(
        "csresnext50-panet-spp-giou-optimal",
        panet.csresnext50_panet_spp_giou_optimal,
        "reconstruction",
        "csresnext50-panet-spp-original-optimal.cfg, since only the loss differs",
        "high",
        "Whether the GIoU net had that file's anchors and scale_x_y is assumed.",
        "The authors' list of results has it beside the CIoU net of that file, both with the optimal recipe; a "
        "loss has no layer.",
    ),
    Model(
        "csresnext50-panet-spp-sam",
        panet.csresnext50_panet_spp_sam,
        "reconstruction",
        "csresnext50-panet-spp-original-optimal.cfg with a point-wise attention gate in each head",
        "high",
        "Where the gates stand is inferred from a sibling.",
        """\
The author calls its attention YOLOv4's modified SAM: a 1x1 with a logistic activation, multiplied with what it reads.
The gates stand on the last 3x3 of each head: the weight file of the sibling yolov4-sam-mish is larger than yolov4's by
1,383,424 numbers, which is exactly the sum of F^2 + 4F over the heads' widths F of 256, 512 and 1024.""",
    ),
    _cfg(panet.csdarknet53_panet_spp, "csdarknet53-panet-spp"),
    _cfg(panet.cd53paspp_gamma, "cd53paspp-gamma", _ALEXEY),
    _cfg(panet.csresnet50_panet_spp, "csresnet50-panet-spp"),
    _cfg(tiny.yolov3_tiny, "yolov3-tiny", _PRN),
    _cfg(prn.yolov3_tiny_prn, "yolov3-tiny-prn", _PRN),
    _cfg(prn.enet_coco, "enet-coco", _ALEXEY),
)

CARDS: tuple[Model, ...] = (
    Model(
        "timm/cspdarknet53",
        timm_cards.timm_cspdarknet53,
        "paper",
        "timm's cspdarknet53, the graph of csdarknet53.cfg with a leaky slope of 0.01",
        why=_CARD,
    ),
    Model("timm/cspresnet50", timm_cards.timm_cspresnet50, "paper", "timm's cspresnet50", why=_CARD),
    Model("timm/cspresnext50", timm_cards.timm_cspresnext50, "paper", "timm's cspresnext50", why=_CARD),
)
