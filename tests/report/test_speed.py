"""Stored times in the report: cells without a verdict, ratios, the figure, and the same bytes every time."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from msgspec import structs
from result_files import counts
from speed_runs import MACHINE, speed_run, stored, timing, tiny_run
from test_html import Page

from cspbench.ci.baseline import changes_since, load, present
from cspbench.ci.tolerances import DEFAULT, parse
from cspbench.claims import tables
from cspbench.plots import report_files
from cspbench.plots import speed as figure
from cspbench.report.build import rows, sources
from cspbench.report.findings import findings, headline
from cspbench.report.forms import ReportFormat, rendered
from cspbench.report.model import ReportRow
from cspbench.report.select import select
from cspbench.report.speed import of_tables
from cspbench.report.tables.speed import as_csv, as_json, blocks, short, warning
from cspbench.results.speeds.record import Machine, Setting, SpeedRun
from cspbench.results.store import Sources

TABLES = tables.load_all()


def sources_of(*runs: SpeedRun) -> list[ReportRow]:
    """The rows of a report with these times alone."""
    return rows(Sources((), (), runs))


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results directory with nothing but times."""
    first, second = tiny_run().timings
    run = speed_run(structs.replace(first, definition="stand-in"), second)
    (tmp_path / "speed.json").write_bytes(stored(run))
    return tmp_path


def report(results: Path, form: ReportFormat) -> str:
    measured = sources(results)
    return rendered(form, select(rows(measured), TABLES), [], measured.evaluations, (), measured.speeds)


def test_every_format_has_the_times_and_the_same_bytes_again(results: Path) -> None:
    for form in ReportFormat:
        assert report(results, form) == report(results, form)
    markdown = report(results, ReportFormat.MD)
    assert "54 → 33.33 (95 %: 25.00–50.00) – hardware" in markdown
    assert "| YOLOv3-tiny-PRN 416×416 / YOLOv3-tiny 416×416 (coco-cpu) | cfg / stand-in |" in markdown
    assert "| 1.31 = 71/54 on 9900K (1.29–1.34) | 1.80 (1.65–2.11) | 1.67 (1.60–2.00) |" in markdown
    page = Page(report(results, ReportFormat.HTML))
    assert "speed" in [attributes.get("id") for attributes in page.all("section")]
    assert "1.80 (1.65–2.11)" in page.texts["td"]
    assert "1.80 (1.65–2.11)" in report(results, ReportFormat.LATEX)
    document = json.loads(report(results, ReportFormat.JSON))
    (run,) = document["speeds"]
    assert run["ratios"][0]["measured"]["network"]["median"] == 1.8
    lines = [line for line in csv.DictReader(io.StringIO(report(results, ReportFormat.CSV))) if line["metric"] == "fps"]
    assert {line["measured"]: line["verdict"] for line in lines if line["row"] == "yolov3-tiny-416"} == {
        "33": "unmeasured"
    }


def test_the_headline_counts_what_stands_beside_a_claim(results: Path) -> None:
    measured = headline(select(rows(sources(results)), TABLES))
    assert ": 2 measured beside the claim, without a verdict, " in measured
    assert "accuracies, APs and speeds: none measured" not in measured
    assert "accuracies, APs and speeds: none measured" in headline(select(rows(Sources((), ())), TABLES))


def test_saving_the_report_shows_the_stored_times(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_files, "drawn", lambda *arguments: [])
    before = (results / "speed.json").read_bytes()
    report_files.save(results, [], print)
    text = (results / "report.md").read_bytes()
    report_files.save(results, [], print)
    assert (results / "report.md").read_bytes() == text
    assert b"1.80 (1.65\xe2\x80\x932.11)" in text
    assert (results / "speed.json").read_bytes() == before


def test_without_times_nothing_of_them_is_there(tmp_path: Path) -> None:
    (tmp_path / "params.json").write_bytes(counts())
    assert "(#speed)" not in report(tmp_path, ReportFormat.MD)
    assert 'id="speed"' not in report(tmp_path, ReportFormat.HTML)
    assert "speeds" not in json.loads(report(tmp_path, ReportFormat.JSON))


