"""What speaks against an energy figure: the validation tests T1 to T11, and the gates on one window. Pure.

A check that could not be made has `passed` None and says why. One whose readings failed has not passed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean, median, stdev

from bench.energy.reasons import meaning
from bench.energy.records import Check, MeterFacts, Method, Reading, Work

UPDATE_SECONDS = (0.02, 0.2)
"""The counter of NVIDIA's driver is refreshed about every 100 ms (Zeus); far from that, it is another thing."""
CROSS = 0.05
"""Counter and integral may differ by as much under load (InferenceX). 1 to 2 % is usual; at idle more."""
AFFINE_R2 = 0.995
PERIOD_DEPENDENCE = 0.05
"""Energy must not depend on the period of a load: power that is sampled a quarter of the time does (2312.02741)."""
ADDITIVITY_JOULES = 0.2
SURE_SECONDS = 5.0
"""In a shorter stretch one step of a counter, 0.1 s long, is more than 2 % of the whole: its mean power is not told."""
IDLE_WATTS = 20.0
IDLE_SHARE = 0.25
"""Idle power of a GPU lies between `IDLE_WATTS` and this share of its limit."""
PROPORTION = 0.05
"""Twice the work takes twice the energy, to within as much."""
REPEATS_TARGET = 0.03
REPEATS_INVALID = 0.05
"""Coefficients of variation of repeats: what is hoped for, and what is not ranked any more."""
FEWEST_REPEATS = 3
MEAN_OVER_LIMIT = 1.1
HIGHEST_OVER_LIMIT = 1.7
LOADED_WATTS = 70.0
LOADED_SHARE = 0.25
"""ML.ENERGY's bounds on the power of a GPU under load; small ones, under 280 W, need a quarter of their limit."""
CONSERVATION = 1e-6
STEADY_SECONDS = 20.0
"""A shorter steady stretch is not stable (ML.ENERGY), and the counter's last update is more than 0.5 % of it."""
BATCH_SHARE = 0.85
"""Of the requests asked for, as many are under way on average in a stable window (ML.ENERGY)."""
RUNAWAY_SHARE = 0.2
"""With more answers at the length limit, a window measures the limit."""
DRIFT = 0.03
"""Two sentinels around a window may differ by as much."""

GPU_SCOPES = frozenset({"gpu_board", "gpu_module"})


@dataclass(frozen=True, slots=True)
class DutyRun:
    """One run of a load that was busy for a share of every period: the nominal share, the share as it came out."""

    duty: float
    busy: float
    period: float
    reading: Reading


def failed(id_: str, readings: Iterable[Reading], limit: str = "") -> Check | None:
    """The check as not passed, if a reading it rests on has no joules; None where all have."""
    for reading in readings:
        if reading.joules is None:
            why = "; ".join(map(meaning, reading.reasons)) or "a reading has no joules and no reason"
            return Check(id_, False, None, limit, why)
    return None


def skipped(id_: str, why: str, limit: str = "") -> Check:
    """A check that could not be made."""
    return Check(id_, None, None, limit, why)


def too_short(reading: Reading, method: Method) -> bool:
    """Whether the steps of a counter are too much of a reading to tell its mean power; power added up has no steps."""
    return method == "counter" and reading.seconds < SURE_SECONDS


def t1_counter(times: Sequence[float], joules: Sequence[float | None], facts: MeterFacts) -> Check:
    """T1: a counter that was read often never falls, and moves at its usual pace.

    `joules` are what it counted since some moment, at `times` in seconds. What is found is the median time between two
    moves. Other counters than NVIDIA's may move faster.
    """
    lowest, highest = UPDATE_SECONDS
    nvidia = facts.api.startswith("nvml")
    limit = f"{lowest:g} to {highest:g} s" if nvidia else f"up to {highest:g} s"
    known = [value for value in joules if value is not None]
    if not joules:
        return Check("T1", False, None, limit, "the counter did not move")
    if len(known) < len(joules):
        return Check("T1", False, None, limit, f"{len(joules) - len(known)} of {len(joules)} readings failed")
    if any(later < earlier for earlier, later in pairwise(known)):
        return Check("T1", False, None, limit, "the counter went backwards")
    moves = [at for at, (earlier, later) in zip(times[1:], pairwise(known), strict=True) if later > earlier]
    if len(moves) < 2:
        return Check("T1", False, None, limit, "the counter did not move")
    period = median(later - earlier for earlier, later in pairwise(moves))
    sure = median(later - earlier for earlier, later in pairwise(times))  # a move is seen at the next reading
    detail = f"moved {len(moves)} times in {len(times)} readings"
    return Check("T1", (lowest - sure if nvidia else 0.0) <= period <= highest + sure, period, limit, detail)


