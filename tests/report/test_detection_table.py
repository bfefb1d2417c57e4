"""Tables of AP: every claim in every format."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

from msgspec import structs
from result_files import WHO, detector, threshold

from cspbench.claims import tables
from cspbench.claims.verdict import Measurement
from cspbench.evaluation import frames
from cspbench.report import build
from cspbench.report.formats import Table
from cspbench.report.judged_evaluations import JudgedClaim
from cspbench.report.tables.detection import Scored, as_json, blocks, class_csv, described, of_evaluation, text
from cspbench.results.measurements import CellMeasurement
from cspbench.results.provenance import Provenance
from cspbench.results.store import StoredEvaluation


def claim(row: str, metric: str, value: str) -> JudgedClaim:
    """A claim of coco-nms beside a measurement."""
    of = tables.load("coco-nms").row(row)
    measurement = CellMeasurement(of, of.cells[metric], Measurement(Decimal(value)), Provenance("x", "0.1.0"), nms=0.45)
    return JudgedClaim(of, build.cell(of.cells[metric], [measurement]), (), (0.45, "default"))


ROWS = ("cspresnext50-panet-spp-512-nms0.45", "cspresnext50-panet-spp-512-nms0.50")
LINE = Scored(
    model="yolov3-tiny",
    definition="cfg",
    nms=0.45,
    kind="default",
    ap={"ap": Decimal(30), "ap50": Decimal("60.05"), "ar100": Decimal(44)},
    intervals=None,
    per_class={"dog": {"ap": Decimal(31), "ar100": Decimal("45.5")}},
    images=5,
    split="custom",
    size="416×416",
    preset="readme",
    claims=[claim(row, "ap50", "60.05") for row in ROWS],
    objects={"dog": 7},
)


def test_csv_has_a_line_for_each_claim_and_class() -> None:
    rows = list(csv.DictReader(text([LINE], [], [], "csv").splitlines()))
    assert [(row["class"], row["objects"], row["id"], row["ap"], row["ar100"]) for row in rows] == [
        ("all", "", ROWS[0], "30.0", "44.0"),
        ("all", "", ROWS[1], "30.0", "44.0"),
        ("dog", "7", "", "31.0", "45.5"),
    ]
    # 60.0 is what the table prints at 0.45
    assert [rows[0][f"ap50_{what}"] for what in ("claim", "delta", "verdict", "reason")] == [
        "60.0",
        "+0.050",
        "close",
        "",
    ]
    assert (rows[0]["ap_claim"], rows[0]["nms"], rows[0]["nms_kind"]) == ("", "0.45", "default")
    assert not any(value == "-" for row in rows for value in row.values())


def test_intervals_are_columns_of_their_own_in_csv() -> None:
    evaluation = detector(intervals={"ap": (37.12, 39.04)})
    row = next(csv.DictReader(text(of_evaluation(evaluation), [], [], "csv").splitlines()))
    assert [row[key] for key in ("ap", "ap_low", "ap_high", "ap50_low")] == ["38.04", "37.12", "39.04", ""]


def classes(count: int) -> Scored:
    """Classes with an AP of 1, 2, ..., and two at 0, of which one has more objects; and one without objects."""
    by_name: dict[str, dict[str, Decimal | None]] = {f"c{each}": {"ap": Decimal(each)} for each in range(1, count - 2)}
    by_name |= {"many": {"ap": Decimal(0)}, "few": {"ap": Decimal(0)}, "none": {"ap": None}}
    return replace(LINE, per_class=by_name, objects={"many": 9, "few": 1, "none": 0})


def test_classes_are_sorted_by_ap_with_their_objects() -> None:
    rows = list(csv.DictReader(class_csv([classes(8)]).splitlines()))
    assert [(row["class"], row["objects"], row["ap"]) for row in rows] == [
        *((f"c{each}", "", f"{each}.0") for each in range(5, 0, -1)),
        *(("few", "1", "0.0"), ("many", "9", "0.0"), ("none", "0", "")),
    ]
    assert "table" not in rows[0]


def test_the_best_and_the_worst_classes_are_those_with_objects() -> None:
    def shown(count: int) -> list[list[str]]:
        tables = [block for block in blocks([classes(count)], [], [], ends=2) if isinstance(block, Table)]
        return [[line[0] for line in table.lines] for table in tables if table.header[0] == "Class"]

    assert shown(6) == [["c3", "c2"], ["few", "many"]]
    assert shown(5) == [["c2", "c1", "few", "many", "none"]]


def test_latex_has_the_claims_in_signs_that_it_knows() -> None:
    made = text([LINE], [], [], "latex")
    assert r"60.0 $\to$ 60.050 $\Delta$+0.050 close" in made
    assert made.isascii()


def test_models_without_weights_are_named_in_words() -> None:
    made = text([LINE], ["one line"], ["pelee-304"], "md")
    assert made.endswith("one line\n\nunmeasured, no-weights: pelee-304\n")


# --- of a run


def verdicts(evaluation: StoredEvaluation, metric: str = "ap") -> dict[str, str]:
    """The mark by the row's id."""
    claims = [claim for line in of_evaluation(evaluation) for claim in line.claims]
    return {claim.row.id: claim.cell.mark for claim in claims if claim.cell.metric == metric}


