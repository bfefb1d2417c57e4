"""Counting rows: what is counted once, what an off cell is told, and the catalogue behind it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from cspbench.evaluation.counts_json import as_json

from cspbench.claims import tables
from cspbench.claims.verdict import Reason, Word, verdict
from cspbench.errors import CountingError, UsageError
from cspbench.evaluation import counts
from cspbench.evaluation.counts import METRICS
from cspbench.network import counter as counter_module
from cspbench.network.builder import Builder
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, Count, count, ledger
from cspbench.network.network import Network, difference
from cspbench.report.counts_table import cells, quantity, summary
from cspbench.zoo import registry
from cspbench.zoo.model import Model


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
    model = registry.model("csdarknet53")

    def broken() -> Network:
        network = model.build()
        layers = list(network.layers)
        layers[1] = replace(layers[1], size=1, padding=0)  # type: ignore[call-arg]
        return replace(network, layers=tuple(layers))

    subject = counts.Subject(row, "csdarknet53", "cfg", broken, None)
    (result,) = counts.measure([subject], counter_module.Counter())
    # a 3x3 from 32 to 64 made 1x1 loses 8/9 of its 18432 weights: 27.59M
    assert result.cells["params"].measured == 27605856 - 16384
    assert [cell.verdict.word for cell in result.cells.values()] == [Word.OFF, Word.OFF]
    assert result.failed


def counted(name: str, table: str, overrides: dict[str, str] | None = None) -> counts.RowCount:
    """The one row of a table that claims something of a model's counts."""
    subjects = counts.of_models([registry.model(name)], [tables.load(table)], None)
    (result,) = counts.measure(subjects, counter_module.Counter(), overrides)
    return result


def test_a_file_is_counted_itself_whatever_its_name() -> None:
    b = Builder("csdarknet53", (3, 8, 8))
    b.conv(4, 1)
    mine = Model("csdarknet53", b.network, "file", "csdarknet53.cfg")
    (subject,) = counts.of_models([mine], tables.load_all(), None)
    (result,) = counts.measure([subject], counter_module.Counter())
    assert (subject.row, subject.definition, result.size) == (None, "file", (8, 8))
    assert (result.cells["params"].measured, result.cells["params"].verdict.word) == (12, Word.UNPUBLISHED)


def test_a_doubled_claim_is_measured_in_its_own_terms() -> None:
    result = counted("hardnet138s", "imagenet-big")
    cell = as_json(result)["bflops"]
    assert (cell["count"], cell["counting"], cell["measured"]) == (6_673_617_098, "mac", 13.347234)
    texts = cells(as_json(result))
    assert texts[6:10] == ["13.4", "13.34723", "exact", "learnable, 2 × mac"]


def test_delta_and_percent_of_a_doubled_claim_are_on_one_scale() -> None:
    result = counted("hardnet138s", "imagenet-big")
    cell = result.cells["bflops"]
    claim = replace(cell.cell, value=Decimal("13.0"))
    off = replace(
        result, cells={**result.cells, "bflops": replace(cell, cell=claim, verdict=verdict(claim, 6_673_617_098))}
    )
    found = as_json(off)["bflops"]
    assert (found["delta"], found["percent"]) == (0.4, 2.7)  # 13.4 and 13.347 against 13.0


def test_another_counting_is_no_verdict_on_the_claim() -> None:
    result = counted("hardnet138s", "imagenet-big", {"bflops": "conv"})
    cell = result.cells["bflops"]
    assert (cell.verdict.word, cell.verdict.reason, cell.verdict.delta) == (Word.UNMEASURED, Reason.OTHER_WAY, None)
    # not doubled once more; under its own counting the claim is the double
    assert (as_json(result)["bflops"]["measured"], cell.explanations[0][:15]) == (13.347234, "exact under con")
    assert "mac" in cell.explanations[0]
    assert not result.failed
    own = counted("hardnet138s", "imagenet-big", {"bflops": "mac"})
    assert own.cells["bflops"].verdict.word == Word.EXACT


