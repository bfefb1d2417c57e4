"""The evaluation server's file, and its answers in the forms that it has."""

from __future__ import annotations

import errno
import json
import os
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from refusals import refuses

from cspbench.detection import coco_server, result_file
from cspbench.detection.ap.matching import Detections
from cspbench.detection.coco_server import import_server, write_submission
from cspbench.errors import brief

LINES = """\
Loading and preparing results...
DONE (t=0.05s).
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.380
 Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.600
 Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.408
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.197
 Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.414
 Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = -1.000
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.301
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.470
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.499
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.277
 Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.535
 Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.673
"""
NUMBERS = {
    "ap": "38.0", "ap50": "60.0", "ap75": "40.8", "aps": "19.7", "apm": "41.4", "apl": None,
    "ar1": "30.1", "ar10": "47.0", "ar100": "49.9", "ars": "27.7", "arm": "53.5", "arl": "67.3",
}  # fmt: skip
EXPECTED = {name: None if text is None else Decimal(text) for name, text in NUMBERS.items()}
NAMED = {
    "AP": 0.380, "AP_50": 0.600, "AP_75": 0.408, "AP_small": 0.197, "AP_medium": 0.414, "AP_large": -1.0,
    "AR_max_1": 0.301, "AR_max_10": 0.470, "AR_max_100": 0.499, "AR_small": 0.277, "AR_medium": 0.535,
    "AR_large": 0.673,
}  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        LINES,
        LINES.replace("\n", "\r\n"),
        "\ufeff" + LINES,
        json.dumps(NAMED),
        json.dumps([{"test-dev2017": NAMED, "status": "finished"}]),
        "\n".join(f"{name}: {value}" for name, value in NAMED.items()),
        "\n".join(f"{name}={value}" for name, value in NAMED.items()),
        json.dumps({name: 100 * value if value > 0 else value for name, value in NAMED.items()}),
        LINES + LINES,
    ],
)
def test_the_forms_of_an_answer(tmp_path: Path, text: str) -> None:
    (tmp_path / "answer").write_text(text, encoding="utf-8", newline="")
    found = import_server(tmp_path / "answer")
    assert list(found) == list(NUMBERS)
    for name, value in found.items():
        expected = EXPECTED[name]
        assert (value is None) == (expected is None)
        assert value is None or expected is None or abs(value - expected) < Decimal("1e-9")


def test_printed_decimals_stay(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text('{"AP": 0.3805, "APs": 0.2}')
    assert import_server(tmp_path / "answer") == {"ap": Decimal("38.05"), "aps": Decimal("20.0")}


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ("", "", "no AP"),
        ("the submission failed", "", "no AP"),
        ('{"AP_50": 0.6}', "", "no AP"),
        ("{", "JSON", ""),
        ("[" * 10_000, "JSON", ""),
        ('{"AP": "good"}', "number for AP", "'good'"),
        ('{"AP": NaN}', "number for AP", "NaN"),
        ('{"AP": true}', "number for AP", "True"),
        ('{"AP": 1e5}', "percent", "1E+5"),
        ('{"AP":9,"AP50":1e-1500000000}', "number for AP50", "'1e-1500000000'"),
        ('{"AP":9,"AP50":"1e-2500000000"}', "number for AP50", "'1e-2500000000'"),
        ('{"AP": 1e-900000000}', "number for AP", "'1e-900000000'"),
        ("AP: 1e-900000000", "number for AP", "'1e-900000000'"),
        (LINES.replace("= 0.380", "= 1e-1500000000"), "number for AP", "'1e-1500000000'"),
        ('{"AP": ' + "9" * 900_000 + "}", "number for AP", "999"),
        ('{"AP": -3}', "percent", "-3"),
        ('[{"AP": 0.3}, {"AP": 0.4}]', "one result", "AP 0.3 and 0.4"),
        (LINES.replace("= 0.380", "= nan"), "number for AP", "'nan'"),
        (LINES + LINES.replace("0.380", "0.381"), "one result", "AP 0.380 and 0.381"),
        ("x" * (1 << 20) + "x", "1,048,576 bytes", "more"),
    ],
)
def test_what_is_not_an_answer(tmp_path: Path, text: str, expected: str, found: str) -> None:
    (tmp_path / "answer").write_text(text)
    with refuses("server.not-an-answer", where=str(tmp_path / "answer")) as caught:
        import_server(tmp_path / "answer")
    assert expected in str(caught.value.expected)
    assert found in str(caught.value.found)
    assert caught.value.exit_code == 3
    assert "\n" not in str(caught.value)


