"""Counting rows: what is counted once, what an off cell is told, and the catalogue behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from msgspec import structs
from refusals import refuses

from cspbench.ci import recorded_counts
from cspbench.claims import tables
from cspbench.claims.metrics import COUNTED
from cspbench.evaluation import counts
from cspbench.network import counter as counter_module
from cspbench.network.builder import Builder
from cspbench.network.counting import COUNTINGS, PARAMETER_COUNTINGS, Count, count, ledger
from cspbench.network.layers import Convolution, Dropout, Shape
from cspbench.network.network import Network, difference, digest
from cspbench.network.operations import Operations
from cspbench.report.judged_counts import CountsRow, judged
from cspbench.report.tables.counts import as_json, quantity, summary, texts
from cspbench.results import explain_counts
from cspbench.results.counts import Counts
from cspbench.results.schema import Session
from cspbench.results.store import StoredCounts
from cspbench.zoo import registry
from cspbench.zoo.model import Model

SESSION = Session(["cspbench", "params"], "0.1.0")


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


def test_a_broken_definition_is_off_and_unexplained(monkeypatch: pytest.MonkeyPatch) -> None:
    row = tables.load("imagenet-big").row("cspdarknet-53")
    model = registry.model("csdarknet53")

    def broken() -> Network:
        network = model.build()
        layers = list(network.layers)
        layers[1] = replace(layers[1], size=1, padding=0)  # type: ignore[call-arg]
        return replace(network, layers=tuple(layers))

    subject = counts.Countable(row, replace(model, architecture=broken), None)
    (result,) = of_subjects([subject])
    # a 3x3 from 32 to 64 made 1x1 loses 8/9 of its 18432 weights: 27.59M
    assert result.counted.params.count == 27605856 - 16384
    # nothing is claimed of another network than the catalogue's
    assert {cell.note for cell in result.report.cells.values()} == {"the network has changed since"}
    # and in the catalogue it is off
    monkeypatch.setitem(registry.MODELS, "csdarknet53", replace(model, architecture=broken))
    monkeypatch.setattr(explain_counts, "_ledger", explain_counts._ledger.__wrapped__)
    (result,) = of_subjects([subject])
    assert [cell.mark for cell in result.report.cells.values()] == ["off", "off"]
    assert result.failed


def of_subjects(subjects: list[counts.Countable], overrides: dict[str, str] | None = None) -> list[CountsRow]:
    """The subjects counted and judged, without the rows that they are only compared with."""
    every = counts.with_bases(subjects)
    return judged(counts.count_rows(every, counter_module.Counter(), overrides), SESSION)[: len(subjects)]


def counted(name: str, table: str, overrides: dict[str, str] | None = None) -> CountsRow:
    """The one row of a table that claims something of a model's counts."""
    (result,) = of_subjects(counts.of_models([registry.model(name)], [tables.load(table)], None), overrides)
    return result


@pytest.mark.parametrize("name", ["csdarknet53", "csppeleenet"])
def test_a_file_is_counted_itself_whatever_its_name(name: str) -> None:
    b = Builder(name, (3, 8, 8))
    b.conv(4, 1)
    mine = Model(name, b.network, "file", f"{name}.cfg")
    (subject,) = counts.of_models([mine], tables.load_all(), None)
    (result,) = of_subjects([subject])
    assert (subject.row, result.counted.definition, result.counted.size) == (None, "file", (8, 8))
    assert (result.counted.table, result.counted.id, result.counted.params.namesakes) == (None, None, {})
    assert (result.counted.params.count, result.report.cells["params"].mark) == (12, "unpublished")
    # neither the remarks on the catalogue's model nor its layers and its confidence are about the file
    shown = as_json(result)
    assert (shown["definition"], shown["confidence"], shown["unknown"], shown["note"]) == ("file", None, None, None)
    assert not recorded_counts.then([StoredCounts("params.json", Counts(session=SESSION, rows=[result.counted]))])