def test_a_time_is_no_finding(results: Path) -> None:
    with_times = findings(select(rows(sources(results)), TABLES))
    (results / "speed.json").write_bytes(stored())
    assert with_times == findings(select(rows(sources(results)), TABLES))
    assert any("(hardware)" in each.text for each in with_times)


def test_ci_does_not_compare_times(results: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "speed.json").write_bytes(stored(speed_run(timing("yolov3-tiny", [1.0] * 6))))
    none = tmp_path_factory.mktemp("none")
    (none / "params.json").write_bytes(counts())
    for before, now in ((results, other), (results, none), (none, results)):
        changes = changes_since(load(str(before), now), present(now), parse(DEFAULT))
        assert (changes.changed, changes.exit_code) == ([], 0)
    place = tmp_path_factory.mktemp("report") / "report.json"
    place.write_text(report(results, ReportFormat.JSON), encoding="utf-8")
    changed = changes_since(load(str(place), none), present(none), parse(DEFAULT)).changed
    assert [pair for pair in changed if pair.metric == "fps"] == []


def test_which_times_a_part_of_the_report_shows() -> None:
    cpu, other = tiny_run(), speed_run(timing("csresnext50-panet-spp", [0.5], 512))
    yours = speed_run(timing("yolov3-tiny", [0.5], definition="file"))
    shown = [of_tables([cpu, other, yours], [tables.load(name)]) for name in ("coco-cpu", "coco-gpu", "imagenet-big")]
    assert shown == [(cpu,), (other,), ()]


def test_names_from_a_file_are_no_markup(tmp_path: Path) -> None:
    hostile = timing("csresnet50", [0.5], model="<script>|\n# x", definition="file")
    machine = structs.replace(MACHINE, processor="<img>\x1b[31m")
    (tmp_path / "speed.json").write_bytes(stored(speed_run(hostile, machine=machine)))
    markdown = report(tmp_path, ReportFormat.MD)
    assert "<script>" not in markdown
    assert "<img>" not in markdown
    assert "\n# x" not in markdown
    assert "\x1b" not in markdown
    page = report(tmp_path, ReportFormat.HTML)
    assert "<script>|" not in page
    assert "<img>" not in page


# --- the tables


def test_a_line_of_times() -> None:
    run = tiny_run(setting=Setting("bf16", True, "best"))
    run = structs.replace(run, timings=[structs.replace(run.timings[0], batch=16), run.timings[1]])
    _, times, ratios, _ = blocks([run])
    assert [line[4] for line in times.lines] == ["best batch (16), bf16, compiled", "best batch (1), bf16, compiled"]  # type: ignore[union-attr]
    # 28 ms, with 2 and 3 ms more; the medians of an even number of rounds lie between the two in the middle
    assert times.lines[0] == [  # type: ignore[union-attr]
        *("yolov3-tiny", "cfg", "drawn", "416×416", "best batch (16), bf16, compiled", "54(9900K)"),
        *("28.0", "18.0–38.0", "35.7", "33.3", "32.3", "20", "400 → 90", "6"),
    ]
    assert len(ratios.lines) == 1  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1234"), (99.96, "100.0"), (12.34, "12.3"), (1.234, "1.23"), (0.1234, "0.123"), (0.01234, "0.0123")],
)
def test_three_digits(value: float, text: str) -> None:
    assert short(value) == text