def test_a_run_has_a_line_for_each_threshold_with_its_own_claims() -> None:
    lines = of_evaluation(detector(thresholds=[threshold(0.45, "38.04996"), threshold(0.6, "38.10001")]))
    assert [(line.suppression, line.ap["ap"]) for line in lines] == [
        ("0.45 default", Decimal("38.04996")),
        ("0.6 default", Decimal("38.10001")),
    ]
    rows = [{claim.row.id for claim in line.claims if claim.row.table == "coco-nms"} for line in lines]
    assert rows == [{"cspresnext50-panet-spp-512-nms0.45"}, {"cspresnext50-panet-spp-512-nms0.60"}]
    assert (lines[0].split, lines[0].size, lines[0].preset, lines[0].images) == (
        "test-dev2017",
        "512×512",
        "readme",
        20_288,
    )


def test_one_threshold_under_two_kinds_of_nms_has_two_verdicts() -> None:
    row = "cspresnext50-panet-spp-512-nms0.45"
    evaluation = detector(thresholds=[threshold(0.45, "38.0"), threshold(0.45, "40.0", "diou")])
    default, diou = ["38.0", "exact", None], ["40.000", "unmeasured", "protocol-mismatch"]

    lines = [
        [
            [claim.measured, claim.cell.verdict, claim.cell.reason]
            for claim in line.claims
            if (claim.row.id, claim.cell.metric) == (row, "ap")
        ]
        for line in of_evaluation(evaluation)
    ]
    assert lines == [[default], [diou]]
    printed = [line for line in text(of_evaluation(evaluation), [], [], "md").splitlines() if "coco-nms: " in line]
    assert ["0.45 default" in line and "38.0 → 38.0 Δ0 exact" in line for line in printed] == [True, False]
    assert ["0.45 diou" in line and "38.0 → 40.000" in line for line in printed] == [False, True]

    in_json = [
        [
            [claim["measured"], claim["verdict"], claim["reason"]]
            for claim in at["claims"]
            if (claim["id"], claim["metric"]) == (row, "ap")
        ]
        for at in as_json(evaluation)["thresholds"]
    ]
    assert in_json == [[default], [diou]]

    frame = frames.of_evaluation(evaluation)
    columns = ["nms", "kind", "percent", "verdict", "reason"]
    of_row = frame[(frame["id"] == row) & (frame["metric"] == "ap")][columns].astype(object)
    assert of_row.where(of_row.notna(), None).to_numpy().tolist() == [
        [0.45, "default", 38.0, "exact", None],
        [0.45, "diou", 40.0, "unmeasured", "protocol-mismatch"],
    ]


