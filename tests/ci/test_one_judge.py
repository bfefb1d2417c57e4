"""Whoever asks gets the same verdict on the same numbers: evaluations, scores, counts, reports and comparisons."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import counts_by_hand as counts
import pytest
from result_files import classifier, detector, put, stored

from cspbench.ci.baseline import load, present
from cspbench.report import judged_counts, judged_evaluations
from cspbench.report.build import build
from cspbench.report.judged_evaluations import JudgedClaim
from cspbench.report.model import ReportCell, ReportRow
from cspbench.report.text import delta, mark
from cspbench.results import runs
from cspbench.results.store import StoredEvaluation, keep, of_run

NMS = ("coco-nms", "cspresnext50-panet-spp-512-nms0.45", "ap")
TOP1 = ("imagenet-big", "cspdarknet-53", "top1")
DRAWN = detector(ap="38.1", limit=9, seed=0, intervals={"ap": (38.0, 39.0)})
Key = tuple[str, str, str]


def of_rows(rows: list[ReportRow], key: Key) -> ReportCell:
    (row,) = (each for each in rows if (each.table, each.row) == key[:2])
    return row.cells[key[2]]


def of_claims(claims: list[JudgedClaim], key: Key) -> ReportCell:
    (claim,) = (each for each in claims if (each.row.table, each.row.id, each.cell.metric) == key)
    return claim.cell


def without_comparison(cell: ReportCell) -> ReportCell:
    """Reports alone know the base row."""
    return replace(cell, comparison=None, note=None)


@pytest.mark.parametrize(
    ("evaluation", "key", "said"),
    [
        (detector(ap="38.04996"), NMS, ("exact", "38.0", "38.04996", "0")),
        (detector(ap="38.05"), NMS, ("close", "38.1", "38.05", "+0.050")),
        (detector(ap="38.1"), NMS, ("close", "38.1", "38.1", "+0.100")),
        (detector(ap="38.10001"), NMS, ("off", "38.1", "38.10001", "+0.100")),
        (detector(ap="38.04996", split="val2017"), NMS, ("unmeasured: split-mismatch", "38.0", "38.04996", None)),
        (detector(ap="38.04996", precision="bf16"), NMS, ("unmeasured: protocol-mismatch", "38.0", "38.04996", None)),
        (DRAWN, NMS, ("consistent", "38.1", "38.1", "+0.100")),
        (detector(ap=None), NMS, ("unmeasured: awaiting-server", None, None, None)),
        (classifier(top1=38_624), TOP1, ("exact", "77.2", "77.248", "0 (24 images more)")),
        (classifier(top1=38_625), TOP1, ("close", "77.3", "77.25", "+0.050 (25 images more)")),
        (classifier(top1=38_626), TOP1, ("off", "77.3", "77.252", "+0.052 (26 images more)")),
        (classifier(top1=38_450), TOP1, ("off", "76.9", "76.9", "-0.300 (150 images fewer)")),
    ],
)  # fmt: skip
def test_an_evaluation_at_the_edge(
    tmp_path: Path, evaluation: StoredEvaluation, key: Key, said: tuple[str, ...]
) -> None:
    path = put(tmp_path / "runs" / "run", evaluation)
    results = tmp_path / "results"
    (results / "evaluations").mkdir(parents=True)
    run = runs.load_run(path)
    read = replace(of_run(path), run=run.record, metrics=runs.read_metrics(run))

    cells = {
        "eval": of_claims(judged_evaluations.judged(evaluation), key),
        "score": of_claims(judged_evaluations.judged(read), key),
        "report of the run": of_rows(build(results, [path]), key),
        "ci of the run": of_rows(present(results, [path]).lines, key),
    }
    keep(results, [path])
    assert (results / "evaluations" / "run.json").read_bytes() == stored(evaluation)
    cells["report of what is kept"] = of_rows(build(results), key)
    cells["ci of what is kept"] = of_rows(present(results).lines, key)
    cells["ci's baseline"] = of_rows(load(str(results), results).lines, key)
    first = cells["eval"]
    assert (mark(first), first.measured, first.exact, delta(first)) == said
    for who, cell in cells.items():
        assert without_comparison(cell) == without_comparison(first), who


def counted(count: int) -> dict[str, ReportCell]:
    """What is said of a count of DarkNet-53's parameters, which the table claims to be 41.57M."""
    rows = counts.with_cell("params", count=count)
    ((first, _),) = (judged_counts.judged(rows, counts.WHO),)
    return {"params": first.report.cells["params"]}


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (41_565_000, ("exact", "41.57", "0")),
        (41_564_999, ("off", "41.56", "-0.01")),
        (41_574_999, ("exact", "41.57", "0")),
        (41_575_000, ("off", "41.58", "+0.01")),
        (0, ("off", "0.00", "-41.57")),
    ],
)
def test_a_count_at_the_edge(tmp_path: Path, count: int, said: tuple[str, ...]) -> None:
    key = ("imagenet-big", "darknet-53", "params")
    results = counts.write(tmp_path / "results", *counts.with_cell("params", count=count))
    cells = {
        **counted(count),
        "report": of_rows(build(results), key),
        "ci": of_rows(present(results).lines, key),
        "ci's baseline": of_rows(load(str(results), results).lines, key),
    }
    first = cells["params"]
    assert (mark(first), first.measured, delta(first)) == said
    for who, cell in cells.items():
        assert without_comparison(cell) == without_comparison(first), who
