"""The learning rate, the average and the arrays' groups of YOLOX."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from cspbench.training.yolox.average import Average, decay
from cspbench.training.yolox.optimiser import groups, sgd
from cspbench.training.yolox.schedule import Schedule

RECORD = json.loads((Path(__file__).parents[1] / "golden" / "yolox" / "schedule.json").read_text("utf-8"))


def test_the_original_rates() -> None:
    schedule = Schedule(1000)
    assert len(RECORD["lr"]) == 17
    for iterations, rate in RECORD["lr"]:
        assert schedule.after(iterations) == pytest.approx(rate, rel=1e-12, abs=0)


def test_rates_by_hand() -> None:
    short = Schedule(10, batch=128, epochs=20, warmup=2, closing=4, lowest=0.1)
    assert short.after(0) == 0
    assert short.after(10) == pytest.approx(0.02 / 4)
    assert short.after(20) == pytest.approx(0.02)
    assert short.after(90) == pytest.approx(0.002 + 0.009)  # half of the way from 20 to 160
    assert short.after(160) == short.after(200) == pytest.approx(0.002)
    assert Schedule(10, warmup=0).after(0) == pytest.approx(0.01)


def test_the_last_epochs_begin_one_before_the_lowest_rate() -> None:
    schedule = Schedule(1000)
    assert [epoch for epoch in range(1, 301) if schedule.closes(epoch)] == list(range(285, 301))
    assert schedule.after(284_999) > schedule.after(285_000) == schedule.after(299_999)


def test_the_original_decay() -> None:
    assert len(RECORD["ema"]) == 8
    for update, share in RECORD["ema"]:
        assert decay(update) == pytest.approx(share, rel=1e-12, abs=0)


def test_the_average_is_of_all_arrays_but_counters() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1, bias=False), nn.BatchNorm2d(2))
    average = Average(module)
    before = {name: array.clone() for name, array in module.state_dict().items()}
    with torch.no_grad():
        for array in module.state_dict().values():
            array.add_(1)
    average.update(module)
    assert average.arrays.keys() == before.keys()
    for name, array in average.arrays.items():
        expected = before[name] if name == "1.num_batches_tracked" else before[name] + (1 - decay(1))
        torch.testing.assert_close(array, expected)
    average.update(module)
    torch.testing.assert_close(average.arrays["1.bias"], torch.full((2,), 1 - decay(1) * decay(2)))
    assert average.updates == 2


def test_only_weights_of_convolutions_decay() -> None:
    module = nn.ModuleDict(
        {
            "conv": nn.Conv2d(3, 2, 1),
            "norm": nn.BatchNorm2d(2),
            "bn": nn.GroupNorm(1, 2),
            "head": nn.Linear(2, 3, bias=False),
        }
    )
    of = dict(module.named_parameters())
    names = [[name for name, array in of.items() if any(array is each for each in part)] for part in groups(module)]
    assert names == [
        ["norm.weight", "bn.weight"],
        ["conv.weight", "head.weight"],
        ["conv.bias", "norm.bias", "bn.bias"],
    ]
    optimiser = sgd(module, 0.5)
    assert [part["weight_decay"] for part in optimiser.param_groups] == [0, 5e-4, 0]
    assert sum(len(part["params"]) for part in optimiser.param_groups) == len(of)
    # a step by hand: Nesterov's first is 1.9 times the gradient
    before = {name: array.detach().clone() for name, array in of.items()}
    for array in of.values():
        array.grad = torch.ones_like(array)
    optimiser.step()
    for name, array in of.items():
        gradient = 1 + (5e-4 * before[name] if name in ("conv.weight", "head.weight") else 0)
        torch.testing.assert_close(array.detach(), before[name] - 0.5 * 1.9 * gradient)
