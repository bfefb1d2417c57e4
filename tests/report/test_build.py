"""What counts for a cell, what is only listed, and the verdicts that follow: from result files written by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusals import refuses
from result_files import classifier, counted, counts, detector, network_of, put, sources, stored, threshold
from snapshot import ROWS

from cspbench.errors import CspbenchError
from cspbench.report import build, text
from cspbench.report import model as cells
from cspbench.report.model import ReportCell, ReportRow
from cspbench.results.schema import Scored, Scoring, Session
from cspbench.results.store import StoredEvaluation, keep, of_files


def line(rows: list[ReportRow], table: str, row: str) -> ReportRow:
    return next(each for each in rows if (each.table, each.row) == (table, row))


def rows(data: bytes | None = None, **evaluations: StoredEvaluation) -> list[ReportRow]:
    return build.rows(sources(data, **evaluations))


def count(counted_: Any, metric: str) -> ReportCell:
    return line(rows(counts(counted_)), counted_.table, counted_.id).cells[metric]


def top1(**evaluations: StoredEvaluation) -> ReportCell:
    """CSPDarkNet-53's published 77.2 with these evaluations."""
    return line(rows(None, **evaluations), "imagenet-big", "cspdarknet-53").cells["top1"]


def ap(table: str, row: str, **evaluations: StoredEvaluation) -> ReportCell:
    return line(rows(None, **evaluations), table, row).cells["ap"]


def test_nothing_measured_says_why() -> None:
    lines = rows()
    assert len([each for each in lines if not each.table.startswith("sample-")]) == ROWS
    big = line(lines, "imagenet-big", "darknet-53").cells
    assert {metric: each.mark for metric, each in big.items()} == {
        "params": "unmeasured: not-run",
        "bflops": "unmeasured: not-run",
        "top1": "unmeasured: no-weights",
        "top5": "unmeasured: no-weights",
    }
    assert line(lines, "coco-gpu", _first(lines, "coco-gpu")).cells["fps"].mark == "unmeasured: hardware"


def _first(lines: list[ReportRow], table: str) -> str:
    return next(each.row for each in lines if each.table == table)


def test_every_row_has_a_name_of_its_own_in_its_table() -> None:
    names = [(row.table, row.name) for row in rows()]
    assert ("coco-cpu", "Ours (csppeleenet-ref-prn-3l) 320×320") in names
    assert len({*names}) == len(names)


def test_counts_are_held_against_the_claim_and_the_base() -> None:
    # 41.57M and 27.61M (-34%): 27,605,920 / 41,573,216 = 0.66403, a third less
    data = counts(
        counted("imagenet-big", "darknet-53", "darknet53", params=(41_573_216, "weights")),
        counted("imagenet-big", "cspdarknet-53", "csdarknet53", params=(27_605_920, "weights")),
    )
    result = line(rows(data), "imagenet-big", "cspdarknet-53").cells["params"]
    assert (result.claim, result.measured, result.exact, result.delta) == ("27.61", "27.61", "27605920", "+0.00")
    assert (result.mark, result.images, result.tolerance) == ("exact", None, None)
    assert result.comparison == cells.ComparisonResult("(-34%)", "(-34%)", "DarkNet-53")
    assert result.comparison.verdict == "exact"
    made = result.provenance
    assert made is not None
    assert (made.command, made.version, made.counting, made.definition) == (
        "cspbench by hand",
        "0.1.0",
        "weights",
        "cfg",
    )


def test_counts_under_another_rule_do_not_pass_for_the_claims() -> None:
    result = count(counted("imagenet-big", "darknet-53", "darknet53", params=(41_645_640, "learnable")), "params")
    assert (result.mark, result.measured, result.delta) == ("unmeasured: protocol-mismatch", "41.65", None)
    assert result.note == "counted as learnable"


def test_a_count_under_another_rule_is_not_doubled_as_the_claim_is() -> None:
    result = count(counted("imagenet-big", "hardnet-138s", "hardnet138s", bflops=(13_347_234_196, "conv")), "bflops")
    assert (result.mark, result.measured) == ("unmeasured: protocol-mismatch", "13.3")


def test_counts_of_zero_crash_nothing() -> None:
    data = counts(
        counted("imagenet-big", "darknet-53", "darknet53", params=(0, "weights")),
        counted("imagenet-big", "cspdarknet-53", "csdarknet53", params=(27_605_920, "weights")),
    )
    result = rows(data)
    base, row = (line(result, "imagenet-big", id_).cells["params"] for id_ in ("darknet-53", "cspdarknet-53"))
    assert (base.mark, base.measured, base.delta) == ("off", "0.00", "-41.57")
    assert row.comparison == cells.ComparisonResult("(-34%)", None, "DarkNet-53")
    assert (row.mark, row.comparison.verdict) == ("exact", "unmeasured")


