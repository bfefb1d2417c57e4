"""The update of an iteration, worked out by hand, and what keys of a layer change of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cspbench.network import cfg
from cspbench.network.recipe import LayerRecipe, Recipe
from cspbench.training.iteration import Trainer

CONV = "[convolutional]\nfilters=3\nactivation=linear\n"
NET = """[net]\nwidth=2\nheight=2\nchannels=3\nbatch=4\nsubdivisions=2\nlearning_rate=.5\nmomentum=.9\ndecay=.01
max_batches=4000
"""
TEXT = f"{NET}{CONV}batch_normalize=1\n{CONV}[avgpool]\n[softmax]\n"


def trainer(text: str = TEXT, layers: dict[int, dict[str, Any]] | None = None, **net: Any) -> Trainer:
    reading = cfg.parse(text, "small")
    recipe = reading.training.recipe
    parts = list(recipe.layers)
    for index, settings in (layers or {}).items():
        parts[index] = replace(parts[index], **settings)
    made = Trainer(reading.network, Recipe(replace(recipe.net, **net), tuple(parts)))
    torch.manual_seed(1)
    with torch.no_grad():
        for values in made.module.parameters():
            values.fill_(0.1)
        for array in made.optimiser.arrays:
            array.values.normal_()
    return made


def step(of: Trainer, gradient: float, rate: float, iteration: int) -> dict[str, Tensor]:
    """The values before, after gradients that are all the same number."""
    before = {array.name: array.values.detach().clone() for array in of.optimiser.arrays}
    of.optimiser.accumulate([torch.full_like(array.values, gradient) for array in of.optimiser.arrays])
    of.optimiser.step(rate, iteration)
    return before


def test_momentum_decay_and_batch() -> None:
    of = trainer()
    start = step(of, 2.0, 0.5, 1)
    after = {array.name: array.values.detach().clone() for array in of.optimiser.arrays}
    for array in of.optimiser.arrays:
        decay = 0.01 * 4 * start[array.name] if array.role == "weight" else 0.0
        torch.testing.assert_close(after[array.name], start[array.name] - 0.5 / 4 * (2 + decay))
        torch.testing.assert_close(array.velocity, torch.as_tensor(0.9 * (2 + decay)).expand_as(array.velocity))
    assert {array.role for array in of.optimiser.arrays} == {"weight", "bias", "scale"}
    # the velocity of the first update moves with the rate of the second
    step(of, 0.0, 0.1, 2)
    (bias,) = (array for array in of.optimiser.arrays if array.role == "bias" and array.layer == 1)
    torch.testing.assert_close(bias.values.detach(), after[bias.name] - 0.1 / 4 * 0.9 * 2)


def test_gradients_of_mini_batches_add_up() -> None:
    of = trainer()
    images, labels = torch.rand(4, 3, 2, 2), torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    twice = [of.mini_batch(images[at : at + 2], labels[at : at + 2]).gradients for at in (0, 2)]
    for gradients in twice:
        of.optimiser.accumulate(gradients)
    for array, one, two in zip(of.optimiser.arrays, *twice, strict=True):
        assert one is not None
        assert two is not None
        torch.testing.assert_close(array.velocity, one + two)
        assert array.values.grad is None


def test_mini_batches_of_other_processes_give_the_same_bytes() -> None:
    text = TEXT.replace("[avg", f"{CONV}batch_normalize=1\nshare_index=0\n[avg")
    one, other = trainer(text), trainer(text)
    images, labels = torch.rand(4, 3, 2, 2), torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    parts = [(images[:2], labels[:2]), (images[2:], labels[2:])]
    for _ in range(3):
        one.iterate(parts)
        later, first = (other.mini_batch(*part) for part in reversed(parts))
        for done in (first, later):
            other.seen += 2
            other.add(done.gradients, done.statistics)
        other.update(torch.zeros(1))
    result = one.module.state_dict()
    assert result.keys() == other.module.state_dict().keys()
    for name, values in other.module.state_dict().items():
        assert torch.equal(result[name], values), name
    for name, values in other.optimiser.state().items():
        assert torch.equal(one.optimiser.state()[name], values), name


def test_adam_by_its_formula() -> None:
    of = trainer(adam=True)
    array = of.optimiser.arrays[0]
    value = array.values.detach().double().clone()
    mean, square = torch.zeros_like(value), torch.zeros_like(value)
    for iteration, gradient in enumerate((2.0, -1.0, 0.5), start=1):
        step(of, gradient, 0.01, iteration)
        total = gradient + 0.01 * 4 * value  # biases and scales decay too, and nothing is divided by the batch
        mean = 0.9 * mean + 0.1 * total
        square = 0.999 * square + 0.001 * total**2
        divisor = (square / (1 - 0.999**iteration)).sqrt() + 1e-6
        value = value - 0.01 * mean / (1 - 0.9**iteration) / divisor
        torch.testing.assert_close(array.values.detach().double(), value, rtol=1e-5, atol=1e-7)
        assert not array.velocity.any()
    assert set(of.optimiser.state()) >= {f"{array.name}.{part}" for part in ("velocity", "moment0", "moment1")}


def moved(of: Trainer, iteration: int = 1, rate: float = 0.5) -> set[int]:
    before = step(of, 1.0, rate, iteration)
    return {array.layer for array in of.optimiser.arrays if not torch.equal(array.values, before[array.name])}


def test_factor_of_a_layers_rate() -> None:
    of = trainer(layers={1: {"learning_rate": 0.25}}, decay=0.0)
    before = step(of, 2.0, 0.5, 1)
    for array in of.optimiser.arrays:
        factor = 0.25 if array.layer == 1 else 1.0
        torch.testing.assert_close(array.values.detach(), before[array.name] - 0.5 / 4 * 2 * factor)


def test_layers_that_wait() -> None:
    of = trainer(layers={0: {"dont_update": 3}, 1: {"burnin_update": 2}}, burn_in=4)
    assert [moved(of, at) for at in (3, 4, 7, 8)] == [set(), {0}, {0}, {0, 1}]


def test_a_velocity_that_waits_collects() -> None:
    of = trainer(layers={0: {"dont_update": 2}}, decay=0.0)
    for at in (1, 2):
        step(of, 1.0, 0.5, at)
    before = step(of, 1.0, 0.5, 3)
    scale = next(array for array in of.optimiser.arrays if array.role == "scale")
    torch.testing.assert_close(scale.values.detach(), before[scale.name] - 0.5 / 4 * 3)


def test_statistics_only() -> None:
    of = trainer(layers={0: {"train_only_bn": True}})
    assert {array.layer for array in of.optimiser.arrays} == {1}
    images, labels = torch.rand(4, 3, 2, 2), torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    mean = of.module.get_buffer("layers.0.bn.running_mean")
    before = mean.clone()
    of.iterate([(images[:2], labels[:2]), (images[2:], labels[2:])])
    assert not torch.equal(mean, before)


def test_gradients_end_at_a_layer() -> None:
    """The layer itself decays, as in Darknet, where it has no gradient; those before it do not change at all."""
    text = TEXT.replace(f"{CONV}[avg", f"{CONV}{CONV}[avg")
    of = trainer(text, layers={1: {"stopbackward": True}})
    assert {array.layer for array in of.optimiser.arrays} == {1, 2}
    images, labels = torch.rand(4, 3, 2, 2), torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    mean = of.module.get_buffer("layers.0.bn.running_mean")
    statistics = mean.clone()
    before = {array.name: array.values.detach().clone() for array in of.optimiser.arrays}
    of.iterate([(images[:2], labels[:2]), (images[2:], labels[2:])])
    assert torch.equal(mean, statistics)
    for array in of.optimiser.arrays:
        change = (array.values - before[array.name]).abs().max()
        if array.layer == 2:
            assert change > 0
        elif array.role == "weight":
            torch.testing.assert_close(array.values.detach(), before[array.name] * (1 - 0.5 * 0.01))
        else:
            assert change == 0


def test_clipped_weights() -> None:
    of = trainer(layers={0: {"clip": 0.1}})
    step(of, 0.0, 0.5, 1)
    largest = {(array.layer, array.role): float(array.values.detach().abs().max()) for array in of.optimiser.arrays}
    assert largest[0, "weight"] == pytest.approx(0.1)
    assert largest[0, "bias"] > 0.1
    assert largest[1, "weight"] > 0.1


def test_factors_of_shortcuts_move_by_at_most_one() -> None:
    text = TEXT.replace("[avg", "[shortcut]\nfrom=-2\nweights_type=per_feature\nactivation=linear\n[avg")
    of = trainer(text, decay=0.01)
    before = step(of, -50.0, 0.5, 1)
    (array,) = (array for array in of.optimiser.arrays if array.role == "fusion")
    torch.testing.assert_close(
        array.values.detach(), before[array.name] - 0.5 / 4 * (-1 + 0.01 * 4 * before[array.name])
    )


def test_average_of_weights() -> None:
    of = trainer(ema_alpha=0.75, decay=0.0, momentum=0.0)
    name = of.optimiser.arrays[0].name

    def update(iteration: int) -> Tensor:
        step(of, 1.0, 0.5, iteration)
        of.average.update(of.optimiser, iteration)
        return of.optimiser.arrays[0].values.detach().clone()

    update(1999)
    assert of.average.arrays == {}
    first = update(2000)
    torch.testing.assert_close(of.average.arrays[name], first)
    second = update(2001)
    torch.testing.assert_close(of.average.arrays[name], 0.75 * first + 0.25 * second)
    last = update(3000)
    torch.testing.assert_close(last, of.average.arrays[name])
    torch.testing.assert_close(last, 0.75 * (0.75 * first + 0.25 * second) + 0.25 * (second - 0.5 / 4))
    kept = of.average.arrays[name].clone()
    after = update(3001)
    torch.testing.assert_close(of.average.arrays[name], kept)
    torch.testing.assert_close(after, last - 0.5 / 4)


def test_recipes_of_layers_have_their_defaults() -> None:
    assert {type(part) for part in trainer().recipe.layers[:3]} == {LayerRecipe}