def t2_cross(readings: Sequence[Reading]) -> Check:
    """T2: under load, the counter and the integral of power agree. Found is the largest share by which they do not."""
    limit = f"up to {CROSS:.0%}"
    if wrong := failed("T2", readings, limit):
        return wrong
    apart = [abs(one.joules - one.cross) / one.cross for one in readings if one.joules is not None and one.cross]
    if not apart or len(apart) < len(readings):
        return skipped("T2", "there is no second method to compare with", limit)
    shortest = min(one.seconds for one in readings)
    if shortest < SURE_SECONDS:
        return skipped("T2", _short(shortest), limit)
    detail = f"the largest of {len(apart)} stretches under load" if len(apart) > 1 else ""
    return Check("T2", max(apart) <= CROSS, max(apart), limit, detail)


def t3_duty(runs: Sequence[DutyRun], method: Method = "counter") -> Check:
    """T3: power is affine in the share of time that a load is busy, whatever its period.

    A gate for counters only: how an integral fares is told, for power that is sampled is known to fail with loads that
    swing as fast as it is sampled. Found is the R² of the fit.
    """
    limit = f"R² from {AFFINE_R2:g}, periods within {PERIOD_DEPENDENCE:.0%}"
    if wrong := failed("T3", (run.reading for run in runs), limit):
        return wrong
    if len({run.duty for run in runs}) < 3:
        return skipped("T3", "fewer than three duty cycles were run", limit)
    r2, spread = _affine(runs, [run.reading.watts or 0.0 for run in runs])
    detail = f"periods differ by up to {spread:.1%}"
    crosses = [run.reading.cross for run in runs if run.reading.cross is not None]
    if len(crosses) == len(runs):
        other = _affine(runs, [cross / run.reading.seconds for cross, run in zip(crosses, runs, strict=True)])
        detail += f"; by the other method R² {other[0]:.4f} and up to {other[1]:.1%}"
    holds = r2 >= AFFINE_R2 and spread <= PERIOD_DEPENDENCE
    if not holds and method == "integral":
        return Check("T3", None, r2, limit, f"no gate for power that is sampled; {detail}")
    return Check("T3", holds, r2, limit, detail)


def t4_additive(parts: Sequence[Reading], whole: Reading, period: float | None) -> Check:
    """T4: the parts of a stretch sum to the whole. Found is the difference in joules.

    It may be `ADDITIVITY_JOULES` and what one update of the counter holds; `period` is the time between two updates.
    """
    watts = whole.watts
    allowed = ADDITIVITY_JOULES + (watts * period if watts is not None and period is not None else 0.0)
    limit = f"up to {allowed:.3g} J"
    if wrong := failed("T4", (*parts, whole), limit):
        return wrong
    assert whole.joules is not None
    apart = abs(math.fsum(part.joules for part in parts if part.joules is not None) - whole.joules)
    return Check("T4", apart <= allowed, apart, limit, f"of {whole.joules:,.1f} J in {len(parts)} parts")


def idle_watts(reading: Reading, facts: MeterFacts) -> float | None:
    """Mean power of an idle stretch: by power readings where there are any, for counters are off at idle."""
    if facts.method == "counter" and reading.cross is not None and reading.seconds > 0:
        return reading.cross / reading.seconds
    return reading.watts


def t5_idle(reading: Reading, facts: MeterFacts) -> Check:
    """T5: the power of an idle GPU is one that a GPU can have. Found are the watts, of all devices together."""
    if facts.scope not in GPU_SCOPES:
        return Check("T5", None, idle_watts(reading, facts), "", "the bounds are those of GPUs")
    if wrong := failed("T5", [reading]):
        return wrong
    watts, highest = idle_watts(reading, facts), power_limit(facts)
    assert watts is not None
    lowest = IDLE_WATTS * len(facts.devices)
    if highest is None:
        return Check("T5", None, watts, f"from {lowest:g} W", "the power limit is not known")
    limit = f"{lowest:g} to {IDLE_SHARE * highest:g} W"
    return Check("T5", lowest <= watts <= IDLE_SHARE * highest, watts, limit)