def test_json_and_csv_have_the_numbers() -> None:
    run = tiny_run()
    (document,) = as_json([run])
    assert document["machine"] == {
        "processor": "Example 9",
        "cores": 4,
        "threads": 2,
        "accelerator": None,
        "load": 0.25,
    }
    first = document["times"][0]
    assert (first["claimed"], first["seconds"]["network"]) == (
        [{"device": "9900K", "fps": 54.0}],
        {"median": 0.028, "quartiles": [0.018, 0.038], "interval": [0.018, 0.038]},
    )
    assert first["fps"]["images"]["median"] == pytest.approx(1 / 0.031, rel=1e-5)
    lines = list(csv.DictReader(io.StringIO(as_csv([run]))))
    assert len(lines) == 9
    assert [(line["kind"], line["stage"]) for line in lines[-3:]] == [
        ("ratio", stage) for stage in ("network", "boxes", "images")
    ]
    assert (lines[-3]["median"], lines[-3]["interval_low"], lines[0]["median"]) == ("1.8", "1.65217", "35.7143")


def test_decoding_stands_beside_the_tables() -> None:
    run = structs.replace(tiny_run(), decoding={"opencv": [0.004, 0.005, 0.1], "stb": [0.01, 0.01, 0.02]})
    text = blocks([run])[-2].text  # type: ignore[union-attr]
    assert text == "One core decodes the picture alone 200 times a second by opencv, 100 times a second by stb."
    assert as_json([run])[0]["decoding"]["stb"]["median"] == 0.01
    assert msgspec.json.decode(msgspec.json.encode(run), type=SpeedRun) == run
    assert b"decoding" not in msgspec.json.encode(tiny_run())  # records from before it was measured stay as they are
    for times in ([], [0.0], [-1.0]):
        with pytest.raises(ValueError, match="a time that cannot be"):
            structs.replace(run, decoding={"stb": times})


def test_a_busy_machine_is_said() -> None:
    assert warning(0.5) is None
    assert warning(None) is None
    assert warning(0.51) is not None
    busy = tiny_run(machine=Machine("Example 9", 4, 1, load=3.0))
    assert "3.00" in blocks([busy])[0].text  # type: ignore[union-attr]
    assert "**" not in blocks([tiny_run()])[0].text  # type: ignore[union-attr]


# --- the figure


def test_points_of_the_figure() -> None:
    measured = sources_of(tiny_run())
    (panel,) = figure.panels(TABLES, measured)
    # YOLOv3-tiny prints no AP, so that AP50 is what all rows have
    assert (panel.header, panel.devices, len(panel.models)) == ("AP50", ["9900K"], 8)
    tiny, prn, *others = panel.models
    assert (tiny.claims, tiny.measured, tiny.interval) == ({"9900K": (54, 33.1)}, (33.3333, 33.1), (25, 50))
    assert prn.claims == {"9900K": (71, 33.1)}
    assert [model.measured for model in others] == [None] * 6
    assert figure.panels(TABLES, sources_of()) == []


def test_a_measured_ap_takes_the_place_of_the_published_one() -> None:
    lines = sources_of(tiny_run())
    known = {line.row: line for line in lines if line.table == "coco-cpu"}["yolov3-tiny-416"]
    cells = {
        **known.cells,
        "ap50": replace(known.cells["ap50"], measured="33.4", verdict="off", reason=None),
    }
    line = replace(known, cells=cells)
    (panel,) = figure.panels(TABLES, [line])
    assert panel.models[0].measured == (33.3333, 33.4)


def test_devices_of_one_panel() -> None:
    run = speed_run(timing("csresnext50-panet-spp-original-optimal", [0.5] * 6, 512))
    headline, _ = figure.panels(TABLES, sources_of(run))
    assert (headline.header, headline.devices) == ("AP", ["1080ti", "GV100"])
    assert headline.models[0].claims == {"1080ti": (44, 42.4), "GV100": (67, 42.4)}
    pytest.importorskip("matplotlib")
    from cspbench.plots.figures import plots

    drawn = [plot for plot in plots(sources_of(run), TABLES) if plot.name == "ap-over-fps"]
    again = [plot for plot in plots(sources_of(run), TABLES) if plot.name == "ap-over-fps"]
    assert drawn[0].svg == again[0].svg
    assert "claimed, GV100" in drawn[0].svg.element
