"""A YOLOX in training: arithmetic by hand, mini-batches in any share of processes, and whole tiny runs."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import torch
from msgspec import structs
from refusals import refuses
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from training_runs import Killed, kill_in

import cspbench
from cspbench.evaluation.coco import DetectionResult
from cspbench.evaluation.execution import Execution
from cspbench.network.modular.network import ModuleNetwork
from cspbench.retrained.folders import collect
from cspbench.sample import detection
from cspbench.training import evaluated
from cspbench.training.checkpoint import State, restore
from cspbench.training.distributed import _add, _Packed
from cspbench.training.modular.learner import ModuleLearner, prepared
from cspbench.training.run import session
from cspbench.training.run.options import Options
from cspbench.training.train import choose
from cspbench.training.yolox.average import decay
from cspbench.training.yolox.optimiser import sgd
from cspbench.zoo.yolox.designs import YoloxDesign

HERE = Execution(workers=0, device="cpu", command=("cspbench", "train"))
SMALL = ModuleNetwork("small", (3, 64, 64), YoloxDesign(channels=8, depth=1, separable=True), "yolox")
SETTINGS = ["width=64", "height=64", "sizes=2,3", "batch=4", "subdivisions=2", "warmup=0", "closing=1"]
KEPT = ("checkpoint.safetensors", "log.jsonl", "small-10-classes_final.safetensors")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    detection.write(tmp_path / "coco", 8)
    return tmp_path / "coco"


def trained(data: Path, run: Path, *settings: str, **options: Any) -> Any:
    return cspbench.train(SMALL, data, run, settings=[*SETTINGS, *settings], execution=HERE, **options)


def lines(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_train_and_evaluate(tmp_path: Path, data: Path) -> None:
    """The average is written, evaluated and called retrained; the same call trains nothing more."""
    how = ("mosaic=0", "rate_of_image=0.002", "closing=0", "l1=0", "sizes=2,2")
    done = trained(data, tmp_path / "run", *how, iterations=4)
    assert done.weights == tmp_path / "run" / KEPT[2]
    assert isinstance(done.result, DetectionResult)
    assert done.result.run.record.weights.origin == "retrained"
    assert evaluated.metric(done.chosen) == ("AP", 1.0)
    assert (done.record.model, done.record.era, done.record.iterations) == ("small-10-classes", "august2021", 4)
    assert done.record.recipe_iterations == 600
    assert done.record.data.classes == 10
    stored = load_file(done.weights)
    state = load_file(tmp_path / "run" / "checkpoint.safetensors")
    name = "head.cls_preds.0.weight"
    assert torch.equal(stored[name], state[f"average.{name}"])
    assert not torch.equal(stored[name], state[f"module.{name}"])
    again = trained(data, tmp_path / "run", *how, iterations=4)
    assert again.standing is None
    assert collect(None, [tmp_path / "run"]).notes == ()


def test_the_loss_falls(tmp_path: Path, data: Path) -> None:
    how = [*SETTINGS, "mosaic=0", "rate_of_image=0.002", "closing=0", "l1=0", "sizes=2,2"]
    session.train(choose(SMALL, how), data, tmp_path / "run", Options(iterations=24, execution=HERE))
    losses = [line["loss"] for line in lines(tmp_path / "run")]
    assert sum(losses[-5:]) < 0.98 * sum(losses[:5])


def test_killed_and_resumed(tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Across the beginning of the last epochs, whose pictures and loss are others: the same bytes."""
    trained(data, tmp_path / "whole", iterations=5, save_every=2)
    with monkeypatch.context() as patch:
        kill_in(patch, lambda iteration: iteration == 4)
        with pytest.raises(Killed):
            trained(data, tmp_path / "killed", iterations=5, save_every=2)
    assert len(lines(tmp_path / "killed")) == 3
    trained(data, tmp_path / "killed", iterations=5, save_every=2)
    for name in KEPT:
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    with refuses("run.other-settings"):
        trained(data, tmp_path / "killed", "l1=0", iterations=5)


def test_other_classes(tmp_path: Path, data: Path) -> None:
    """From weights of 80 classes all but the classes' arrays are taken; other options of Darknet's are refused."""
    torch.manual_seed(1)
    file = tmp_path / "small.safetensors"
    save_file(SMALL.design.module().state_dict(), file)
    done = trained(data, tmp_path / "run", "rate_of_image=0", iterations=1, weights=file)
    assert done.record.start.arrays is not None
    whole = sum(1 for index in range(len(SMALL.layers)) if SMALL.weights(index))
    assert done.record.start.layers == whole - 3
    before, after = load_file(file), load_file(tmp_path / "run" / "checkpoint.safetensors")
    for name in ("backbone.backbone.stem.conv.conv.weight", "head.reg_preds.2.bias"):
        assert torch.equal(before[name], after[f"module.{name}"])
    assert after["module.head.cls_preds.0.bias"].shape == (10,)
    assert torch.allclose(after["module.head.cls_preds.0.bias"], torch.tensor(-4.59511985))
    for options in ({"clear": True}, {"exact": True}, {"freeze": 1}, {"subdivisions": "auto"}):
        with refuses("usage.darknets-option"):
            trained(data, tmp_path / "other", iterations=1, **options)