def test_a_row_says_what_was_counted() -> None:
    row = counted("darknet53", "imagenet-big").counted
    assert (row.table, row.id, row.row, row.model) == ("imagenet-big", "darknet-53", "DarkNet-53", "darknet53")
    assert (row.size, row.definition) == ((256, 256), "cfg")
    assert row.network == digest(registry.model("darknet53").build())
    assert (row.params.counting, row.params.count, row.params.printed) == ("weights", 41_573_216, "41.57M")
    assert (row.params.unit, row.params.rounding) == ("M", "printed")


def test_a_doubled_claim_is_measured_in_its_own_terms() -> None:
    result = counted("hardnet138s", "imagenet-big")
    cell = as_json(result)["bflops"]
    assert (cell["count"], cell["counting"], cell["measured"]) == (6_673_617_098, "mac", 13.347234)
    assert texts(result)[6:10] == ["13.4", "13.34723", "exact", "learnable, 2 × mac"]


def test_delta_and_percent_of_a_doubled_claim_are_on_one_scale() -> None:
    result = counted("hardnet138s", "imagenet-big")
    cell = result.report.cells["bflops"]
    off = replace(cell, claim="13.0", verdict="off", delta="+0.4")
    report = replace(result.report, cells={**result.report.cells, "bflops": off})
    found = as_json(replace(result, report=report))["bflops"]
    assert (found["delta"], found["percent"]) == (0.4, 2.7)  # 13.4 and 13.347 against 13.0


def test_another_counting_is_not_a_verdict_on_the_claim() -> None:
    result = counted("hardnet138s", "imagenet-big", {"bflops": "conv"})
    cell = result.report.cells["bflops"]
    assert (cell.mark, cell.delta) == ("unmeasured: protocol-mismatch", None)
    # not doubled once more; under its own counting the claim is the double
    assert as_json(result)["bflops"]["measured"] == 13.347234
    assert cell.note is not None
    assert cell.note.startswith("counted as conv; exact under ")
    assert "mac" in cell.note
    assert not result.failed
    assert not result.off
    own = counted("hardnet138s", "imagenet-big", {"bflops": "mac"})
    assert own.report.cells["bflops"].mark == "exact"


def test_what_is_off_fails_unless_it_is_explained() -> None:
    rows = counts.count_rows(counts.of_models([registry.model("darknet53")], [tables.load("imagenet-big")], None))
    one_less = structs.replace(rows[0], params=structs.replace(rows[0].params, count=41_564_999))
    (result,) = judged([one_less], SESSION)
    assert (result.report.cells["params"].mark, result.off, result.failed) == ("off", True, True)
    resnet = counted("resnet50", "imagenet-big")
    assert (resnet.report.cells["bflops"].mark, resnet.off, resnet.failed) == ("off, explained", True, False)
    assert "icfg-resnet50-leaky" in resnet.counted.bflops.namesakes


def test_a_stand_in_counted_another_way_is_neither_fitted_nor_off() -> None:
    cell = counted("cspdensenetb-ref", "imagenet-small", {"bflops": "conv"}).report.cells["bflops"]
    assert (cell.mark, cell.note) == ("unmeasured: protocol-mismatch", "counted as conv")