def test_unreadable_answers(tmp_path: Path) -> None:
    with refuses("server.not-an-answer") as caught:
        import_server(tmp_path / "answer")
    assert os.strerror(errno.ENOENT) in str(caught.value.found)
    (tmp_path / "answer").write_bytes(b"\xff\xfe\xff")
    with refuses("server.not-an-answer", expected="text"):
        import_server(tmp_path / "answer")


SPLIT = "test-dev2017"


def found(count: int) -> Detections:
    """Detections with many decimals."""
    rng = np.random.default_rng(0)
    return Detections(
        np.arange(count) + 1, rng.integers(1, 91, count), rng.uniform(0, 600, (count, 4)), rng.random(count)
    )


@pytest.mark.parametrize("depth", [1, 300, 400_000])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_answers_that_are_deep(tmp_path: Path, depth: int, begin: str, end: str) -> None:
    (tmp_path / "answer").write_text((begin * depth + '{"AP": 0.5, "AP50": 0.7}' + end * depth)[: coco_server.LARGEST])
    if depth < 1000:
        assert import_server(tmp_path / "answer") == {"ap": Decimal("50.0"), "ap50": Decimal("70.0")}
    else:
        with refuses("server.not-an-answer", expected="JSON"):
            import_server(tmp_path / "answer")


def test_a_number_in_any_depth(tmp_path: Path) -> None:
    data: object = {"AP": Decimal("0.5")}
    for _ in range(100_000):
        data = [data]
    assert list(coco_server._in(data)) == [("ap", Decimal("0.5"))]


@pytest.mark.parametrize("count", [0, 1, 7, 8, 20])
def test_the_file_for_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(result_file, "CHUNK", 4)
    detections = found(count)
    path = write_submission(detections, "csp-0.6", tmp_path / "new", SPLIT)
    assert path.name == "detections_test-dev2017_csp-0.6_results.zip"
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["detections_test-dev2017_csp-0.6_results.json"]
        records = json.loads(archive.read(archive.namelist()[0]))
    assert [record["image_id"] for record in records] == detections.image_ids.tolist()
    assert [record["category_id"] for record in records] == detections.category_ids.tolist()
    assert [record["bbox"] for record in records] == np.round(detections.boxes, 6).tolist()
    assert [record["score"] for record in records] == np.round(detections.scores, 6).tolist()
    again = write_submission(detections, "csp-0.6", tmp_path / "again", SPLIT)
    assert again.read_bytes() == path.read_bytes()
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_the_text_is_darknets() -> None:
    one = Detections(
        np.array([139]), np.array([1]), np.array([[232.136688, 185.773788, 25.9, 27]]), np.array([0.0160443])
    )
    assert "".join(result_file.lines(one)).splitlines() == [
        "[",
        '{"image_id":139, "category_id":1, "bbox":[232.136688, 185.773788, 25.900000, 27.000000], "score":0.016044}',
        "]",
    ]


@pytest.mark.parametrize("name", ["", "../x", "a b", "a_b", "-x", "é", "x" * 81, "a\n"])
def test_names_that_the_server_cannot_take(tmp_path: Path, name: str) -> None:
    with refuses("usage.server-name", found=repr(brief(name))):
        write_submission(found(1), name, tmp_path, SPLIT)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with refuses("disk.write-failed"):
        write_submission(found(1), "x", tmp_path / "file", SPLIT)


@pytest.mark.parametrize(
    ("text", "expected", "found"),
    [
        ('{"AP": 0.6, "AP_50": 0.38}', "AP50 of at least AP,", "AP50 38.00 and AP 60.0"),
        ('{"AP": 0.38, "AP_50": 60.0}', "AP of at least 0.1 * AP50,", "AP 0.38 and AP50 60.0"),
        ('{"AP": 0.38, "AP_50": 0.6, "AP_75": 0.65}', "AP50 of at least AP75,", "AP50 60.0 and AP75 65.00"),
        ('{"AP": 2, "AP_50": 30, "AP_75": 28}', "AP of at least 0.1 * AP50,", "AP 2 and AP50 30"),
        ('{"AP": 0.38, "AR_1": 0.5, "AR_10": 0.4}', "AR10 of at least AR1,", "AR10 40.0 and AR1 50.0"),
    ],
)
def test_numbers_that_no_result_has_together(tmp_path: Path, text: str, expected: str, found: str) -> None:
    (tmp_path / "answer.json").write_text(text)
    with refuses("server.not-an-answer") as caught:
        import_server(tmp_path / "answer.json")
    assert str(caught.value.expected).startswith(expected)
    assert str(caught.value.found).startswith(found)
