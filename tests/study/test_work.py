"""Workers of a study: each training once, killed and resumed with the same bytes, shared by machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs
from refusals import refuses
from result_files import WHO
from small_studies import DETECTOR, SMALL, begun, plan

from cspbench.evaluation.execution import SILENT
from cspbench.lock import exclusive
from cspbench.retrained.studies import Study, keep, stored
from cspbench.study import job as jobs_of
from cspbench.study import work
from cspbench.study.collected import studies
from cspbench.study.job import TRAININGS, outcome
from cspbench.study.plan import Plan, jobs, planned
from cspbench.study.variants import expanded
from cspbench.study.work import Shard, one_worker
from cspbench.training.loop import Loop
from cspbench.training.run.options import Options
from cspbench.training.run.preparation import prepared
from cspbench.training.run.procedures import mini_batches, procedure

SMOOTH = "imagenet-smoothing"


class Killed(BaseException):
    """The end of a process at any moment."""


def timeless(study: Study) -> str:
    return study.digest


def files(folder: Path) -> dict[str, bytes]:
    """Weights and logs of all trainings."""
    kept = [path for path in (folder / TRAININGS).rglob("*") if path.suffix in (".weights", ".jsonl")]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in kept}


def ended(folder: Path, made: Plan) -> list[Study]:
    assert work.work(folder, None, 1, SMALL) == []
    return studies(folder, made, WHO)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Plan, Study]:
    """A study to its end: its run directory, its plan, and what it gave."""
    folder, made = begun(tmp_path_factory.mktemp("whole"), SMOOTH)
    (study,) = ended(folder, made)
    return folder, made, study


def test_each_variant_with_each_seed(whole: tuple[Path, Plan, Study]) -> None:
    _, made, study = whole
    names = [f"classifier-{variant}-seed{seed}" for seed in (0, 1) for variant in ("base", "label_smooth_eps=0.1")]
    assert [each.name for each in jobs(made)] == names
    assert [variant.name for variant in study.variants] == ["base", "label_smooth_eps=0.1"]
    assert study.seeds == [0, 1]
    first = study.variants[0].by_seed[0]
    assert (first.held, first.data.images, first.data.classes, first.start) == (16, 20, 16, None)
    assert [at for at, _ in first.curve] == [2, 4]
    assert first.curve[-1][1] == first.numbers[""]["top1"]
    assert [at for at, _ in first.losses] == [1, 2, 3, 4]
    assert (study.miniature.iterations, study.miniature.batch, study.miniature.size) == (4, 64, (16, 16))
    # 8 filters of 3 x 3 x 3 and 16 of 8, with a bias each
    assert study.miniature.parameters == 8 * 27 + 8 + 16 * 8 + 16


def test_a_seed_gives_all_variants_the_same_weights_and_pictures(whole: tuple[Path, Plan, Study]) -> None:
    folder, made, _ = whole
    begun_with = {}
    for each in jobs(made):
        options = Options(seed=each.seed, iterations=4)
        data = str(folder / "data" / "imagenet")
        chosen, images = prepared(jobs_of.fitted(made, each, data), data, options, SILENT)
        learner = procedure(chosen, images, options, SILENT).learner(torch.device("cpu"), compiled=False)
        batch = mini_batches(chosen, images, each.seed).make(1, 0)
        begun_with[each.variant.name, each.seed] = (*learner.module.state_dict().values(), batch.x)
    base, smooth, other = (begun_with[key] for key in (("base", 0), ("label_smooth_eps=0.1", 0), ("base", 1)))
    assert all(map(torch.equal, base, smooth))
    assert not torch.equal(base[0], other[0])
    assert not torch.equal(base[-1], other[-1])


def test_held_out_pictures_are_none_of_those_trained_on(whole: tuple[Path, Plan, Study]) -> None:
    data = whole[0] / "data" / "imagenet"
    parts = [{path.read_bytes() for path in (data / part).rglob("*.JPEG")} for part in ("train", "val")]
    assert list(map(len, parts)) == [20, 16]
    assert not parts[0] & parts[1]


def test_killed_and_resumed_gives_the_same_bytes(
    whole: tuple[Path, Plan, Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, made = begun(tmp_path, SMOOTH, model=whole[1].model)
    original, left = Loop._mini_batches, [6]

    def killed(self: Loop, stream: Any, iteration: int) -> Any:
        yield from original(self, stream, iteration)
        left[0] -= 1
        if not left[0]:
            raise Killed

    monkeypatch.setattr(Loop, "_mini_batches", killed)
    with pytest.raises(Killed):
        work.work(folder, None, 1, SMALL)
    assert [outcome(folder, each) is not None for each in jobs(made)] == [True, False, False, False]
    (study,) = ended(folder, made)
    assert timeless(study) == timeless(whole[2])
    assert files(folder) == files(whole[0])


def test_stored_bytes_differ_in_times_alone(whole: tuple[Path, Plan, Study], tmp_path: Path) -> None:
    (path,) = keep(tmp_path, [whole[2]])
    read, notes = stored(tmp_path)
    assert (read, notes) == ([whole[2]], [])
    later = structs.replace(WHO, when="2031-01-01T00:00:00Z")
    slower = [
        structs.replace(
            variant, outcomes={seed: structs.replace(each, seconds=9.0) for seed, each in variant.outcomes.items()}
        )
        for variant in whole[2].variants
    ]
    again = structs.replace(whole[2], variants=slower, session=later)
    assert again.digest == whole[2].digest
    assert path.name == "imagenet-smoothing-small.json"
    other = structs.replace(whole[2].variants[0].by_seed[0], held=15)
    changed = structs.replace(whole[2].variants[0], outcomes={**whole[2].variants[0].outcomes, "0": other})
    assert structs.replace(whole[2], variants=[changed, whole[2].variants[1]]).digest != whole[2].digest


def test_a_damaged_study_is_named_and_the_others_are_read(whole: tuple[Path, Plan, Study], tmp_path: Path) -> None:
    (path,) = keep(tmp_path, [whole[2]])
    (path.parent / "bad.json").write_text('{"schema": 2}')
    read, notes = stored(tmp_path)
    assert len(read) == 1
    assert "bad.json" in notes[0]


def test_shards_are_parts_of_the_trainings(whole: tuple[Path, Plan, Study]) -> None:
    listed = jobs(whole[1])
    parts = [Shard(number, 3).of(listed) for number in (1, 2, 3)]
    assert sorted(each.name for part in parts for each in part) == sorted(each.name for each in listed)
    assert list(map(len, parts)) == [2, 1, 1]
    for number, count in ((0, 2), (3, 2)):
        with refuses("usage.shard"):
            Shard(number, count)


def test_shards_together_give_the_same_study(whole: tuple[Path, Plan, Study], tmp_path: Path) -> None:
    folder, made = begun(tmp_path, SMOOTH, model=whole[1].model)
    assert len(work.work(folder, Shard(1, 2), 1, SMALL)) == 2
    assert work.work(folder, Shard(2, 2), 1, SMALL) == []
    assert [study.digest for study in studies(folder, made, WHO)] == [whole[2].digest]


def test_what_another_worker_trains_is_left_to_it(
    whole: tuple[Path, Plan, Study], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, made = begun(tmp_path, SMOOTH, model=whole[1].model)
    work.draw_all(folder, made, 1, SILENT)
    trained: list[str] = []
    monkeypatch.setattr(jobs_of, "run", lambda folder, plan, job, execution: trained.append(job.name))
    first = jobs(made)[0].name
    with exclusive(folder / TRAININGS / f".{first}.lock"):
        one_worker(folder, None, SMALL)
    assert trained == [each.name for each in jobs(made)[1:]]


def test_several_processes_give_the_same_study(whole: tuple[Path, Plan, Study], tmp_path: Path) -> None:
    folder, made = begun(tmp_path, SMOOTH, model=whole[1].model)
    assert work.work(folder, None, 2, SMALL) == []
    assert [study.digest for study in studies(folder, made, WHO)] == [whole[2].digest]


def test_another_study_in_the_folder_is_refused(whole: tuple[Path, Plan, Study], tmp_path: Path) -> None:
    folder, made, _ = whole
    assert work.begin(folder, made) == folder
    with refuses("run.other-study", found="seeds 3 in place of 2"):
        work.begin(folder, structs.replace(made, seeds=3))
    (tmp_path / "study.json").write_text("{}")
    with refuses("run.not-a-study"):
        work.begin(tmp_path, made)


def test_one_training_a_seed_is_scored_at_every_threshold(tmp_path: Path) -> None:
    folder, made = begun(tmp_path, "coco-nms", "coco-activation", text=DETECTOR)
    assert [each.name for each in jobs(made)] == [
        f"detector-{variant}-seed{seed}" for seed in (0, 1) for variant in ("base", "activation=swish")
    ]
    nms, activation = ended(folder, made)
    thresholds = ["", "0.45", "0.50", "0.55", "0.60", "0.65", "0.70"]
    assert sorted(nms.variants[0].by_seed[1].numbers) == thresholds
    assert nms.variants[0] == activation.variants[0]
    assert [row.nms for row in nms.rows[:3]] == ["0.45", "0.50", "0.55"]


def test_the_studys_own_detector_begins_from_one_classifier() -> None:
    made = planned(expanded(["coco-loss"]), seeds=2)
    listed = jobs(made)
    assert [each.name for each in listed[:2]] == ["classifier-base-seed0", "detector-base-seed0"]
    assert len(listed) == 1 + 4 * 2
    assert {each.start for each in listed[1:]} == {listed[0]}


def test_the_committed_study_has_39_trainings() -> None:
    tables = ["imagenet-activation", "imagenet-augmentation", "imagenet-smoothing", "coco-loss"]
    listed = jobs(planned(expanded(tables)))
    assert len(listed) == len({each.name for each in listed}) == 39
    assert listed[0].name == "classifier-base-seed0"
    assert {each.start for each in listed if each.variant.kind == "detector"} == {listed[0]}


@pytest.mark.parametrize("option", [{"data": "here"}, {"model": "csresnext50"}, {"size": 32}])
def test_options_of_one_kind_do_not_go_with_tables_of_two(option: dict[str, Any]) -> None:
    with refuses("usage.study-kinds"):
        planned(expanded(["imagenet-smoothing", "coco-loss"]), **option)


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = plan(tmp_path, SMOOTH)
    from cspbench.study.plan import read

    assert read(work.begin(tmp_path / "run", made)) == made
