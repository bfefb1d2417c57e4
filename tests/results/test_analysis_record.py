"""The record of a detector's errors: what it says, and what it cannot be."""

from __future__ import annotations

import msgspec
import pytest
from msgspec import structs
from result_files import ANALYSIS

from cspbench.results.analysis_record import AnalysisRecord, Mistake


def test_the_background_is_no_mistake_of_classes() -> None:
    two = structs.replace(
        ANALYSIS,
        classes=[*ANALYSIS.classes, structs.replace(ANALYSIS.classes[0], name="dog")],
        confusion=[Mistake(0, 0, 9), Mistake(0, 1, 2), Mistake(1, 0, 3), Mistake(0, 2, 8), Mistake(2, 1, 7)],
    )
    assert two.mistakes == [("dog", "person", 3), ("person", "dog", 2)]
    assert two.as_json()["confusion"][3:] == [
        {"truth": "person", "found": None, "count": 8},
        {"truth": None, "found": "dog", "count": 7},
    ]


def test_percentages() -> None:
    result = ANALYSIS.as_json()
    assert result["areas"]["all"]["ap50"] == 50.0
    assert result["areas"]["small"]["dap"] == {}
    assert result["per_class"][0]["dap"]["loc"] == 12.5
    assert ANALYSIS.number == "errors 0.45 default"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"truth":0', b'"truth":2'),
        (b'"small"', b'"tiny"'),
        (b'"ap50":0.5', b'"ap50":1.5'),
        (b'"ap50":0.5', b'"ap50":null'),
        (b'"loc"', b'"location"'),
        (b'"count":7', b'"count":-7'),
    ],
)
def test_a_false_record_is_not_read(old: bytes, new: bytes) -> None:
    plain = msgspec.json.encode(ANALYSIS)
    assert old in plain
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(plain.replace(old, new), type=AnalysisRecord)
