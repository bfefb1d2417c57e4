"""Ratios of benchmarks held against a baseline's."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import counts_by_hand as counts
import pytest
import typer
from refusals import refuses

from cspbench.ci.diff import Kind
from cspbench.ci.ratios import compare, since
from cspbench.cli.reports.ci import ci
from cspbench.results.benchmarks import Benchmarks, Ratio
from cspbench.results.encoding import encode
from cspbench.results.schema import Session


def benchmarks(*ratios: float, **more: Any) -> Benchmarks:
    """Ratios of parts a, b, ... in order."""
    of_parts = [Ratio(part, "to its peer", ratio) for part, ratio in zip("abc", ratios, strict=False)]
    fields: dict[str, Any] = {"processor": "Example 9", "cores": 2, "load": 0.1, "quick": False}
    return Benchmarks(session=Session(["python"], "0.1.0"), ratios=of_parts, **{**fields, **more})


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (2.0, 1.6, Kind.UNCHANGED),  # exactly 20 %
        (2.0, 1.59, Kind.CHANGED),
        (2.0, 4.0, Kind.UNCHANGED),
        (0.5, 0.3, Kind.CHANGED),
    ],
)
def test_a_ratio_may_rise_and_fall_by_a_tolerance(before: float, after: float, kind: Kind) -> None:
    (pair,) = compare(benchmarks(before), benchmarks(after), 20)
    assert (pair.kind, pair.failing) == (kind, kind is Kind.CHANGED)
    assert (pair.table, pair.row, pair.header) == ("benchmarks", "a", "to its peer")
    assert pair.change is not None
    assert float(pair.change) == pytest.approx(after - before)


def test_new_ratios_pass_and_missing_ones_fail() -> None:
    kinds = [pair.kind for pair in compare(benchmarks(1, 1), benchmarks(1, 1, 1), 20)]
    assert kinds == [Kind.UNCHANGED, Kind.UNCHANGED, Kind.NEW]
    kinds = [pair.kind for pair in compare(benchmarks(1, 1), benchmarks(1), 20)]
    assert kinds == [Kind.UNCHANGED, Kind.VANISHED]


def test_another_processor_is_named_where_a_ratio_fell() -> None:
    pairs = compare(benchmarks(2, 2, processor="Example 8"), benchmarks(1, 2), 20)
    assert ["Example 8" in pair.why for pair in pairs] == [True, False]


def test_files_that_cannot_be_compared(tmp_path: Path) -> None:
    file = tmp_path / "now.json"
    file.write_bytes(encode(benchmarks(1)))
    with refuses("usage.no-benchmarks", where=str(tmp_path)):
        since(str(tmp_path), file, 20)
    (tmp_path / "benchmarks.json").write_bytes(encode(benchmarks(1, quick=True)))
    with refuses("usage.other-benchmarks", found="full ones"):
        since(str(tmp_path), file, 20)
    file.write_bytes(encode(benchmarks(1))[:-9])
    with refuses("results.not-results", where=str(file)):
        since(str(tmp_path), file, 20)
    ratio = b'{"part": "a", "name": "to its peer", "times_as_fast": 1}'
    file.write_bytes(encode(benchmarks()).replace(b'"ratios": []', b'"ratios": [' + ratio + b", " + ratio + b"]"))
    with refuses("results.not-results", where=str(file)):
        since(str(tmp_path), file, 20)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    results, now = counts.write(tmp_path / "results"), tmp_path / "now.json"
    (results / "benchmarks.json").write_bytes(encode(benchmarks(2, 3)))
    now.write_bytes(encode(benchmarks(1.9, 3)))
    ci(str(results), results=results, benchmarks=now)
    now.write_bytes(encode(benchmarks(1.0, 3)))
    with pytest.raises(typer.Exit) as left:
        ci(str(results), results=results, benchmarks=now, junit=tmp_path / "junit.xml")
    assert left.value.exit_code == 1
    assert "slower by 50 %, more than 20 %" in capsys.readouterr().out
    assert Xml.parse(tmp_path / "junit.xml").getroot().get("failures") == "1"
    ci(str(results), results=results, benchmarks=now, slower=60)
