"""CSPResNet-10: its stages, and its weights by hand."""

from __future__ import annotations

from cspbench.zoo.registry import model


def test_weights_by_hand() -> None:
    expected = 3 * 64 * 49
    for read, part in ((64, 64), (128, 64), (128, 128), (256, 256)):
        expected += read * part  # part 1
        expected += 9 * read * part + 9 * part * part + part * part  # part 2
        expected += (2 * part) ** 2
    expected += 512 * 1000
    network = model("csresnet10").build()
    arrays = [array for index in range(len(network.layers)) for array in network.weights(index)]
    assert sum(array.size for array in arrays if array.role == "weight") == expected == 2_725_056


def test_part_1_halves_the_map_behind_its_1x1() -> None:
    network = model("csresnet10").build()
    pools = [at for at, layer in enumerate(network.layers) if layer.section == "maxpool"][1:]
    assert [network.inputs(at) for at in pools] == [[(64, 64, 64)], [(128, 32, 32)], [(256, 16, 16)]]


def test_stage_widths() -> None:
    network = model("csresnet10").build()
    joined = [at for at, layer in enumerate(network.layers) if len(layer.sources) == 2 and layer.section == "route"]
    assert [network.shape(at) for at in joined] == [(128, 64, 64), (128, 32, 32), (256, 16, 16), (512, 8, 8)]


def test_the_strided_shortcuts_read_the_stage_s_input() -> None:
    network = model("csresnet10").build()
    shortcuts = [at for at, layer in enumerate(network.layers) if layer.section == "shortcut"]
    assert [network.inputs(at)[1] for at in shortcuts] == [(64, 64, 64), (128, 64, 64), (128, 32, 32), (256, 16, 16)]
