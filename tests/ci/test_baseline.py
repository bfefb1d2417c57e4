"""What results can be compared with: folders, files, other commits; and whatever somebody puts there."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Xml

import counts_by_hand as counts
import pytest
from checkouts import commit, git, leave_alone, repository
from comparing import against, told
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from refusals import refuses
from result_files import classifier, put, stored

from cspbench.ci import render
from cspbench.ci.baseline import Results, changes_since, load, present
from cspbench.ci.junit import junit
from cspbench.ci.tolerances import DEFAULT, parse
from cspbench.errors import CspbenchError
from cspbench.report.model import as_json


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    leave_alone(monkeypatch)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The present results, in no checkout."""
    return counts.write(tmp_path_factory.mktemp("present") / "results")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with results on main."""
    place = repository(tmp_path / "repository")
    counts.write(place / "results")
    commit(place)
    return place


def test_a_results_folder(tmp_path: Path, results: Path) -> None:
    assert told(against(results, results)) == []
    old = counts.write(tmp_path / "old", *counts.with_cell("params", count=41_573_215))
    assert told(against(old, results)) == [("darknet-53", "params", "changed")]


def test_a_count_that_the_table_has_no_column_for_is_compared_too(tmp_path: Path, results: Path) -> None:
    old = counts.write(tmp_path / "old", *counts.with_cell("bflops", row=1, count=1))
    (pair,) = against(old, results).changed
    assert (pair.row, pair.header, pair.kind) == ("cspresnext50-panet-spp-sam-512", "BFLOPs", "changed")
    gone = counts.write(tmp_path / "gone", *counts.with_cell("bflops", row=1, count=None))
    assert told(against(results, gone)) == [("cspresnext50-panet-spp-sam-512", "bflops", "vanished")]


def test_a_params_json_alone_says_nothing_about_accuracies(tmp_path: Path, results: Path) -> None:
    result = against(results / "params.json", results)
    assert {pair.metric for pair in result.pairs} == {"params", "bflops"}
    renamed = tmp_path / "counts-of-before.json"
    renamed.write_bytes((results / "params.json").read_bytes())
    assert told(against(renamed, results)) == []


def test_a_report(tmp_path: Path, results: Path) -> None:
    report = tmp_path / "report.json"
    lines = present(results).lines
    report.write_text(json.dumps(as_json(lines)))
    assert told(against(report, results)) == []
    (row,) = [line for line in lines if (line.table, line.row) == ("imagenet-big", "darknet-53")]
    measured = replace(row.cells["top1"], measured="77.2", exact="77.2", verdict="exact", reason=None)
    report.write_text(json.dumps(as_json([replace(row, cells={**row.cells, "top1": measured})])))
    assert ("darknet-53", "top1", "vanished") in told(against(report, results))


def test_what_was_recorded_counts_and_not_what_the_tables_say_now(tmp_path: Path, results: Path) -> None:
    gone = structs.replace(counts.rows()[0], id="darknet-54", row="DarkNet-54")
    old = counts.write(tmp_path / "old", *counts.with_cell("params", printed="41.99M"), gone)
    result = against(old, results)
    assert told(result) == [
        ("darknet-53", "params", "claim changed"),
        ("darknet-54", "params", "vanished"),
        ("darknet-54", "bflops", "vanished"),
    ]
    assert result.changed[0].why == "the claim 41.99M became 41.57M"
    assert result.changed[1].why == "the row is gone"
    assert (result.changed[1].name, result.changed[1].header) == ("DarkNet-54 256×256", "#Parameter")


def test_another_network_with_the_same_counts(tmp_path: Path, results: Path) -> None:
    first, second = counts.rows()
    old = counts.write(tmp_path / "old", structs.replace(first, network="1" * 64), second)
    result = against(old, results)
    assert told(result) == [("darknet-53", "params", "changed"), ("darknet-53", "bflops", "changed")]
    assert result.changed[0].why == "the network is another, though with the same count"


def test_a_network_that_changed_without_a_new_count_does_not_pass(tmp_path: Path, results: Path) -> None:
    lines = [structs.replace(line, network="1" * 64) for line in counts.rows()]
    now = counts.write(tmp_path / "now", *lines)
    result = against(results, now)
    assert told(result) == [
        ("cspresnext50-panet-spp-sam-512", "params", "changed"),
        ("cspresnext50-panet-spp-sam-512", "bflops", "changed"),
        ("darknet-53", "params", "worse"),
        ("darknet-53", "bflops", "worse"),
    ]
    assert all("the network has changed since it was counted" in pair.why for pair in result.changed)
    assert result.exit_code == 1
    # not even where the baseline's count is as old, or there is none
    assert {pair.kind for pair in against(now, now).changed} == {"changed", "worse"}
    assert ("darknet-53", "params", "changed") in told(against(counts.write(tmp_path / "none", lines[1]), now))


def test_a_baseline_is_judged_by_the_networks_of_then(tmp_path: Path, results: Path) -> None:
    old = counts.write(tmp_path / "old", *(structs.replace(line, network="1" * 64) for line in counts.rows()))
    counted_then = {(line.table, line.row): line.cells for line in load(str(old), results).lines}
    cell = counted_then["imagenet-big", "darknet-53"]["params"]
    assert (cell.mark, cell.delta, cell.note) == ("exact", "+0.00", None)


def test_a_params_json_says_nothing_of_the_sample(tmp_path: Path, results: Path) -> None:
    """Nor the sample's of what is published."""
    sample = "sample-csp-classifier"
    line = structs.replace(counts.rows()[0], table="sample-classification", id=sample, network=None, model=sample)
    both = counts.write(tmp_path / "both")
    (both / "sample-params.json").write_bytes(counts.document(line))
    for name, ours in (("params.json", False), ("sample-params.json", True)):
        result = changes_since(load(str(both / name), both), present(both), parse(DEFAULT))
        assert {pair.table.startswith("sample-") for pair in result.pairs} == {ours}
        assert not any(pair.kind == "new" for pair in result.pairs)


