"""The record of Darknet's mAP, and its table."""

from __future__ import annotations

import msgspec
import pytest

from cspbench.detection.ap.darknet_map import AtConfidence
from cspbench.report.formats import latex_tables, markdown
from cspbench.report.tables.darknet_map import blocks
from cspbench.results.map_record import ClassMap, MapRecord

RECORD = MapRecord(
    "area",
    0.5,
    0.25,
    [
        ClassMap("per|son", 0.6, AtConfidence(3, 1, 1, 2.4)),
        ClassMap("dog", 0.0, AtConfidence(0, 0, 0, 0.0)),
    ],
)


def test_means_and_counts_of_all_classes() -> None:
    """A mean of (.6 + 0) / 2; precision 3/4, recall 3/4; the mean IoU has the false positive as 0: 2.4 / 4."""
    result = RECORD.as_json()
    assert (result["map"], result["tp"], result["fp"], result["fn"]) == (30.0, 3, 1, 1)
    assert (result["precision"], result["recall"], result["f1"], result["average_iou"]) == (0.75, 0.75, 0.75, 60.0)
    assert result["per_class"][1] == {"name": "dog", "ap": 0.0, "tp": 0, "fp": 0, "fn": 0}
    assert MapRecord("voc11", 0.5, 0.25, []).as_json()["map"] == 0


def test_the_table_has_a_line_for_each_class_and_one_for_all() -> None:
    lines = markdown(blocks([("net", RECORD)])).splitlines()
    assert "mAP@0.50 (area under the curve) 30.00 %" in lines[0]
    assert lines[-3:] == [
        "| per\\|son | 60.00 | 3 | 1 | 1 | 0.75 | 0.75 | 0.75 | 60.00 |",
        "| dog | 0.00 | 0 | 0 | 0 | - | - | - | - |",
        "| all | 30.00 | 3 | 1 | 1 | 0.75 | 0.75 | 0.75 | 60.00 |",
    ]
    assert r"\toprule" in latex_tables(blocks([("net", RECORD)]))


def test_a_record_is_read_as_it_was_written_and_a_false_one_is_not() -> None:
    plain = msgspec.json.encode(RECORD)
    assert msgspec.json.decode(plain, type=MapRecord) == RECORD
    for old, new in (
        (b'"area"', b'"round"'),
        (b'"iou":0.5', b'"iou":1.5'),
        (b'"ap":0.6', b'"ap":-1'),
        (b'"true":3', b'"true":-3'),
        (b'"iou":2.4', b'"iou":3.4'),
        (b'"iou":2.4', b'"iou":1e999'),
    ):
        assert old in plain
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(plain.replace(old, new), type=MapRecord)