def t6_proportional(once: Reading, twice: Reading, work: float) -> Check:
    """T6: twice the work takes twice the energy. `work` is how much more of it the second had.

    Found is the share by which the energy for a unit of work differs.
    """
    limit = f"up to {PROPORTION:.0%}"
    if wrong := failed("T6", (once, twice), limit):
        return wrong
    if not once.joules or twice.joules is None or work <= 0:
        return Check("T6", False, None, limit, "no energy was counted, or no work done")
    apart = abs(twice.joules / once.joules / work - 1)
    return Check("T6", apart <= PROPORTION, apart, limit, f"{work:.2f} times the work")


def variation(values: Sequence[float]) -> float | None:
    """The coefficient of variation, with n - 1; None for fewer than two values, or a mean that is not above 0."""
    mean = fmean(values) if len(values) > 1 else 0.0
    return stdev(values) / mean if mean > 0 else None


def t7_repeats(values: Sequence[float | None]) -> Check:
    """T7: repeats of the same agree. Found is their coefficient of variation."""
    limit = f"up to {REPEATS_TARGET:.0%}"
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return Check("T7", False, None, limit, f"{len(values) - len(known)} of {len(values)} repeats have no energy")
    if len(known) < FEWEST_REPEATS:
        return skipped("T7", f"fewer than {FEWEST_REPEATS} repeats", limit)
    found = variation(known)
    return Check("T7", found is not None and found <= REPEATS_TARGET, found, limit, f"of {len(known)} repeats")


def t8_power(reading: Reading, facts: MeterFacts) -> Check:
    """T8: power under load is one that the devices can have. Found is the mean, in watts."""
    if facts.scope not in GPU_SCOPES:
        return Check("T8", None, reading.watts, "", "the bounds are those of GPUs")
    if wrong := failed("T8", [reading]):
        return wrong
    watts, most = reading.watts, power_limit(facts)
    if most is None or watts is None:
        return Check("T8", None, watts, "", "the power limit or the time is not known")
    if too_short(reading, facts.method):
        return skipped("T8", _short(reading.seconds))
    least = sum(min(LOADED_WATTS, LOADED_SHARE * (device.power_limit or 0.0)) for device in facts.devices)
    limit = f"mean {least:g} to {MEAN_OVER_LIMIT * most:g} W, at any time up to {HIGHEST_OVER_LIMIT * most:g} W"
    highest = reading.highest_watts
    fits = least <= watts <= MEAN_OVER_LIMIT * most and (highest is None or highest <= HIGHEST_OVER_LIMIT * most)
    return Check("T8", fits, watts, limit, "" if highest is None else f"{highest:,.1f} W at most at any time")


def t9_throttling(reading: Reading, facts: MeterFacts) -> Check:
    """T9: neither heat nor the power supply slowed the GPU down. Running at its own power limit is no fault."""
    if facts.scope not in GPU_SCOPES:
        return skipped("T9", "this meter does not see throttling")
    if unseen := _unread(reading, "throttled"):
        return Check("T9", False, None, "", unseen)
    if "throttling_unseen" in _codes((*reading.notes, *facts.notes)):
        return skipped("T9", meaning("throttling_unseen"))
    capped = f"at the power limit for {reading.capped:.0%} of the time" if reading.capped else ""
    return Check("T9", "throttled" not in _codes(reading.reasons), None, "", capped)


def t10_alone(reading: Reading, facts: MeterFacts) -> Check:
    """T10: no other process was on the GPU."""
    if facts.scope not in GPU_SCOPES:
        return skipped("T10", "this meter does not see processes")
    shared = "shared_gpu" in _codes(reading.reasons)
    if unseen := _unread(reading, "shared_gpu"):
        return Check("T10", False, None, "", unseen)
    if not shared and "processes_unseen" in _codes((*reading.notes, *facts.notes)):
        return skipped("T10", meaning("processes_unseen"))
    return Check("T10", not shared, None, "", "; ".join(one for one in reading.reasons if "shared_gpu" in one))


def t11_conserved(joules: float, shares: Sequence[float]) -> Check:
    """T11: attributed energies sum to the window's. Found is the difference as a share of it."""
    limit = f"up to {CONSERVATION:g}"
    if not joules > 0:
        return Check("T11", False, None, limit, "the window has no energy")
    apart = abs(math.fsum(shares) - joules) / joules
    return Check("T11", apart <= CONSERVATION, apart, limit, f"over {len(shares)} share{'s' * (len(shares) != 1)}")


def peer_agrees(reading: Reading, joules: float | None, reason: str) -> Check:
    """Zeus, or whatever else measured the same stretch under load, agrees. Found is the share by which it does not."""
    limit = f"up to {CROSS:.0%}"
    if wrong := failed("Zeus", [reading], limit):
        return wrong
    if joules is None or not reading.joules:
        return skipped("Zeus", reason or "it said nothing", limit)
    apart = abs(joules - reading.joules) / reading.joules
    return Check("Zeus", apart <= CROSS, apart, limit, f"{joules:,.1f} J against {reading.joules:,.1f} J")


