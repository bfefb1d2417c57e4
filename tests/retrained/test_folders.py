"""Trainings in folders: where they are looked for, which evaluations count, and what is left out with a note."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import pytest
from fuzzing import examples
from msgspec import structs
from refusals import refuses
from result_files import classifier, put, stored
from trainings import LRELU, SWISH, evaluation, put_training, training

from cspbench.retrained.folders import Collected, Retraining, collect, keep, split


def seeds(collected: Collected) -> list[tuple[str | None, int]]:
    return sorted((str(each.training.row), each.training.seed) for each in collected.retrainings)


def test_trainings_up_to_two_levels_below_and_runs_beside_them(tmp_path: Path) -> None:
    one = put_training(tmp_path / "one", training(seed=0), 700)
    two = put_training(tmp_path / "more" / "two", training(seed=1), 710)
    run = put(tmp_path / "runs" / "published", classifier())
    assert split([tmp_path]) == ([run], [two, one])
    assert split([one, two, one]) == ([], [one, two])
    assert split([one / "evaluations" / "final", run]) == ([run], [one])
    assert split([one / "evaluations"]) == ([], [one])
    collected = collect(None, [tmp_path])
    assert (seeds(collected), collected.notes) == ([(SWISH, 0), (SWISH, 1)], ())


def test_another_run_in_the_folder_of_a_training_is_a_run(tmp_path: Path) -> None:
    one = put_training(tmp_path / "one", training(), 700)
    run = put(one / "others" / "published", classifier())
    assert split([one]) == ([run], [one])


def test_a_path_with_neither(tmp_path: Path) -> None:
    put_training(tmp_path / "one", training(), 700)
    (tmp_path / "empty").mkdir()
    with refuses("run.none-there"):
        collect(None, [tmp_path / "one", tmp_path / "empty"])
    with refuses("run.none-there"):
        split([tmp_path / "a\0b"])


def test_only_the_evaluation_of_the_final_weights_counts(tmp_path: Path) -> None:
    folder = put_training(tmp_path / "one", training(), 700)
    put(folder / "evaluations" / "best", evaluation(training(), 990, b"best"))
    (folder / "peleenet-swish_best.weights").write_bytes(b"best")
    (each,) = collect(None, [tmp_path]).retrainings
    assert (each.evaluation.name, each.evaluation.where) == ("final", str(folder / "evaluations" / "final"))


@pytest.mark.parametrize("what", ["record", "weights", "evaluation", "metrics", "run"])
def test_half_trainings_are_named(tmp_path: Path, what: str) -> None:
    put_training(tmp_path / "whole", training(seed=1), 700)
    folder = put_training(tmp_path / "half", training(seed=2), None if what == "evaluation" else 700)
    if what == "record":
        (folder / "training.json").write_text('{"schema": 2, "model": ')
    elif what == "weights":
        (folder / "peleenet-swish_final.weights").unlink()
    elif what in ("metrics", "run"):
        (folder / "evaluations" / "final" / f"{what}.json").write_text("[]")
    collected = collect(None, [tmp_path])
    assert seeds(collected) == [(SWISH, 1)]
    assert len(collected.notes) == (2 if what in ("metrics", "run") else 1)
    assert all(str(folder) in note for note in collected.notes)


def test_an_unfinished_evaluation_is_named(tmp_path: Path) -> None:
    folder = put_training(tmp_path / "half", training(), 700)
    (folder / "evaluations" / "final" / "metrics.json").unlink()
    collected = collect(None, [tmp_path])
    assert (collected.retrainings, len(collected.notes)) == ((), 1)


def test_retrained_weights_without_their_training(tmp_path: Path) -> None:
    put(tmp_path / "run", evaluation(training(), 700, b"x"))
    collected = collect(None, [tmp_path])
    assert (collected.retrainings, len(collected.notes)) == ((), 1)


def test_a_pipe_in_the_place_of_each_file(tmp_path: Path) -> None:
    for place, name in enumerate(("training.json", "peleenet-swish_final.weights", "evaluations/final/run.json")):
        file = put_training(tmp_path / str(place), training(seed=place), 700) / name
        file.unlink()
        os.mkfifo(file)
    collected = collect(None, [tmp_path])
    assert collected.retrainings == ()
    assert all(any(str(tmp_path / place) in note for note in collected.notes) for place in "012")


@pytest.mark.parametrize(
    ("change", "to"),
    [
        ("seed", -1),
        ("seed", 10**400),
        ("seed", "0"),
        ("settings", ["max_batches=x"]),
        ("settings", []),
        ("settings", [f"max_batches={'9' * 30}"]),
        ("data", {"images": -1, "classes": 3, "digest": ""}),
        ("start", None),
        ("schema", 3),
        ("sessions", [{"command": [], "cspbench": "0", "when": "yesterday"}]),
        ("gradients", "none"),
    ],
)
def test_records_that_no_training_writes(tmp_path: Path, change: str, to: object) -> None:
    file = put_training(tmp_path / "one", training(), 700) / "training.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), change: to}))
    collected = collect(None, [tmp_path])
    assert (collected.retrainings, len(collected.notes)) == ((), 1)


def test_a_record_of_an_earlier_version(tmp_path: Path) -> None:
    file = put_training(tmp_path / "one", training(), 700) / "training.json"
    record = json.loads(file.read_text())
    file.write_text(json.dumps({key: record[key] for key in record if key not in ("recipe_iterations", "changed")}))
    (each,) = collect(None, [tmp_path]).retrainings
    assert (each.training.recipe_iterations, each.training.changed, each.training.whole) == (None, [], False)


def test_damaged_records_are_notes(tmp_path: Path) -> None:
    file = put_training(tmp_path / "one", training(), 700) / "training.json"
    text, drawn = file.read_bytes(), random.Random(0)
    for _ in range(examples(200)):
        start = drawn.randrange(len(text))
        file.write_bytes(text[:start] + drawn.randbytes(drawn.randrange(4)) + text[start + drawn.randrange(9) :])
        collected = collect(None, [tmp_path])
        assert len(collected.retrainings) + len(collected.notes) == 1


# --- in a results directory


def test_stored_without_paths_and_read_again(tmp_path: Path) -> None:
    record = training()
    sessions = [structs.replace(record.sessions[0], command=["cspbench", "train", "--data", "/home/me/data"])]
    put_training(tmp_path / "runs" / "one", structs.replace(record, sessions=sessions), 700)
    put_training(tmp_path / "runs" / "two", training(LRELU, 3), 690)
    (tmp_path / "results").mkdir()
    files = keep(tmp_path / "results", collect(None, [tmp_path / "runs"]).retrainings)
    assert sorted(file.name.rpartition("-")[0] for file in files) == ["peleenet-seed3", "peleenet-swish-seed0"]
    assert b"/home" not in b"".join(file.read_bytes() for file in files)
    kept = collect(tmp_path / "results", [])
    assert (seeds(kept), kept.notes) == ([(LRELU, 3), (SWISH, 0)], ())
    assert {each.evaluation.name for each in kept.retrainings} == {file.stem for file in files}
    # a training in both places counts once, that of the folder; the other's commands differ in their folders alone
    both = collect(tmp_path / "results", [tmp_path / "runs"])
    assert seeds(both) == [(LRELU, 3), (SWISH, 0)]
    assert all(str(tmp_path / "runs") in each.evaluation.where for each in both.retrainings)


def test_one_training_may_be_of_two_rows(tmp_path: Path) -> None:
    one, other = training(SWISH), training("imagenet-small:peleenet-swish", model="peleenet-swish")
    for name, record in (("a", one), ("b", other)):
        folder = put_training(tmp_path / name, record, None)
        (folder / "peleenet-swish_final.weights").write_bytes(b"same")
        put(folder / "evaluations" / "final", evaluation(record, 700, b"same"))
    collected = collect(None, [tmp_path])
    assert len(collected.retrainings) == 2
    (tmp_path / "results").mkdir()
    assert len(set(keep(tmp_path / "results", collected.retrainings))) == 2


@pytest.mark.parametrize("name", ["../../x", "a\0b", "x" * 3000, "\udce9", ".hidden"])
def test_names_of_models_stay_in_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "results").mkdir()
    put_training(tmp_path / "one", training(), 700)
    (each,) = collect(None, [tmp_path / "one"]).retrainings
    record = structs.replace(each.training, model=name)
    (file,) = keep(tmp_path / "results", [Retraining(record, each.evaluation)])
    assert file.parent == tmp_path / "results" / "retrained"
    assert file.is_file()


def test_files_of_results_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "retrained").mkdir()
    (tmp_path / "retrained" / "x.json").write_text("{}")
    (tmp_path / "evaluations").mkdir()
    alone = evaluation(training(), 700, b"x")
    (tmp_path / "evaluations" / "y.json").write_bytes(stored(alone))
    (tmp_path / "evaluations" / "z.json").write_bytes(stored(classifier()))
    (tmp_path / "evaluations" / "broken.json").write_text("{")
    collected = collect(tmp_path, [])
    assert collected.retrainings == ()
    assert [name in note for name, note in zip(("y.json", "x.json"), collected.notes, strict=True)] == [True, True]


def test_the_folder_of_results_may_not_be_a_link(tmp_path: Path) -> None:
    put_training(tmp_path / "one", training(), 700)
    (tmp_path / "outside").mkdir()
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "retrained").symlink_to(tmp_path / "outside")
    with refuses("disk.folder-is-link"):
        keep(tmp_path / "results", collect(None, [tmp_path / "one"]).retrainings)
