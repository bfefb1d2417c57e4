"""Changes as text: the table, the comment that a host takes, and XML that a CI server takes."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from xml.etree import ElementTree as Xml

from cells_by_hand import PARAMS, TOP1, UNMEASURED, changes, counted, line, top1
from hypothesis import given
from hypothesis import strategies as st

from cspbench.ci.junit import junit
from cspbench.ci.render import COMMENT_LIMIT, MARKER, comment, markdown, table, texts

BROKEN = changes(
    [line(PARAMS, TOP1), line(replace(TOP1, **UNMEASURED), row="other")],
    [
        line(counted(27_999_999, "off", note="exact under learnable"), top1("77.21")),
        line(replace(TOP1, **{**UNMEASURED, "reason": "partial"}), row="other"),
    ],
)


def test_only_what_changed_is_printed_with_claim_baseline_and_measurement() -> None:
    assert markdown(BROKEN, "main, commit 0123456789ab") == (
        "Compared with main, commit 0123456789ab:\n\n"
        "- changed: 1 cell\n\n"
        "| Result | Row | Cell | Baseline → measured | Why |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| fails: changed | imagenet-big: CSPDarkNet-53 | #Parameter 27.61M (-34%) "
        "| 27.61 (27605856) → 28.00 (27999999), +394143 (+1.43 %) "
        "| exact → off; moved by more than 0 %; the verdict was exact; exact under learnable |\n"
        "| partial | imagenet-big: CSPDarkNet-53 | Top-1 77.2 | - "
        "| unmeasured: no-weights → unmeasured: partial; "
        "measured on a part of the data only, which is not compared |\n"
        "\n"
        "3 cells compared, 2 changed, 1 failing, 1 partial, 1 unchanged (1 moved within tolerance).\n"
    )


def test_nothing_changed_is_one_line() -> None:
    result = changes([line(PARAMS)], [line(PARAMS)])
    expected = "Nothing changed against results: 1 cell compared, 0 changed, 0 failing, 1 unchanged.\n"
    assert markdown(result, "results") == expected
    assert comment(result, "results") == f"{MARKER}\n### cspbench: nothing changed\n\n{expected}"


def test_the_other_formats_say_the_same() -> None:
    data = json.loads(table(BROKEN, "results", "json"))
    assert (data["baseline"], data["exit_code"], data["numbers"]["failing"]) == ("results", 1, 1)
    assert data["changes"][0] == {
        "kind": "changed",
        "failing": True,
        "table": "imagenet-big",
        "row": "cspdarknet-53",
        "name": "CSPDarkNet-53",
        "metric": "params",
        "cell": "#Parameter",
        "claim": "27.61M (-34%)",
        "baseline": {"measured": "27.61", "exact": "27605856", "delta": "0.00", "verdict": "exact"},
        "measured": {"measured": "28.00", "exact": "27999999", "delta": "+0.39", "verdict": "off"},
        "change": "394143",
        "why": "moved by more than 0 %; the verdict was exact",
        "cause": None,
    }
    first, second = csv.DictReader(io.StringIO(table(BROKEN, "results", "csv")))
    numbers = ("claim", "baseline", "baseline_exact", "measured", "measured_exact", "measured_delta", "change")
    assert [first[key] for key in numbers] == ["27.61", "27.61", "27605856", "28.00", "27999999", "+0.39", "394143"]
    assert (second["measured"], second["change"]) == ("", "")
    assert data["causes"] == [{"models": [], "what": "changed", "cells": 1}]
    assert r"27.61M (-34\%)" in table(BROKEN, "results", "latex")


def test_a_comment_stays_below_the_hosts_limit_and_says_what_it_left_out() -> None:
    before = [line(PARAMS, row=str(number)) for number in range(1000)]
    result = changes(before, [line(counted(1), row=str(number)) for number in range(1000)])
    body = comment(result, "main")
    assert COMMENT_LIMIT - 1000 < len(body.encode()) <= COMMENT_LIMIT
    assert body.startswith(f"{MARKER}\n### cspbench: 1000 failing\n")
    shown = body.count("| fails: changed |")
    assert f"And {1000 - shown} more changes, {1000 - shown} failing" in body
    assert body.endswith(f"{result.summary}\n")
    long = changes([replace(before[0], name="×" * 70_000)], [])
    assert len(comment(long, "main").encode()) < COMMENT_LIMIT
    assert "And 1 more change, 1 failing" in comment(long, "main")


def test_junit_counts_and_names_what_fails() -> None:
    root = Xml.fromstring(junit(BROKEN))
    assert {key: root.get(key) for key in ("tests", "failures", "errors", "skipped")} == {
        "tests": "3",
        "failures": "1",
        "errors": "1",
        "skipped": "0",
    }
    (suite,) = root
    assert (suite.get("name"), suite.get("tests")) == ("imagenet-big", "3")
    assert [(case.get("classname"), case.get("name")) for case in suite] == [
        ("imagenet-big", "CSPDarkNet-53: #Parameter"),
        ("imagenet-big", "CSPDarkNet-53: Top-1"),
        ("imagenet-big", "CSPDarkNet-53: Top-1"),
    ]
    failure = suite[0].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert failure.get("message") == (
        "27.61 (27605856) → 28.00 (27999999), +394143 (+1.43 %); moved by more than 0 %; the verdict was exact"
    )
    assert "Claim: 27.61M (-34%)\nBaseline: 27.61 (27605856)\nMeasured: 28.00 (27999999)\n" in failure.text
    assert suite[2].find("error") is not None


def test_junit_skips_what_nobody_measured() -> None:
    nothing = line(replace(TOP1, **UNMEASURED))
    root = Xml.fromstring(junit(changes([nothing], [nothing])))
    skipped = root.find(".//skipped")
    assert skipped is not None
    assert (skipped.get("message"), root.get("skipped")) == ("unmeasured: no-weights", "1")
    assert root.get("failures") == "0"


@given(st.text(max_size=20), st.text(max_size=20))
def test_any_text_stays_in_its_cell(label: str, printed: str) -> None:
    before = replace(line(replace(PARAMS, printed=printed)), label=label, table=label)
    result = changes([before], [replace(before, cells={"params": counted(1)})])
    Xml.fromstring(junit(result))
    text = markdown(result, label)
    assert text.count("\n") == 9
    row = text.split("\n")[6]
    assert "<" not in row
    assert row.replace(r"\|", "").count("|") == 6
    text.encode()


def test_a_share_is_shown_with_four_decimals() -> None:
    told = texts(changes([line(top1("77.2"))], [line(top1("98.33333333333333333333333333"))]).changed[0])
    assert told[6:8] == ["98.3 (98.3333)", "+21.1333"]
