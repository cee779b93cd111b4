"""The checks T1 to T10, made with one meter on this machine: at idle, and under a load."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from bench.energy import checks
from bench.energy.checks import GPU_SCOPES, DutyRun
from bench.energy.clock import Clock
from bench.energy.duty import Load
from bench.energy.meter import SAMPLE_SECONDS, Mark, Meter
from bench.energy.records import Check, MeterFacts, Reading
from bench.watch import Watch, unwatched

IDLE_SECONDS = 4.5
CLOSE_SECONDS = 2.0
POLL_SECONDS = 0.01
"""For so long of the idle stretch, and as often, the counter is read to find out how often it moves."""
DUTIES = (0.25, 0.5, 0.75, 1.0)
PERIODS = (0.05, 0.1, 0.25, 1.0, 2.0)
SECONDS = 6.0
"""Of each stretch under full load: one update of the counter is under 2 % of it."""
DUTY_SECONDS = 4.0
"""Of each run of T3, at most, but for two whole periods.

Like the idle stretch it is shorter than the 5 s from which on a meter holds its counter against its power readings:
those may well fail here, and are told for themselves.
"""
WARM_SECONDS = 5.0
LEAD_SECONDS = 0.5
"""A run of T3 has gone on for so long when measuring begins: the counter's last update is of the same load."""
REPEATS = 3
STEADY_PERIOD = 1.0
EXTERNAL = frozenset({"node", "wall"})


