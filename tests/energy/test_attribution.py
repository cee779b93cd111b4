"""Attribution: what costs are found, that shares add up, and that nothing is told where nothing can be known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import nnls

from bench.energy.attribution import (
    LARGEST_ERROR,
    Phases,
    attribute,
    attributed,
    fit,
    nonnegative,
    phase_split,
)
from bench.energy.reasons import MEANINGS
from bench.energy.records import Kind, Reading, Share, Stretch, Subject, Window, Work

SETUP = "1x card, 700 W, engine 1, bfloat16, 64 at a time, gpu_board, counter"
TRUE = (100.0, 0.02, 0.1, 1e-5)
WORKS = st.tuples(st.integers(0, 200_000), st.integers(0, 200_000), st.floats(0, 1e8))
COSTS = st.tuples(
    *(st.just(0.0) | st.floats(low, high) for low, high in ((1, 700), (1e-5, 1), (1e-4, 10), (1e-9, 1e-2)))
)


def work_of(prompt: int | None, output: int | None, steps: float | None, **more: int) -> Work:
    return Work(requests=100, prompt_tokens=prompt, output_tokens=output, context_steps=steps, **more)


def energy(seconds: float, works: Sequence[tuple[float, float, float]], costs: Sequence[float] = TRUE) -> float:
    return costs[0] * seconds + sum(
        cost * amount for work in works for cost, amount in zip(costs[1:], work, strict=True)
    )


def window_of(
    kind: Kind,
    works: Sequence[tuple[int, int, float]],
    joules: float | None,
    seconds: float = 30.0,
    language: str = "",
    **more: Any,
) -> Window:
    shares = tuple(Share(Subject("t@1", f"language {number}"), work_of(*work)) for number, work in enumerate(works))
    sums = [sum(column) for column in zip(*works, strict=True)]
    whole = Stretch(Reading(seconds, joules), work_of(int(sums[0]), int(sums[1]), float(sums[2])))
    made = Window(
        kind=kind,
        subject=Subject("t@1", language) if kind == "isolated" else Subject(),
        repeat=0,
        number=0,
        setup=SETUP,
        scope="gpu_board",
        method="counter",
        started="",
        concurrency=64,
        reached=None,
        steady=None,
        whole=whole,
        shares=shares if kind == "mixed" else (),
    )
    return replace(made, **more)


MIXES = [
    [(1000, 5000, 2e6), (4000, 1000, 1e6)],
    [(9000, 500, 8e5), (100, 7000, 3e6)],
    [(3000, 3000, 9e5), (2000, 100, 1e5)],
    [(500, 9000, 9e6), (800, 200, 2e5)],
    [(7000, 7000, 1e6), (10, 20, 3e3)],
]
TIMES = [30.0, 31.0, 33.0, 60.0, 12.0]


def mixed(costs: Sequence[float] = TRUE) -> list[Window]:
    return [
        window_of("mixed", works, energy(seconds, works, costs), seconds)
        for works, seconds in zip(MIXES, TIMES, strict=True)
    ]


def isolated(noise: float = 1.0) -> list[Window]:
    works = [(5000, 4000, 1e6), (200, 9000, 4e6), (9000, 900, 5e5), (2000, 6000, 8e6)]
    return [
        window_of("isolated", [work], noise * energy(40.0, [work]), 40.0, f"language {number}")
        for number, work in enumerate(works)
    ]


@given(st.lists(WORKS, min_size=1, max_size=6), WORKS, COSTS, st.floats(0.1, 1e4))
def test_shares_add_up_to_the_window_and_none_is_negative(
    works: list[tuple[int, int, float]], more: tuple[int, int, float], costs: tuple[float, ...], seconds: float
) -> None:
    windows = [*mixed(costs), window_of("mixed", [*works, more], energy(seconds, [*works, more], costs), seconds)]
    found = attributed(windows)
    for window in found:
        joules = window.whole.reading.joules
        given_out = [share.joules for share in window.shares]
        if None in given_out:
            assert set(given_out) == {None}
            assert "attribution_unfitted" in window.reasons
            continue
        known = [one for one in given_out if one is not None]
        assert joules is not None
        assert all(one >= 0 for one in known)
        assert math.fsum(known) == pytest.approx(joules, rel=1e-6)
        assert [check.passed for check in window.checks if check.id == "T11"] == [True]


@given(COSTS)
def test_costs_are_found_again_exactly_without_noise(costs: tuple[float, ...]) -> None:
    windows = mixed(costs)
    assume(all((one.whole.reading.joules or 0) >= 1e-3 for one in windows))
    found = fit(windows)
    assert found is not None
    for window in windows:
        assert found.joules(window) == pytest.approx(window.whole.reading.joules, rel=1e-6)
    if min(cost > 0 for cost in costs):
        scale = max(one.whole.reading.joules or 0 for one in windows)
        for name, cost, most in zip(
            ("idle_watts", "prompt_token_joules", "output_token_joules", "context_step_joules"),
            costs,
            (60, 1e4, 1e4, 1e7),
            strict=True,
        ):
            assert getattr(found, name) * most == pytest.approx(cost * most, rel=1e-5, abs=1e-7 * scale)


@given(
    st.integers(0, 2**32 - 1), st.integers(4, 12), st.integers(1, 4), st.booleans()
)  # random matrices, half of them with targets that want negative coefficients
def test_nonnegative_least_squares_is_scipys(seed: int, rows: int, columns: int, mixed_signs: bool) -> None:
    drawn = np.random.default_rng(seed)
    matrix = drawn.normal(size=(rows, columns)) if mixed_signs else drawn.random((rows, columns))
    assume(np.linalg.cond(matrix) < 1e4)
    target = drawn.normal(size=rows)
    expected, left = nnls(matrix, target)
    found = nonnegative(matrix, target)
    assert found.min() >= 0
    assert np.linalg.norm(target - matrix @ found) == pytest.approx(left, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


def test_a_language_is_given_what_its_work_takes() -> None:
    (first, *_) = attributed([*mixed(), *isolated()])
    assert first.reasons == ("attributed",)
    joules = energy(30.0, MIXES[0])
    work = [energy(0.0, [one]) for one in MIXES[0]]
    assert [share.joules for share in first.shares] == pytest.approx([joules * one / sum(work) for one in work])
    # By output tokens alone it would be five to one.
    one, other = (share.joules or 0 for share in first.shares)
    assert one / other != pytest.approx(5, rel=0.1)


def test_without_isolated_windows_it_was_not_validated() -> None:
    assert all(one.reasons == ("attributed", "not_validated") for one in attributed(mixed()))


def test_windows_that_were_held_out_validate_it_or_not() -> None:
    good, poor = fit([*mixed(), *isolated()]), fit([*mixed(), *isolated(noise=1.4)])
    assert good is not None
    assert good.error == pytest.approx(0, abs=1e-9)
    assert poor is not None
    assert poor.error is not None
    assert poor.error > LARGEST_ERROR
    assert attribute(mixed()[0], poor).reasons == ("attributed", "attribution_poor")


def test_the_error_is_of_windows_that_were_not_fitted() -> None:
    # One isolated window with a quirk that a fit on all would swallow partly: held out it is off by the whole quirk.
    quirk = window_of("isolated", [(5000, 4000, 1e6)], 1.3 * energy(40.0, [(5000, 4000, 1e6)]), 40.0, "quirk")
    found = fit([*mixed(), quirk])
    assert found is not None
    assert found.error == pytest.approx(1 - 1 / 1.3, rel=1e-6)


def test_too_few_windows_are_no_guess() -> None:
    for window in attributed(mixed()[:3]):
        assert window.reasons == ("attribution_unfitted",)
        assert [share.joules for share in window.shares] == [None, None]


def test_windows_that_are_alike_are_no_guess() -> None:
    works = [(1000, 2000, 3e5), (500, 100, 2e4)]
    windows = [window_of("mixed", works, energy(30.0 * n, works * n), 30.0 * n) for n in (1, 1, 1, 1, 1, 1)]
    assert {one.reasons for one in attributed(windows)} == {("attribution_unfitted",)}


def test_a_window_without_energy_stays_without_and_keeps_its_reason() -> None:
    lost = window_of("mixed", MIXES[0], None, reasons=("gpu_lost",))
    shared = window_of("mixed", MIXES[0], energy(30, MIXES[0]), reasons=("shared_gpu: 1 process",))
    *_, first, second = attributed([*mixed(), lost, shared])
    assert [first.reasons, second.reasons] == [("gpu_lost",), ("shared_gpu: 1 process",)]
    assert {share.joules for one in (first, second) for share in one.shares} == {None}


def test_spoiled_windows_teach_nothing() -> None:
    wrong = window_of("mixed", MIXES[1], 1e9, reasons=("shared_gpu",))
    found = fit([*mixed(), wrong])
    assert found is not None
    assert found.windows == len(MIXES)
    assert found.output_token_joules == pytest.approx(TRUE[2])


def test_a_short_steady_stretch_says_nothing_against_the_whole_window() -> None:
    short = [replace(one, reasons=("window_short",)) for one in isolated()]
    found = fit([*mixed(), *short])
    assert found is not None
    assert found.windows == len(MIXES) + len(short)


def test_work_that_is_not_known_is_not_attributed() -> None:
    unknown = replace(
        window_of("mixed", MIXES[0], energy(30, MIXES[0])),
        shares=(Share(Subject("t@1", "a"), work_of(10, None, None)), Share(Subject("t@1", "b"), work_of(10, 10, 55.0))),
    )
    found = attribute(unknown, fit(mixed()))
    assert found.reasons == ("attribution_unfitted",)
    assert [share.joules for share in found.shares] == [None, None]


def test_prompts_from_a_cache_cost_nothing() -> None:
    plain, cached = work_of(1000, 100, 1e4), work_of(5000, 100, 1e4, cached_tokens=4000)
    base = window_of("mixed", MIXES[0], energy(30, MIXES[0]))
    shares = (Share(Subject("t@1", "a"), plain), Share(Subject("t@1", "b"), cached))
    one, other = attribute(replace(base, shares=shares), fit(mixed())).shares
    assert one.joules == pytest.approx(other.joules)


def test_work_that_no_window_had_costs_something_unknown() -> None:
    # Scoring of options only: no output tokens, no steps. A generated answer cannot be attributed from that.
    works = [[(1000, 0, 0.0)], [(4000, 0, 0.0)], [(2000, 0, 0.0)]]
    windows = [
        window_of("mixed", one, energy(seconds, one), seconds)
        for one, seconds in zip(works, (30.0, 20.0, 50.0), strict=True)
    ]
    found = fit(windows)
    assert found is not None
    assert found.output_token_joules is None
    assert attribute(windows[0], found).shares[0].joules == pytest.approx(windows[0].whole.reading.joules)
    assert attribute(mixed()[0], found).reasons == ("attribution_unfitted",)


def test_setups_are_fitted_apart() -> None:
    other = [replace(one, setup="another card") for one in mixed((500.0, 0.2, 1.0, 1e-4))]
    found = attributed([*mixed(), *other, replace(mixed()[0], setup="a third")])
    assert [one.reasons for one in found] == [("attributed", "not_validated")] * 10 + [("attribution_unfitted",)]


def test_attributing_again_says_everything_once() -> None:
    windows = [*mixed(), *isolated()]
    assert attributed(attributed(windows)) == attributed(windows)


def test_every_reason_has_words() -> None:
    assert {"attributed", "not_validated", "attribution_poor", "attribution_unfitted"} <= MEANINGS.keys()


def steady(joules: float | None, tokens: int | None, requests: int = 100, **more: Any) -> Window:
    stretch = Stretch(Reading(30.0, joules), Work(requests, 1000, tokens))
    return window_of("control", [(1, 1, 1.0)], joules, steady=stretch, **more)


def test_a_request_is_its_prompt_and_its_tokens() -> None:
    # 2 J a prompt and 0.1 J a token.
    short, long = steady(100 * (2 + 0.1 * 64), 6400), steady(50 * (2 + 0.1 * 512), 50 * 512, requests=50)
    found = phase_split([short, short], [long])
    assert found.reason == ""
    assert [found.prompt_joules, found.token_joules] == pytest.approx([2, 0.1])


@pytest.mark.parametrize(
    ("short", "long", "reason"),
    [
        (steady(1000, 100), steady(900, 6400), "phase_split_negative"),
        (steady(10, 1000), steady(10_000, 6400), "phase_split_negative"),
        (steady(None, 100), steady(900, 6400), "no_valid_window"),
        (steady(100, 100), steady(900, 6400, reasons=("throttled",)), "no_valid_window"),
        (steady(100, None), steady(900, 6400), "tokens_unknown"),
        (steady(100, 100), steady(900, 100), "no_valid_window"),
    ],
)
def test_phases_that_cannot_be_told_have_a_reason(short: Window, long: Window, reason: str) -> None:
    assert phase_split([short], [long]) == Phases(None, None, reason)
    assert reason in MEANINGS
