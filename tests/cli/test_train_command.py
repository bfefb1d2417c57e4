"""`cspbench train` as a process: killed and resumed, by several processes, refused."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest
from faults.commands import Warm, state
from refusals import error_of
from training_sets import CLASSIFIER, DETECTOR, classifier, detector

KEPT = ("log.jsonl", "net_final.weights", "net_last.weights", "checkpoint.safetensors")


def files(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in KEPT}


@pytest.mark.parametrize("kind", [classifier, detector])
def test_the_same_bytes_however_it_is_run(kind: object, warm: Warm, tmp_path: Path) -> None:
    """Killed at random moments, resumed, and by two and three processes: the bytes of an undisturbed run.

    tests/training/test_run_folder.py kills more often, in one process.
    """
    assert callable(kind)
    iterations = 20 if kind is classifier else 14
    arguments = [*kind(tmp_path), "--save-every", "3", "--iterations", str(iterations)]
    warm.done([*arguments, "--run", "whole"], tmp_path)
    expected = files(tmp_path / "whole")
    lines = [json.loads(line) for line in expected["log.jsonl"].splitlines()]
    assert [line["iteration"] for line in lines] == list(range(1, iterations + 1))
    drawn, kills = random.Random(iterations), 0
    place, log = [*arguments, "--run", "killed"], tmp_path / "killed" / "log.jsonl"
    for most in (iterations // 4, iterations // 2, iterations - 4):
        process = warm.begin(place, tmp_path)
        iteration = drawn.randrange(most)  # after it, at any moment; before the last, or nothing is left to kill
        while state(process.number) not in ("", "Z") and (
            not log.exists() or log.read_bytes().count(b"\n") <= iteration
        ):
            time.sleep(0.002)
        kills += process.kill()
    warm.done(place, tmp_path)
    assert files(tmp_path / "killed") == expected
    assert kills >= 2
    for processes in (2, 3) if kind is classifier else (2,):
        warm.done([*arguments, "--run-dir", f"by{processes}"], tmp_path, processes)
        assert files(tmp_path / f"by{processes}") == expected


def test_three_processes_in_bf16_fit_the_memory(warm: Warm, tmp_path: Path) -> None:
    """Three processes of four mini-batches, the number of which all agree upon, have the bytes of one process."""
    how = ["--precision", "bf16", "--subdivisions"]
    arguments = [*classifier(tmp_path), "--iterations", "4", *how]
    warm.done([*arguments, "auto", "--run-dir", "three"], tmp_path, 3)
    warm.done([*arguments, "4", "--run-dir", "one"], tmp_path)
    assert files(tmp_path / "three") == files(tmp_path / "one")


def test_an_interrupt_keeps_the_last_iteration(warm: Warm, tmp_path: Path) -> None:
    arguments = [*classifier(tmp_path, CLASSIFIER.replace("max_batches=40", "max_batches=100000")), "--run", "run"]
    process = warm.begin(arguments, tmp_path)
    log = tmp_path / "run" / "log.jsonl"
    while not log.exists() or log.read_bytes().count(b"\n") < 7:
        time.sleep(0.01)
    process.signal(2)
    assert process.wait() == 130, process.words
    assert "resume" in process.words
    assert (tmp_path / "run" / "checkpoint.safetensors").exists()
    assert (tmp_path / "run" / "net_last.weights").exists()


def test_its_evaluation_is_retrained(warm: Warm, tmp_path: Path) -> None:
    done = warm.run([*classifier(tmp_path), "--run", "run", "--format", "json", "--eval-every", "20"], tmp_path)
    assert done.returncode == 0, done.stderr
    (result,) = json.loads(done.stdout)
    assert result["images"] == 9
    records = [json.loads(path.read_text()) for path in tmp_path.glob("run/evaluations/*/run.json")]
    assert [record["weights"]["origin"] for record in records] == ["retrained"] * 2
    assert (tmp_path / "run" / "net_best.weights").exists()
    # of the two evaluations the report takes that of the final weights
    report = warm.run(["report", "run", "--results", "none", "--format", "json"], tmp_path)
    (retrained,) = json.loads(report.stdout)["retrained"]
    assert (retrained["model"], retrained["row"], retrained["training"]["iterations"]) == ("net", None, 40)
    top1 = retrained["metrics"][0]
    assert top1["mean"] == f"{100 * result['top1']['correct'] / 9:.4f}"
    assert all(line["table"] != "your-classifiers" for line in json.loads(report.stdout)["rows"])


def test_what_the_command_changes_is_recorded(warm: Warm, tmp_path: Path) -> None:
    changes = ["--set", "decay = 0.001", "--set", "max_batches=7", "--freeze", "1", "--era", "nov2019"]
    assert warm.run([*classifier(tmp_path), *changes, "--iterations", "1", "--run", "run"], tmp_path).returncode == 0
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    assert record["recipe_iterations"] == 40
    assert record["changed"] == ["decay=0.001", "freeze=1", "era=nov2019"]
    assert "max_batches=1" in record["settings"]
    # a record of an earlier version does not say so, and is resumed all the same
    del record["recipe_iterations"], record["changed"]
    (tmp_path / "run" / "training.json").write_text(json.dumps(record))
    again = warm.run([*classifier(tmp_path), *changes, "--iterations", "1", "--run", "run"], tmp_path)
    assert again.returncode == 0, again.stderr


def test_an_own_detector_step_by_step(warm: Warm, tmp_path: Path) -> None:
    arguments = detector(tmp_path)
    data = arguments[4]
    assert warm.run(["data", "check", data], tmp_path).returncode == 0
    done = warm.run([*arguments, "--run", "own"], tmp_path)
    assert done.returncode == 0, done.stderr
    again = warm.run(["eval-coco", data, "--cfg", "own/net.cfg", "--weights", "own/net_final.weights"], tmp_path)
    assert again.returncode == 0, again.stderr
    ap, same = (text.split("| net | file |")[1].splitlines()[0] for text in (done.stdout, again.stdout))
    assert ap == same
    assert {"loss.png", "loss.svg"} <= {path.name for path in (tmp_path / "own").iterdir()}


def test_tensorboard_by_two_processes(warm: Warm, tmp_path: Path) -> None:
    """The first one alone writes, and the scalars of a resumed run go on where the checkpoint is."""
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    arguments = [*detector(tmp_path), "--run-dir", "run", "--tensorboard"]
    warm.done(arguments, tmp_path, 2)
    assert len(list((tmp_path / "run" / "tensorboard").iterdir())) == 1
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    log = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    for key in ("loss", "average", "rate"):
        values = [(item.step, item.value) for item in events.Scalars(f"training/{key}")]
        assert values == [(line["iteration"], pytest.approx(line[key])) for line in log]
    assert [item.step for item in events.Scalars("evaluation/AP50")] == [20]


def test_another_training_in_the_folder(warm: Warm, tmp_path: Path) -> None:
    arguments = [*classifier(tmp_path), "--iterations", "2", "--run", "run"]
    assert warm.run(arguments, tmp_path).returncode == 0
    again = warm.run([*arguments, "--set", "learning_rate=0.5", "--seed", "3"], tmp_path)
    assert error_of(again) == "run.other-settings"
    assert "learning_rate=0.5 in place of learning_rate=0.02" in again.stderr
    assert "seed 3 in place of 0" in again.stderr
    assert "--weights run/net_last.weights" in again.stderr


def test_a_rate_that_is_too_high(warm: Warm, tmp_path: Path) -> None:
    arguments = [*detector(tmp_path), "--set", "learning_rate=1e9", "--set", "burn_in=0", "--save-every", "1"]
    done = warm.run([*arguments, "--run", "run"], tmp_path)
    assert (done.returncode, error_of(done)) == (4, "incomplete.diverged")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (["--data", "nothing"], "imagenet.not-a-data-set"),
        (["--epochs", "inf"], "usage.out-of-range"),
        (["--era", "2019"], "usage.option"),
        (["--set", "learning_rat=1"], "usage.unknown-setting"),
        (["--set", "momentum"], "usage.setting"),
        (["--set", "batch=x"], "cfg.bad-value"),
        (["--set", "batch=2"], "cfg.out-of-range"),
        (["--subdivisions", "9"], "cfg.out-of-range"),
        (["--subdivisions", "some"], "cfg.bad-value"),
        (["--subdivisions", "2", "--set", "subdivisions=4"], "usage.not-together"),
        (["--freeze", "5"], "usage.out-of-range"),
        (["--set", "max_batches=0", "--set", "policy=constant"], "usage.no-end"),
        (["--weights", "net.cfg"], "weights.other-kind"),
        (["--iterations", "3", "--epochs", "2"], "usage.not-together"),
    ],
)
def test_refusals(change: list[str], code: str, warm: Warm, tmp_path: Path) -> None:
    done = warm.run([*classifier(tmp_path), *change], tmp_path)
    assert error_of(done) == code, done.stderr
    assert not (tmp_path / "training").exists()


def test_more_processes_than_mini_batches(warm: Warm, tmp_path: Path) -> None:
    arguments = [*detector(tmp_path), "--run-dir", "run"]
    for process in warm.together(arguments, tmp_path, 3):
        assert process.wait() == 2
        assert "usage.too-many-processes" in process.words


def test_other_classes(warm: Warm, tmp_path: Path) -> None:
    text = DETECTOR.replace("classes=3", "classes=4").replace("filters=24", "filters=27")
    done = warm.run(detector(tmp_path, text), tmp_path)
    assert error_of(done) in ("train.other-classes", "darknet.other-classes"), done.stderr


def test_from_its_own_weights_frozen_and_with_another_head(warm: Warm, tmp_path: Path) -> None:
    arguments = detector(tmp_path)
    assert warm.run([*arguments, "--iterations", "3", "--run", "one"], tmp_path).returncode == 0
    weights = str(tmp_path / "one" / "net_final.weights")
    ended = warm.run([*arguments, "--iterations", "3", "--run", "two", "--weights", weights], tmp_path)
    assert error_of(ended) == "usage.nothing-left"
    more = ["--run", "two", "--weights", weights, "--clear", "--freeze", "2", "--iterations", "4"]
    done = warm.run([*arguments, *more], tmp_path)
    assert done.returncode == 0, done.stderr
    start = json.loads((tmp_path / "two" / "training.json").read_text())["start"]
    assert (start["layers"], start["seen"]) == (3, 0)
    one, two = ((tmp_path / name / "net_final.weights").read_bytes()[20:] for name in ("one", "two"))
    first = 4 * (4 * 8 + 8 * 27)  # the arrays of layer 0
    assert one[:first] == two[:first]
    assert one != two


def test_pictures_to_look_at(warm: Warm, tmp_path: Path) -> None:
    done = warm.run([*detector(tmp_path), "--preview", "pictures"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 16
    assert not (tmp_path / "training").exists()


def test_a_folder_in_use(warm: Warm, tmp_path: Path) -> None:
    arguments = [*classifier(tmp_path, CLASSIFIER.replace("max_batches=40", "max_batches=100000")), "--run", "run"]
    process = warm.begin(arguments, tmp_path)
    while not (tmp_path / "run" / "log.jsonl").exists():
        time.sleep(0.01)
    second = warm.run(arguments, tmp_path)
    process.kill()
    assert (second.returncode, error_of(second)) == (4, "incomplete.run-locked")


def test_a_full_disk(warm: Warm, tmp_path: Path) -> None:
    """No file may become as long as a checkpoint; with space again the training goes on."""
    arguments = [*detector(tmp_path), "--save-every", "2", "--run", "run"]
    process = warm.begin(arguments, tmp_path, limit=6000)
    assert process.wait() == 3
    (line,) = [line for line in process.words.splitlines() if line.startswith("cspbench: run/")]
    assert line.endswith("[disk.write-failed]")
    warm.done(arguments, tmp_path)
    warm.done([*arguments[:-1], "whole"], tmp_path)
    assert files(tmp_path / "run") == files(tmp_path / "whole")


def test_a_checkpoint_that_is_cut_off(warm: Warm, tmp_path: Path) -> None:
    arguments = [*classifier(tmp_path), "--iterations", "2", "--run", "run"]
    assert warm.run(arguments, tmp_path).returncode == 0
    checkpoint = tmp_path / "run" / "checkpoint.safetensors"
    checkpoint.write_bytes(checkpoint.read_bytes()[:-100])
    done = warm.run(arguments, tmp_path)
    assert (done.returncode, error_of(done)) == (3, "run.checkpoint-unreadable")
    (tmp_path / "run" / "training.json").unlink()
    assert error_of(warm.run(arguments, tmp_path)) == "run.checkpoint-alone"


def test_a_row_gets_a_head_for_the_data(warm: Warm, tmp_path: Path) -> None:
    """From the catalogue, at a size and batch that a test can afford."""
    data = classifier(tmp_path)[4]
    small = [f"--set={text}" for text in ("batch=2", "subdivisions=1", "width=64", "height=64", "max_crop=80")]
    arguments = ["train", "imagenet-smoothing:cspresnext-50-smooth", "--data", data, "-j", "0", *small]
    done = warm.run([*arguments, "--iterations", "1", "--run", "run"], tmp_path)
    assert done.returncode == 0, done.stderr
    assert "the head gets 3 in place of 1000" in done.stderr
    record = json.loads((tmp_path / "run" / "training.json").read_text())
    assert record["row"] == "imagenet-smoothing:cspresnext-50-smooth"
    assert "label_smooth_eps=0.1" in record["settings"]
    assert (tmp_path / "run" / "csresnext50-3-classes_final.weights").exists()
