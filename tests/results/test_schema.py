"""Records read without trusting that they were written here: any bytes are a record or one error."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from result_files import ANALYSIS, WHO, classifier, counted, counts, detector, stored, threshold

from cspbench.results.counts import Counts
from cspbench.results.encoding import OldSchemaError, decode, encode
from cspbench.results.schema import ClassificationMetrics, Data, DetectionMetrics, Evaluation, Run, Session

CLASSIFIER, DETECTOR = classifier(), detector(intervals={"ap": (37.1, 39.0), "apl": None})
RECORDS: list[tuple[bytes, type[msgspec.Struct]]] = [
    (encode(CLASSIFIER.run), Run),
    (encode(DETECTOR.run), Run),
    (encode(CLASSIFIER.metrics), ClassificationMetrics),  # type: ignore[arg-type]
    (encode(DETECTOR.metrics), DetectionMetrics),  # type: ignore[arg-type]
    (encode(structs.replace(DETECTOR.metrics, analysis=ANALYSIS)), DetectionMetrics),  # type: ignore[arg-type, type-var]
    (stored(CLASSIFIER), Evaluation),
    (stored(DETECTOR), Evaluation),
    (counts(counted("imagenet-big", "darknet-53", "darknet53", params=(41_573_216, "weights"))), Counts),
]
KINDS = [*dict.fromkeys(kind for _, kind in RECORDS)]


@pytest.mark.parametrize(("data", "kind"), RECORDS)
def test_a_record_is_read_as_it_was_written(data: bytes, kind: type[msgspec.Struct]) -> None:
    record = decode(data, kind)
    assert encode(record) == data
    document = json.loads(data)
    assert document["schema"] == 2
    assert data.startswith(b"{\n ")
    assert data.endswith(b"}\n")
    # the order of the keys and blanks do not matter
    assert decode(json.dumps(dict(reversed(document.items()))).encode(), kind) == record


def test_numbers_keep_every_digit() -> None:
    metrics = detector(ap="12.3456789012345678901234567890").metrics
    assert isinstance(metrics, DetectionMetrics)
    again = decode(encode(metrics), DetectionMetrics)
    assert again.thresholds[0].ap["ap"] == Decimal("12.3456789012345678901234567890")


@pytest.mark.parametrize(("data", "kind"), RECORDS)
@pytest.mark.parametrize("schema", [1, 0, 3, -1, 10**30, "2", True, 2.5, None, [2]])
def test_another_schema_is_never_misread(data: bytes, kind: type[msgspec.Struct], schema: Any) -> None:
    document = {**json.loads(data), "schema": schema}
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        decode(json.dumps(document).encode(), kind)
    assert isinstance(caught.value, OldSchemaError) == (schema == 1 and schema is not True)


def test_the_schema_of_an_evaluation_may_stand_in_its_run() -> None:
    document = json.loads(stored(CLASSIFIER))
    del document["schema"]
    document["run"]["schema"] = 1
    with pytest.raises(OldSchemaError):
        decode(json.dumps(document).encode(), Evaluation)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def read_or_refused(data: bytes, kind: type[msgspec.Struct]) -> None:
    try:
        record = decode(data, kind)
    except ValueError as error:
        refused = error
    else:
        assert encode(record)
        return
    assert type(refused) in (ValueError, OldSchemaError), repr(refused)
    assert str(refused)


@given(st.sampled_from(KINDS), JSON | st.fixed_dictionaries({"schema": st.just(2)}, optional={"run": JSON, "x": JSON}))
def test_any_json_is_a_record_or_one_error(kind: type[msgspec.Struct], document: Any) -> None:
    read_or_refused(json.dumps(document).encode(), kind)


@given(st.sampled_from(KINDS), st.binary(max_size=60))
def test_any_bytes_are_one_error(kind: type[msgspec.Struct], data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        decode(data, kind)


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


HOSTILE = st.sampled_from(
    [float("nan"), float("inf"), -float("inf"), 10**400, -1, 1e308, "\ud800", "\x00", "1e9", [], {}, [[]], "x" * 10_000]
)


@settings(max_examples=examples(300))
@given(st.sampled_from(RECORDS), st.data())
def test_any_value_anywhere_is_read_or_one_error(
    known: tuple[bytes, type[msgspec.Struct]], data: st.DataObject
) -> None:
    document = json.loads(known[0])
    path = data.draw(st.sampled_from(_places(document)[1:]))
    at = document
    for key in path[:-1]:
        at = at[key]
    if data.draw(st.booleans()):
        at[path[-1]] = data.draw(JSON | HOSTILE)
    else:
        del at[path[-1]]
    read_or_refused(json.dumps(document).encode("utf-8", "surrogatepass"), known[1])


@pytest.mark.parametrize(
    "number",
    ["1e-1500000000", "1e1500000000", "1e999999999999999999999", "0." + "0" * 5000 + "1", "9" * 100_000, "1e-101"],
)
def test_numbers_of_any_length_are_refused_fast(number: str) -> None:
    data = stored(detector())
    begun = time.monotonic()
    with pytest.raises(ValueError):  # noqa: PT011
        decode(data.replace(b'"ap": 38.04', f'"ap": {number}'.encode()), Evaluation)
    # a float that is nearer to 0 than any is 0, and no harm
    for field in (b'"images": 20288', b'"nms": 0.45', b'"beta_nms": 0.6'):
        assert field in data
        read_or_refused(data.replace(field, field.partition(b" ")[0] + number.encode()), Evaluation)
    assert time.monotonic() - begun < 60


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "nan"])
def test_what_is_not_a_number_is_refused(number: str) -> None:
    for written in (number, f'"{number}"'):
        with pytest.raises(ValueError):  # noqa: PT011
            decode(stored(detector()).replace(b'"ap": 38.04', f'"ap": {written}'.encode()), Evaluation)


def test_a_number_may_be_a_text_only_if_it_is_a_percentage() -> None:
    read = decode(stored(detector()).replace(b'"ap": 38.04', b'"ap": "38.04"'), Evaluation)
    assert read == decode(stored(detector()), Evaluation)


def test_nesting_of_any_depth_is_refused() -> None:
    for kind in KINDS:
        for data in (b"[" * 1_000_000, b'{"schema": 2, "run": ' + b'{"a":' * 200_000):
            with pytest.raises(ValueError):  # noqa: PT011
                decode(data, kind)


def test_equal_records_give_equal_bytes() -> None:
    one = Session(["x"], "1", packages={"a": "1", "b": None})
    other = Session(["x"], "1", packages={"b": None, "a": "1"})
    assert one == other
    assert encode(one) == encode(other)


def test_times_are_times() -> None:
    for when in ("soon", "2026-11-20T10:00:00+01:00", "2026-11-20T10:00:00Z\n", "２026-11-20T10:00:00Z"):
        with pytest.raises(ValueError, match="not a time"):
            msgspec.structs.replace(WHO, when=when)
    assert msgspec.structs.replace(WHO, when="9999-12-31T23:59:59Z").when > "2026-01-01T00:00:00Z"


def test_samples_of_a_part() -> None:
    assert Data("folders", 200).samples == 200
    assert Data("folders", 200, limit=10, seed=0).samples == 10


def test_names_that_are_not_text_are_written_as_escapes() -> None:
    """Arguments and names of files are bytes, which Python keeps as half characters."""
    session = Session(["cspbench", "a\udcff", "é"], "1", packages={"x\ud800": None})
    again = decode(encode(Counts(session=session, rows=[])), Counts).session
    assert (again.command, again.packages) == (["cspbench", "a\\udcff", "é"], {"x\\ud800": None})
    metrics = detector(thresholds=[threshold(per_class={"d\udcff": {"ap": Decimal("1.25")}})]).metrics
    assert isinstance(metrics, DetectionMetrics)
    (read,) = decode(encode(metrics), DetectionMetrics).thresholds
    assert read.per_class == {"d\\udcff": {"ap": Decimal("1.25")}}


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("data", "split"), "train2017"),
        (("data", "split"), "../../x"),
        (("data", "split"), "test-dev2017\0"),
        (("model",), "a\0b"),
        (("quoted",), True),
        (("last", "classes"), 0),
        (("last", "beta_nms"), 1e300),
        (("last", "more"), 1),
    ],
)
def test_what_files_are_called_by_and_suppression_asks_for_is_checked(place: tuple[str, ...], value: Any) -> None:
    document = json.loads(encode(DETECTOR.run))
    at = document["identity"]
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    with pytest.raises(ValueError):  # noqa: PT011
        decode(json.dumps(document).encode(), Run)
