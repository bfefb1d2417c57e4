"""Iterations and seeds that fit into a budget, by hand."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from msgspec import structs
from refusals import refuses
from small_studies import SMALL, Heard, write_own

from cspbench.study.budget import LEAST, SPARE, Rate, fitted, seconds
from cspbench.study.plan import Plan, planned
from cspbench.study.study import begin
from cspbench.study.variants import Kind, expanded

RATES: dict[Kind, Rate] = {"classifier": Rate(0.1, 10.0)}
"""A training of 700 iterations takes 80 seconds."""


def plan(iterations: int = 700, seeds: int = 3) -> Plan:
    """Two variants."""
    return planned(expanded(["imagenet-smoothing"]), iterations=iterations, seeds=seeds)


def test_seconds_of_a_study() -> None:
    assert seconds(plan(), RATES, 1) == pytest.approx(6 * 80)
    assert seconds(plan(), RATES, 2) == pytest.approx(3 * 80)
    assert seconds(plan(), RATES, 100) == pytest.approx(80)


def test_what_fits_gets_more_seeds() -> None:
    """Ten trainings of 80 s: 13.3 minutes, and with what is spared 14.7."""
    assert fitted(plan(), 14.8, RATES, 1) == plan(seeds=5)
    assert fitted(plan(), 14.6, RATES, 1) == plan(seeds=4)
    assert fitted(plan(), 14.8, RATES, 1, seeds=False) == plan()
    assert fitted(plan(), 1e5, RATES, 1) == plan(seeds=10)


def test_what_does_not_fit_gets_fewer_iterations() -> None:
    """6 trainings in 300 s: 50 s each, 40 of them for iterations."""
    found = fitted(plan(), SPARE * 300 / 60, RATES, 1)
    assert (found.seeds, found.iterations) == (3, {"classifier": 400})
    assert structs.replace(found, iterations=plan().iterations) == plan()


def test_at_last_fewer_seeds() -> None:
    """Six trainings of 200 iterations take 180 s, four 120; in 150 s two seeds have 275 iterations."""
    found = fitted(plan(), SPARE * 150 / 60, RATES, 1)
    assert (found.seeds, found.iterations) == (2, {"classifier": 275})


def test_a_budget_that_is_too_small_is_refused_with_the_smallest() -> None:
    with refuses("usage.budget", found="1 minutes") as caught:
        fitted(plan(), 1, RATES, 1)
    assert caught.value.expected == f"at least 3 minutes for 4 trainings of {LEAST} iterations or more"
    assert fitted(plan(), 3, RATES, 1).seeds == 2  # what it says is enough
    with refuses("usage.budget"):
        fitted(plan(), 5.5, RATES, 1, iterations=False)


def test_fixed_iterations_stay() -> None:
    """Four trainings of 80 s in 6 minutes."""
    assert fitted(plan(), 6.5, RATES, 1, iterations=False) == plan(seeds=2)


def own_data(folder: Path) -> dict[str, Any]:
    """Six pictures to train on and three to score, and a network of two layers."""
    write_own(folder)
    return {"data": str(folder / "own.data"), "model": str(folder / "small.cfg")}


def test_a_rate_is_measured_and_what_was_chosen_is_said_and_kept(tmp_path: Path) -> None:
    heard, about = Heard(), own_data(tmp_path)
    # minutes that suffice on any machine
    made = begin("imagenet-smoothing", tmp_path / "run", budget=12_000, execution=SMALL, listener=heard, **about)
    assert (made.seeds, made.iterations) == (10, planned(expanded(["imagenet-smoothing"])).iterations)
    assert heard.notes[-1].startswith("12000 minutes: 20 trainings, 500 iterations of a classifier, 10 seeds; about ")
    again = begin("imagenet-smoothing", tmp_path / "run", budget=60, execution=SMALL, listener=heard, **about)
    assert again == made
    assert "goes on" in heard.notes[-1]
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["study.json"]


def test_machines_that_begin_at_once_share_the_choice_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about, measured, heard = own_data(tmp_path), [0.1, 0.3], Heard()
    barrier = Barrier(2)

    def rates(*_: object) -> dict[Kind, Rate]:
        time.sleep(0.5)  # long enough for the other to come here, too, if it may
        return {"classifier": Rate(measured.pop(0), 10.0)}

    monkeypatch.setattr("cspbench.study.study.rates", rates)

    def one(_: int) -> Plan:
        barrier.wait()
        return begin("imagenet-smoothing", tmp_path / "run", budget=6, execution=SMALL, listener=heard, **about)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(one, range(2))
    assert first == second
    assert measured == [0.3]


def test_a_budget_for_less_than_one_training_is_refused(tmp_path: Path) -> None:
    with refuses("usage.budget", found="0.001 minutes"):
        begin("imagenet-smoothing", tmp_path / "run", budget=0.001, execution=SMALL, **own_data(tmp_path))
    assert not (tmp_path / "run" / "study.json").exists()