class Line(nn.Module):
    """(N, 1, 1, 1) to its batch norm's output times a weight."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        self.bn = nn.BatchNorm2d(1)
        nn.init.constant_(self.conv.weight, 2.0)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.bn(self.conv(x))
        return result


def line(precision: torch.dtype = torch.float32) -> ModuleLearner:
    def loss(raw: Tensor, labels: Tensor, size: tuple[int, int], iteration: int) -> Tensor:
        return (raw.mean() * labels.sum() * iteration).reshape(())

    module = prepared(Line())
    rates = [0.0, 0.1, 0.2, 0.3]
    return ModuleLearner(
        SMALL, module, loss, sgd(module), rates.__getitem__, images=4, subdivisions=2, precision=precision
    )


PAIRS = [
    (torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1), torch.tensor([3.0])),
    (torch.tensor([0.0, 8.0]).reshape(2, 1, 1, 1), torch.tensor([5.0])),
]


def test_an_iteration_by_hand() -> None:
    """The bias of a batch norm has the mean gradient 4; its statistics the mean of those of both mini-batches."""
    learner = line()
    update = learner.iterate(PAIRS)
    # means 4 and 8 of 2x, unbiased variances 8 and 128, momentum 0.03
    state = learner.module.state_dict()
    assert state["bn.running_mean"].item() == pytest.approx(0.03 * 6)
    assert state["bn.running_var"].item() == pytest.approx(0.97 + 0.03 * 68)
    assert state["bn.bias"].item() == pytest.approx(-0.1 * 1.9 * 4)
    assert (update.iteration, update.rate) == (1, 0.1)
    assert update.loss == pytest.approx(0, abs=1e-5)
    own = learner.written().state_dict()
    assert own["bn.bias"].item() == pytest.approx((1 - decay(1)) * -0.76)
    update = learner.iterate(PAIRS)
    # the gradient is 8, the velocity 0.9 * 4 + 8
    assert learner.module.state_dict()["bn.bias"].item() == pytest.approx(-0.76 - 0.2 * (8 + 0.9 * 11.6))
    assert learner.average is not None
    assert learner.average.updates == 2
    assert update.loss == pytest.approx((3 * -0.76 + 5 * -0.76) * 2 / 2)


def test_mini_batches_of_other_processes_give_the_same_bytes() -> None:
    for precision, small in ((torch.float32, 1.0), (torch.float16, 1 / 64)):
        pairs = [(images, labels * small) for images, labels in PAIRS]
        one, other = line(precision), line(precision)
        for _ in range(3):
            assert not one.iterate(pairs).skipped
            for pair in pairs:
                _add(other, _Packed.of(other, other.mini_batch(*pair)).values)
            other.seen += 4
            other.update(0.0)
        states = State.of(one, 0.0).tensors, State.of(other, 0.0).tensors
        assert states[0].keys() == states[1].keys()
        for name, values in states[0].items():
            assert torch.equal(values, states[1][name]), name


def test_an_overflow_changes_the_scale_alone(tmp_path: Path) -> None:
    learner = line(torch.float16)
    before = State.of(learner, 0.0).tensors
    update = learner.iterate([(PAIRS[0][0], torch.tensor([torch.inf])), PAIRS[1]])
    assert update.skipped
    after = State.of(learner, 0.0)
    for name, values in after.tensors.items():
        assert torch.equal(values, before[name]) is (name != "loss_scale"), name
    assert not learner.iterate([(images, labels / 64) for images, labels in PAIRS]).skipped
    after = State.of(learner, 0.0)
    after.save(tmp_path / "a.safetensors")
    fresh = line(torch.float16)
    assert restore(tmp_path / "a.safetensors", fresh) == 0.0
    with refuses("run.checkpoint-unreadable"):
        restore(tmp_path / "a.safetensors", line())
    assert fresh.iteration == 2


def test_the_best_weights_are_those_of_the_best_ap(tmp_path: Path, data: Path) -> None:
    done = trained(data, tmp_path / "run", iterations=2, eval_every=1)
    notes = [json.loads(text) for text in (tmp_path / "run" / "evaluations.jsonl").read_text().splitlines()]
    assert [note["iteration"] for note in notes] == [1, 2]
    assert (tmp_path / "run" / "small-10-classes_best.safetensors").is_file()
    metrics = done.result.metrics
    (threshold,) = metrics.thresholds
    ap = {**threshold.ap, "ap": Decimal(3), "ap50": Decimal(8)}
    changed = replace(done.result, metrics=with_ap(metrics, ap))
    assert evaluated.figure(changed, evaluated.deciding(done.chosen)) == 3.0


def with_ap(metrics: Any, ap: dict[str, Any]) -> Any:
    return structs.replace(metrics, thresholds=[structs.replace(metrics.thresholds[0], ap=ap)])
