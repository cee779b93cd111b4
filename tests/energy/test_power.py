"""The integral of power, against powers whose integral is known."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.energy.power import Samples, integral
from tests.energy.powers import Duty, Power, Ramp, Sine, Steps, Summed


def sampled(power: Power, begin: float, end: float, step: float = 0.1) -> list[tuple[float, float]]:
    count = round((end - begin) / step)
    return [(begin + number * step, power(begin + number * step)) for number in range(count + 1)]


def test_constant_power_between_samples() -> None:
    assert integral([(0, 100.0), (1, 100.0), (2, 100.0)], 0.25, 1.75).joules == pytest.approx(150)


def test_edges_are_interpolated() -> None:
    # 100 W rising by 100 W/s: from 0.5 s to 1.5 s the mean is 200 W.
    assert integral([(0, 100.0), (2, 300.0)], 0.5, 1.5).joules == pytest.approx(200)


@given(
    samples=st.lists(st.tuples(st.floats(0.01, 2.9), st.floats(0, 1000)), min_size=3, max_size=30),
    shares=st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)),
)
def test_additive_and_exact_for_lines(samples: list[tuple[float, float]], shares: tuple[float, float, float]) -> None:
    """T4: what is between A and C is what is between A and B, and between B and C."""
    at, readings = 0.0, []
    for gap, watts in samples:
        at += gap
        readings.append((at, watts))
    begin, middle, end = sorted(readings[0][0] + share * (at - readings[0][0]) for share in shares)
    if not begin < middle < end:
        return
    first, second, both = (integral(readings, *part).joules for part in ((begin, middle), (middle, end), (begin, end)))
    assert first is not None
    assert second is not None
    assert both is not None
    assert first + second == pytest.approx(both, abs=1e-6)
    highest = max(watts for _, watts in readings)
    assert -1e-9 <= both <= highest * (end - begin) + 1e-6


@pytest.mark.parametrize(
    ("begin", "end"), [(-0.1, 5), (5, 10.1), (-1, 11), (12, 13), (-3, -2), (5, 5), (6, 5)], ids=lambda value: f"{value}"
)
def test_has_to_be_bracketed(begin: float, end: float) -> None:
    found = integral(sampled(Ramp(1, 2, 0, 10), 0, 10), begin, end)
    assert (found.joules, found.reason) == (None, "not_bracketed")


def test_nothing_sampled() -> None:
    assert integral([], 0, 1).reason == "not_bracketed"
    assert integral([(0.5, 100.0)], 0, 1).reason == "not_bracketed"


@pytest.mark.parametrize(("gap", "held"), [(2.9, True), (3.0, True), (3.1, False), (30, False)])
def test_gap(gap: float, held: bool) -> None:
    samples = [(0.0, 100.0), (1.0, 100.0), (1.0 + gap, 100.0), (2.0 + gap, 100.0)]
    found = integral(samples, 0.5, 1.5 + gap)
    assert (found.joules is not None) is held
    assert found.reason.partition(":")[0] == ("" if held else "sample_gap")


def test_gap_at_an_edge_counts_and_outside_does_not() -> None:
    samples = [(0.0, 1.0), (4.0, 1.0), (5.0, 1.0), (6.0, 1.0), (20.0, 1.0)]
    assert integral(samples, 4.0, 6.0).joules == pytest.approx(2)
    assert integral(samples, 3.9, 6.0).reason.startswith("sample_gap")
    assert integral(samples, 4.0, 6.1).reason.startswith("sample_gap")


def test_two_samples_at_one_moment() -> None:
    assert integral([(0, 10.0), (0, 10.0), (1, 10.0), (1, 20.0), (2, 20.0)], 0, 2).joules == pytest.approx(30)


def test_samples_forget_the_oldest() -> None:
    samples = Samples(float, most=3)
    for at in range(5):
        samples.append(at)
    assert samples.within(0, 10) == [2, 3, 4]
    assert samples.within(3, 3) == [3]


@pytest.mark.parametrize(
    "power",
    [Steps([(0, 90), (1.5, 400), (3.25, 200)]), Ramp(100, 600, 1, 4), Sine(300, 200, 0.7), Duty(50, 700, 0.3, 0.4)],
    ids=lambda power: type(power).__name__,
)
def test_powers_know_their_own_integral(power: Power) -> None:
    """What the meters are held against, held against a plain sum."""
    summed = Summed(power)
    for at in (0.5, 1.0, 2.345, 5.0):
        assert power.until(at) == pytest.approx(summed.until(at), abs=2)
