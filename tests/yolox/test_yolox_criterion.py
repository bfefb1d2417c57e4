"""By which positives the losses of an iteration's mini-batches are divided."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_simota import CASES, golden

from cspbench.training.modular.chosen import YoloxChosen
from cspbench.training.modular.criterion import Cost, Summary
from cspbench.training.modular.module import shown_module
from cspbench.training.train import choose
from cspbench.training.yolox import boxes
from cspbench.training.yolox.criterion import YoloxCriterion
from cspbench.training.yolox.losses import losses
from cspbench.training.yolox.rules import R25


def iteration(case: str, count: int, *, mean: bool) -> tuple[Summary, torch.Tensor]:
    """A recorded batch in `count` mini-batches: what is logged, and the gradient by the raw outputs."""
    arrays = golden(case)
    raw, labels = torch.from_numpy(arrays["raw"]).requires_grad_(), torch.from_numpy(arrays["labels"])
    criterion = YoloxCriterion(R25, "iou", mean=mean, l1_from=1 if arrays["use_l1"] else None)
    size = tuple(arrays["input_hw"].tolist())
    costs: list[Cost] = [
        criterion.cost(*part, size, 1) for part in zip(raw.chunk(count), labels.chunk(count), strict=True)
    ]
    total = torch.zeros(criterion.figures, dtype=torch.float64)
    for cost in costs:
        total += cost.figures
    summary = criterion.summary(total, count)
    (gradient,) = torch.autograd.grad(torch.stack([cost.loss for cost in costs]).sum(), raw)
    return summary, gradient / summary.divisor


@pytest.mark.parametrize("case", [case for case in CASES if case != "allempty"])
def test_the_mean_of_all_is_that_of_one_batch(case: str) -> None:
    """Divided by all positives, the mini-batches of an iteration are one batch of the original."""
    arrays = golden(case)
    count = len(arrays["raw"])
    summary, gradient = iteration(case, count, mean=True)
    total, *parts, _ = arrays["r25_loss"].tolist()
    assert summary.loss == pytest.approx(total, rel=1e-6)
    assert [*summary.parts.values()] == pytest.approx(parts, rel=1e-6)
    np.testing.assert_allclose(gradient, arrays["r25_grad"], rtol=0, atol=1e-5)
    positives = iteration(case, count, mean=False)[0].positives
    assert summary.positives == positives


@pytest.mark.parametrize("case", ["plain", "empty"])
def test_own_positives(case: str) -> None:
    """The mean over the mini-batches of their own losses, each as if it were alone."""
    arrays = golden(case)
    at, count = boxes.points(tuple(arrays["input_hw"].tolist())), len(arrays["raw"])
    alone = [
        losses(torch.from_numpy(raw[None]), torch.from_numpy(labels[None]), at, R25, l1=bool(arrays["use_l1"]))
        for raw, labels in zip(arrays["raw"], arrays["labels"], strict=True)
    ]
    summary, _ = iteration(case, count, mean=False)
    assert summary.divisor == count
    assert summary.loss == pytest.approx(sum(own.total.item() for own in alone) / count)
    assert summary.parts["box"] == pytest.approx(sum(own.box.item() for own in alone) / count)
    assert summary.positives == pytest.approx(sum(own.positives for own in alone) / count)
    assert iteration(case, count, mean=True)[0].loss != pytest.approx(summary.loss, rel=1e-5)
    for mean in (False, True):
        assert iteration(case, 1, mean=mean)[0].loss == pytest.approx(arrays["r25_loss"][0], rel=1e-6)


def test_without_a_truth_the_divisor_is_their_number() -> None:
    """A mean of 0 positives counts as 1, so that both are the mean of the objectness."""
    count = len(golden("allempty")["raw"])
    summaries = [iteration("allempty", count, mean=mean)[0] for mean in (False, True)]
    assert {summary.divisor for summary in summaries} == {count}
    assert summaries[1].loss == pytest.approx(golden("allempty")["r25_loss"][0] / count, rel=1e-6)


def test_the_assignment_of_mmdetection_brings_its_divisor() -> None:
    def source(*settings: str) -> tuple[str, str]:
        chosen = choose("yolox-nano", settings)
        assert isinstance(chosen, YoloxChosen)
        (line,) = [line for line in shown_module(chosen) if line["setting"].startswith("positives=")]
        return line["setting"], line["source"]

    assert source() == ("positives=own", "Megvii's code of august2021")
    assert source("assignment=simota-mmdet") == ("positives=mean", "--set")
    assert source("positives=own", "assignment=simota-mmdet") == ("positives=own", "--set")
    assert source("positives=mean") == ("positives=mean", "--set")
