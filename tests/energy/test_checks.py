"""Each check holds where it should, fails by the fault it is made for, and says so where it could not be made."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.energy import checks
from bench.energy.checks import DutyRun, drift, gates
from bench.energy.reasons import FATAL, MISSING, UNRANKED
from bench.energy.records import Check, Device, MeterFacts, Reading, Work

GPU = MeterFacts("gpu_board", "counter", "nvml", (Device("H100", power_limit=700.0),), period=0.1)
CPU = MeterFacts("cpu_package", "counter", "rapl", (Device("Xeon"),), period=0.001)
LOST = Reading(10.0, None, ("gpu_lost",))
FULL = Work(requests=100, prompt_tokens=1000, output_tokens=5000)


def reading(joules: float | None = 3000.0, seconds: float = 10.0, **more: Any) -> Reading:
    return Reading(seconds, joules, **more)


def counted(
    period: float, watts: float = 100.0, seconds: float = 5.0, poll: float = 0.005
) -> tuple[list[float], list[float]]:
    """What a counter that moves every `period` seconds says when it is read every `poll` seconds."""
    times = [poll * number for number in range(round(seconds / poll) + 1)]
    return times, [watts * period * math.floor(at / period + 1e-9) for at in times]


@pytest.mark.parametrize("period", [0.02, 0.05, 0.1, 0.2])
def test_t1_finds_the_period_of_the_counter(period: float) -> None:
    check = checks.t1_counter(*counted(period), GPU)
    assert check.passed
    assert check.found == pytest.approx(period, abs=0.0051)


@pytest.mark.parametrize("period", [0.005, 0.5, 1.0])
def test_t1_refuses_a_counter_of_another_pace(period: float) -> None:
    check = checks.t1_counter(*counted(period), GPU)
    assert check.passed is False
    assert check.found == pytest.approx(period, abs=0.0051)


def test_t1_allows_the_counter_of_a_processor_to_be_fast() -> None:
    times, joules = counted(0.001)
    assert checks.t1_counter(times, joules, CPU).passed
    assert checks.t1_counter(times, joules, GPU).passed is False


@pytest.mark.parametrize(
    ("joules", "detail"),
    [
        ([0.0, 10.0, 5.0, 20.0], "backwards"),
        ([0.0, 0.0, 0.0, 0.0], "did not move"),
        ([0.0, 0.0, 9.0, 9.0], "did not move"),
        ([0.0, None, 9.0, 12.0], "1 of 4 readings failed"),
        ([None, None, None, None], "4 of 4 readings failed"),
    ],
)
def test_t1_fails_a_broken_counter(joules: Sequence[float | None], detail: str) -> None:
    check = checks.t1_counter([0.0, 0.1, 0.2, 0.3], joules, GPU)
    assert check.passed is False
    assert detail in check.detail


@pytest.mark.parametrize(("cross", "passed"), [(3000.0, True), (2870.0, True), (3150.0, True), (2800.0, False)])
def test_t2(cross: float, passed: bool) -> None:
    check = checks.t2_cross([reading(cross=3000.0), reading(cross=cross)])
    assert check.passed is passed
    assert check.found == pytest.approx(abs(3000 - cross) / cross)


def test_t2_needs_two_methods() -> None:
    assert checks.t2_cross([reading(cross=3000.0), reading()]).passed is None
    assert checks.t2_cross([]).passed is None


@pytest.mark.parametrize("seconds", [1.0, 4.9])
def test_short_readings_are_too_short_for_the_steps_of_a_counter(seconds: float) -> None:
    """A constant 350 W, of which a second may hold eleven steps of 35 J."""
    stepped = reading(350 * seconds + 35, seconds, cross=350 * seconds)
    for check in (checks.t2_cross([stepped]), checks.t8_power(stepped, GPU)):
        assert (check.passed, check.found) == (None, None)
        assert "the counter moves in steps" in check.detail
    summed = MeterFacts("gpu_board", "integral", "nvml", GPU.devices)
    assert checks.t8_power(reading(350 * seconds, seconds), summed).passed
    long = reading(5 * 350 + 35.0, 5.0, cross=5 * 350.0)
    assert checks.t2_cross([long]).passed and checks.t8_power(long, GPU).passed
    lost = Reading(seconds, None, ("gpu_lost",))
    assert checks.t2_cross([lost]).passed is checks.t8_power(lost, GPU).passed is False


def duty_runs(watts: Any, cross: Any = None) -> list[DutyRun]:
    runs = []
    for duty, period in itertools.product((0.25, 0.5, 0.75, 1.0), (0.05, 0.1, 1.0)):
        other = None if cross is None else 6 * cross(duty, period)
        runs.append(DutyRun(duty, duty, period, reading(6 * watts(duty, period), 6.0, cross=other)))
    return runs


def affine(duty: float, period: float) -> float:
    return 90 + 400 * duty


def beating(duty: float, period: float) -> float:
    """A meter that looks at power when a load of 100 ms is always busy."""
    return 490.0 if period == 0.1 else affine(duty, period)


def test_t3_holds_for_an_affine_meter() -> None:
    check = checks.t3_duty(duty_runs(affine))
    assert check.passed
    assert check.found == pytest.approx(1.0)


def test_t3_fails_a_meter_that_beats_with_the_load() -> None:
    check = checks.t3_duty(duty_runs(beating))
    assert check.passed is False
    assert check.found is not None and check.found < checks.AFFINE_R2


def test_t3_tells_of_the_other_method_and_is_not_gated_on_it() -> None:
    check = checks.t3_duty(duty_runs(affine, beating))
    assert check.passed
    assert "by the other method" in check.detail


def test_t3_is_no_gate_for_power_that_is_sampled() -> None:
    check = checks.t3_duty(duty_runs(beating), "integral")
    assert check.passed is None
    assert check.found is not None and check.found < checks.AFFINE_R2
    assert checks.t3_duty(duty_runs(affine), "integral").passed


@pytest.mark.parametrize(
    "watts",
    [lambda duty, period: 90 + 400 * duty**3, lambda duty, period: 300.0, lambda duty, period: 600 - 400 * duty],
    ids=["curved", "flat", "falling"],
)
def test_t3_fails_what_is_not_affine(watts: Any) -> None:
    assert checks.t3_duty(duty_runs(watts)).passed is False


def test_t3_goes_by_how_busy_the_load_was() -> None:
    """A load that could not keep its duty is no fault of the meter."""
    late = [
        DutyRun(duty, 0.9 * duty + 0.05, 1.0, reading(6 * affine(0.9 * duty + 0.05, 1.0), 6.0))
        for duty in (0.25, 0.5, 1)
    ]
    assert checks.t3_duty(late).passed
    assert checks.t3_duty(late[:2]).passed is None


def test_t4_allows_one_update_of_the_counter() -> None:
    whole = reading(3000.0, 10.0)
    for second, passed in ((1500.0, True), (1530.0, True), (1530.3, False), (1469.0, False)):
        check = checks.t4_additive([reading(1500.0, 5.0), reading(second, 5.0)], whole, 0.1)
        assert check.passed is passed
        assert check.found == pytest.approx(abs(second - 1500))
    assert checks.t4_additive([reading(1500.0, 5.0), reading(1501.0, 5.0)], whole, None).passed is False


@pytest.mark.parametrize(
    ("watts", "passed"), [(19.0, False), (20.0, True), (110.0, True), (175.0, True), (180.0, False)]
)
def test_t5(watts: float, passed: bool) -> None:
    check = checks.t5_idle(reading(5 * watts, 5.0), GPU)
    assert check.passed is passed
    assert check.found == pytest.approx(watts)


def test_t5_goes_by_power_readings_and_not_by_the_counter() -> None:
    """A counter that misses 43 % at idle."""
    assert checks.t5_idle(reading(187.0, 5.0, cross=327.0), GPU).found == pytest.approx(65.4)


def test_t5_is_made_on_gpus_whose_limit_is_known() -> None:
    assert checks.t5_idle(reading(50.0, 5.0), CPU).passed is None
    assert (
        checks.t5_idle(reading(500.0, 5.0), MeterFacts("gpu_board", "counter", "nvml", (Device("?"),))).passed is None
    )


def test_t6() -> None:
    assert checks.t6_proportional(reading(1000.0), reading(2040.0), 2.0).passed
    assert checks.t6_proportional(reading(1000.0), reading(2200.0), 2.2).passed
    assert checks.t6_proportional(reading(1000.0), reading(2200.0), 2.0).passed is False
    assert checks.t6_proportional(reading(0.0), reading(2200.0), 2.0).passed is False
    assert checks.t6_proportional(reading(1000.0), reading(2000.0), 0.0).passed is False


@pytest.mark.parametrize(
    ("values", "passed"),
    [([10.0, 10.1, 9.9], True), ([10.0, 10.5, 9.5], False), ([10.0, None, 9.9], False), ([10.0, 10.1], None)],
)
def test_t7(values: list[float | None], passed: bool | None) -> None:
    assert checks.t7_repeats(values).passed is passed


def test_variation_is_that_of_a_sample() -> None:
    assert checks.variation([9.0, 10.0, 11.0]) == pytest.approx(0.1)
    assert checks.variation([9.0]) is None
    assert checks.variation([0.0, 0.0]) is None


@pytest.mark.parametrize(
    ("watts", "highest", "passed"),
    [(669.0, 720.0, True), (69.0, 90.0, False), (71.0, None, True), (771.0, 772.0, False), (600.0, 1191.0, False)],
)
def test_t8(watts: float, highest: float | None, passed: bool) -> None:
    assert checks.t8_power(reading(10 * watts, highest_watts=highest), GPU).passed is passed


def test_t8_asks_less_of_small_gpus_and_more_of_several() -> None:
    small = MeterFacts("gpu_board", "counter", "nvml", (Device("T4", power_limit=70.0),))
    assert checks.t8_power(reading(300.0), small).passed
    assert checks.t8_power(reading(150.0), small).passed is False
    two = MeterFacts("gpu_board", "counter", "nvml", GPU.devices * 2)
    assert checks.t8_power(reading(1000.0), two).passed is False
    assert checks.t8_power(reading(13000.0), two).passed
    assert checks.t8_power(reading(100.0), CPU).passed is None


def test_t9() -> None:
    assert checks.t9_throttling(reading(capped=0.5, notes=("power_capped",)), GPU).passed
    assert checks.t9_throttling(reading(reasons=("throttled",)), GPU).passed is False
    assert checks.t9_throttling(LOST, GPU).passed is False
    assert checks.t9_throttling(reading(notes=("throttling_unseen",)), GPU).passed is None
    assert checks.t9_throttling(reading(), CPU).passed is None


def test_t10() -> None:
    assert checks.t10_alone(reading(), GPU).passed
    assert checks.t10_alone(reading(reasons=("shared_gpu: process 7",)), GPU).passed is False
    assert checks.t10_alone(reading(None, reasons=("shared_gpu: process 7",)), GPU).passed is False
    assert checks.t10_alone(reading(notes=("processes_unseen",)), GPU).passed is None
    assert checks.t10_alone(LOST, GPU).passed is False
    assert checks.t10_alone(reading(), CPU).passed is None


def test_t11() -> None:
    assert checks.t11_conserved(100.0, [60.0, 39.99995]).passed
    assert checks.t11_conserved(100.0, [60.0, 39.999]).passed is False
    assert checks.t11_conserved(0.0, []).passed is False


@pytest.mark.parametrize(
    "check",
    [
        checks.t2_cross([LOST]),
        checks.t3_duty([DutyRun(duty, duty, 1.0, LOST) for duty in (0.25, 0.5, 0.75, 1.0)]),
        checks.t4_additive([LOST, reading()], LOST, 0.1),
        checks.t5_idle(LOST, GPU),
        checks.t6_proportional(reading(), LOST, 2.0),
        checks.t7_repeats([1.0, None, 1.0]),
        checks.t8_power(LOST, GPU),
        *checks.of_reading(LOST, GPU),
    ],
    ids=lambda check: check.id,
)
def test_a_reading_that_failed_never_passes_and_is_never_a_number(check: Check) -> None:
    assert check.passed is False
    assert check.found is None
    assert check.detail


def found(**changed: Any) -> tuple[str, ...]:
    fine: dict[str, Any] = {
        "seconds": 30.0,
        "reached": 60.0,
        "asked": 64,
        "work": FULL,
        "reading": reading(9000.0, 30.0),
    }
    return gates(**{**fine, **changed})


def test_a_good_window_has_nothing_against_it() -> None:
    assert found() == ()


@pytest.mark.parametrize(
    ("changed", "codes"),
    [
        ({"seconds": 19.9}, ("window_short",)),
        ({"seconds": 20.0}, ()),
        ({"seconds": None, "reached": None}, ("no_steady",)),
        ({"reached": 54.0}, ("batch_underfilled",)),
        ({"reached": 54.4}, ()),
        ({"reached": None}, ("batch_unverified",)),
        ({"work": Work(100, 1000, 5000, failed=1)}, ("requests_failed",)),
        ({"work": Work(100, 1000, 5000, truncated=20)}, ()),
        ({"work": Work(100, 1000, 5000, truncated=21)}, ("runaway",)),
        ({"reading": LOST}, ("gpu_lost",)),
        ({"reading": reading(9000.0, 30.0, reasons=("throttled",))}, ("throttled",)),
        ({"reading": reading(None, 30.0)}, ("not_measured",)),
        ({"reading": reading(0.0, 30.0)}, ("power_implausible",)),
        ({"reading": reading(-1.0, 30.0)}, ("power_implausible",)),
        ({"reading": reading(math.nan, 30.0)}, ("power_implausible",)),
        ({"reading": reading(math.inf, 30.0)}, ("power_implausible",)),
        ({"seconds": 3.0, "reached": 1.0, "reading": LOST}, ("window_short", "batch_underfilled", "gpu_lost")),
    ],
)
def test_gates(changed: dict[str, Any], codes: tuple[str, ...]) -> None:
    assert found(**changed) == codes


@given(
    st.none() | st.floats(0, 100),
    st.none() | st.floats(0, 100),
    st.none() | st.floats(),
    st.lists(st.sampled_from(sorted(FATAL)), max_size=3),
)
def test_gates_are_codes_that_are_known_and_say_each_once(
    seconds: float | None, reached: float | None, joules: float | None, reasons: list[str]
) -> None:
    codes = found(seconds=seconds, reached=reached, reading=reading(joules, 30.0, reasons=tuple(reasons)))
    assert set(codes) <= {*FATAL, *UNRANKED, *MISSING}
    assert len(set(codes)) == len(codes)
    assert set(reasons) <= set(codes)
    if joules is None or not joules > 0 or math.isinf(joules):
        assert codes


def test_drift() -> None:
    sentinels = [(0, 10.0), (7, 10.2), (14, 10.6), (21, None), (28, 10.6)]
    assert drift(sentinels, range(1, 7)) == {}
    assert drift(sentinels, [8, 13]) == {8: "drift", 13: "drift"}
    assert drift(sentinels, [15, 22, 29]) == dict.fromkeys([15, 22, 29], "no_sentinel")
    assert drift(sentinels, [0, 7, 14, 21, 28]) == {21: "no_sentinel"}
    assert drift([], [3]) == {3: "no_sentinel"}
    assert drift([(0, 10.0)], [3, 0]) == {3: "no_sentinel"}
    assert drift(sentinels[::-1], [8, 2]) == {8: "drift"}