def test_a_stand_in_counted_another_way_is_neither_fitted_nor_off() -> None:
    result = counted("cspdensenetb-ref", "imagenet-small", {"bflops": "conv"})
    assert result.cells["bflops"].verdict.reason == Reason.OTHER_WAY
    assert result.cells["bflops"].explanations == ()


def test_the_row_that_a_row_is_compared_with_is_counted_as_well() -> None:
    result = as_json(counted("csdarknet53", "imagenet-big"))
    assert [
        (result[metric]["comparison"]["measured"], result[metric]["comparison"]["verdict"]) for metric in METRICS
    ] == [
        ("(-34%)", "exact"),
        ("(-30%)", "exact"),
    ]
    other = as_json(counted("csdarknet53", "imagenet-big", {"bflops": "mac"}))
    assert other["bflops"]["comparison"]["verdict"] == "unmeasured"


def test_small_counts_are_printed_whole() -> None:
    assert [quantity(count, "M") for count in (99_999, 100_000)] == ["99999", "0.1000M"]
    assert [quantity(count, "G", "flops") for count in (999_999, 10**6)] == ["999999 flops", "0.00100"]
    assert quantity(8545018880, "1") == "8545018880"
    row = {"params": {"verdict": "exact"}, "bflops": {"verdict": "off"}}
    assert summary([row]) == "1 row, 2 cells: 1 exact, 1 off."


def test_every_model_builds_under_its_name_and_counts_alike_twice() -> None:
    for name in ("darknet", "csmobilenet-v2", "yolov3-tiny-prn", "timm/cspresnext50"):
        network = registry.model(name).build()
        assert network.name == name
        assert count(network).operations == network.operations


def test_every_catalogue_entry_and_row_fits() -> None:
    for name, model in registry.MODELS.items():
        assert model.build().name == name
        assert set(model.namesakes) <= set(registry.MODELS)
    named = {row.model for table in tables.load_all() for row in table.rows if row.model}
    assert named <= set(registry.MODELS)


def test_every_claimed_counting_of_a_defined_row_exists() -> None:
    for subject in counts.published(tables.load_all()):
        if subject.build is None or subject.row is None:
            continue
        for metric, known in (("params", PARAMETER_COUNTINGS), ("bflops", COUNTINGS)):
            if metric in subject.row.cells:
                assert subject.row.cells[metric].counting in known


def test_patterns_keep_catalogue_order_and_must_match() -> None:
    assert [model.name for model in registry.matching(["resnext50", "darknet5*"])] == ["darknet53", "resnext50"]
    with pytest.raises(UsageError, match=r"no model matches 'zzz\*'\. `cspbench list --models`"):
        registry.matching(["zzz*"])


def test_gamma_is_the_base_network_and_omega_its_mish() -> None:
    for base in ("csdarknet53", "csresnet50", "csresnext50"):
        built = {name: registry.model(name).build() for name in (base, f"{base}-gamma", f"{base}-omega")}
        assert difference(built[base], built[f"{base}-gamma"]) is None
        found = difference(built[base], built[f"{base}-omega"])
        assert found == f"layer 0 [convolutional] activation: {base} has leaky, {base}-omega has mish"


def test_counting_in_several_processes_gives_the_same() -> None:
    names = ["darknet", "resnet10", "mobilenet-v2", "csmobilenet-v2", "yolov3-tiny", "enetb0"]
    wanted: list[counter_module.Request] = [
        (name, registry.MODELS[name].build, (64 * size, 64 * size)) for name in names for size in (1, 2, 3)
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
        raise CountingError(
            "count.disagree", "the analytic ledger and fvcore disagree", where=network.name, expected="1", found="2"
        )

    monkeypatch.setattr(counter_module, "count", wrong)
    wanted: list[counter_module.Request] = [
        ("darknet", registry.MODELS["darknet"].build, (32 * size, 32 * size)) for size in range(1, 20)
    ]
    counter = counter_module.Counter()

    def everything() -> None:
        counter.ahead(wanted, lambda name: None)
        counter(*wanted[0])  # where there is one processor, or no fork

    with pytest.raises(CountingError, match=r"darknet: .*disagree \(expected 1, found 2\)"):
        everything()