def of_reading(reading: Reading, facts: MeterFacts) -> tuple[Check, ...]:
    """The checks that one stretch under load allows by itself: T2, T8, T9 and T10."""
    return (
        t2_cross([reading]),
        t8_power(reading, facts),
        t9_throttling(reading, facts),
        t10_alone(reading, facts),
    )


def gates(*, seconds: float | None, reached: float | None, asked: int, work: Work, reading: Reading) -> tuple[str, ...]:
    """Every reason code against one window's energy; empty where there is none.

    `seconds` is the length of the steady stretch, None where there was none; `reached` how many requests were under way
    on average, None where the engine does not say, and `asked` how many should have been. `work` and `reading` are
    those of the steady stretch.
    """
    codes = []
    if seconds is None:
        codes.append("no_steady")
    elif seconds < STEADY_SECONDS:
        codes.append("window_short")
    if reached is not None and reached < BATCH_SHARE * asked:
        codes.append("batch_underfilled")
    if reached is None and seconds is not None:
        codes.append("batch_unverified")
    if work.failed:
        codes.append("requests_failed")
    if work.truncated > RUNAWAY_SHARE * work.requests:
        codes.append("runaway")
    codes += reading.reasons
    if reading.joules is None and not reading.reasons:
        codes.append("not_measured")
    # Nothing that computes takes no energy: what a meter gives for a failure is never taken for a figure.
    if reading.joules is not None and not (reading.joules > 0 and math.isfinite(reading.joules)):
        codes.append("power_implausible")
    return tuple(dict.fromkeys(codes))


def drift(sentinels: Sequence[tuple[int, float | None]], numbers: Sequence[int]) -> dict[int, str]:
    """Window number -> "drift" or "no_sentinel", for those of `numbers` that have either against them.

    `sentinels` are (window number, what is compared: joules by request or token, None where there is none). The two
    next to a window by number must be there and be within `DRIFT` of their mean. A sentinel is next to itself.
    """
    ordered = sorted(sentinels, key=lambda one: one[0])
    found = {}
    for number in numbers:
        before = [value for at, value in ordered if at <= number][-1:]
        after = [value for at, value in ordered if at >= number][:1]
        around = [value for value in (*before, *after) if value is not None]
        if len(around) < 2:
            found[number] = "no_sentinel"
        elif max(around) - min(around) > DRIFT * fmean(around):
            found[number] = "drift"
    return found


def power_limit(facts: MeterFacts) -> float | None:
    """The power limits of all devices together; None where one is not known."""
    limits = [device.power_limit for device in facts.devices]
    known = [limit for limit in limits if limit is not None]
    return sum(known) if known and len(known) == len(limits) else None


def _short(seconds: float) -> str:
    return f"{seconds:.1f} s are too short: the counter moves in steps, so that it takes {SURE_SECONDS:g} s"


def _affine(runs: Sequence[DutyRun], watts: Sequence[float]) -> tuple[float, float]:
    """R² of a straight line through power over busy share, and the largest distance of a run from its duty's mean."""
    busy = [run.busy for run in runs]
    mean_busy, mean_watts = fmean(busy), fmean(watts)
    across = math.fsum((x - mean_busy) ** 2 for x in busy)
    total = math.fsum((y - mean_watts) ** 2 for y in watts)
    together = math.fsum((x - mean_busy) * (y - mean_watts) for x, y in zip(busy, watts, strict=True))
    # A line that does not rise is no sign of a meter that works.
    r2 = together**2 / (across * total) if across and total and together > 0 else 0.0
    spread = 0.0
    for duty in {run.duty for run in runs}:
        same = [one for run, one in zip(runs, watts, strict=True) if run.duty == duty]
        mean = fmean(same)
        spread = max(spread, max(abs(one - mean) for one in same) / mean if mean > 0 else math.inf)
    return r2, spread


def _codes(reasons: Iterable[str]) -> set[str]:
    return {reason.partition(":")[0] for reason in reasons}


def _unread(reading: Reading, but: str) -> str:
    """In words, why a reading saw nothing at all; empty where it did, or where what it saw is the code `but`."""
    if reading.joules is not None or but in _codes(reading.reasons):
        return ""
    return "; ".join(map(meaning, reading.reasons)) or meaning("not_measured")
