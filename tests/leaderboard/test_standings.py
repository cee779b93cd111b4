"""The one function that makes means and ranks: held against plain sums, brute force, the bootstrap and simulation."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import kernels
import languages
from bench import joint
from bench.statistics import interval
from leaderboard.grid import Correlation, Sheet, Way, packed, unpacked
from leaderboard.standings import Group, Standing, rank_ranges, standings

LANGUAGES = ("amh_Ethi", "hau_Latn", "yor_Latn", "zul_Latn")


def way(task: str, metric: str = "accuracy") -> Way:
    return Way(task, "1", metric, "generate", "english", 0)


def sheet(
    values: list[list[float]],
    task: str = "asked",
    error: float = 0.01,
    shared: float = 0.0,
    metric: str = "accuracy",
) -> Sheet:
    """Rows are models 0, 1, ...; columns the first languages."""
    array = np.array(values, dtype=np.float64)
    return Sheet(
        way(task, metric),
        floor=False,
        models=tuple(range(len(values))),
        languages=LANGUAGES[: array.shape[1]],
        normalised=array,
        error=np.where(np.isnan(array), np.nan, error),
        high=array + 1.959964 * error,
        items=np.where(np.isnan(array), 0, 100),
        wanted=np.ones(array.shape[1], dtype=np.bool_),
        doubt=np.zeros(array.shape, dtype=np.int8),
        doubts=("",),
        shared=shared,
        bottom=-1.0,
    )


def only(found: dict[Group, tuple[Standing, ...]]) -> dict[int, Standing]:
    """The standings of the one group by model."""
    (own,) = found.values()
    return {one.model: one for one in own}


def test_a_mean_is_over_languages_of_the_mean_over_tasks() -> None:
    first = sheet([[0.2, 0.4, math.nan]])
    second = replace(sheet([[0.6, 0.8, 0.9]], "other"), wanted=np.array([True, True, True]))
    first = replace(first, wanted=np.array([True, True, False]))
    one = only(standings([first, second], ()))[0]
    assert one.normalised == pytest.approx(((0.2 + 0.6) / 2 + (0.4 + 0.8) / 2 + 0.9) / 3)
    assert (one.covered, one.cells, one.languages, one.tasks, one.items) == (5, 5, 3, 2, 500)
    assert one.complete
    assert one.reason == ""


def test_independent_languages_and_one_that_is_all_of_them_are_the_two_ends() -> None:
    def width(shared: float) -> float:
        one = only(standings([sheet([[0.5] * 4], shared=shared, error=0.02)], ()))[0]
        assert one.high is not None and one.low is not None
        return one.high - one.low

    longer = math.sqrt((100 + 1.959964**2) / 99)  # what Wilson's interval of a hundred items lacks about the share
    assert width(0.0) == pytest.approx(2 * 1.959964 * 0.02 / 2 * longer)  # four languages: half the error
    assert width(1.0) == pytest.approx(2 * 1.959964 * 0.02 * longer)
    assert width(0.0) < width(0.4) < width(1.0)


def test_a_model_that_lacks_a_cell_is_not_ranked_and_says_how_many_it_has() -> None:
    found = only(standings([sheet([[0.5, 0.6], [0.9, math.nan]])], ()))
    assert (found[0].first, found[0].last, found[0].peers) == (1, 1, 1)
    assert (found[1].first, found[1].reason, found[1].covered, found[1].cells) == (None, "partial", 1, 2)
    narrowed = only(standings([sheet([[0.5, 0.6], [0.9, math.nan]])], (), {LANGUAGES[0]}))
    assert (narrowed[1].first, narrowed[0].first) == (1, 2)
    assert narrowed[1].reason == ""


def test_baselines_doubts_and_what_was_found_wrong_are_shown_and_not_ranked() -> None:
    asked = replace(
        sheet([[0.5], [0.6], [0.7]]),
        doubt=np.array([[0], [1], [0]], dtype=np.int8),
        doubts=("", "unlocked_data"),
    )
    found = only(standings([asked], {2}))
    assert [found[number].reason for number in range(3)] == ["", "unlocked_data", "baseline"]
    assert found[2].normalised == 0.7
    wrong = only(standings([asked], {2}, invalid={("asked", "1")}))
    assert [wrong[number].reason for number in range(3)] == ["invalidated", "invalidated", "baseline"]
    assert wrong[0].normalised == 0.5


def test_a_doubt_on_one_language_is_no_doubt_on_another() -> None:
    asked = replace(sheet([[0.5, 0.6]]), doubt=np.array([[0, 1]], dtype=np.int8), doubts=("", "prompt_truncated"))
    assert only(standings([asked], ()))[0].reason == "prompt_truncated"
    assert only(standings([asked], (), {LANGUAGES[1]}))[0].reason == "prompt_truncated"
    assert only(standings([asked], (), {LANGUAGES[0]}))[0].reason == ""


def test_the_interval_of_one_cell_is_its_own() -> None:
    asked = replace(sheet([[0.5, math.nan]], error=0.05), high=np.array([[0.65, math.nan]]))
    one = only(standings([asked], (), {LANGUAGES[0]}))[0]
    assert one.high == 0.65
    assert one.low == pytest.approx(0.65 - 2 * 1.959964 * 0.05)


def test_metrics_and_ways_of_asking_are_never_averaged_together() -> None:
    found = standings([sheet([[0.5]]), sheet([[0.9]], "translated", metric="chrf++")], ())
    assert {group.metric: own[0].normalised for group, own in found.items()} == {"accuracy": 0.5, "chrf++": 0.9}


def test_without_an_interval_there_is_no_rank_and_no_invented_one() -> None:
    found = only(standings([sheet([[0.5], [0.6]], error=math.nan)], ()))
    assert [(one.low, one.high, one.first, one.reason) for one in found.values()] == [
        (None, None, None, "no_interval")
    ] * 2


def test_nothing_asked_is_null_and_not_zero() -> None:
    one = only(standings([sheet([[math.nan, math.nan]])], ()))[0]
    assert (one.normalised, one.low, one.worst_decile, one.speaker_weighted, one.reason) == (
        *(None, None, None, None),
        "no_numbers",
    )


values = st.one_of(st.just(math.nan), st.floats(-0.2, 1.0))


@given(st.lists(st.lists(values, min_size=4, max_size=4), min_size=1, max_size=6), st.randoms())
def test_other_models_and_the_order_of_things_change_nobodys_number(rows: list[list[float]], random: object) -> None:
    together = only(standings([sheet(rows)], ()))
    for number, row in enumerate(rows):
        alone = only(standings([sheet([row])], ()))[0]
        both = together[number]
        assert (alone.covered, alone.languages) == (both.covered, both.languages)
        assert (alone.normalised is None) == (both.normalised is None)
        if alone.normalised is not None:
            assert both.normalised == pytest.approx(alone.normalised, abs=1e-12)
    backwards = only(standings([sheet(rows[::-1])], ()))
    for number in range(len(rows)):
        one, other = together[number], backwards[len(rows) - 1 - number]
        assert (one.first, one.last, one.covered, one.reason) == (other.first, other.last, other.covered, other.reason)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(1e-6, 0.5)), min_size=1, max_size=12))
def test_rank_ranges_are_what_counting_pairs_gives(estimates: list[tuple[float, float]]) -> None:
    from statistics import NormalDist

    centre, deviation = (np.array(column) for column in zip(*estimates, strict=True))
    width = NormalDist().inv_cdf(1 - 0.05 / (2 * len(estimates)))
    low, high = centre - width * deviation, centre + width * deviation
    expected = [
        (1 + sum(low > high[number]), len(estimates) - sum(high < low[number])) for number in range(len(estimates))
    ]
    assert rank_ranges(centre, deviation) == expected
    for first, last in expected:
        assert 1 <= first <= last <= len(estimates)


def test_equal_models_are_told_apart_falsely_in_at_most_one_of_twenty_boards() -> None:
    generator = np.random.default_rng(7)
    boards, models, items = 400, 20, 400
    false = 0
    for _board in range(boards):
        right = generator.binomial(items, 0.5, size=models) / items
        ranges = rank_ranges(right, np.sqrt(right * (1 - right) / items))
        false += any(first > 1 or last < models for first, last in ranges)
    assert false / boards <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / boards)


@pytest.mark.parametrize("hardness", [0.0, 1.0, 3.0])
def test_the_interval_is_that_of_the_joint_bootstrap(hardness: float) -> None:
    """Languages share items, more or less hard: compound symmetry against drawing the items for all together."""
    generator = np.random.default_rng(int(hardness * 10))
    items, names = 400, [language.code for language in languages.all_languages()[:12]]
    hard = generator.normal(0, hardness, items)
    right = {name: (generator.logistic(0.4, 1, items) > hard).astype(np.int64) for name in names}
    units = tuple(str(number) for number in range(items))
    metric = kernels.metric("accuracy")
    shape = kernels.metric("accuracy").columns
    arrays = [np.column_stack([own, *[np.ones_like(own)] * (shape - 1)]) for own in right.values()]
    drawn = joint.draws(metric, [joint.Scored(units, units, one) for one in arrays], units, 2000, 1)
    lowest, highest = np.percentile(drawn.mean(axis=0), [2.5, 97.5])
    correlation = Correlation()
    correlation.add([dict(zip(units, own.tolist(), strict=True)) for own in right.values()])
    cells = [interval(metric, one, units, 1) for one in arrays]
    ends = [(cell.low, cell.high) for cell in cells if cell.low is not None and cell.high is not None]
    error = np.array([[(high - low) / 3.92 for low, high in ends]])
    made = Sheet(
        way("asked"),
        floor=False,
        models=(0,),
        languages=tuple(names),
        normalised=np.array([[own.mean() for own in right.values()]]),
        error=error,
        high=np.array([[high for _low, high in ends]]),
        items=np.full((1, len(names)), items),
        wanted=np.ones(len(names), dtype=np.bool_),
        doubt=np.zeros((1, len(names)), dtype=np.int8),
        doubts=("",),
        shared=correlation.value(),
        bottom=0.0,
    )
    sheets_by_group = standings([made], ())
    one = next(iter(sheets_by_group.values()))[0]
    assert one.low is not None and one.high is not None
    assert (one.high - one.low) / (highest - lowest) == pytest.approx(1.0, abs=0.12)


def test_items_that_no_two_languages_share_do_not_correlate() -> None:
    correlation = Correlation()
    correlation.add([{f"{name}{number}": float(number % 2) for number in range(50)} for name in "abc"])
    assert correlation.value() == 0.0
    assert Correlation().value() == 1.0  # nothing known: the widest


def test_a_sheet_is_what_it_was_after_storing() -> None:
    made = sheet([[0.25, math.nan], [0.5, 1.0]], error=0.125, shared=0.25)
    own = replace(made, doubts=("", "unlocked_data"), doubt=np.array([[0, 1], [0, 0]], dtype=np.int8), bottom=-0.25)
    back = unpacked(*packed(own))
    assert packed(back) == packed(own)
    assert (back.way, back.models, back.languages, back.doubts, back.shared) == (
        *(own.way, own.models, own.languages, own.doubts),
        own.shared,
    )
    np.testing.assert_array_equal(back.normalised, own.normalised)