@pytest.mark.parametrize(("same", "mark"), [(True, "exact"), (False, "unmeasured: protocol-mismatch")])
def test_counts_of_a_network_that_has_changed_since_are_held_against_nothing(same: bool, mark: str) -> None:
    network = network_of("darknet53")[0] if same else "v2:" + "e" * 64
    row = counted(
        "imagenet-big", "darknet-53", "darknet53", params=(41_573_216, "weights"), size=(256, 256), network=network
    )
    result = count(row, "params")
    assert (result.mark, result.note) == (mark, None if same else "the network has changed since")


def test_a_rows_remark_is_not_taken_for_the_cause_of_a_miss() -> None:
    line_of = counted("imagenet-big", "resnet-50", "resnet50", bflops=(9, "conv+maxpool"))
    result = line(rows(counts(line_of)), "imagenet-big", "resnet-50")
    assert (result.cells["bflops"].mark, result.cells["bflops"].note) == ("off", None)
    said = text.notes(result)
    assert said[0] == "BFLOPs off: no cause is known"
    assert said[1].startswith("9.74 was copied from the original author's page")


def test_the_data_of_a_partial_number_are_its_part() -> None:
    def data(found: ReportCell) -> str:
        assert found.provenance is not None
        return str(found.provenance.data)

    sha = f", sha256 {'b' * 64}"
    assert data(top1(run=classifier(top1=30, limit=50))) == f"folders, 50 of 50000 images{sha}"
    part = top1(run=classifier(top1=30, limit=50, seed=7))
    assert data(part) == f"folders, 50 of 50000 images drawn with seed 7{sha}"
    assert data(top1(run=classifier())) == f"folders, 50000 images{sha}"
    drawn = rows(run=classifier("sample-csp-classifier", 230, images=240))
    found = line(drawn, "sample-classification", "sample-csp-classifier").cells["top1"]
    assert data(found) == f"the drawn sample, 240 images{sha}"


@pytest.mark.parametrize(
    ("correct", "mark", "measured", "delta", "images"),
    [
        (38_600, "exact", "77.2", "+0.0", 0),  # 77.200
        (38_624, "exact", "77.2", "+0.0", 24),
        (38_625, "close", "77.3", "+0.050", 25),
        (38_626, "off", "77.3", "+0.052", 26),
        (38_450, "off", "76.9", "-0.300", -150),
        (38_000, "off", "76.0", "-1.200", -600),
    ],
)
def test_accuracies(correct: int, mark: str, measured: str, delta: str, images: int) -> None:
    result = top1(run=classifier(top1=correct))
    assert (result.mark, result.measured, result.delta, result.images) == (mark, measured, delta, images)
    assert result.tolerance == "0.05"
    shown = {0: "0", 24: "0 (24 images more)", 25: "+0.050 (25 images more)", -150: "-0.300 (150 images fewer)"}
    if images in shown:
        assert text.delta(result) == shown[images]


def test_the_newest_complete_run_counts_and_the_others_are_listed() -> None:
    result = top1(
        old=classifier(top1=38_000, when="2025-01-01T00:00:00Z"),
        new=classifier(top1=38_600, when="2026-01-01T00:00:00Z"),
        newest=classifier(top1=1, when="2027-01-01T00:00:00Z", limit=100),
        unfinished=classifier(when="2028-01-01T00:00:00Z", finished=False),
        half=classifier(when="2024-01-01T00:00:00Z", precision="bf16"),
    )
    assert result.provenance is not None
    assert (result.provenance.run, result.mark) == ("new", "exact")
    assert [(other.provenance.run, other.measured, other.why, other.partial) for other in result.others] == [
        ("old", "76.0", "a newer one counts", False),
        ("half", "77.2", "bf16 arithmetic", False),
        ("newest", "1.0", "a part of the data only", True),
        ("unfinished", None, "incomplete: the run can be resumed", True),
    ]


def test_a_part_that_nobody_drew_is_never_a_verdict() -> None:
    result = top1(run=classifier(top1=77, limit=100))
    assert (result.mark, result.partial, result.measured, result.delta) == ("unmeasured: partial", True, "77.0", None)
    # Wilson's interval of 77 of 100, worked out from its formula
    assert result.interval == ("67.85", "84.16")
    result = top1(run=classifier(finished=False))
    assert (result.mark, result.partial, result.measured) == ("unmeasured: partial", True, None)


