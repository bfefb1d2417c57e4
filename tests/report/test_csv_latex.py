"""The report for other programs."""

from __future__ import annotations

import csv
import io

from report_lines import COUNTED, HOSTILE, published
from snapshot import CELLS

from cspbench.claims import tables
from cspbench.report.csv_latex import HEADER, as_csv, as_latex
from cspbench.report.select import select

TABLES = tables.load_all()


def test_a_line_for_every_cell() -> None:
    lines = published()
    text = as_csv(select(lines, TABLES))
    read = list(csv.DictReader(io.StringIO(text), strict=True))
    assert len(read) == CELLS
    assert tuple(read[0]) == HEADER
    result = {(each["table"], each["row"], each["metric"]): each for each in read}
    params = result["imagenet-big", "cspdarknet-53", "params"]
    assert params["kind"] == "published"
    assert (params["claim"], params["measured"], params["exact"], params["delta"]) == (
        "27.61",
        "27.61",
        "27610900",
        "0.00",
    )
    assert (params["comparison_printed"], params["comparison_verdict"]) == ("(-34%)", "exact")
    assert (params["command"], params["counting"]) == (COUNTED.command, "weights")
    top1 = result["imagenet-big", "resnet-50", "top1"]
    assert (top1["verdict"], top1["reason"], top1["partial"], top1["delta"]) == ("unmeasured", "partial", "yes", "")
    hostile = result["imagenet-big", "cspresnet-50", "top1"]
    assert hostile["command"] == HOSTILE.command
    assert (hostile["scored"], hostile["sessions"]) == (HOSTILE.scored, HOSTILE.sessions[0])
    assert (hostile["interval_low"], hostile["interval_high"]) == ("76.2", "77.0")
    assert result["imagenet-big", "cspdarknet-53", "top5"]["others"] == "1"
    assert result["coco-nms", "cspresnext50-panet-spp-512-nms0.45", "ap"]["settings"] == "Threshold=0.45"


def test_latex_has_a_tabular_for_each_table() -> None:
    text = as_latex(select(published(), TABLES))
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == len(TABLES)
    assert r"27.61M (-34\%) $\to$ 27.6109M (-34\%) $\Delta$0 exact" in text
    assert r"512$\times$512" in text
    assert r"\#Parameter" in text
    assert text.isascii()