def test_a_printed_claim_says_measurement_difference_and_verdict() -> None:
    for value, said in (
        ("38.04996", "38.0 → 38.0 Δ0 exact"),
        ("38.05", "38.0 → 38.050 Δ+0.050 close"),
        ("38.10001", "38.0 → 38.100 Δ+0.100 off"),
    ):
        assert f"| {said} |" in text(of_evaluation(detector(ap=value)), [], [], "md")


def test_intervals_are_shown_for_what_they_are() -> None:
    evaluation = detector(intervals={"ap": (37.12, 39.04)})
    made = text(of_evaluation(evaluation), [], [], "md")
    assert "| 38.040 [37.12, 39.04] |" in made
    assert "where another draw of images would put it" in made
    # on the claim's own images they judge nothing
    assert verdicts(detector(ap="37.0", intervals={"ap": (30.0, 40.0)}))["cspresnext50-panet-spp-512-nms0.45"] == "off"


def test_a_part_drawn_at_random_is_held_against_its_interval() -> None:
    row = "cspresnext50-panet-spp-512-nms0.45"
    for low, mark in ((37.9, "consistent"), (38.0, "consistent"), (38.01, "inconsistent")):
        part = detector(ap="39.0", limit=100, seed=0, intervals={"ap": (low, 40.0)})
        assert verdicts(part)[row] == mark
        assert (of_evaluation(part)[0].split, of_evaluation(part)[0].partial) == ("test-dev2017", True)
    assert verdicts(detector(ap="39.0", limit=100, seed=0))[row] == "unmeasured: partial"
    assert verdicts(detector(ap="39.0", limit=100, intervals={"ap": (37.9, 40.0)}))[row] == "unmeasured: partial"


def test_what_was_otherwise_is_said() -> None:
    made = described(detector(nms=0.9, own={"conf": 0.3}))
    assert made == (
        "run runs/run; weights cccccccccccc; data sha256 dddddddddddd; engine cspbench; unknown device fp32; "
        "decoder opencv; not the claims' protocol: conf 0.3, not 0.005; NMS 0.9, not the preset's 0.45"
    )
    assert "| 38.0 → 38.040 unmeasured: protocol-mismatch |" in text(
        of_evaluation(detector(own={"conf": 0.3})), [], [], "md"
    )


def test_what_awaits_the_server_says_so() -> None:
    (line,) = of_evaluation(detector(ap=None))
    assert line.pending == "partial"
    evaluation = detector(ap=None)
    waiting = structs.replace(evaluation.metrics, submissions=["x.zip"])  # type: ignore[type-var]
    (line,) = of_evaluation(StoredEvaluation("run", "runs/run", evaluation.run, waiting))
    assert line.pending == "awaiting-server"
    assert {claim.cell.mark for claim in line.claims} == {"unmeasured: awaiting-server"}


def test_json_has_thresholds_claims_and_provenance() -> None:
    result: Any = json.loads(json.dumps(as_json(detector(ap="38.04996", run={"sessions": [WHO, WHO]}))))
    (at,) = result["thresholds"]
    assert (at["nms"], at["kind"], at["ap"]["ap"], at["intervals"]) == (0.45, "default", 38.04996, None)
    claims = {(each["id"], each["metric"]): each for each in at["claims"]}
    assert claims["cspresnext50-panet-spp-512-nms0.45", "ap"] == {
        "table": "coco-nms",
        "row": "CSPResNeXt50-PANet-SPP",
        "id": "cspresnext50-panet-spp-512-nms0.45",
        "metric": "ap",
        "published": "38.0",
        "measured": "38.0",
        "delta": "+0.0",
        "images": None,
        "tolerance": "0.1",
        "verdict": "exact",
        "reason": None,
        "why": [],
    }
    assert (result["preset"], result["partial"], result["run"]) == ("readme", False, "runs/run")
    assert len(result["provenance"]["sessions"]) == 2