@pytest.mark.parametrize("cell", [7, None, {}, {"count": -1}, {"count": 1.5}, {"count": 10**30}, {"counting": None}])
def test_a_damaged_file_is_named_as_it_is(tmp_path: Path, results: Path, cell: Any) -> None:
    whole = json.loads(counts.document())
    changed = isinstance(cell, dict) and bool(cell)
    whole["rows"][0]["params"] = {**whole["rows"][0]["params"], **cell} if changed else cell
    place = tmp_path / "then.json"
    place.write_text(json.dumps(whole))
    with refuses("results.not-results", where=str(place)) as caught:
        load(str(place), results)
    assert "params" in str(caught.value.found)


def test_a_pipe_is_no_baseline(tmp_path: Path, results: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with refuses("baseline.not-a-baseline", where=str(tmp_path / "pipe")):
        load(str(tmp_path / "pipe"), results)


def test_a_partial_run_that_is_named_does_not_pass_behind_a_complete_one(tmp_path: Path) -> None:
    run = counts.unfinished_run(tmp_path / "run")
    results = counts.write(tmp_path / "results")
    (results / "evaluations").mkdir()
    (results / "evaluations" / "run.json").write_bytes(stored(classifier()))
    assert told(against(results, results)) == []
    now = present(results, [run])
    assert now.partial == ("run",)
    result = changes_since(load(str(results), results), now, parse(DEFAULT))
    why = "run run is of a part of the data only, which is not compared"
    tables = ("imagenet-big", "imagenet-tricks-cspdarknet-53")
    assert [(pair.table, pair.metric, pair.kind, pair.why) for pair in result.changed] == [
        (table, metric, "partial", why) for table in tables for metric in ("top1", "top5")
    ]
    assert result.exit_code == 4


@pytest.mark.parametrize("changes", [{"images": 49_999}, {"limit": 50_000}, {"limit": 50_000, "seed": 0}, {"bad": 1}])
def test_no_kind_of_part_passes_behind_a_complete_run(tmp_path: Path, changes: dict[str, Any]) -> None:
    bad = ["x.png"] * changes.pop("bad", 0)
    evaluation = classifier(when="2020-01-01T00:00:00Z", **changes)
    assert evaluation.metrics is not None
    run = put(tmp_path / "part", replace(evaluation, metrics=structs.replace(evaluation.metrics, bad=bad)))
    results = counts.write(tmp_path / "results")
    (results / "evaluations").mkdir()
    (results / "evaluations" / "run.json").write_bytes(stored(classifier()))
    now = present(results, [run])
    assert now.partial == ("part",)
    result = changes_since(load(str(results), results), now, parse(DEFAULT))
    assert {(pair.metric, pair.kind) for pair in result.changed} == {("top1", "partial"), ("top5", "partial")}
    assert result.exit_code == 4


def test_the_place_where_the_branch_began_counts_and_not_what_main_became(checkout: Path) -> None:
    start = git(checkout, "rev-parse", "HEAD")
    counts.write(checkout / "results", *counts.with_cell("params", count=1))
    commit(checkout, "main goes on")
    git(checkout, "checkout", "--quiet", "-b", "topic", start)
    counts.write(checkout / "results", *counts.with_cell("params", count=2))
    commit(checkout, "topic")
    result = load("git:main", checkout / "results")
    assert result.name == f"main, branched off at commit {start[:12]}"
    ((pair,), (now,)) = [against(f"git:{ref}", checkout / "results").changed for ref in ("main", start)]
    assert (pair.before and pair.before.exact, pair.after and pair.after.exact) == ("41573216", "2")
    assert now == pair
    assert load("git:HEAD", checkout / "results").name == f"HEAD, commit {git(checkout, 'rev-parse', 'HEAD')[:12]}"


def test_a_commit_without_common_ancestor_is_taken_as_it_is(checkout: Path) -> None:
    git(checkout, "checkout", "--quiet", "--orphan", "other")
    commit(checkout, "another beginning")
    result = load("git:main", checkout / "results")
    main = git(checkout, "rev-parse", "main")[:12]
    assert result.name == f"main, commit {main}, which has no ancestor in common with HEAD here"
    assert (result.unrelated, load("git:HEAD", checkout / "results").unrelated) == (True, False)


def test_another_folder_of_the_commit(checkout: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(checkout, "mv", "results", "a folder")
    commit(checkout)
    for place in ("a folder", "/a folder/"):
        assert told(against(f"git:HEAD:{place}", checkout / "a folder")) == []
    # results that are in no checkout: then the working directory's
    monkeypatch.chdir(checkout)
    assert told(against("git:HEAD:a folder", results)) == []


def test_only_files_of_results_are_read(checkout: Path) -> None:
    folder = checkout / "results"
    (folder / "evaluations").mkdir()
    (folder / "evaluations" / "notes.txt").write_text("{")
    (folder / "other.json").write_text("{")
    (folder / "sample-params.json").symlink_to("other.json")
    commit(checkout)
    (folder / "sample-params.json").unlink()
    assert told(against("git:HEAD", folder)) == []


@pytest.mark.parametrize(
    "reference", ["", "--upload-pack=x", "-", "^main", "main..HEAD", "a b", "main\0", ":/fix", "x\n", "\ud800"]
)
def test_what_git_could_misunderstand_is_no_reference(checkout: Path, reference: str) -> None:
    with refuses("usage.commit-name", where="--baseline"):
        load(f"git:{reference}", checkout / "results")


@pytest.mark.parametrize(
    ("baseline", "code"),
    [
        ("git:origin/main", "baseline.no-commit"),
        ("git:HEAD:elsewhere", "baseline.no-results"),
        ("git:HEAD:../x", "baseline.no-results"),
        ("git:HEAD:results/params.json", "baseline.no-results"),
        ("git:main@{7}", "baseline.no-commit"),
    ],
)
def test_what_is_not_in_the_checkout(checkout: Path, baseline: str, code: str) -> None:
    with refuses(code):
        load(baseline, checkout / "results")


def test_a_shallow_clone_is_told_how_to_get_the_rest(checkout: Path, tmp_path: Path) -> None:
    old = git(checkout, "rev-parse", "HEAD")
    commit(checkout, "again")
    git(tmp_path, "clone", "--quiet", "--depth", "1", checkout.as_uri(), "shallow")
    with refuses("baseline.no-commit") as caught:
        load(f"git:{old}", tmp_path / "shallow" / "results")
    assert "`git fetch --unshallow origin`" in str(caught.value.remedy)


def test_no_checkout_and_no_git(results: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with refuses("baseline.no-checkout"):
        load("git:main", results)
    monkeypatch.setenv("PATH", str(results))
    with refuses("environment.no-git"):
        load("git:main", checkout / "results")


def test_folders_and_files_that_are_none(tmp_path: Path, results: Path) -> None:
    with refuses("baseline.not-a-baseline", where=str(tmp_path)):
        load(str(tmp_path), results)
    for place in (tmp_path / "none", "a\0b", "x" * 5000):
        with refuses("baseline.not-a-baseline"):
            load(str(place), results)
    (tmp_path / "some.json").write_text("{}")
    with refuses("baseline.not-a-baseline", where=str(tmp_path / "some.json")):
        load(str(tmp_path / "some.json"), results)


@pytest.mark.parametrize("field", ["claim", "measured", "exact", "delta", "tolerance"])
@pytest.mark.parametrize("number", ["NaN", "1e99", "", "1" * 101, "many", "1e-1500000000"])
def test_a_measurement_that_is_no_number(tmp_path: Path, results: Path, number: str, field: str) -> None:
    data = as_json(present(results).lines[:1])
    data["rows"][0]["cells"][0] |= {field: number, "verdict": "exact"}
    (tmp_path / "report.json").write_text(json.dumps(data))
    with refuses("baseline.not-a-baseline") as caught:
        load(str(tmp_path / "report.json"), results)
    assert number in str(caught.value.found) or len(number) > 100


def test_a_row_that_is_there_twice(tmp_path: Path, results: Path) -> None:
    data = as_json([present(results).lines[0]] * 2)
    (tmp_path / "report.json").write_text(json.dumps(data))
    with refuses("baseline.not-a-baseline") as caught:
        load(str(tmp_path / "report.json"), results)
    assert data["rows"][0]["row"] in str(caught.value.where)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["\ud800", "\x00", "off", "exact", "unpublished", "-", "1e9", "\x1b[31m|<b>", 10**400, 1e308]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)


def _places(data: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [path, *(place for key, value in inner for place in _places(value, (*path, key)))]


def _damaged(data: Any, path: tuple[Any, ...], value: Any, remove: bool) -> Any:
    """A copy of JSON with the value at a path replaced or, inside something, removed."""
    if not path:
        return value
    copy = json.loads(json.dumps(data))
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    if remove:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copy


@pytest.fixture(scope="module")
def now(results: Path) -> Results:
    """The present results, gathered once."""
    return present(results)


def _survives(path: Path, now: Results) -> None:
    """A baseline file is compared with and shown in every form, or refused with one error."""
    try:
        result = changes_since(load(str(path), path.parent), now, parse(DEFAULT))
    except CspbenchError:
        return
    Xml.fromstring(junit(result))
    render.comment(result, "baseline").encode()
    for form in ("json", "csv"):
        render.table(result, "baseline", form).encode()
    assert result.exit_code in (0, 1, 4)


@settings(max_examples=examples(100))
@given(st.data())
def test_a_damaged_report_is_compared_with_or_refused(results: Path, now: Results, data: st.DataObject) -> None:
    (row,) = [line for line in now.lines if (line.table, line.row) == ("imagenet-big", "cspdarknet-53")]
    whole = as_json([row])
    damaged = _damaged(whole, data.draw(st.sampled_from(_places(whole))), data.draw(VALUES), data.draw(st.booleans()))
    path = results.parent / "report.json"
    path.write_text(json.dumps(damaged))
    _survives(path, now)


@settings(max_examples=examples(30))
@given(st.data())
def test_damaged_counts_are_compared_with_or_refused(results: Path, now: Results, data: st.DataObject) -> None:
    whole = json.loads(counts.document())
    whole["rows"][1]["id"] = data.draw(st.sampled_from([whole["rows"][1]["id"], "gone"]))
    damaged = _damaged(whole, data.draw(st.sampled_from(_places(whole))), data.draw(VALUES), data.draw(st.booleans()))
    path = results.parent / "damaged.json"
    path.write_text(json.dumps(damaged))
    _survives(path, now)


@settings(max_examples=examples(40))
@given(
    st.binary(max_size=50) | st.sampled_from([b"[" * 100_000, b'{"rows":', b"\xff\xfe{}", b'{"schema":1,"rows":null}'])
)
def test_any_bytes_are_refused(results: Path, content: bytes) -> None:
    path = results.parent / "any.json"
    path.write_bytes(content)
    with pytest.raises(CspbenchError):
        load(str(path), results)
