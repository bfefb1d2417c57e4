"""What counts for a cell, what is only listed, and the verdicts that follow: from result files written by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from result_files import classifier, counted, counts, detector

from cspbench.errors import CspbenchError
from cspbench.network.network import digest
from cspbench.report import model as cells
from cspbench.report import text
from cspbench.report.build import gather, gather_files
from cspbench.report.model import Line, ReportedCell
from cspbench.results.store import keep
from cspbench.zoo.catalogue import model


def line(lines: list[Line], table: str, row: str) -> Line:
    return next(each for each in lines if (each.table, each.row) == (table, row))


def cell(files: dict[str, bytes], table: str, row: str, metric: str) -> ReportedCell:
    return line(gather_files(files, "results"), table, row).cells[metric]


def top1(**evaluations: bytes) -> ReportedCell:
    """CSPDarkNet-53's published 77.2 with these evaluations."""
    files = {f"evaluations/{name}.json": data for name, data in evaluations.items()}
    return cell(files, "imagenet-big", "cspdarknet-53", "top1")


def ap(table: str, row: str, **evaluations: bytes) -> ReportedCell:
    return cell({f"evaluations/{name}.json": data for name, data in evaluations.items()}, table, row, "ap")


def test_nothing_measured_says_why() -> None:
    lines = gather_files({}, "results")
    assert len([each for each in lines if not each.table.startswith("sample-")]) == 92
    big = line(lines, "imagenet-big", "darknet-53").cells
    assert {metric: each.mark for metric, each in big.items()} == {
        "params": "unmeasured: not-run",
        "bflops": "unmeasured: not-run",
        "top1": "unmeasured: no-weights",
        "top5": "unmeasured: no-weights",
    }
    assert line(lines, "coco-gpu", _first(lines, "coco-gpu")).cells["fps"].mark == "unmeasured: hardware"


def _first(lines: list[Line], table: str) -> str:
    return next(each.row for each in lines if each.table == table)


def test_every_row_has_a_name_of_its_own_in_its_table() -> None:
    names = [(each.table, each.name) for each in gather_files({}, "results")]
    assert ("coco-cpu", "Ours (csppeleenet-ref-prn-3l) 320×320") in names
    assert len({*names}) == len(names)


def test_counts_are_held_against_the_claim_and_the_base() -> None:
    # 41.57M and 27.61M (-34%): 27,605,920 / 41,573,216 = 0.66403, a third less
    files = {
        "params.json": counts(
            counted("imagenet-big", "darknet-53", "darknet53", params=(41_573_216, "weights")),
            counted("imagenet-big", "cspdarknet-53", "csdarknet53", params=(27_605_920, "weights")),
        )
    }
    found = cell(files, "imagenet-big", "cspdarknet-53", "params")
    assert (found.claim, found.measured, found.exact, found.delta) == ("27.61", "27.61", "27605920", "+0.00")
    assert found.mark == "exact"
    assert found.comparison == cells.Compared("(-34%)", "(-34%)", "DarkNet-53")
    assert found.comparison.verdict == "exact"
    assert found.made is not None
    assert (found.made.command, found.made.counting, found.made.definition) == ("cspbench by hand", "weights", "cfg")


def test_counts_under_another_rule_do_not_pass_for_the_claims() -> None:
    files = {
        "params.json": counts(counted("imagenet-big", "darknet-53", "darknet53", params=(41_645_640, "learnable")))
    }
    found = cell(files, "imagenet-big", "darknet-53", "params")
    assert (found.mark, found.measured, found.delta) == ("unmeasured: other-way", "41.65", None)
    assert found.note == "counted as learnable"


def test_a_count_under_another_rule_is_not_doubled_as_the_claim_is() -> None:
    line = counted("imagenet-big", "hardnet-138s", "hardnet138s", bflops=(13_347_234_196, "conv"))
    found = cell({"params.json": counts(line)}, "imagenet-big", "hardnet-138s", "bflops")
    assert (found.mark, found.measured) == ("unmeasured: other-way", "13.3")


