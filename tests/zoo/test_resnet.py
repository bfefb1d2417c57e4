"""The ResNet family equals the published files layer by layer, and counts what the README and timm's cards print."""

from collections.abc import Callable

import pytest
from torch_arrays import assert_same_outputs

from cspbench.network.builder import Builder
from cspbench.network.module import to_module
from cspbench.network.network import Network, difference
from cspbench.zoo import resnet
from cspbench.zoo.registry import model
from cspbench.zoo.timm_import import import_timm

NAMES = """
    resnet10 resnet50 icfg-resnet50-leaky icfg-resnet50-relu icfg-resnet50-mish icfg-resnet50-swish resnet152
    resnext50 csresnet50 csresnet50-gamma csresnet50-omega csresnet50-elastic csresnext50 csresnext50-gamma
    csresnext50-omega csresnext50-elastic
""".split()


def stored(net: Network, *roles: str) -> int:
    """Values stored in arrays of these roles."""
    return sum(w.size for at in range(len(net.layers)) for w in net.weights(at) if w.role in roles)


def backbone(net: Network) -> range:
    """Indices of all layers but timm's last one, the linear classifier."""
    return range(len(net.layers) - 1)


def macs(net: Network) -> int:
    return sum(net.operations[at].conv for at in backbone(net))


@pytest.mark.parametrize("name", NAMES)
def test_equals_the_published_file(name: str, assert_published: Callable[[str, Network], None]) -> None:
    assert_published(name, model(name).build())


# Weights of convolutions in millions; two operations per multiply-add of convolutions, in billions.
@pytest.mark.parametrize(
    ("name", "weights", "bflops"),
    [
        ("resnet10", "5.2400", "2.27224"),
        ("resnet50", "22.7340", "9.99922"),
        ("icfg-resnet50-leaky", "22.7340", "9.74117"),
        ("resnext50", "22.1908", "10.11027"),
        ("csresnet50", "21.5667", "8.96737"),
        ("csresnet50-elastic", "29.7955", "9.36164"),
        ("csresnext50", "20.4991", "7.92923"),
        ("csresnext50-elastic", "16.8578", "5.44673"),
    ],
)
def test_totals_of_the_readme(name: str, weights: str, bflops: str) -> None:
    net = model(name).build()
    assert f"{stored(net, 'weight') / 1e6:.4f}" == weights
    assert f"{2 * sum(operation.conv for operation in net.operations) / 1e9:.5f}" == bflops


@pytest.mark.parametrize(
    ("trunk", "detector"),
    [
        (resnet.csresnet50_trunk, model("csresnet50-panet-spp").build),
        (resnet.csresnext50_trunk, model("csresnext50-panet-spp").build),
    ],
)
def test_trunk_begins_its_detector(
    trunk: Callable[[Builder], tuple[int, int, int]], detector: Callable[[], Network]
) -> None:
    theirs = detector()  # layer by layer the authors', as test_panet.py shows
    b = Builder(theirs.name, theirs.input)
    ends = trunk(b)
    mine = b.network()
    prefix = Network(theirs.name, theirs.input, theirs.layers[: len(b.layers)])
    assert difference(mine, prefix) is None
    assert [theirs.input[1] // mine.shape(end)[1] for end in ends] == [8, 16, 32]
    read = {source for layer in theirs.layers[len(b.layers) :] for source in layer.sources}
    assert {source for source in read if source < len(b.layers)} == set(ends)


@pytest.mark.parametrize(
    ("factory", "learnable", "conv", "mmcv", "card"),
    [
        (model("timm/cspresnet50").build, 21_616_168, "3.4577", "3.4835", (256, 326, 5_924_992_000)),
        (model("timm/cspresnext50").build, 20_569_896, "3.0724", "3.1082", (224, 285, 3_962_945_536)),
    ],
)
def test_totals_of_the_timm_graphs(
    factory: Callable[[], Network], learnable: int, conv: str, mmcv: str, card: tuple[int, int, int]
) -> None:
    net = factory()
    assert stored(net, "bias", "scale", "weight") == learnable

    square = net.resized(224, 224)
    assert f"{macs(square) / 1e9:.4f}" == conv
    layers = [square.operations[at] for at in backbone(square)]
    total = sum(op.conv + 2 * op.batch_norm + op.activation + op.pool_input + op.global_pool_input for op in layers)
    assert f"{total / 1e9:.4f}" == mmcv

    height, width, flops = card
    photo = net.resized(height, width)
    channels, rows, columns = photo.shape(len(photo.layers) - 3)
    activated = sum(photo.operations[at].activation for at in backbone(photo))
    assert macs(photo) + activated + channels * (rows * columns + 1) == flops


def test_resnet152_computes_what_torchvisions_does_with_its_stride_on_the_first_1x1() -> None:
    import_timm()  # which makes torchvision importable beside any torch
    from torchvision.models.resnet import resnet152

    theirs = resnet152(weights=None)
    for stage in (theirs.layer2, theirs.layer3, theirs.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    assert_same_outputs(to_module(model("resnet152-v1").build().resized(64, 64)), theirs, 64)


def test_plus_elastic_paths_see_all_channels_and_the_last_stage_is_whole() -> None:
    net = model("csresnext50-plus-elastic").build()
    pools = [at for at, layer in enumerate(net.layers) if layer.section == "local_avgpool"]
    assert [net.inputs(at)[0][0] for at in pools] == [128] * 6 + [256] * 8 + [512] * 5
    # each path gives half; with the identity's addition the block keeps its width
    enlarged = [at for at, layer in enumerate(net.layers) if layer.section == "upsample"]
    assert [net.shape(at)[0] for at in enlarged] == [64] * 6 + [128] * 8 + [256] * 5
    shortcuts = [net.shape(at) for at, layer in enumerate(net.layers) if layer.section == "shortcut"]
    assert shortcuts[-3:] == [(1024, 8, 8)] * 3
    assert len(shortcuts) == 6 + 8 + 5 + 3
