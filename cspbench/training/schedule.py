"""The learning rate of an iteration (spec training a.3): quotients in float32, powers in float64, as in Darknet."""

from __future__ import annotations

import math
from math import cos, exp, pi, prod

import numpy as np

from cspbench.network.recipe import NetRecipe, Policy


def rate(net: NetRecipe, iteration: int, seed: int = 0) -> float:
    """The rate of an iteration, the first being 1; of the policy `random` a draw that `seed` and iteration decide."""
    try:
        return float(np.float32(_rate(net, iteration, seed)))
    except OverflowError:
        return math.inf


def _rate(net: NetRecipe, iteration: int, seed: int) -> float:
    highest, power = _single(net.learning_rate), float(net.power)
    if iteration < net.burn_in:
        return highest * math.pow(_quotient(iteration, net.burn_in), power)
    match net.policy:
        case Policy.CONSTANT:
            return highest
        case Policy.STEP:
            return highest * _single(net.scale) ** (iteration // net.step)
        case Policy.STEPS:
            passed = next((at for at, step in enumerate(net.steps) if step > iteration), len(net.steps))
            return highest * prod(_single(scale) for scale in net.scales[:passed])
        case Policy.EXP:
            return highest * _single(net.gamma) ** iteration
        case Policy.POLY:
            left = float(np.float32(1) - np.float32(_quotient(iteration, net.max_batches)))
            # a whole power of a number below 0 exists, and Darknet takes it beyond the last iteration
            return highest * math.pow(left, power) if left >= 0 or power.is_integer() else 0.0
        case Policy.SIGMOID:
            # beyond 700 the exponential of a float64 is infinite, and the rate 0
            return highest / (1 + exp(min(_single(net.gamma) * (iteration - net.step), 700.0)))
        case Policy.RANDOM:
            return highest * math.pow(np.random.default_rng([seed, iteration]).random(), power)
        case Policy.SGDR:
            return _cosine(net, iteration, highest)


def _cosine(net: NetRecipe, iteration: int, highest: float) -> float:
    start, length = 0, net.cycle
    while start + length < iteration:
        start += length
        length *= net.sgdr_mult
    lowest = _single(net.learning_rate_min)
    return lowest + 0.5 * (highest - lowest) * (1 + cos(pi * (iteration - start) / length))


def _quotient(iteration: int, whole: int) -> float:
    return float(np.float32(iteration) / np.float32(whole))


def _single(value: float) -> float:
    return float(np.float32(value))
