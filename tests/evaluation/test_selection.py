"""Which models an evaluation is about, and what becomes of the others where one fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from refusals import refuses

from cspbench.errors import CspbenchError, IncompleteRunError, OutputError, UsageError, WeightsError
from cspbench.evaluation import selection
from cspbench.evaluation.execution import Listener
from cspbench.evaluation.selection import Selected, evaluate_all, of_file, of_models, sizes_of
from cspbench.zoo.registry import model


class Heard(Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def failing(error: Exception) -> Callable[[], int]:
    def evaluate() -> int:
        raise error

    return evaluate


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([OutputError("network.not-finite", "values that are not finite")], 3),
        ([IncompleteRunError("incomplete.write-failed", "the disk is full")], 4),
        ([UsageError("usage.other-classes", "other classes")], 2),
        (
            [
                IncompleteRunError("incomplete.write-failed", "the disk is full"),
                WeightsError("weights.other-kind", "a Python pickle"),
            ],
            3,
        ),
        ([], 0),
    ],
)
def test_what_is_wrong_with_one_model_is_not_the_end_of_the_others(errors: list[CspbenchError], code: int) -> None:
    heard = Heard()
    named = [(f"net{at}", failing(error)) for at, error in enumerate(errors)]
    assert evaluate_all([*named, ("good", lambda: 1), ("fine", lambda: 2)], heard) == ([1, 2], code)
    assert len(heard.notes) == len(errors)
    for at, (note, error) in enumerate(zip(heard.notes, errors, strict=True)):
        assert note.startswith(f"net{at} ")
        assert note.endswith(f"[{error.code}]")


def test_the_error_of_the_only_model_is_raised_and_names_it() -> None:
    with refuses("network.not-finite", where="net, image"):
        evaluate_all([("net", failing(OutputError("network.not-finite", "values that are not finite", where="image")))])
    with refuses("weights.other-kind", where="/net.weights"):
        evaluate_all([("net", failing(WeightsError("weights.other-kind", "a Python pickle", where="/net.weights")))])


def test_processes_of_one_group_do_not_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "2")
    good = ("good", lambda: 1)
    unusable = ("net", failing(WeightsError("weights.other-kind", "a Python pickle")))
    assert evaluate_all([unusable, good]) == ([1], 3)
    with refuses("network.not-finite", where="net"):
        evaluate_all([("net", failing(OutputError("network.not-finite", "values that are not finite"))), good])


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CSPBENCH_WEIGHTS", raising=False)


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weight files with csresnet10's, resnet50's and yolov3-tiny's by their names."""
    for name in ("csresnet10", "resnet50", "yolov3-tiny"):
        (tmp_path / f"{name}.weights").write_bytes(b"")
    monkeypatch.setenv("CSPBENCH_WEIGHTS", str(tmp_path))
    return tmp_path


def test_missing_weights_are_named_as_they_are_looked_for(bare: None) -> None:
    error = selection.no_weights(["csresnet10", "enetb0", "csdarknet53", "resnet50", "darknet53"])
    assert error.code == "usage.no-weights"
    assert "all 5, such as enetb0_final.weights (19,560,180 bytes, released)" in str(error.remedy)
    assert "weights fetch" in str(error.remedy)
    error = selection.no_weights(["csresnet10"])
    assert "csresnet10.weights (10,954,420 bytes, never" in str(error.remedy)
    assert "weights fetch" not in str(error.remedy)


def test_models_are_named_by_their_rows_too(weights: Path) -> None:
    chosen = of_models(["imagenet-big:resnet-5*"], None, "imagenet")
    assert [(each.name, each.file) for each in chosen.models] == [("resnet50", weights / "resnet50.weights")]
    chosen = of_models(["imagenet-big:resnet-50", "imagenet-big:cspdarknet-53"], None, "imagenet")
    assert ([each.name for each in chosen.models], chosen.without) == (["resnet50"], ("csdarknet53",))
    with refuses("usage.unknown-row") as caught:
        of_models(["imagenet-big:cspdarknt-53"], None, "imagenet")
    assert "imagenet-big:cspdarknet-53" in str(caught.value.remedy)


def test_without_patterns_the_tables_say_which(weights: Path) -> None:
    chosen = of_models([], None, "imagenet")
    assert [each.name for each in chosen.models] == ["resnet50", "csresnet10"]
    assert "csdarknet53" in chosen.without
    assert "yolov3-tiny" not in chosen.without


def test_a_detector_is_one_before_its_weights_are_missed(bare: None) -> None:
    for pattern in ("yolov3-tiny", "yolov3-tiny*"):
        with refuses("usage.other-task", expected="a classifier"):
            of_models([pattern], None, "imagenet")
    with refuses("usage.other-task", expected="a detector"):
        of_models(["darknet53"], None, "coco")


def test_a_pattern_that_matches_both_means_those_that_can_be_meant(weights: Path) -> None:
    file = weights / "mine.weights"
    (chosen,) = of_models(["csdarknet53-p*", "csdarknet53"], file, "imagenet").models
    assert (chosen.name, chosen.file) == ("csdarknet53", file)


def test_one_odd_file_keeps_the_other_rows(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def found(entry: object, folder: Path | None = None) -> Path | None:
        if getattr(entry, "name", "") == "resnet50":
            raise WeightsError("weights.ambiguous-file", "two files")
        return weights / "csresnet10.weights" if getattr(entry, "name", "") == "csresnet10" else None

    monkeypatch.setattr(selection, "find", found)
    heard = Heard()
    chosen = of_models([], None, "imagenet", listener=heard)
    assert [each.name for each in chosen.models] == ["csresnet10"]
    assert [note.partition(" ")[0] for note in heard.notes] == ["resnet50"]
    with refuses("weights.ambiguous-file"):  # where it was asked for
        of_models(["resnet50"], None, "imagenet")


def test_a_file_of_ones_own_needs_its_weights(tmp_path: Path) -> None:
    network = model("yolov3-tiny").build()
    with refuses("usage.cfg-without-weights"):
        of_file(network, None, [], "coco")
    with refuses("usage.two-networks"):
        of_file(network, tmp_path, ["darknet"], "coco")
    with refuses("usage.other-task"):
        of_file(network, tmp_path, [], "imagenet")
    assert of_file(network, tmp_path, [], "coco").models == (Selected(network, tmp_path),)


def test_weights_of_several_models_are_refused(tmp_path: Path) -> None:
    with refuses("usage.one-model", found="2 models"):
        of_models(["darknet", "darknet53"], tmp_path, "imagenet")


def test_the_sizes_of_a_detector_are_those_of_its_rows() -> None:
    assert sizes_of(model("csresnext50-panet-spp").build()) == [(512, 512)]
    assert sizes_of(model("csresnext50-panet-spp-sam").build()) == [(512, 512), (608, 608)]
    assert sizes_of(model("sample-csp-detector").build()) == [(224, 224)]


def test_a_quoted_detector_keeps_its_protocol(tmp_path: Path) -> None:
    quoted, other = (Selected(model(name).build(), tmp_path) for name in ("snet49-thundernet", "yolov3-tiny"))
    assert (quoted.quoted, other.quoted) == (True, False)
    with refuses("usage.own-protocol", found="--nms --conf"):
        selection.check_own_protocol([quoted], ["--nms", "--conf"])
    selection.check_own_protocol([quoted], [])
    heard = Heard()
    selection.check_own_protocol([quoted, other], ["--nms"], heard)
    assert len(heard.notes) == 1
    assert heard.notes[0].startswith("snet49-thundernet ")