@pytest.mark.parametrize(("same", "mark"), [(True, "exact"), (False, "unmeasured: other-way")])
def test_counts_of_a_network_that_has_changed_since_are_held_against_nothing(same: bool, mark: str) -> None:
    line = counted("imagenet-big", "darknet-53", "darknet53", params=(41_573_216, "weights"))
    network = digest(model("darknet53").build()) if same else "e" * 64
    files = {"params.json": counts({**line, "size": [256, 256], "network": network})}
    found = cell(files, "imagenet-big", "darknet-53", "params")
    assert (found.mark, found.note) == (mark, None if same else "the network has changed since")


def test_a_rows_remark_is_not_taken_for_the_cause_of_a_miss() -> None:
    line_of = counted("imagenet-big", "resnet-50", "resnet50", bflops=(9, "conv+maxpool"))
    found = line(gather_files({"params.json": counts(line_of)}, "results"), "imagenet-big", "resnet-50")
    assert (found.cells["bflops"].mark, found.cells["bflops"].note) == ("off", None)
    said = text.notes(found)
    assert said[0] == "BFLOPs off: no cause is known"
    assert said[1].startswith("9.74 was copied from the original author's page")


def test_the_data_of_a_partial_number_are_its_part() -> None:
    def data(found: ReportedCell) -> str | None:
        return found.made.data if found.made else None

    whole = {"kind": "folders", "images": 50_000, "sha256": "b" * 64}
    part = top1(run=classifier(top1=30, images=50, data={**whole, "limit": 50}))
    assert str(data(part)).startswith("folders, 50 of 50000 images, ")
    assert str(data(top1(run=classifier()))).startswith("folders, 50000 images, ")
    drawn = {"evaluations/run.json": classifier("sample-csp-classifier", 230, images=240)}
    assert str(data(cell(drawn, "sample-classification", "sample-csp-classifier", "top1"))).startswith(
        "the drawn sample, 240 images"
    )


@pytest.mark.parametrize(
    ("correct", "mark", "measured", "delta"),
    [
        (38_600, "exact", "77.2", "+0.0"),  # 77.200
        (38_725, "within", "77.5", "+0.3"),  # 77.450 rounds up; Wilson's interval 77.08 to 77.81 holds 77.2
        (38_500, "within", "77.0", "-0.2"),
        (38_000, "off", "76.0", "-1.2"),
    ],
)
def test_accuracies(correct: int, mark: str, measured: str, delta: str) -> None:
    found = top1(run=classifier(top1=correct))
    assert (found.mark, found.measured, found.delta) == (mark, measured, delta)


def test_the_newest_complete_run_counts_and_the_others_are_listed() -> None:
    found = top1(
        old=classifier(top1=38_000, when="2025-01-01T00:00:00Z"),
        new=classifier(top1=38_600, when="2026-01-01T00:00:00Z"),
        newest=classifier(top1=1, when="2027-01-01T00:00:00Z", images=100, data={"images": 100, "limit": 100}),
        unfinished=classifier(when="2028-01-01T00:00:00Z", finished=False),
        half=classifier(when="2024-01-01T00:00:00Z", precision="bf16"),
    )
    assert found.made is not None
    assert (found.made.run, found.mark) == ("new", "exact")
    assert [(each.made.run, each.measured, each.why) for each in found.others] == [
        ("old", "76.0", "a newer one counts"),
        ("half", "77.2", "bf16 arithmetic"),
        ("newest", "1.0", "a part of the data only"),
        ("unfinished", None, "incomplete: the run can be resumed"),
    ]


def test_a_part_of_the_data_is_never_a_verdict() -> None:
    found = top1(run=classifier(top1=77, images=100, data={"images": 100, "limit": 100}))
    assert (found.mark, found.partial, found.measured, found.delta) == ("unmeasured: partial", True, "77.0", None)
    found = top1(run=classifier(finished=False))
    assert (found.mark, found.partial, found.measured) == ("unmeasured: partial", True, None)


def test_another_data_set_is_another_split() -> None:
    assert top1(run=classifier(images=200, top1=150)).mark == "unmeasured: other-split"
    found = ap("coco-nms", "cspresnext50-panet-spp-512-nms0.45", run=detector(split="val2017"))
    assert (found.mark, found.measured, found.delta) == ("unmeasured: other-split", "38.0", None)