@pytest.mark.parametrize(("correct", "mark"), [(77, "consistent"), (86, "inconsistent"), (85, "consistent")])
def test_a_part_drawn_at_random_is_held_against_its_interval(correct: int, mark: str) -> None:
    # 95 % of 100: 77 is 67.85 to 84.16, 85 is 76.72 to 90.69, 86 is 77.86 to 91.47
    result = top1(run=classifier(top1=correct, limit=100, seed=0))
    assert (result.mark, result.partial, result.images) == (mark, True, None)


def test_another_data_set_is_another_split() -> None:
    assert top1(run=classifier(images=50_001, top1=150)).mark == "unmeasured: split-mismatch"
    result = ap("coco-nms", "cspresnext50-panet-spp-512-nms0.45", run=detector(split="val2017"))
    assert (result.mark, result.measured, result.delta) == ("unmeasured: split-mismatch", "38.0", None)


@pytest.mark.parametrize(
    ("value", "mark", "measured", "delta"),
    [
        ("38.04996", "exact", "38.0", "+0.0"),
        ("38.05", "close", "38.1", "+0.050"),
        ("38.1", "close", "38.1", "+0.100"),
        ("38.10001", "off", "38.1", "+0.100"),
        ("37.0", "off", "37.0", "-1.000"),
    ],
)
def test_ap(value: str, mark: str, measured: str, delta: str) -> None:
    result = ap("coco-nms", "cspresnext50-panet-spp-512-nms0.45", run=detector(ap=value))
    assert (result.mark, result.measured, result.delta, result.tolerance) == (mark, measured, delta, "0.1")
    assert result.exact == value.removesuffix(".0")


def test_ap_belongs_to_its_threshold_and_preset() -> None:
    row = "cspresnext50-panet-spp-512-nms0.45"
    assert ap("coco-nms", row, run=detector()).mark == "exact"
    assert ap("coco-nms", row, run=detector(nms=0.6)).mark == "unmeasured: no-weights"
    # a row without a threshold: the preset's own counts before a newer one at 0.6, and both before another preset's
    result = ap(
        "coco-loss",
        "cspresnext50-panet-spp-512-mse",
        own=detector(),
        later=detector(nms=0.6, when="2027-01-01T00:00:00Z"),
        head=detector(preset="head", nms=0.6, kind="cfg", when="2028-01-01T00:00:00Z"),
        part=detector(limit=10, when="2029-01-01T00:00:00Z"),
    )
    assert result.provenance is not None
    assert (result.provenance.run, result.provenance.preset) == ("own", "readme, NMS 0.45 default")
    whys = {other.provenance.run: other.why for other in result.others}
    assert (whys["later"], whys["part"]) == ("NMS 0.6, not the preset's 0.45", "a part of the data only")
    assert whys["head"].startswith("preset head, not readme")


def test_every_session_and_scoring_stands_beside_the_number() -> None:
    first = Session(["cspbench", "eval-imagenet", "my data"], "0.1.0", "a" * 40, "2026-01-01T00:00:00Z")
    later = Session(["cspbench", "eval-imagenet", "it's"], "0.2.0", "b" * 40 + "+changes", "2026-01-02T00:00:00Z")
    evaluation = classifier(run={"sessions": [first, later]}, scoring=Scoring("0.3.0", "c" * 40))
    made = top1(run=evaluation).provenance
    assert made is not None
    assert (made.command, made.version, made.commit, made.when) == (
        "cspbench eval-imagenet 'my data'",
        "0.1.0",
        "a" * 40,
        "2026-01-01T00:00:00Z",
    )
    assert made.sessions == (
        "2026-01-02T00:00:00Z, cspbench 0.2.0, commit bbbbbbb+changes: cspbench eval-imagenet 'it'\"'\"'s'",
    )
    assert made.scored == "cspbench 0.3.0, commit ccccccc"
    # the program that predicted is not named twice
    same = top1(run=classifier(run={"sessions": [first]}, scoring=Scoring("0.1.0", "a" * 40))).provenance
    assert same is not None
    assert (same.sessions, same.scored) == ((), None)


