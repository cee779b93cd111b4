"""Means over languages: their intervals hold the truth when items are shared, and are far too narrow otherwise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import kernels
from bench import joint
from bench.joint import Estimate, Scored
from kernels.resampling import multiplicities, resampled

ACCURACY = kernels.metric("accuracy")
ROUNDS = 400
Floats = NDArray[np.float64]


def scored(right: NDArray[np.int64], units: list[str]) -> Scored:
    """The scores of one language from its right and wrong answers."""
    items = tuple(f"{unit}#{number}" for number, unit in enumerate(units))
    return Scored(items, tuple(units), np.stack([right, np.ones_like(right)], axis=1))


def ends(found: Estimate) -> tuple[float, float]:
    assert found.low is not None
    assert found.high is not None
    return found.low, found.high


def simulated(places: int, shared: float, apart: float, simulations: int) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    """The true scores of languages and, simulation by simulation, what is right in 100 items, some hard everywhere."""
    drawn = np.random.default_rng(7)
    quality = drawn.normal(0.8, apart, places)[:, None]
    pool = drawn.normal(0, shared, 20_000)
    truth = (1 / (1 + np.exp(-quality - pool))).mean(axis=1)
    for _ in range(simulations):
        share = 1 / (1 + np.exp(-quality - drawn.normal(0, shared, 100)))
        yield truth, (drawn.random(share.shape) < share).astype(np.int64)


def rounds_of(right: NDArray[np.int64], seed: int) -> Floats:
    units = [f"{number:03d}" for number in range(right.shape[1])]
    return joint.draws(ACCURACY, [scored(one, units) for one in right], units, ROUNDS, seed)


def test_the_interval_holds_the_truth_when_items_are_shared_and_would_not_if_languages_were_drawn_alone() -> None:
    held, held_alone, wide, wide_alone = 0, 0, 0.0, 0.0
    simulations = 300
    for seed, (truth, right) in enumerate(simulated(30, 2.0, 0.5, simulations)):
        values = right.mean(axis=1)
        low, high = ends(joint.weighted(values, rounds_of(right, seed), np.ones(30), 100))
        held += low <= truth.mean() <= high
        wide += high - low
        # One language alone at a time: the draws of each are shuffled against those of the others.
        shuffled = np.random.default_rng(seed).permuted(rounds_of(right, seed), axis=1)
        low, high = ends(joint.weighted(values, shuffled, np.ones(30), 100))
        held_alone += low <= truth.mean() <= high
        wide_alone += high - low
    assert 0.915 <= held / simulations <= 0.98
    assert held_alone / simulations < 0.6
    assert wide > 3 * wide_alone


@pytest.mark.parametrize(("shared", "apart"), [(2.0, 0.3), (2.0, 0.0), (0.0, 0.0), (0.5, 1.0)])
def test_the_worst_decile_holds_the_truth_however_alike_the_languages_are(shared: float, apart: float) -> None:
    held = recomputed = 0
    simulations = 120
    for seed, (truth, right) in enumerate(simulated(30, shared, apart, simulations)):
        drawn = rounds_of(right, seed)
        lowest = np.sort(truth)[:3].mean()
        low, high = ends(joint.worst_decile(right.mean(axis=1), drawn, 100))
        held += low <= lowest <= high
        low, high = np.percentile(np.sort(drawn, axis=0)[:3].mean(axis=0), [2.5, 97.5])
        recomputed += low <= lowest <= high
    assert held / simulations >= 0.91
    if not apart:
        assert recomputed / simulations < 0.4


def test_draws_are_those_of_the_kernels_one_language_at_a_time() -> None:
    drawn = np.random.default_rng(3)
    units = [f"{number:02d}" for number in range(25)]
    some = [units[number] for number in range(0, 25, 2)] * 2
    arrays = [
        scored(drawn.integers(2, size=25), units),
        scored(drawn.integers(2, size=len(some)), some),
    ]
    found = joint.draws(ACCURACY, arrays, units, 50, 9)
    counts = multiplicities(25, 50, 9)
    for array, row in zip(arrays, found, strict=True):
        sums = np.zeros((25, 2), dtype=np.int64)
        for unit, statistics in zip(array.units, array.statistics, strict=True):
            sums[units.index(unit)] += statistics
        np.testing.assert_array_equal(row, resampled(ACCURACY, sums, counts))


def test_a_round_that_draws_nothing_of_a_language_gives_its_own_score() -> None:
    units = [f"{number:02d}" for number in range(30)]
    few = scored(np.array([1, 0, 1], dtype=np.int64), ["00", "00", "01"])
    drawn = joint.draws(ACCURACY, [few], units, 300, 1)[0]
    nothing = multiplicities(30, 300, 1)[:, :2].sum(axis=1) == 0
    assert nothing.any() and not nothing.all()
    np.testing.assert_allclose(drawn[nothing], 2 / 3)
    assert np.isfinite(drawn).all()


@settings(max_examples=40, deadline=None)
@given(places=st.integers(1, 25), seed=st.integers(0, 99))
def test_adding_the_same_to_every_language_moves_every_estimate_by_it(places: int, seed: int) -> None:
    drawn = np.random.default_rng(seed)
    values = drawn.uniform(0.2, 0.5, places)
    draws = values[:, None] + drawn.normal(0, 0.05, (places, 200))
    weights = drawn.uniform(1, 9, places)
    for moved, found in (
        (joint.weighted(values + 0.1, draws + 0.1, weights, 50), joint.weighted(values, draws, weights, 50)),
        (joint.worst_decile(values + 0.1, draws + 0.1, 50), joint.worst_decile(values, draws, 50)),
    ):
        assert found.value is not None
        low, high = ends(found)
        assert low <= found.value <= high
        assert (moved.value, *ends(moved)) == pytest.approx((found.value + 0.1, low + 0.1, high + 0.1))


def test_few_units_widen_an_interval_and_very_few_leave_none() -> None:
    drawn = np.random.default_rng(2)
    values, draws = np.array([0.4, 0.6]), np.array([[0.4], [0.6]]) + drawn.normal(0, 0.05, (2, 500))
    every = {
        units: (joint.weighted(values, draws, np.ones(2), units), joint.worst_decile(values, draws, units))
        for units in (1000, 30, 29, 15, 10)
    }
    for which in (0, 1):
        widths = [ends(found[which])[1] - ends(found[which])[0] for found in every.values()]
        assert widths[0] == widths[1] < widths[2] < widths[3] < widths[4]
    for few in (joint.weighted(values, draws, np.ones(2), 9), joint.worst_decile(values, draws, 9)):
        assert few.value is not None and few.low is None and few.reason == "too_few_clusters"


def test_answers_that_are_all_right_give_no_interval_of_no_width() -> None:
    draws = np.ones((3, 100))
    for found in (joint.weighted(np.ones(3), draws, np.ones(3), 50), joint.worst_decile(np.ones(3), draws, 50)):
        assert found == Estimate(1.0, None, None, "no_spread")


def test_an_interval_ends_at_the_best_score() -> None:
    drawn = np.random.default_rng(4).normal(0.95, 0.1, (2, 500))
    assert joint.weighted(np.array([0.95, 0.95]), drawn, np.ones(2), 12).high == 1.0
