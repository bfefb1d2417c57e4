"""What rows change: from their recipes, each variant once, and tables that change nothing."""

from __future__ import annotations

import pytest
from refusals import refuses

from cspbench.network.layers import Convolution
from cspbench.study.miniature import Mini
from cspbench.study.networks import (
    backbone_layers,
    mini_classifier,
    mini_detector,
    own_activation,
    widened,
    with_activation,
)
from cspbench.study.variants import RowVariant, Variant, expanded, row_variants, variants
from cspbench.training.modular.chosen import YoloxChosen
from cspbench.training.recipes.chosen import Chosen
from cspbench.zoo import registry


def rows(table: str) -> dict[str, RowVariant]:
    return {each.row.id: each for each in row_variants(table)}


def names(table: str) -> list[str]:
    return [each.name for each in variants(list(rows(table).values()))]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("imagenet-activation", ["base", "activation=swish", "activation=mish"]),
        (
            "imagenet-augmentation",
            ["base", "mixup=1", "cutmix=1", "mixup=1,cutmix=1,era=nov2019", "mosaic=1", "blur=1,era=nov2019"],
        ),
        ("imagenet-smoothing", ["base", "label_smooth_eps=0.1"]),
        (
            "coco-loss",
            [
                "base",
                "yolo.iou_loss=giou,yolo.iou_normalizer=0.5",
                "yolo.iou_loss=diou,yolo.iou_normalizer=0.5,era=nov2019",
                "yolo.iou_loss=ciou,yolo.iou_normalizer=0.5,era=nov2019",
            ],
        ),
        ("coco-nms", ["base"]),
        ("coco-activation", ["base", "activation=swish"]),
        ("yolox-roadmap", ["assignment=centre", "assignment=multi", "assignment=simota"]),
    ],
)
def test_variants_of_a_table(table: str, expected: list[str]) -> None:
    assert names(table) == expected


def test_rows_that_differ_only_in_network_share_a_variant() -> None:
    found = rows("imagenet-activation")
    swish = [found[f"{model}-swish"] for model in ("peleenet", "csppeleenet")]
    assert swish[0].variant == swish[1].variant == Variant("classifier", "swish")
    assert [each.base and each.base.id for each in swish] == ["peleenet-lrelu", "csppeleenet-lrelu"]


def test_base_rows_of_tables_of_one_kind_are_the_same_variant() -> None:
    bases = {rows(name)["cspresnext-50-normal"].variant for name in ("imagenet-augmentation", "imagenet-smoothing")}
    assert bases == {Variant("classifier"), rows("imagenet-activation")["peleenet-lrelu"].variant}
    detectors = {rows("coco-loss")["cspresnext50-panet-spp-512-mse"].variant}
    detectors |= {rows("coco-activation")["csppeleenet-prn-416-leaky-relu"].variant}
    assert detectors == {Variant("detector", era="oct2019")}


def test_thresholds_are_scored_against_the_first_of_the_same_network() -> None:
    found = rows("coco-nms")
    one, other = (found[f"cspresnext50-panet-spp{name}-512-nms0.60"] for name in ("", "-giou"))
    assert (one.nms, other.nms, one.variant) == ("0.60", "0.60", other.variant)
    assert one.base is not None
    assert other.base is not None
    assert (one.base.id, other.base.id) == (
        "cspresnext50-panet-spp-512-nms0.45",
        "cspresnext50-panet-spp-giou-512-nms0.45",
    )
    aware = found["cspresnext50-panet-spp-giou-512-nms-aware"]
    assert aware.variant is None
    assert aware.lack == "its suppression is not one of Darknet's thresholds"


def test_steps_of_the_roadmap_that_cannot_be_trained_say_why() -> None:
    found = rows("yolox-roadmap")
    assert found["yolov3-ultralytics"].lack == "no definition of its network"
    assert found["nms-free"].lack is not None
    assert (found["anchor-free"].base, found["simota"].base) == (None, found["multi-positives"].row)


def test_the_list_of_results_is_the_tables_that_differ() -> None:
    assert expanded(["results-imagenet", "imagenet-tricks-cspresnet-50"]) == [
        "imagenet-tricks-cspresnext-50",
        "imagenet-tricks-cspresnet-50",
        "imagenet-tricks-cspdarknet-53",
    ]


@pytest.mark.parametrize(
    ("name", "found"),
    [("imagenet-big", "rows that differ in their networks"), ("imagenet-tricks-spinenet-49", "one network")],
)
def test_tables_without_trainable_differences_are_refused_with_the_reason(name: str, found: str) -> None:
    with refuses("usage.nothing-to-study", where=name, found=found):
        expanded([name])


def test_an_unknown_table_is_refused() -> None:
    with refuses("usage.unknown-table", found="imagenet-activatoin", remedy="Did you mean imagenet-activation?"):
        expanded(["imagenet-activatoin"])


def test_a_detector_begins_with_the_layers_of_the_classifier() -> None:
    count = backbone_layers()
    one, other = mini_classifier(), mini_detector()
    assert one.layers[:count] == other.layers[:count]
    assert one.layers[count] != other.layers[count]
    assert max(*one.input, *other.input) <= 96


def test_another_activation_leaves_the_linear_layers() -> None:
    network = with_activation(mini_detector(), "mish")
    kinds = [layer.activation for layer in network.layers if isinstance(layer, Convolution)]
    before = [layer.activation for layer in mini_detector().layers if isinstance(layer, Convolution)]
    assert kinds == ["mish" if kind == "leaky" else kind for kind in before]
    assert own_activation(network) == "mish"


@pytest.mark.parametrize("name", ["csresnext50", "mobilenet-v2", "csresnext50-panet-spp"])
def test_width_is_a_factor_of_all_but_the_heads(name: str) -> None:
    network = registry.model(name).build()
    narrow = widened(network, 0.25)
    assert narrow.shape(0)[0] == max(8, network.shape(0)[0] // 32 * 8)
    assert narrow.shape(len(network.layers) - 1)[0] == network.shape(len(network.layers) - 1)[0]
    assert len(narrow.layers) == len(network.layers)
    assert widened(network, 1) is network


def test_a_variant_changes_its_settings_and_nothing_else() -> None:
    base, mixed = (Mini().chosen(Variant("classifier", settings=settings), 300, 1) for settings in ((), ("mixup=1",)))
    assert isinstance(base, Chosen)
    assert isinstance(mixed, Chosen)
    assert (base.recipe.net.mixup, mixed.recipe.net.mixup) == (0, 1)
    assert base.recipe.net.max_batches == 300
    assert base.recipe.layers == mixed.recipe.layers
    assert base.network == mixed.network


def test_a_yolox_keeps_the_shares_of_its_schedule() -> None:
    chosen = Mini(width=2, size=64).chosen(Variant("yolox", settings=("assignment=multi",), era="july2021"), 300, 160)
    assert isinstance(chosen, YoloxChosen)
    # 160 pictures are ten iterations of 16
    assert (chosen.recipe.epochs, chosen.recipe.warmup, chosen.recipe.closing) == (30, 0.5, 1.5)
    assert (chosen.recipe.assignment, chosen.network.input) == ("multi", (3, 64, 64))


def test_a_model_of_another_kind_is_refused() -> None:
    with refuses("usage.study-model"):
        Mini("csresnext50").network("detector")
    with refuses("usage.study-model"):
        Mini("csresnext50").network("yolox")
