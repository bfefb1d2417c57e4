"""Counting rows: what is counted once, what an off cell is told, and the catalogue behind it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cspbench import counter as counter_module
from cspbench import params, tables
from cspbench.errors import CountingError, UsageError
from cspbench.network.builder import Builder
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, Count, count, ledger
from cspbench.network.network import Network, difference
from cspbench.report.verdicts import Word
from cspbench.zoo import catalogue


def detector(name: str, anchor: float) -> Network:
    b = Builder(name, (3, 32, 32))
    b.conv(8, 3, stride=2)
    b.conv(6 * 1, activation="linear", batch_normalize=False)
    b.yolo((0,), ((anchor, anchor),), classes=1)
    return b.network()


def test_networks_that_differ_in_boxes_only_are_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = []

    def spy(network: Network, known: object) -> Count:
        counted.append(network.name)
        return ledger(network)

    monkeypatch.setattr(counter_module, "count", spy)
    counter = counter_module.Counter()
    first = counter("a", lambda: detector("a", 10), None)
    second = counter("b", lambda: detector("b", 20), (32, 32))
    other = counter("b", lambda: detector("b", 20), (64, 64))
    assert counted == ["a", "b"]
    assert (second.network.name, second.operations) == ("b", first.operations)
    assert other.total("mac") == 4 * first.total("mac")


def test_a_broken_definition_is_off_and_unexplained() -> None:
    row = tables.load("imagenet-big").row("cspdarknet-53")
    model = catalogue.model("csdarknet53")

    def broken() -> Network:
        network = model.build()
        layers = list(network.layers)
        layers[1] = replace(layers[1], size=1, padding=0)  # type: ignore[call-arg]
        return replace(network, layers=tuple(layers))

    subject = params.Subject(row, "csdarknet53", "cfg", broken, None)
    (result,) = params.measure([subject], counter_module.Counter())
    # a 3x3 from 32 to 64 made 1x1 loses 8/9 of its 18432 weights: 27.59M
    assert result.cells["params"].measured == 27605856 - 16384
    assert [cell.verdict.word for cell in result.cells.values()] == [Word.OFF, Word.OFF]
    assert result.failed


def test_every_model_builds_under_its_name_and_counts_alike_twice() -> None:
    for name in ("darknet", "csmobilenet-v2", "yolov3-tiny-prn", "timm/cspresnext50"):
        network = catalogue.model(name).build()
        assert network.name == name
        assert count(network).operations == network.operations


def test_every_catalogue_entry_and_row_fits() -> None:
    for name, model in catalogue.MODELS.items():
        assert model.build().name == name
        assert set(model.namesakes) <= set(catalogue.MODELS)
    for table in tables.load_all():
        rows = {row.id for row in table.rows}
        assert set(catalogue.ROWS.get(table.name, {})) <= rows
    named = {entry.model for rows in catalogue.ROWS.values() for entry in rows.values()}
    assert named <= set(catalogue.MODELS)


def test_every_claimed_counting_of_a_defined_row_exists() -> None:
    for subject in params.published(tables.load_all()):
        if subject.build is None or subject.row is None:
            continue
        for metric, known in (("params", PARAMETER_COUNTINGS), ("bflops", COUNTINGS)):
            if metric in subject.row.cells:
                assert subject.row.cells[metric].counting in known


def test_patterns_keep_catalogue_order_and_must_match() -> None:
    assert [model.name for model in catalogue.matching(["resnext50", "darknet5*"])] == ["darknet53", "resnext50"]
    with pytest.raises(UsageError, match="unknown model 'zzz\\*'"):
        catalogue.matching(["zzz*"])


def test_gamma_is_the_base_network_and_omega_its_mish() -> None:
    for base in ("csdarknet53", "csresnet50", "csresnext50"):
        built = {name: catalogue.model(name).build() for name in (base, f"{base}-gamma", f"{base}-omega")}
        assert difference(built[base], built[f"{base}-gamma"]) is None
        found = difference(built[base], built[f"{base}-omega"])
        assert found == f"layer 0 [convolutional] activation: {base} has leaky, {base}-omega has mish"


def test_counting_in_several_processes_gives_the_same() -> None:
    names = ["darknet", "resnet10", "mobilenet-v2", "csmobilenet-v2", "yolov3-tiny", "enetb0"]
    wanted: list[counter_module.Wanted] = [
        (name, catalogue.MODELS[name].build, (64 * size, 64 * size)) for name in names for size in (1, 2, 3)
    ]
    heard: list[str] = []
    ahead, alone = counter_module.Counter(), counter_module.Counter()
    ahead.ahead(wanted, heard.append)
    for each in wanted:
        assert ahead(*each).operations == alone(*each).operations
        assert ahead(*each).parameters == alone(*each).parameters
    assert len(heard) in (0, len(wanted))  # none where there is one processor, or no fork


def test_a_disagreement_in_another_process_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(network: Network, known: object) -> Count:
        raise CountingError("the analytic ledger and fvcore disagree", where=network.name, expected="1", found="2")

    monkeypatch.setattr(counter_module, "count", wrong)
    wanted: list[counter_module.Wanted] = [
        ("darknet", catalogue.MODELS["darknet"].build, (32 * size, 32 * size)) for size in range(1, 20)
    ]
    counter = counter_module.Counter()

    def everything() -> None:
        counter.ahead(wanted, lambda name: None)
        counter(*wanted[0])  # where there is one processor, or no fork

    with pytest.raises(CountingError, match=r"darknet: .*disagree \(expected 1, found 2\)"):
        everything()