@dataclass(frozen=True, slots=True)
class Report:
    """What probing one meter came to. `idle_watts` is of all its devices, None where it is not known."""

    facts: MeterFacts
    idle_watts: float | None
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check that could be made held, and any could be made at all."""
        made = [check.passed for check in self.checks if check.passed is not None]
        return bool(made) and all(made)


class Finding(Protocol):
    """What another meter says of a stretch of time: joules, or None and the reason in words."""

    joules: float | None
    reason: str


class Peer(Protocol):
    """Another meter beside ours, such as `zeus.ZeusCheck`."""

    def window(self) -> AbstractContextManager[Finding]:
        """Counts what the context takes."""


def probe(
    meter: Meter,
    clock: Clock,
    load: Load | None,
    seconds: float = SECONDS,
    no_load: str = "",
    watch: Watch = unwatched,
    peer: Peer | None = None,
) -> Report:
    """Makes every check that this meter allows: at idle, and under a load where there is one.

    `seconds` is the length of one stretch under load; `no_load` says why there is no load. Nothing raises for readings
    that fail: the checks that rest on them have not passed. `peer` is held against the meter, under load.
    """
    duties = list(_duties(seconds)) if load is not None and meter.facts.scope in GPU_SCOPES else []
    steps = 1 + (1 + REPEATS if load is not None else 0) + len(duties)
    with watch(f"energy probe ({meter.facts.scope})", steps) as told:
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            told(done)

        found, idle = _at_idle(meter, clock)
        step()
        if load is None:
            why = no_load or "no load was run"
            found += [checks.skipped(name, why) for name in ("T2", "T3", "T6", "T7", "T8")]
            found += [checks.t9_throttling(idle, meter.facts), checks.t10_alone(idle, meter.facts)]
        else:
            found = [check for check in found if check.id != "T4"]
            found += _under_load(meter, clock, load, seconds, step, peer)
            found.append(
                checks.t3_duty([_run(meter, clock, load, *one, step) for one in duties], meter.facts.method)
                if duties
                else checks.skipped("T3", "duty cycles are run on GPUs only")
            )
    ordered = sorted(found, key=lambda check: (not check.id.startswith("T"), len(check.id), check.id))
    return Report(meter.facts, checks.idle_watts(idle, meter.facts), tuple(ordered))


def seconds_needed(load: Load | None, facts: MeterFacts, seconds: float = SECONDS) -> float:
    """About how long a probe takes."""
    if load is None:
        return IDLE_SECONDS
    runs = list(_duties(seconds)) if facts.scope in GPU_SCOPES else []
    duties = sum(max(period, LEAD_SECONDS) + length + 2 * SAMPLE_SECONDS for _, period, length in runs)
    return IDLE_SECONDS + WARM_SECONDS + REPEATS * seconds + duties


def _duties(seconds: float) -> Iterator[tuple[float, float, float]]:
    """Duty, period and length of every run of T3: whole periods, and two at least; a full load has no period."""
    for duty in DUTIES:
        for period in PERIODS if duty < 1 else (STEADY_PERIOD,):
            yield duty, period, period * max(2, math.ceil(round(min(seconds, DUTY_SECONDS) / period, 6)))


def _at_idle(meter: Meter, clock: Clock) -> tuple[list[Check], Reading]:
    """T1, T4 and T5, in one idle stretch."""
    marks: list[Mark] = []
    meter.sample()
    with clock.every(SAMPLE_SECONDS, meter.sample):
        began = clock.now()
        marks.append(meter.mark())
        while clock.now() - began < IDLE_SECONDS:
            clock.wait(POLL_SECONDS if clock.now() - began < CLOSE_SECONDS else SAMPLE_SECONDS)
            marks.append(meter.mark())
        clock.wait(2 * SAMPLE_SECONDS)
    meter.sample()
    idle = meter.between(marks[0], marks[-1])
    middle = marks[len(marks) // 2]
    halves = [meter.between(marks[0], middle), meter.between(middle, marks[-1])]
    found = [
        _counter(meter, marks),
        checks.t4_additive(halves, idle, meter.facts.period),
        checks.t5_idle(idle, meter.facts),
    ]
    return found, idle


def _counter(meter: Meter, marks: Sequence[Mark]) -> Check:
    if meter.facts.scope in EXTERNAL:
        return checks.skipped("T1", "an outside meter is read too seldom")
    if meter.facts.method != "counter":
        return checks.skipped("T1", "there is no counter: power is added up over time")
    found = [(mark.at, meter.between(marks[0], mark)) for mark in marks[1:]]
    # Until the counter moves for the first time it cannot be told from one that is stuck.
    moving = list(itertools.dropwhile(lambda one: one[1].joules is None and _stuck(one[1]), found))
    return checks.t1_counter([at for at, _ in moving], [reading.joules for _, reading in moving], meter.facts)


def _stuck(reading: Reading) -> bool:
    return {reason.partition(":")[0] for reason in reading.reasons} == {"counter_stuck"}


def _under_load(
    meter: Meter, clock: Clock, load: Load, seconds: float, step: Callable[[], None], peer: Peer | None
) -> Iterator[Check]:
    """T2, T4 and T6 to T10, and the peer's word, on repeats of a full load."""
    load.run(1.0, STEADY_PERIOD, WARM_SECONDS)
    step()
    work = []
    meter.sample()
    with clock.every(SAMPLE_SECONDS, meter.sample):
        marks = [meter.mark()]
        with peer.window() if peer else nullcontext() as other:
            for _ in range(REPEATS):
                work.append(load.run(1.0, STEADY_PERIOD, seconds).work)
                marks.append(meter.mark())
                step()
        clock.wait(2 * SAMPLE_SECONDS)
    meter.sample()
    facts = meter.facts
    parts = [meter.between(begin, end) for begin, end in itertools.pairwise(marks)]
    whole = meter.between(marks[0], marks[-1])
    more = sum(work[1:3]) / work[0] if work[0] else 0.0
    yield checks.t2_cross(parts)
    yield checks.t4_additive(parts, whole, facts.period)
    yield checks.t6_proportional(parts[0], meter.between(marks[1], marks[3]), more)
    yield checks.t7_repeats([_each(part, done) for part, done in zip(parts, work, strict=True)])
    yield checks.t8_power(whole, facts)
    yield checks.t9_throttling(whole, facts)
    yield checks.t10_alone(whole, facts)
    if other is not None:
        yield checks.peer_agrees(whole, other.joules, other.reason)


def _each(part: Reading, work: float) -> float | None:
    """Joules for a unit of work."""
    return None if part.joules is None or not work else part.joules / work


def _run(
    meter: Meter, clock: Clock, load: Load, duty: float, period: float, seconds: float, step: Callable[[], None]
) -> DutyRun:
    """One run of T3."""
    load.run(duty, period, max(period, LEAD_SECONDS))
    meter.sample()
    with clock.every(SAMPLE_SECONDS, meter.sample):
        begin = meter.mark()
        spent = load.run(duty, period, seconds)
        end = meter.mark()
        clock.wait(2 * SAMPLE_SECONDS)
    meter.sample()
    step()
    return DutyRun(duty, spent.busy / spent.seconds if spent.seconds > 0 else duty, period, meter.between(begin, end))
