"""The controller of concurrency against simulated services: no clock but theirs."""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.services.concurrency import START, Concurrency


@dataclass
class Simulated:
    """A service with `capacity` slots that takes `latency` seconds a request.

    What is more than that waits, or is refused at once. `fault` is the share of requests that fail, evenly spread.
    """

    capacity: int
    latency: float
    more: Literal["waits", "is refused"]
    most: int = 256
    fault: float = 0.0
    now: float = 0.0
    answered: int = 0
    refused: int = 0
    limits: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.controller = Concurrency(self.most, self.now)
        self._events: list[tuple[float, int, str, float]] = []
        self._number = itertools.count()
        self._free = [0.0] * self.capacity
        self._busy = 0

    def _send(self) -> None:
        number = next(self._number)
        if self.more == "is refused" and self._busy >= self.capacity:
            heapq.heappush(self._events, (self.now + self.latency / 10, number, "limited", self.now))
            return
        self._busy += 1
        end = self.now + self.latency
        if self.more == "waits":
            end = max(self.now, heapq.heappop(self._free)) + self.latency
            heapq.heappush(self._free, end)
        failed = int(number * self.fault) != int((number + 1) * self.fault)
        heapq.heappush(self._events, (end, number, "failed" if failed else "answered", self.now))

    def run(self, answers: int) -> None:
        """Until so many more were answered."""
        wanted = self.answered + answers
        while self.answered < wanted:
            while len(self._events) < self.controller.limit:
                self._send()
            self.now, _, what, sent = heapq.heappop(self._events)
            if what == "limited":
                self.refused += 1
                self.controller.limited(sent, self.now)
            else:
                self._busy -= 1
                if what == "failed":
                    self.controller.failed(sent, self.now)
                else:
                    self.answered += 1
                    self.controller.answered(self.now)
            assert 1 <= self.controller.limit <= self.most
            self.limits.append(self.controller.limit)

    def rate(self, answers: int) -> float:
        """Answers a second over the next so many, as a share of what the service could give."""
        began = self.now
        self.run(answers)
        return answers / (self.now - began) / (min(self.capacity, self.most) / self.latency)


services = st.builds(
    Simulated,
    capacity=st.integers(1, 300),
    latency=st.floats(0.01, 20.0),
    more=st.sampled_from(["waits", "is refused"]),
    most=st.integers(1, 512),
)


@settings(max_examples=25)
@given(services)
def test_a_service_is_kept_busy_whatever_it_can_take(service: Simulated) -> None:
    service.run(40 * min(service.capacity, service.most))
    before = service.refused
    answers = 60 * min(service.capacity, service.most)
    assert service.rate(answers) > 0.7
    assert (service.refused - before) / answers < 0.15


@settings(max_examples=25)
@given(st.integers(2, 300), st.integers(2, 300), st.floats(0.01, 5.0))
def test_a_service_that_takes_more_or_less_than_before_is_followed(first: int, then: int, latency: float) -> None:
    service = Simulated(first, latency, "is refused")
    service.run(40 * min(first, 256))
    service.capacity = then
    service.run(200 * max(first, then))
    assert service.rate(100 * min(then, 256)) > 0.6


@pytest.mark.parametrize("capacity", [4, 40, 100, 300])
def test_nothing_is_gained_by_asking_a_busy_service_for_more(capacity: int) -> None:
    service = Simulated(capacity, 1.0, "waits", most=100_000)
    service.run(100 * capacity)
    assert capacity <= service.controller.limit <= 8 * max(capacity, START)


def test_a_fast_service_has_all_at_once_after_two_round_trips() -> None:
    service = Simulated(100_000, 0.05, "is refused")
    service.run(START + 4 * START)
    assert service.controller.limit == 256
    assert service.now < 0.16


def test_a_burst_of_refusals_halves_once() -> None:
    controller = Concurrency(256, 0.0, start=64)
    for _ in range(64):
        controller.limited(sent=1.0, now=2.0)
    assert controller.limit == 32
    controller.limited(sent=1.5, now=2.5)  # sent before the fall
    assert controller.limit == 32
    controller.limited(sent=2.1, now=3.0)
    assert controller.limit == 16


def test_a_single_request_stays() -> None:
    controller = Concurrency(256, 0.0)
    for second in range(1, 100):
        controller.limited(sent=second, now=second + 0.5)
    assert controller.limit == 1


def test_failures_now_and_then_slow_nothing_down() -> None:
    service = Simulated(100_000, 0.05, "is refused", fault=0.1)
    service.run(20_000)
    assert service.controller.limit == 256


def test_failures_of_most_requests_do_and_less_than_refusals() -> None:
    failing, refusing = Concurrency(256, 0.0, start=64), Concurrency(256, 0.0, start=64)
    for _ in range(64):
        failing.failed(sent=1.0, now=2.0)
        refusing.limited(sent=1.0, now=2.0)
    assert refusing.limit < failing.limit < 64


def test_a_service_that_was_away_is_found_out_anew() -> None:
    service = Simulated(200, 0.05, "is refused")
    service.run(10_000)
    service.controller.reset(service.now)
    assert service.controller.limit == START
    service.run(5_000)
    assert service.rate(10_000) > 0.7


def test_never_more_than_is_allowed() -> None:
    service = Simulated(100_000, 0.05, "waits", most=3)
    service.run(1000)
    assert set(service.limits) == {3}
