"""score on detectors' runs and on files of detections, in this process and without a network."""

from __future__ import annotations

import csv
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from coco_runs import as_model, command, data_set, made
from msgspec import structs
from permissions import permissions_hold
from result_files import classifier

from cspbench.cli.terminal.progress import Terminal
from cspbench.data.coco import source as coco
from cspbench.errors import CspbenchError
from cspbench.evaluation.execution import Reach
from cspbench.report.judged_evaluations import JudgedClaim, judged
from cspbench.results import protocol
from cspbench.results.encoding import encode
from cspbench.results.runs import load_run, open_run
from cspbench.results.schema import CocoIdentity, DetectionMetrics, Scoring, Threshold
from cspbench.results.store import StoredEvaluation


def scored(*arguments: object, code: int = 0) -> dict[str, Any]:
    done = command("score", *arguments, "--format", "json")
    assert done.exit_code == code, done.exception or done.stderr
    (result,) = json.loads(done.stdout)
    return dict(result)


def code_of(*arguments: object) -> str:
    """The code of the error that a command ends with."""
    error = command(*arguments).exception
    assert isinstance(error, CspbenchError), error
    return error.code


def test_a_run_keeps_every_threshold_that_it_was_scored_at(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"))
    scored(run, "--nms", "0.45,0.7")
    scored(run, "--nms", "0.45", "--nms-kind", "diounms")
    assert [each["nms"] for each in scored(run, "--nms", "0.6")["thresholds"]] == [0.6]
    kept = json.loads((run / "metrics.json").read_text())
    result = [(each["nms"], each["asked"]) for each in kept["thresholds"]]
    assert result == [(0.45, "default"), (0.45, "diou"), (0.6, "default"), (0.7, "default")]
    assert all(each["scoring"]["cspbench"] for each in kept["thresholds"])
    record = json.loads((run / "run.json").read_text())
    assert [each["numbers"] for each in record["scored"]] == [
        ["0.45 default", "0.7 default"],
        ["0.45 diou"],
        ["0.6 default"],
    ]
    repeated = scored(run)
    assert [(each["nms"], each["asked"]) for each in repeated["thresholds"]] == [
        (0.45, "default"),
        (0.6, "default"),
        (0.7, "default"),
    ]


def test_metrics_of_other_images_are_not_kept(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"))
    scored(run, "--nms", "0.6")
    kept = json.loads((run / "metrics.json").read_text())
    odd: list[Any] = [{}, 5, {"nms": [], "kind": {}, "ap": {}}]
    other: list[dict[str, Any]] = [{"pixels": "0" * 64}, {"images": 7}, *({"thresholds": [each]} for each in odd)]
    for changes in other:
        (run / "metrics.json").write_text(json.dumps({**kept, **changes}))
        scored(run, "--nms", "0.45")
        assert len(json.loads((run / "metrics.json").read_text())["thresholds"]) == 1


def claimed(run: Path, nms: float) -> dict[tuple[str, str], JudgedClaim]:
    """What is claimed by table and metric of a catalogue model's run, beside AP 40.0123456."""
    record = load_run(as_model(run, "csresnext50-panet-spp", (512, 512))).record
    at = Threshold(nms=nms, kind="default", asked="default", scoring=Scoring("0.1.0"), ap={"ap": Decimal("40.0123456")})
    assert isinstance(record.identity, CocoIdentity)
    metrics = DetectionMetrics(identity=record.identity, images=record.samples, bad=[], thresholds=[at])
    claims = judged(StoredEvaluation("run", str(run), record, metrics))
    return {(claim.row.table, claim.cell.metric): claim for claim in claims}


def verdict(claim: JudgedClaim) -> tuple[str, str | None]:
    return claim.cell.verdict, claim.cell.reason


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose only fault could be in how it is scored."""
    monkeypatch.setattr(protocol, "network", lambda identity, then=None: [])
    monkeypatch.setattr(protocol, "weights", lambda row, run: [])
    return made(tmp_path / "run", data_set(tmp_path / "coco"), split="test-dev2017")


def test_another_threshold_is_not_held_against_a_claim_that_names_none(whole: Path) -> None:
    own, other = claimed(whole, 0.45), claimed(whole, 0.6)
    assert verdict(own["coco-gpu", "ap"]) == verdict(own["coco-nms", "ap"]) == ("off", None)
    assert verdict(other["coco-gpu", "ap"]) == ("unmeasured", "protocol-mismatch")
    assert verdict(other["coco-nms", "ap"]) == ("off", None)  # its row is of 0.6
    assert other["coco-gpu", "ap"].why == ("NMS 0.6, not the preset's 0.45",)


def test_another_data_set_of_as_many_images_is_refused(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"))
    other = data_set(tmp_path / "other")
    annotations = other / "annotations" / "instances_val2017.json"
    annotations.write_text(annotations.read_text().replace("[8, 8, 40, 40]", "[8, 8, 40, 41]"))
    assert code_of("score", run, "--data", other) == "usage.other-data"


def test_another_preset_is_not_held_against_a_claim(whole: Path) -> None:
    record = load_run(whole).record
    assert record.settings is not None
    other = structs.replace(record, settings=structs.replace(record.settings, name="letterbox"))
    (whole / "run.json").write_bytes(encode(other))
    assert verdict(claimed(whole, 0.45)["coco-gpu", "ap"]) == ("unmeasured", "protocol-mismatch")


ANSWER = '{"AP": 0.380, "AP_50": 0.600}'


def test_the_servers_numbers_stay(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco", stem="image_info_test-dev2017"), split="test-dev2017")
    before = load_run(run).record
    answer = tmp_path / "answer.json"
    answer.write_text(ANSWER)
    assert code_of("score", run, "--import-server", answer) == "usage.server-zip"
    with pytest.MonkeyPatch.context() as patch:
        small = {split: (name, 6) for split, (name, _) in coco.PUBLISHED.items()}
        patch.setattr(coco, "PUBLISHED", small)
        assert "awaiting-server" in command("score", run, "--nms", "0.45,0.6").stdout
        assert command("score", run).exit_code == 4
        with zipfile.ZipFile(run / "detections_test-dev2017_small-nms0.6_results.zip") as archive:
            assert json.loads(archive.read(archive.namelist()[0]))[0]["image_id"] == 1
        assert code_of("score", run, "--import-server", answer) == "usage.server-threshold"
        (at,) = scored(run, "--nms", "0.45", "--import-server", answer)["thresholds"]
        assert (at["ap"]["ap"], at["engine"], at["server"]["answer"]["name"]) == (38.0, "server", "answer.json")
        both = scored(run, code=4)
        assert [each["ap"] for each in both["thresholds"]] == [{"ap": 38.0, "ap50": 60.0}, {}]
        scored(run, "--nms", "0.6", "--import-server", answer)
        assert len(scored(run)["thresholds"]) == 2
    assert structs.replace(load_run(run).record, scored=[]) == before


@pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
def test_a_run_on_a_test_split_that_may_only_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The zip cannot be written, which is said; the numbers that the server once gave are shown."""
    run = made(tmp_path / "run", data_set(tmp_path / "coco", stem="image_info_test-dev2017"), split="test-dev2017")
    small = {split: (name, 6) for split, (name, _) in coco.PUBLISHED.items()}
    monkeypatch.setattr(coco, "PUBLISHED", small)
    (tmp_path / "answer.json").write_text(ANSWER)
    assert command("score", run, "--nms", "0.6").exit_code == 4
    assert command("score", run, "--import-server", tmp_path / "answer.json", "--nms", "0.6").exit_code in (0, 1)
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    run.chmod(0o555)
    try:
        with permissions_hold():
            done = command("score", run, "--nms", "0.6")
    finally:
        run.chmod(0o755)
    assert done.exit_code in (0, 1), done.output
    assert "warning: no new zip for the server" in done.stderr
    assert "38.0" in done.stdout
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before


def test_suppression_and_zips_show_how_far_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    @contextmanager
    def progress(self: Terminal, what: str, total: int) -> Iterator[Reach]:
        yield lambda done, detail="": seen.append((what, done, total))

    monkeypatch.setattr(Terminal, "progress", progress)
    run = made(tmp_path / "run", data_set(tmp_path / "coco", stem="image_info_test-dev2017"), split="test-dev2017")
    small = {split: (name, 6) for split, (name, _) in coco.PUBLISHED.items()}
    monkeypatch.setattr(coco, "PUBLISHED", small)
    assert command("score", run, "--nms", "0.99").exit_code == 4
    assert ("suppressing", 6, 6) in seen
    assert ("writing the zip", 12, 12) in seen


def test_a_part_without_ground_truth_waits_for_nobody(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco", stem="image_info_test-dev2017"))
    done = command("score", run)
    assert done.exit_code == 0, done.exception
    assert "| partial | - |" in done.stdout
    assert "awaiting-server" not in done.stdout
    assert not list(run.glob("*.zip"))
    (tmp_path / "answer.json").write_text(ANSWER)
    assert code_of("score", run, "--import-server", tmp_path / "answer.json") == "usage.server-split"


def test_what_is_odd_about_images_is_said_once(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    file = data / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["categories"][2]["name"] = "auto"
    content["images"][0]["id"] = content["annotations"][0]["image_id"] = 77
    file.write_text(json.dumps(content))
    done = command("score", made(tmp_path / "run", data, extent=(65, 64)))
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    assert "6 of 6 images" in lines[0]
    assert "1 of 6 images (image_id underscore)" in lines[1]
    assert "1 of the 80 categories" in lines[2]
    assert "'auto' for 'car'" in lines[2]


def test_the_table_says_what_was_overridden_and_where_the_run_is(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"), limit=3, conf=0.3, decoder="pillow")
    text = command("score", run).stdout
    assert "| custom, partial | 64×64 | readme with conf 0.3, decoder pillow" in text
    assert f"run {run}; weights abababababab; data sha256 " in text
    assert "; engine cspbench; cpu fp32" in text


def test_every_format_has_recall_and_classes(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"))
    text = command("score", run, "--per-class").stdout
    assert "| Model | NMS | AR1 | AR10 | AR100 | ARS | ARM | ARL |" in text
    assert "| Class | Objects | AP | AP50 | AP75 | APS | APM | APL | AR1 |" in text
    lines = list(csv.DictReader(command("score", run, "--per-class", "--format", "csv").stdout.splitlines()))
    assert [line["class"] for line in lines][:3] == ["all", "person", "bicycle"]
    assert lines[0]["ar100"] == lines[1]["ar100"] != ""
    assert command("score", run, "--per-class", "--format", "latex").stdout.count(r"\begin{tabular}") == 3


def test_a_file_of_detections_is_scored(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    run = made(tmp_path / "run", data)
    ours = scored(run, "--save-json", tmp_path / "found.json")
    file = scored(tmp_path / "found.json", "--data", data, "--per-class")
    assert file["thresholds"][0]["ap"] == ours["thresholds"][0]["ap"]
    assert file["thresholds"][0]["claims"] == []
    text = command("score", tmp_path / "found.json", "--data", data).stdout
    assert "| found.json | file | - |" in text
    for option in (("--nms", "0.6"), ("--import-server", "x")):
        assert code_of("score", tmp_path / "found.json", *option) == "usage.file-options"
    assert code_of("score", tmp_path / "found.json", run, "--data", data) == "usage.file-options"
    assert code_of("score", tmp_path / "found.json") == "usage.detections-without-data"
    other_split = ("--data", data, "--split", "val2017")
    assert code_of("score", tmp_path / "found.json", *other_split) == "coco.other-split"


def test_options_of_one_run_or_file_are_refused_for_others(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    one, other = made(tmp_path / "runs" / "a", data), made(tmp_path / "runs" / "b", data, shift=2.0)
    assert code_of("score", one, "--split", "custom") == "usage.split-of-run"
    for option in ("--import-server", "--save-json"):
        assert code_of("score", one, other, option, tmp_path / "x.json") == "usage.one-run"
    assert len(json.loads(command("score", tmp_path / "runs", "--format", "json").stdout)) == 2


def test_a_classifiers_run_has_no_detections_to_save(tmp_path: Path) -> None:
    """Known before the run is scored: this one cannot be, for lack of predictions."""
    open_run(tmp_path / "run", classifier(top1=0, images=10).run)
    assert code_of("score", tmp_path / "run", "--save-json", tmp_path / "x.json") == "usage.detector-options"


GOOD = {"image_id": 1, "category_id": 2, "bbox": [8, 8, 40, 40], "score": 0.5}


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "detections.not-a-result-file"),
        ("{}", "detections.not-a-result-file"),
        ("[" * 100_000, "detections.not-a-result-file"),
        (json.dumps([GOOD, {**GOOD, "image_id": None}]), "detections.not-a-result-file"),
        (json.dumps([GOOD, {**GOOD, "image_id": 1.5}]), "detections.unknown-image"),
        (json.dumps([GOOD, {**GOOD, "image_id": "a\n1"}]), "detections.unknown-image"),
        (json.dumps([GOOD, {**GOOD, "category_id": "tram"}]), "detections.unknown-category"),
        (json.dumps([GOOD, {**GOOD, "bbox": [1, 2, 3]}]), "detections.not-a-result-file"),
        (json.dumps([{**GOOD, "score": True}]), "detections.not-a-result-file"),
        (json.dumps([{**GOOD, "image_id": 99}]), "detections.unknown-image"),
        (json.dumps([{**GOOD, "category_id": 12}]), "detections.unknown-category"),
        (json.dumps([{**GOOD, "score": float("nan")}]), "detections.not-a-result-file"),
        (json.dumps([{**GOOD, "bbox": [1, 2, 3, 10**400]}]), "detections.not-a-result-file"),
        (json.dumps([{**GOOD, "bbox": [1, 2, 3, 1e300]}]), "detections.unusable-box"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, content: str, code: str) -> None:
    file = tmp_path / "found.json"
    file.write_text(content)
    error = command("score", file, "--data", data_set(tmp_path / "coco")).exception
    assert isinstance(error, CspbenchError)
    assert (error.code, str(file) in str(error), "\n" in str(error)) == (code, True, False)
