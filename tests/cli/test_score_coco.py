"""score on detectors' runs and on files of detections, in this process and without a network."""

from __future__ import annotations

import csv
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from coco_runs import command, data_set, made

from cspbench.cli.coco_asked import again
from cspbench.cli.coco_claims import claims
from cspbench.cli.progress import Progress
from cspbench.data import coco
from cspbench.errors import UsageError
from cspbench.inference.run import load_run
from cspbench.results import protocol


def scored(*arguments: object, code: int = 0) -> dict[str, Any]:
    done = command("score", *arguments, "--format", "json")
    assert done.exit_code == code, done.exception or done.stderr
    (result,) = json.loads(done.stdout)
    return dict(result)


def test_a_run_keeps_every_threshold_that_it_was_scored_at(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"))
    scored(run, "--nms", "0.45,0.7")
    scored(run, "--nms", "0.45", "--nms-kind", "diounms")
    assert [each["nms"] for each in scored(run, "--nms", "0.6")["thresholds"]] == [0.6]
    kept = json.loads((run / "metrics.json").read_text())
    found = [(each["nms"], each["asked"]) for each in kept["thresholds"]]
    assert found == [(0.45, "default"), (0.7, "default"), (0.45, "diou"), (0.6, "default")]
    assert kept["cspbench"]
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


def claimed(run: Path, nms: float) -> dict[tuple[str, str], tuple[str, str | None]]:
    """(verdict, reason) by table and metric of a catalogue model's run, whatever it measured."""
    record = json.loads((run / "run.json").read_text())
    record["identity"] |= {"model": "csresnext50-panet-spp", "file": False, "size": [512, 512]}
    (run / "run.json").write_text(json.dumps(record))
    opened = load_run(run)
    found = claims(opened, nms, again(opened, f"{nms}"), {"ap": Decimal("40.0123456")}, {})
    return {(each["table"], each["metric"]): (each["verdict"], each["reason"]) for each in found}


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run whose only fault could be in how it is scored."""
    monkeypatch.setattr(protocol, "network", lambda identity: [])
    monkeypatch.setattr(protocol, "weights", lambda row, identity: [])
    return made(tmp_path / "run", data_set(tmp_path / "coco"), split="test-dev2017")


def test_another_threshold_is_not_held_against_a_claim_that_names_none(whole: Path) -> None:
    own, other = claimed(whole, 0.45), claimed(whole, 0.6)
    assert own["coco-gpu", "ap"] == own["coco-nms", "ap"] == ("off", None)
    assert other["coco-gpu", "ap"] == ("unmeasured", "other-way")
    assert other["coco-nms", "ap"] == ("off", None)  # its row is of 0.6


def test_a_claim_says_what_was_otherwise_and_no_more_decimals_than_it_has(whole: Path) -> None:
    claimed(whole, 0.6)
    opened = load_run(whole)
    each = next(
        each
        for each in claims(opened, 0.6, again(opened, "0.6"), {"ap": Decimal("40.0123456")}, {})
        if each["reason"] == "other-way"
    )
    assert (each["measured"], each["why"]) == ("40.0", ["NMS 0.6, not the preset's 0.45"])


def test_a_claim_that_names_no_threshold_stands_beside_the_presets_alone(whole: Path) -> None:
    """Where that is among those asked for; else beside each that is."""
    claimed(whole, 0.45)
    opened = load_run(whole)

    def of_tables(nms: float, asked: str) -> set[str]:
        found = claims(opened, nms, again(opened, asked), {"ap": Decimal("40.0")}, {})
        return {each["table"] for each in found}

    assert {"coco-gpu", "coco-nms"} <= of_tables(0.45, "0.45,0.6")
    assert of_tables(0.6, "0.45,0.6") == {"coco-nms"}
    assert {"coco-gpu", "coco-nms"} <= of_tables(0.6, "0.6,0.7")
    assert {"coco-gpu", "coco-nms"} <= of_tables(0.7, "0.6,0.7")


def test_another_data_set_of_as_many_images_is_refused(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"))
    other = data_set(tmp_path / "other")
    annotations = other / "annotations" / "instances_val2017.json"
    annotations.write_text(annotations.read_text().replace("[8, 8, 40, 40]", "[8, 8, 40, 41]"))
    assert isinstance(command("score", run, "--data", other).exception, UsageError)


def test_another_preset_is_not_held_against_a_claim(whole: Path) -> None:
    record = json.loads((whole / "run.json").read_text())
    record["preset"]["name"] = "letterbox"
    (whole / "run.json").write_text(json.dumps(record))
    assert claimed(whole, 0.45)["coco-gpu", "ap"] == ("unmeasured", "other-way")


ANSWER = '{"AP": 0.380, "AP_50": 0.600}'


def test_the_servers_numbers_stay(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco", stem="image_info_test-dev2017"), split="test-dev2017")
    record = json.loads((run / "run.json").read_text())
    answer = tmp_path / "answer.json"
    answer.write_text(ANSWER)
    refused = command("score", run, "--import-server", answer)
    assert "no zip was written at NMS 0.45" in str(refused.exception)
    with pytest.MonkeyPatch.context() as patch:
        small = {split: (name, 6) for split, (name, _) in coco.PUBLISHED.items()}
        patch.setattr(coco, "PUBLISHED", small)
        assert "awaiting-server" in command("score", run, "--nms", "0.45,0.6").stdout
        assert command("score", run).exit_code == 4
        with zipfile.ZipFile(run / "detections_test-dev2017_small-nms0.6_results.zip") as archive:
            assert json.loads(archive.read(archive.namelist()[0]))[0]["image_id"] == 1
        assert "of one threshold" in str(command("score", run, "--import-server", answer).exception)
        (at,) = scored(run, "--nms", "0.45", "--import-server", answer)["thresholds"]
        assert (at["ap"]["ap"], at["engine"], at["server"]["answer"]["name"]) == (38.0, "server", "answer.json")
        both = scored(run, code=4)
        assert [each["ap"] for each in both["thresholds"]] == [{"ap": 38.0, "ap50": 60.0}, {}]
        scored(run, "--nms", "0.6", "--import-server", answer)
        assert len(scored(run)["thresholds"]) == 2
    assert json.loads((run / "run.json").read_text()) == record


def test_suppression_and_zips_show_how_far_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(Progress, "reach", lambda self, done: seen.append((self.what, done, self.total)))
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
    refused = command("score", run, "--import-server", tmp_path / "answer.json")
    assert "of a whole test split" in str(refused.exception)


def test_what_is_odd_about_images_is_said_once(tmp_path: Path) -> None:
    data = data_set(tmp_path / "coco")
    file = data / "annotations" / "instances_val2017.json"
    content = json.loads(file.read_text())
    content["categories"][2]["name"] = "auto"
    content["images"][0]["id"] = content["annotations"][0]["image_id"] = 77
    file.write_text(json.dumps(content))
    done = command("score", made(tmp_path / "run", data, extent=(65, 64)))
    assert "6 of 6 images are not of the size" in done.stderr
    assert "1 of the 80 categories are not called as COCO's, in the order of their ids: 'auto' for 'car'" in done.stderr
    assert "other ids out of the names of 1 of 6 images (image_id underscore)" in done.stderr
    assert done.stderr.count("\n") == 3


def test_the_table_says_what_was_overridden_and_where_the_run_is(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"), limit=3, conf=0.3, decoder="pillow")
    text = command("score", run).stdout
    assert "| custom, partial | 64×64 | readme with conf 0.3, decoder pillow" in text
    assert f"run {run}; weights sha256 abababababab; data sha256 " in text
    assert "; engine cspbench; cpu fp32" in text


def test_every_format_has_recall_and_classes(tmp_path: Path) -> None:
    run = made(tmp_path / "run", data_set(tmp_path / "coco"))
    text = command("score", run, "--per-class").stdout
    assert "| Model | NMS | AR1 | AR10 | AR100 | ARS | ARM | ARL |" in text
    assert "| Class | AP | AP50 | AP75 | APS | APM | APL | AR1 |" in text
    lines = list(csv.DictReader(command("score", run, "--per-class", "--format", "csv").stdout.splitlines()))
    assert [line["Class"] for line in lines][:3] == ["all", "person", "bicycle"]
    assert lines[0]["AR100"] == lines[1]["AR100"] != "n/a"
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
        assert "is scored as it is" in str(command("score", tmp_path / "found.json", *option).exception)
    assert "--data COCO" in str(command("score", tmp_path / "found.json").exception)
    assert "is not the split" in str(
        command("score", tmp_path / "found.json", "--data", data, "--split", "val2017").exception
    )


GOOD = {"image_id": 1, "category_id": 2, "bbox": [8, 8, 40, 40], "score": 0.5}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "expected JSON"),
        ("{}", "a list of detections"),
        ("[" * 100_000, "expected JSON"),
        (json.dumps([GOOD, {**GOOD, "image_id": "1"}]), "detection 1 is"),
        (json.dumps([GOOD, {**GOOD, "bbox": [1, 2, 3]}]), "bbox of four numbers"),
        (json.dumps([{**GOOD, "score": True}]), "detection 0 is"),
        (json.dumps([{**GOOD, "image_id": 99}]), "detection of an unknown image"),
        (json.dumps([{**GOOD, "category_id": 12}]), "detection of an unknown category"),
        (json.dumps([{**GOOD, "score": float("nan")}]), "detection without a usable score"),
        (json.dumps([{**GOOD, "bbox": [1, 2, 3, 10**400]}]), "detection without a usable box"),
    ],
)
def test_a_file_of_something_else(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "found.json"
    file.write_text(content)
    error = command("score", file, "--data", data_set(tmp_path / "coco")).exception
    assert words in str(error)
    assert str(file) in str(error)
    assert "\n" not in str(error)
