"""The model behind each published row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RowModel:
    """The model behind a published row, None while nobody has defined it; `note` is what a reader must know."""

    model: str | None
    note: str | None = None


_RESNET50 = (
    "9.74 was copied from the original author's page, whose later cfg pools before the 1000-way convolution; the file "
    "linked here pools after it"
)
_QUOTED = "quoted from the HarDNet paper: all parameters, and twice its multiply-adds"
_ELASTIC = "all parameters, and twice what ELASTIC's own counter gives"
_SHORTCUTS = "added when Darknet had begun to count the additions of shortcuts"
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
        "cspresnext-50-plus-elastic": RowModel("csresnext50-plus-elastic", _SHORTCUTS),
        "hardnet-138s": RowModel("hardnet138s", _QUOTED),
        "densenet-264-32": RowModel("densenet264-32", "all parameters; batch norm and pooling counted too"),
        "resnet-152": RowModel("resnet152-v1", _QUOTED),
        "densenet-201-plus-elastic": RowModel("densenet201-plus-elastic", _ELASTIC),
        "cspdensenet-201-plus-elastic": RowModel("cspdensenet201-plus-elastic", _ELASTIC),
        "res2netlite-72": RowModel("res2netlite72"),
    },
    "imagenet-small": {
        **{
            row: RowModel(row)
            for row in (
                *("peleenet", "peleenet-swish", "peleenet-swish-se"),
                *("csppeleenet", "csppeleenet-swish", "csppeleenet-swish-se", "sparsepeleenet"),
                *("cspdensenet-ref", "csppeleenet-ref", "cspdensenetb-ref", "csppeleenetb-ref"),
            )
        },
        "efficientnet-b0": RowModel("enetb0"),
        "efficientnet-b0-official": RowModel("timm/efficientnet_b0"),
        "mobilenet-v2": RowModel("mobilenet-v2"),
        "cspmobilenet-v2": RowModel("csmobilenet-v2"),
        "darknet-ref": RowModel(
            "darknet", "0.96 is the original author's figure: convolutions only, rounded to two decimals at once"
        ),
        "resnet-10": RowModel("resnet10"),
        "cspresnet-10": RowModel("csresnet10"),
        "mixnet-m-gpu": RowModel("mixnet-m-gpu"),
    },
    "imagenet-activation": {
        "peleenet-lrelu": RowModel("peleenet"),
        "peleenet-swish": RowModel("peleenet-swish"),
        "peleenet-mish": RowModel("peleenet-mish"),
        "csppeleenet-lrelu": RowModel("csppeleenet"),
        "csppeleenet-swish": RowModel("csppeleenet-swish"),
        "csppeleenet-mish": RowModel("csppeleenet-mish"),
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
        "snet49-thundernet-320": RowModel("snet49-thundernet"),
        "ours-102fps": RowModel("cspdensenetb-ref-prn", "the paper calls it CSPDenseNetb Ref.-PRN"),
        "snet146-thundernet-320": RowModel("snet146-thundernet"),
        "ours-52fps": RowModel("csppeleenet-ref-prn-3l", "the paper calls it CSPPeleeNet Ref.-PRN(3l)"),
        "pelee-304": RowModel("pelee-304"),
        "refinedetlite-320": RowModel("refinedetlite"),
    },
    "coco-activation": {
        "csppeleenet-prn-416-leaky-relu": RowModel("csppeleenet-prn"),
        "csppeleenet-prn-416-swish": RowModel("csppeleenet-prn-swish"),
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
    "sample-classification": {"sample-csp-classifier": RowModel("sample-csp-classifier")},
    "sample-detection": {"sample-csp-detector": RowModel("sample-csp-detector")},
    "sample-nms": {
        f"sample-csp-detector-nms{threshold}": RowModel("sample-csp-detector")
        for threshold in ("0.45", "0.50", "0.55", "0.60", "0.65", "0.70")
    },
}
"""The model of each published row by table and row id; rows without one have no definition yet."""


def row_model(table: str, row_id: str) -> RowModel:
    """The model behind a published row; `RowModel(None)` when there is none yet."""
    return ROWS.get(table, {}).get(row_id, RowModel(None))