def test_who_scored_a_number_stands_beside_it_with_command_and_time() -> None:
    made_by = Session(["cspbench", "eval-coco"], "0.1.0", "a" * 40, "2026-01-01T00:00:00Z")
    program = ("0.1.0", "a" * 40)
    scorers = [
        Scored(made_by.command, *program, "2026-01-01T01:00:00Z", ["0.45 default"]),
        Scored(["cspbench", "score", "before"], *program, "2026-01-01T02:00:00Z", ["0.6 default"]),
        Scored(["cspbench", "score", "my run"], *program, "2026-01-02T00:00:00Z", ["0.6 default", "0.45 diou"]),
        Scored(["cspbench", "score", "x"], "0.2.0", None, "2026-01-03T00:00:00Z", ["0.60 default"]),
    ]
    both = [threshold(0.45), threshold(0.6)]
    result = rows(run=detector(thresholds=both, run={"sessions": [made_by], "scored": scorers}))
    made = [
        line(result, "coco-nms", f"cspresnext50-panet-spp-512-nms{nms}").cells["ap"].provenance
        for nms in ("0.45", "0.60")
    ]
    assert [each and each.scored for each in made] == [
        None,
        "2026-01-02T00:00:00Z, cspbench 0.1.0, commit aaaaaaa: cspbench score 'my run'",
    ]


def test_each_threshold_has_the_program_that_scored_it() -> None:
    both = [threshold(0.45), threshold(0.6, scoring=Scoring("0.9.0"))]
    result = rows(run=detector(thresholds=both))
    made = [
        line(result, "coco-nms", f"cspresnext50-panet-spp-512-nms{nms}").cells["ap"].provenance
        for nms in ("0.45", "0.60")
    ]
    assert [each and each.scored for each in made] == [None, "cspbench 0.9.0"]


def test_a_run_is_kept_without_the_place_of_its_data(tmp_path: Path) -> None:
    results, run = tmp_path / "results", tmp_path / "runs" / "one"
    results.mkdir()
    whole = detector(run={"place": "/home/somebody/coco"})
    put(run, detector(run={"place": "/home/somebody/coco"}, finished=False))
    assert keep(results, [run]) == []  # not finished
    row = ("coco-nms", "cspresnext50-panet-spp-512-nms0.45")
    assert line(build.build(results, [run]), *row).cells["ap"].mark == "unmeasured: partial"
    put(run, whole)
    assert [path.name for path in keep(results, [run])] == ["one.json"]
    assert "somebody" not in (results / "evaluations" / "one.json").read_text()
    result = line(build.build(results, [tmp_path / "runs"]), *row).cells["ap"]
    assert (result.mark, result.others) == ("exact", ())  # the run and its copy are one


def test_a_run_that_is_named_twice_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = put(tmp_path / "runs" / "one", detector())
    (tmp_path / "results").mkdir()
    (tmp_path / "link").symlink_to(run)
    monkeypatch.chdir(run)
    every = [run, run, tmp_path / "runs", Path("."), Path("..") / "one", tmp_path / "link"]
    result = line(build.build(tmp_path / "results", every), "coco-nms", "cspresnext50-panet-spp-512-nms0.45")
    assert (result.cells["ap"].mark, result.cells["ap"].others) == ("exact", ())


def test_a_report_is_read_as_it_was_written() -> None:
    lines = rows(one=detector(), two=classifier(), three=classifier(when="2024-01-01T00:00:00Z"))
    document = json.loads(json.dumps(cells.as_json(lines)))
    assert cells.read(document, "report.json") == lines
    document["rows"][0]["cells"][0]["claim"] = 5
    with refuses("results.not-a-report", where="report.json"):
        cells.read(document, "report.json")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"rows": [{}]}',
        b'{"rows": 5}',
        b"[" * 100_000,
        b'{"schema": 2, "run": {"identity": {"task": "coco"}}, "metrics": null}',
        b'{"schema": 1, "run": {"identity": {"task": "coco"}}, "metrics": null}',
        json.dumps({**json.loads(stored(detector())), "run": {}}).encode(),
        json.dumps({**json.loads(stored(detector())), "metrics": None}).encode(),
    ],
)
@pytest.mark.parametrize("name", ["params.json", "evaluations/x.json"])
def test_other_files_are_one_error(name: str, data: bytes) -> None:
    with refuses("results.not-results", where=f"results/{name}"):
        of_files({name: data}, "results")


DOCUMENTS = {"params.json": counts(counted("imagenet-big", "darknet-53", "darknet53", params=(1, "weights")))}
DOCUMENTS |= {"evaluations/a.json": stored(classifier()), "evaluations/b.json": stored(detector())}
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
        assert build.rows(of_files({name: json.dumps(document).encode()}, "results"))


def test_building_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "evaluations").mkdir()
    for name, data in DOCUMENTS.items():
        (tmp_path / name).write_bytes(data)
    code = (
        "import sys; from pathlib import Path; from cspbench.report.build import build; "
        f"assert len(build(Path(sys.argv[1]))) >= {ROWS}; "
        "assert not {'torch', 'pandas', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, os.fspath(tmp_path)], check=True, timeout=900)
