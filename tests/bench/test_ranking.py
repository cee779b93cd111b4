"""Ranks: ranges that hold, ties that are told, and nothing that depends on the order of the models."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bench.aggregate import aggregates
from bench.arrays import CellKey, Evidence
from bench.joint import Scored
from bench.ranking import CONFIDENCE, ranks, separable, standing, standings
from bench.records import Cell
from tests.bench.cells import answered

Floats = NDArray[np.float64]


def drawn(truth: Floats, simulations: int, rounds: int = 300, items: int = 200) -> list[tuple[Floats, Floats]]:
    """Observed scores and resampled ones of models whose items are partly hard for all."""
    generator = np.random.default_rng(5)
    made = []
    for _ in range(simulations):
        items_of = truth[:, None] + generator.normal(0, 0.3, items) + generator.normal(0, 0.3, (len(truth), items))
        counts = generator.multinomial(items, np.full(items, 1 / items), size=rounds)
        made.append((items_of.mean(axis=1), items_of @ counts.T / items))
    return made


def named(count: int) -> list[str]:
    return [f"m{number:02d}" for number in range(count)]


def test_equal_models_share_all_ranks() -> None:
    simulations = 300
    all_tied = sum(
        all((one.best, one.worst, one.group) == (1, 5, 1) for one in ranks(named(5), *made))
        for made in drawn(np.zeros(5), simulations)
    )
    assert 0.92 <= all_tied / simulations <= 0.99


def test_ranges_hold_the_true_ranks_of_all_models_together() -> None:
    truth = np.array([0.5, 0.45, 0.45, 0.4, 0.2])
    simulations = 200
    held = 0
    for values, draws in drawn(truth, simulations):
        found = ranks(named(5), values, draws)
        held += all(
            one.best <= 1 + int((truth > true).sum()) and one.worst >= 5 - int((truth < true).sum())
            for one, true in zip(found, truth, strict=True)
        )
    assert held / simulations >= 0.93


def test_a_clear_winner_is_first_and_a_clear_loser_last() -> None:
    for values, draws in drawn(np.array([0.5, 0.1, 0.1, -0.4]), 20):
        first, *middle, last = ranks(named(4), values, draws)
        assert (first.best, first.worst, first.group, first.first, first.median) == (1, 1, 1, 1.0, 1.0)
        assert (last.best, last.worst, last.group, last.first, last.low) == (4, 4, 3, 0.0, 4.0)
        assert [(one.best, one.worst, one.group) for one in middle] == [(2, 3, 2)] * 2


def by_force(values: Floats, draws: Floats) -> set[tuple[int, int]]:
    """Who is better than whom, said anew: every ordered pair by itself, in plain loops."""
    models, rounds = draws.shape
    pairs = [(a, b) for a in range(models) for b in range(models) if a != b]
    error = {pair: np.std([draws[pair[0], r] - draws[pair[1], r] for r in range(rounds)], ddof=1) for pair in pairs}
    better: set[tuple[int, int]] = set()
    while True:
        largest = []
        for r in range(rounds):
            noise = [
                (draws[a, r] - draws[b, r] - (values[a] - values[b])) / error[a, b]
                for a, b in pairs
                if (a, b) not in better
            ]
            largest.append(max([0.0, *noise]))
        bar = sorted(largest)[int(np.ceil(CONFIDENCE * (rounds - 1)))]
        fresh = {(a, b) for a, b in pairs if (values[a] - values[b]) / error[a, b] > bar} - better
        if not fresh:
            return better
        better |= fresh


@settings(max_examples=25, deadline=None)
@given(models=st.integers(2, 6), seed=st.integers(0, 10**6), apart=st.floats(0, 0.3))
def test_separable_is_what_brute_force_says(models: int, seed: int, apart: float) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(0, apart, models)
    draws = values[:, None] + generator.normal(0, 0.1, 60) + generator.normal(0, 0.05, (models, 60))
    better = by_force(values, draws)
    assert set(zip(*np.nonzero(separable(values, draws)), strict=True)) == better
    for number, one in enumerate(ranks(named(models), values, draws)):
        assert one.best == 1 + sum(b == number for _, b in better)
        assert one.worst == models - sum(a == number for a, _ in better)
        places = [1 + int((column > column[number]).sum()) for column in draws.T]
        assert one.median == np.median(places)
        assert one.first == pytest.approx(np.mean([place == 1 for place in places]))


@settings(max_examples=40, deadline=None)
@given(order=st.permutations(range(5)), seed=st.integers(0, 10**6))
def test_the_order_of_the_models_changes_nothing(order: list[int], seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.choice([0.1, 0.2, 0.3], 5)
    draws = values[:, None] + generator.normal(0, 0.05, (5, 80))
    found = {one.model: one for one in ranks(named(5), values, draws)}
    again = ranks([named(5)[number] for number in order], values[order], draws[order])
    assert {one.model: one for one in again} == found


@settings(max_examples=40, deadline=None)
@given(models=st.integers(2, 8), seed=st.integers(0, 10**6))
def test_ranges_hold_the_observed_rank_and_groups_start_with_their_best(models: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    values = generator.normal(0, 0.1, models)
    draws = values[:, None] + generator.normal(0, 0.05, (models, 80))
    better = separable(values, draws)
    found = ranks(named(models), values, draws)
    for number, one in enumerate(found):
        assert one.best <= 1 + int((values > values[number]).sum()) <= one.worst
    for group in {one.group for one in found}:
        inside = [number for number, one in enumerate(found) if one.group == group]
        leader = max(inside, key=lambda number: values[number])
        assert not better[leader, inside].any()
        assert all(better[leader, number] for number, one in enumerate(found) if one.group > group)
    assert sum(one.first for one in found) == pytest.approx(1)


def test_models_that_answer_alike_are_tied_and_a_difference_in_every_round_is_not() -> None:
    row = np.random.default_rng(1).normal(0.5, 0.1, 100)
    values, draws = np.array([0.5, 0.5, 0.3]), np.stack([row, row, row - 0.2])
    found = ranks(["a", "b", "c"], values, draws)
    assert [(one.best, one.worst, one.group, one.first) for one in found] == [
        (1, 2, 1, 0.5),
        (1, 2, 1, 0.5),
        (3, 3, 2, 0),
    ]


def test_few_units_ask_for_a_larger_difference() -> None:
    generator = np.random.default_rng(2)
    values = np.array([0.5, 0.4])
    draws = values[:, None] + generator.normal(0, 0.03, (2, 500))
    assert separable(values, draws)[0, 1]
    assert not separable(values, draws, wider=1.3)[0, 1]


def made(model: str, right: float, floor: bool = False, units: int = 60) -> tuple[list[Cell], dict[CellKey, Scored]]:
    cells: list[Cell] = []
    arrays: dict[CellKey, Scored] = {}
    generator = np.random.default_rng(len(model))
    for code in ("hau_Latn", "yor_Latn"):
        hits = (generator.random(60) < right).astype(int).tolist()
        names = [f"u{number % units}" for number in range(60)]
        cell, scores = answered(hits, names, model=model, language=code, floor=floor)
        cells.append(cell)
        arrays |= scores
    return cells, arrays


def evidence(*some: tuple[list[Cell], dict[CellKey, Scored]]) -> Evidence:
    found = Evidence((), {})
    for cells, arrays in some:
        found += Evidence(tuple(cells), arrays)
    return found


def test_floors_are_shown_and_take_no_rank() -> None:
    ((first, second, floor),) = standings(
        evidence(made("baseline:copy", 1.0), made("hf:poor", 0.2), made("hf:better", 0.9))
    )
    assert first.rank and second.rank
    assert (first.aggregate.model, first.rank.best, first.rank.worst, first.reason) == ("hf:better", 1, 1, "")
    assert (second.aggregate.model, second.rank.best, second.rank.group) == ("hf:poor", 2, 2)
    assert (floor.rank, floor.reason, floor.aggregate.macro) == (None, "baseline", 1.0)


@pytest.mark.parametrize(
    ("some", "reason"),
    [
        ([made("hf:a", 0.5, floor=True), made("hf:bb", 0.9, floor=True)], "self_test"),
        ([made("hf:a", 0.5)], "alone"),
        ([made("hf:a", 0.5, units=9), made("hf:bb", 0.9, units=9)], "too_few_clusters"),
    ],
)
def test_why_there_is_no_rank(some: list[tuple[list[Cell], dict[CellKey, Scored]]], reason: str) -> None:
    found = evidence(*some)
    assert [(one.rank, one.reason) for one in standing(aggregates(found.cells, found.arrays))] == [
        (None, reason)
    ] * len(some)


def test_a_model_that_is_there_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="hf:a is there twice"):
        evidence(made("hf:a", 0.5), made("hf:a", 0.6))