def test_ap_belongs_to_its_threshold_and_preset() -> None:
    row = "cspresnext50-panet-spp-512-nms0.45"
    assert ap("coco-nms", row, run=detector()).mark == "exact"
    assert ap("coco-nms", row, run=detector(nms=0.6)).mark == "unmeasured: no-weights"
    assert ap("coco-nms", row, run=detector(ap=37.0)).mark == "off"
    # a row without a threshold: the preset's own counts before a newer one at 0.6, and both before another preset's
    found = ap(
        "coco-loss",
        "cspresnext50-panet-spp-512-mse",
        own=detector(),
        later=detector(nms=0.6, when="2027-01-01T00:00:00Z"),
        head=detector(preset="head", nms=0.6, kind="cfg", when="2028-01-01T00:00:00Z"),
        part=detector(limit=10, when="2029-01-01T00:00:00Z"),
    )
    assert found.made is not None
    assert (found.made.run, found.made.preset) == ("own", "readme, NMS 0.45 default")
    assert {each.made.run: each.why for each in found.others} == {
        "later": "NMS 0.6, not the preset's 0.45",
        "head": "preset head, not readme",
        "part": "a part of the data only",
    }


def test_a_run_is_kept_without_the_place_of_its_data(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "one"
    run.mkdir(parents=True)
    document = json.loads(detector())
    document["run"]["data"]["place"] = "/home/somebody/coco"
    (run / "run.json").write_text(json.dumps(document["run"]))
    results = tmp_path / "results"
    results.mkdir()
    assert keep(results, [run]) == []  # not finished
    row = ("coco-nms", "cspresnext50-panet-spp-512-nms0.45")
    assert line(gather(results, [run]), *row).cells["ap"].mark == "unmeasured: partial"
    (run / "metrics.json").write_text(json.dumps(document["metrics"]))
    assert [path.name for path in keep(results, [run])] == ["one.json"]
    assert "somebody" not in (results / "evaluations" / "one.json").read_text()
    found = line(gather(results, [tmp_path / "runs"]), *row).cells["ap"]
    assert (found.mark, found.others) == ("exact", ())  # the run and its copy are one


def test_a_report_is_read_as_it_was_written() -> None:
    lines = gather_files({"evaluations/one.json": detector(), "evaluations/two.json": classifier()}, "results")
    document = json.loads(json.dumps(cells.as_json(lines)))
    assert cells.read(document, "report.json") == lines
    document["lines"][0]["cells"][0]["claim"] = 5
    with pytest.raises(CspbenchError, match=r"report\.json: not a report"):
        cells.read(document, "report.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"rows": [{}]}',
        b'{"rows": 5}',
        b"[" * 100_000,
        b'{"run": {"identity": {"task": "coco"}}, "metrics": null}',
        json.dumps({"run": {**json.loads(detector())["run"], "preset": 3}, "metrics": None}).encode(),
    ],
)
@pytest.mark.parametrize("name", ["params.json", "evaluations/x.json"])
def test_other_files_are_one_error(name: str, data: bytes) -> None:
    with pytest.raises(CspbenchError) as caught:
        gather_files({name: data}, "results")
    assert f"results/{name}" in str(caught.value)


DOCUMENTS = {"params.json": counts(counted("imagenet-big", "darknet-53", "darknet53", params=(1, "weights")))}
DOCUMENTS |= {"evaluations/a.json": classifier(), "evaluations/b.json": detector()}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(sorted(DOCUMENTS)), st.data())
def test_any_value_anywhere_is_read_or_one_error(name: str, data: st.DataObject) -> None:
    document = json.loads(DOCUMENTS[name])
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if not (isinstance(place[key], dict | list) and place[key]) or data.draw(st.integers(0, 5)) == 0:
            break
        place = place[key]
    place[key] = data.draw(JSON)
    with suppress(CspbenchError):
        assert gather_files({name: json.dumps(document).encode()}, "results")


def test_gathering_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "evaluations").mkdir()
    for name, data in DOCUMENTS.items():
        (tmp_path / name).write_bytes(data)
    code = (
        "import sys; from pathlib import Path; from cspbench.report.build import gather; "
        "assert len(gather(Path(sys.argv[1]))) >= 92; assert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, os.fspath(tmp_path)], check=True, timeout=900)
