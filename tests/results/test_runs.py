"""Run directories: begun once, never mixed with another run, scored by many at once, read by whoever may only read."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import field, make_dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest
from permissions import permissions_hold
from refusals import refuses
from result_files import WHO, changed, classifier, detector, threshold

from cspbench.data import presets
from cspbench.data.detection_presets import detection_preset
from cspbench.errors import CspbenchError, IncompleteRunError
from cspbench.inference.shards import SHARD
from cspbench.results import protocol, runs, sessions
from cspbench.results.encoding import encode
from cspbench.results.runs import RunDirectory
from cspbench.results.schema import DetectionMetrics, Run, Scored
from cspbench.results.store import StoredEvaluation
from cspbench.zoo.registry import MODELS

SECOND = msgspec.structs.replace(WHO, commit="b" * 40 + "+changes", command=["cspbench", "again"])


def record(images: int = SHARD + 10, **changes: Any) -> Run:
    return classifier(top1=0, images=images, **changes).run


def begin(path: Path, **changes: Any) -> RunDirectory:
    return runs.open_run(path, record(**changes))


def predictions(run: RunDirectory, shard: int = 0) -> Path:
    path = run.shards.shard_path(shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"predictions")
    return path


# --- begun


def test_a_run_is_resumed_only_by_itself(tmp_path: Path) -> None:
    run = begin(tmp_path)
    kept = predictions(run)
    assert begin(tmp_path) == run
    with refuses("run.other-run", where=str(tmp_path), expected="the same weights"):
        begin(tmp_path, weights=f"arrays:{'1' * 64}")
    with refuses("run.other-run", expected="the same data"):
        begin(tmp_path, images=SHARD)
    assert kept.exists()
    again = runs.open_run(tmp_path, record(weights=f"arrays:{'1' * 64}"), fresh=True)
    assert not kept.exists()
    assert runs.load_run(tmp_path) == again
    assert again.identity.weights == f"arrays:{'1' * 64}"


def test_a_fresh_start_discards_what_was_computed(tmp_path: Path) -> None:
    begin(tmp_path)
    for name in ("metrics.json", "server.json"):
        (tmp_path / name).write_text("[]")
    runs.open_run(tmp_path, record(), fresh=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json"]


def test_a_fresh_start_that_is_killed_leaves_no_numbers_without_predictions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shard = predictions(begin(tmp_path))
    (tmp_path / "metrics.json").write_text("[]")

    def killed(path: Path) -> None:
        if path == shard:
            raise KeyboardInterrupt
        path.unlink(missing_ok=True)

    monkeypatch.setattr(runs, "remove", killed)
    with pytest.raises(KeyboardInterrupt):
        runs.open_run(tmp_path, record(), fresh=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["predictions", "run.json"]


def test_predictions_without_a_record_belong_to_nobody(tmp_path: Path) -> None:
    predictions(begin(tmp_path))
    (tmp_path / "run.json").unlink()
    with refuses("run.no-record", where=str(tmp_path)):
        begin(tmp_path)
    assert runs.open_run(tmp_path, record(), fresh=True).shards.missing() == [0, 1]


def test_a_folder_of_predictions_that_is_a_link_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "000000.npz").write_bytes(b"mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "predictions").symlink_to(other)
    for fresh in (False, True):
        with refuses("disk.folder-is-link", where=str(tmp_path / "run" / "predictions")):
            runs.open_run(tmp_path / "run", record(), fresh=fresh)
    assert (other / "000000.npz").read_bytes() == b"mine"


def test_a_name_holds_the_digest_of_what_the_run_is(tmp_path: Path) -> None:
    one, other = record().identity, record(precision="bf16").identity
    path = runs.run_path(tmp_path, one, "readme")
    assert path.parent == tmp_path
    assert path.name.startswith("csdarknet53-readme-")
    assert runs.run_path(tmp_path, one, "readme") == path != runs.run_path(tmp_path, other, "readme")
    timm = msgspec.structs.replace(one, model="timm/cspresnet50")
    assert runs.run_path(tmp_path, timm, "timm").name.startswith("timm-cspresnet50-timm-")
    long = msgspec.structs.replace(one, model="é" * 1000)
    assert len(runs.run_path(tmp_path, long, "readme").name.encode()) <= 255


# --- found and read


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        "[" * 100_000,
        '{"schema"',
        '{"schema": 2}',
        '{"schema": 2, "run": {}}',
        "\ud800",
        '{"schema": 99}',
    ],
)
def test_foreign_directories_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text, errors="surrogatepass")
    with refuses("results.not-results", where=str(tmp_path / "run.json")):
        runs.load_run(tmp_path)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("samples",), 7),
        (("samples",), True),
        (("samples",), 266.5),
        (("shard",), 0),
        (("sessions",), []),
        (("sessions",), [1]),
        (("sessions", 0, "when"), "soon"),
        (("sessions", 0, "when"), "2026-11-20T10:00:00+01:00"),
        (("sessions", 0, "command"), "cspbench"),
        (("identity", "size"), [8]),
        (("identity", "size"), [8, 0]),
        (("identity", "size"), [8, -8]),
        (("identity", "precision"), "fp8"),
        (("identity", "task"), "other"),
        (("identity", "preset"), {}),
        (("identity", "preset"), None),
        (("identity", "data", "images"), 10**9),
        (("identity", "data", "limit"), 0),
        (("weights",), "a"),
    ],
)
def test_records_that_cannot_be_are_refused(tmp_path: Path, place: tuple[str | int, ...], value: Any) -> None:
    document = json.loads(encode(record()))
    at: Any = document
    for key in place[:-1]:
        at = at[key]
    at[place[-1]] = value
    (tmp_path / "run.json").write_text(json.dumps(document))
    with refuses("results.not-results", where=str(tmp_path / "run.json")):
        runs.load_run(tmp_path)


@pytest.mark.parametrize(
    ("samples", "images", "limit", "good"),
    [
        (9, 9, None, True),
        (8, 9, None, False),
        (10, 9, None, False),
        (5, 9, 5, True),
        (4, 9, 5, False),
        (9, 9, 5, False),
        (9, 9, 0, False),
    ],
)
@pytest.mark.parametrize("of", [classifier, detector])
def test_a_run_is_of_all_images_that_it_names(
    tmp_path: Path, of: Any, samples: int, images: int, limit: int | None, good: bool
) -> None:
    document = json.loads(encode(of().run))
    document["samples"] = samples
    document["identity"]["data"] |= {"images": images} | ({} if limit is None else {"limit": limit})
    (tmp_path / "run.json").write_text(json.dumps(document))
    if good:
        assert runs.load_run(tmp_path).samples == samples
    else:
        with refuses("results.not-results", where=str(tmp_path / "run.json")):
            runs.load_run(tmp_path)


@pytest.mark.parametrize("shard", [SHARD - 1, SHARD + 1])
def test_shards_of_another_size_are_refused(tmp_path: Path, shard: int) -> None:
    (tmp_path / "run.json").write_bytes(encode(msgspec.structs.replace(record(), shard=shard)))
    for read in (runs.load_run, begin):
        with refuses("run.not-a-run", where=str(tmp_path), found=str(shard)):
            read(tmp_path)


def test_runs_are_found_up_to_two_levels_below_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (begin(tmp_path / "runs" / name).path for name in "ab")
    assert runs.find_runs([tmp_path / "runs"]) == [one, two]
    assert runs.find_runs([one]) == [one]
    assert runs.find_runs([tmp_path]) == [one, two]
    monkeypatch.chdir(one)
    (tmp_path / "link").symlink_to(one)
    result = runs.find_runs([one, Path("."), tmp_path, tmp_path / "link", Path("..") / "a"])
    assert [path.resolve() for path in result] == [one, two]
    (tmp_path / "deep" / "deeper").mkdir(parents=True)
    (tmp_path / "runs").rename(tmp_path / "deep" / "deeper" / "runs")
    (tmp_path / "link").unlink()
    with refuses("run.none-there", where=str(tmp_path)):
        runs.find_runs([tmp_path])


def test_one_run_stands_for_its_folder(tmp_path: Path) -> None:
    one = begin(tmp_path / "runs" / "a")
    assert runs.load_one(tmp_path / "runs") == one
    begin(tmp_path / "runs" / "b")
    with refuses("run.several", found=f"{tmp_path / 'runs' / 'a'}, {tmp_path / 'runs' / 'b'}"):
        runs.load_one(tmp_path / "runs")


# --- who made it


def test_the_record_says_how_the_run_was_made(tmp_path: Path) -> None:
    before = sessions.now()
    session = sessions.session(["cspbench", "x"], device="cpu", when=sessions.now())
    run = runs.open_run(tmp_path, msgspec.structs.replace(record(), sessions=[session]))
    read = runs.load_run(tmp_path).record
    assert read == run.record
    assert (read.sessions[0].command, read.samples, read.identity.model) == (["cspbench", "x"], 266, "csdarknet53")
    assert before <= read.sessions[0].when <= sessions.now()
    assert {"torch", "numpy", "pillow"} <= read.sessions[0].packages.keys()


def test_every_session_is_listed(tmp_path: Path) -> None:
    run = begin(tmp_path)
    later = runs.add_session(run, SECOND, "files")
    assert later.record.sessions == [run.record.sessions[0], SECOND]
    assert (later.record.files, later.identity) == ("files", run.identity)
    assert runs.load_run(tmp_path) == later
    third = runs.add_session(run, WHO, None)  # of one that had read it before
    assert third.record.sessions == [run.record.sessions[0], SECOND, WHO]
    assert runs.record_files(run, "elsewhere").record.files == "elsewhere"
    alone = runs.begin_again(run, SECOND, None)
    assert (alone.record.sessions, alone.record.scored) == ([SECOND], [])


def test_the_newest_sessions_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MOST", 3)
    run = begin(tmp_path)
    for number in range(4):
        session = msgspec.structs.replace(SECOND, device=f"cuda:{number}")
        run = runs.add_session(run, session, f"mark {number}")
    kept = runs.load_run(tmp_path).record
    assert ([each.device for each in kept.sessions], kept.files) == (["cuda:1", "cuda:2", "cuda:3"], "mark 3")
    again = runs.begin_again(run, SECOND, None).record
    assert (again.samples, again.shard, again.identity, again.weights) == (
        kept.samples,
        kept.shard,
        kept.identity,
        kept.weights,
    )


def test_a_record_that_cannot_be_written_leaves_a_run_to_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = begin(tmp_path)

    def full(path: Path, data: bytes) -> None:
        raise CspbenchError("disk.write-failed", "cannot be written", where=str(path), found="No space left on device")

    monkeypatch.setattr(runs, "write_bytes", full)
    with refuses(
        "incomplete.write-failed", where=str(tmp_path / "run.json"), found="No space left on device"
    ) as caught:
        runs.add_session(run, SECOND, None)
    assert isinstance(caught.value, IncompleteRunError)
    assert caught.value.exit_code == 4


# --- scored


def scored_run(path: Path, evaluation: StoredEvaluation) -> RunDirectory:
    return runs.open_run(path, evaluation.run)


def write(run: RunDirectory, metrics: Any, command: str = "score") -> bool:
    return runs.write_metrics(run, metrics, sessions.scored(["cspbench", command], []))


def thresholds(run: RunDirectory) -> list[tuple[float, str]]:
    metrics = runs.read_metrics(run)
    assert isinstance(metrics, DetectionMetrics)
    return [(each.nms, each.kind) for each in metrics.thresholds]


def test_metrics_keep_full_precision(tmp_path: Path) -> None:
    evaluation = detector(ap="38.0499612345678901234")
    run = scored_run(tmp_path, evaluation)
    assert write(run, evaluation.metrics)
    text = (tmp_path / "metrics.json").read_text()
    assert '"ap": 38.0499612345678901234' in text
    assert "verdict" not in text
    assert runs.read_metrics(run) == evaluation.metrics


def test_a_scoring_adds_its_threshold_and_its_name(tmp_path: Path) -> None:
    evaluation = detector()
    run = scored_run(tmp_path, evaluation)
    for nms in (0.6, 0.45):
        metrics = detector(nms=nms).metrics
        scored = Scored(["cspbench", "score", str(nms)], "0.1.0", None, "2026-01-01T00:00:00Z", [f"{nms} default"])
        assert runs.write_metrics(run, metrics, scored)  # type: ignore[arg-type]
    assert thresholds(run) == [(0.45, "default"), (0.6, "default")]
    listed = runs.load_run(tmp_path).record.scored
    assert [each.numbers for each in listed] == [["0.6 default"], ["0.45 default"]]


def test_metrics_that_are_there_are_left_alone(tmp_path: Path) -> None:
    evaluation = detector()
    run = scored_run(tmp_path, evaluation)
    assert write(run, evaluation.metrics)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert write(run, evaluation.metrics, "again")
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    assert len(runs.load_run(tmp_path).record.scored) == 1


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, '{"schema": 2, "thresholds": []}'])
def test_metrics_that_cannot_be_read_are_replaced(tmp_path: Path, text: str) -> None:
    evaluation = detector()
    run = scored_run(tmp_path, evaluation)
    (tmp_path / "metrics.json").write_text(text)
    with refuses("results.not-results", where=str(tmp_path / "metrics.json")):
        runs.read_metrics(run)
    assert write(run, evaluation.metrics)
    assert thresholds(run) == [(0.45, "default")]


def test_metrics_of_another_run_are_none(tmp_path: Path) -> None:
    run = scored_run(tmp_path, detector())
    (tmp_path / "metrics.json").write_bytes(encode(detector(nms=0.6, split="val2017").metrics))  # type: ignore[arg-type]
    assert runs.read_metrics(run) is None
    assert write(run, detector().metrics)
    assert thresholds(run) == [(0.45, "default")]


ROUNDS = 5


def _score(path: Path, number: int, gate: Any) -> None:
    """Score a run at another threshold each round, at the same time as the others."""
    for turn in range(ROUNDS):
        nms = (10 * turn + number) / 100
        metrics = detector(thresholds=[threshold(nms), threshold(nms, kind="diou")]).metrics
        assert metrics is not None
        gate.wait(600)
        scored = Scored(["cspbench", "score", str(nms)], "0.1.0", numbers=[str(nms)])
        assert runs.write_metrics(runs.load_run(path), metrics, scored)


def test_scorings_at_once_lose_nothing(tmp_path: Path) -> None:
    scored_run(tmp_path, detector())
    context = multiprocessing.get_context("spawn")
    gate = context.Barrier(2)
    processes = [context.Process(target=_score, args=(tmp_path, number, gate)) for number in (30, 31)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(600)
    assert [process.exitcode for process in processes] == [0, 0]
    run = runs.load_run(tmp_path)
    every = [number / 100 for number in (30, 31, 40, 41, 50, 51, 60, 61, 70, 71)]
    assert thresholds(run) == [(nms, kind) for nms in every for kind in ("default", "diou")]
    assert sorted(each.numbers[0] for each in run.record.scored) == [str(nms) for nms in every]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metrics.json", "run.json"]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_where_nothing_can_be_written_metrics_are_shown_and_not_kept(tmp_path: Path) -> None:
    evaluation = detector()
    run = scored_run(tmp_path, evaluation)
    tmp_path.chmod(0o555)
    try:
        with permissions_hold():
            assert not write(run, evaluation.metrics)
            assert runs.read_metrics(run) is None
            assert runs.load_run(tmp_path) == run
    finally:
        tmp_path.chmod(0o755)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run.json"]


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_metrics_that_are_there_are_read_where_nothing_can_be_written(tmp_path: Path) -> None:
    evaluation = classifier()
    run = scored_run(tmp_path, evaluation)
    assert write(run, evaluation.metrics)
    tmp_path.chmod(0o555)
    try:
        with permissions_hold():
            assert write(run, evaluation.metrics)
    finally:
        tmp_path.chmod(0o755)


def test_a_run_without_its_record_cannot_be_scored(tmp_path: Path) -> None:
    evaluation = changed(detector(), place="/data")
    run = scored_run(tmp_path, evaluation)
    (tmp_path / "run.json").unlink()
    with refuses("results.not-results", where=str(tmp_path / "run.json")):
        write(run, evaluation.metrics)


# --- names of directories, which must outlive this version


def test_names_are_what_they_were() -> None:
    """Under another name nobody would find a run again, and it would be computed anew."""
    root = Path("runs")
    for preset, digest in (("readme", "231c008e"), ("pjreddie", "faa0b189"), ("timm", "0008ecb9")):
        identity = classifier(preset=presets.preset(preset).as_json()).run.identity
        assert runs.run_path(root, identity, preset).name == f"csdarknet53-{preset}-{digest}"
    for preset, digest in (("readme", "5a4ca976"), ("head", "663531ef")):
        assert runs.run_path(root, detector(preset=preset).run.identity, preset).name.endswith(f"-{preset}-{digest}")


def newer(instance: Any, **changes: Any) -> dict[str, Any]:
    """What would be recorded of a preset whose class had a field more."""
    kind = make_dataclass(
        "Newer", [("sharpened", float, field(default=0.0))], bases=(type(instance),), frozen=True, kw_only=True
    )
    record: dict[str, Any] = kind(**{**vars(instance), **changes}).as_json()
    return json.loads(json.dumps(record))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "preset", [presets.preset("timm"), detection_preset("readme"), MODELS["pelee-304"].detector_protocol]
)
def test_a_new_field_of_a_preset_changes_no_name(preset: Any) -> None:
    assert newer(preset) == json.loads(json.dumps(preset.as_json()))
    assert newer(preset, sharpened=0.5) == {**newer(preset), "sharpened": 0.5}
    assert protocol.overrides_of(newer(preset, sharpened=0.5), preset.as_json()) == {
        "sharpened": ("0.5", "its default")
    }


def test_a_new_field_of_an_identity_changes_no_name() -> None:
    for identity in (record().identity, detector().run.identity):
        kind = msgspec.defstruct("Newer", [("sharpened", float, 0.0)], bases=(type(identity),), frozen=True)
        newer: Any = kind(**{name: getattr(identity, name) for name in identity.__struct_fields__})
        assert runs.run_path(Path(), newer, "x") == runs.run_path(Path(), identity, "x")