def test_the_row_that_a_row_is_compared_with_is_counted_as_well() -> None:
    result = as_json(counted("csdarknet53", "imagenet-big"))
    assert [
        (result[metric]["comparison"]["measured"], result[metric]["comparison"]["verdict"]) for metric in COUNTED
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


def test_the_closing_line_counts_every_mark() -> None:
    rows = [counted("darknet53", "imagenet-big"), counted("resnet50", "imagenet-big")]
    assert summary(rows[:1]) == "1 row, 2 cells: 2 exact."
    assert summary(rows) == "2 rows, 4 cells: 3 exact, 1 off, explained."


def test_every_model_builds_under_its_name_and_counts_alike_twice() -> None:
    for name in ("darknet", "csmobilenet-v2", "yolov3-tiny-prn", "timm/cspresnext50"):
        network = registry.model(name).build()
        assert network.name == name
        assert count(network).operations == network.operations


def test_every_catalogue_entry_and_row_fits() -> None:
    for name, model in registry.MODELS.items():
        assert model.architecture().name == name
        assert set(model.namesakes) <= set(registry.MODELS)
    named = {row.model for table in tables.load_all() for row in table.rows if row.model}
    assert named <= set(registry.MODELS)


def test_every_claimed_counting_of_a_defined_row_exists() -> None:
    for subject in counts.published(tables.load_all()):
        if subject.model is None or subject.row is None:
            continue
        for metric, known in (("params", PARAMETER_COUNTINGS), ("bflops", COUNTINGS)):
            if metric in subject.row.cells:
                assert subject.row.cells[metric].counting in known


def test_patterns_keep_catalogue_order_and_must_match() -> None:
    assert [model.name for model in registry.matching(["resnext50", "darknet5*"])] == ["darknet53", "resnext50"]
    with refuses("usage.unknown-model"):
        registry.matching(["zzz*"])


def test_gamma_is_the_base_network_and_omega_its_mish() -> None:
    for base in ("csdarknet53", "csresnet50", "csresnext50"):
        built = {name: registry.model(name).build() for name in (base, f"{base}-gamma", f"{base}-omega")}
        assert difference(built[base], built[f"{base}-gamma"]) is None
        result = difference(built[base], built[f"{base}-omega"])
        assert result == f"layer 0 [convolutional] activation: {base} has leaky, {base}-omega has mish"


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
    assert len({ahead(*each).total("conv") for each in wanted[:3]}) == 3  # a network at three sizes
    assert len(heard) in (0, len(wanted))  # none where there is one processor


def test_many_names_of_one_network_are_not_counted_in_other_processes() -> None:
    network = Network("one", (3, 4, 4), (Convolution(sources=(-1,), filters=2, batch_normalize=False),))
    counted: list[str] = []
    counter_module.Counter().ahead([(f"name {at}", lambda: network, None) for at in range(32)], counted.append)
    assert counted == []


class Pool:
    """What stands for processes: notes what is asked of it."""

    events: ClassVar[list[str]] = []

    def __init__(self, processes: int, *_: object) -> None:
        self.events.append(f"{processes} processes")

    def submit(self, *_: object) -> None:
        self.events.append("task")

    def shutdown(self, **_: object) -> None:
        self.events.append("end")


def test_processes_begin_where_they_are_worth_it_and_end_with_their_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counter_module, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(Pool, "events", [])
    counter = counter_module.Counter()
    counter.begin(15)
    assert Pool.events == []
    counter.begin(16)
    assert Pool.events == ["2 processes", "task", "task"]
    counter.ahead([("darknet", registry.MODELS["darknet"].build, None)], print)
    assert Pool.events[3:] == ["end"]
    counter.ahead([("darknet", registry.MODELS["darknet"].build, None)], print)
    assert len(Pool.events) == 4


def test_networks_that_differ_in_the_inputs_channels_are_counted_apart() -> None:
    counter = counter_module.Counter()
    layers = (Convolution(sources=(-1,), filters=2, batch_normalize=False),)
    for channels in (1, 3):
        network = Network(f"of {channels}", (channels, 4, 4), layers)
        assert counter(network.name, lambda network=network: network, None).total("weights") == 2 * channels  # type: ignore[misc]


@dataclass(frozen=True, kw_only=True)
class Lying(Dropout):
    """A layer whose formula is wrong."""

    def operations(self, inputs: Sequence[Shape], output: Shape) -> Operations:
        return Operations(conv=1)


def test_a_disagreement_in_another_process_is_told() -> None:
    network = Network("lying", (3, 32, 32), (Lying(sources=(-1,)),))
    wanted: list[counter_module.Request] = [("lying", lambda: network, (32 * size, 32)) for size in range(1, 20)]
    counter = counter_module.Counter()

    def everything() -> None:
        counter.ahead(wanted, lambda name: None)
        counter(*wanted[0])  # where there is one processor

    with refuses("count.disagree", where="lying, layer 0 [dropout], conv", found="0 by fvcore"):
        everything()


def test_a_base_row_that_no_count_is_compared_with_is_not_needed() -> None:
    # NanoDet, whose AP only YOLOX-Nano's is compared with, has no counts of ours
    result = counted("yolox-nano-legacy", "yolox-tiny-detectors")
    assert [cell.verdict for cell in result.report.cells.values()] == ["exact", "exact"]
