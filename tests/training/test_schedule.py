"""Learning rates that the recorded schedules do not reach."""

from __future__ import annotations

import math

import pytest

from cspbench.network.recipe import NetRecipe, Policy
from cspbench.training.schedule import rate


def test_burn_in_comes_before_every_policy() -> None:
    for policy in Policy:
        net = NetRecipe(
            policy=policy, learning_rate=0.1, burn_in=100, power=2, max_batches=1000, steps=(5,), scales=(0.1,)
        )
        assert rate(net, 50) == pytest.approx(0.1 * 0.25)
        assert rate(net, 0) == 0


def test_cosine_restarts_after_its_cycle() -> None:
    net = NetRecipe(policy=Policy.SGDR, learning_rate=0.1, learning_rate_min=0.02, sgdr_cycle=100, sgdr_mult=3)
    assert [rate(net, at) for at in (0, 50, 100, 101, 250, 400)] == pytest.approx(
        [0.1, 0.06, 0.02, 0.02 + 0.04 * (1 + math.cos(math.pi / 300)), 0.06, 0.02]
    )


def test_random_rates_are_those_of_seed_and_iteration() -> None:
    net = NetRecipe(policy=Policy.RANDOM, learning_rate=0.1, power=1)
    result = [rate(net, at, seed=3) for at in range(200)]
    assert result == [rate(net, at, seed=3) for at in range(200)]
    assert result != [rate(net, at, seed=4) for at in range(200)]
    assert 0.04 < sum(result) / 200 < 0.06
    assert max(result) <= 0.1


def test_rates_beyond_all_numbers() -> None:
    assert rate(NetRecipe(policy=Policy.EXP, gamma=2.0), 5000) == math.inf
    assert rate(NetRecipe(policy=Policy.SIGMOID, gamma=9.0, step=10), 5000) == 0
    odd = NetRecipe(policy=Policy.POLY, max_batches=100, power=0.5)
    assert rate(odd, 200) == 0
