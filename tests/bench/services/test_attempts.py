"""What failures mean, when to ask again, and when to give up: pure, with made-up clocks."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.services.attempts import (
    LONGEST,
    LONGEST_MESSAGE,
    TIMEOUT,
    Failure,
    backoff,
    cut,
    message,
    of_status,
    retry_after,
)
from bench.services.breaker import FAILURES, LONGEST_PAUSE, Breaker
from bench.services.calls import Limits
from bench.services.gate import FIRST_CONTACT, Gate

NOW = 1_800_000_000.0
REFUSED = Failure("unheard", "connection_refused")


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (429, b"", "limited", "rate_limited"),
        (429, b'{"error": {"code": "insufficient_quota", "message": "pay"}}', "hopeless", "insufficient_quota: pay"),
        (500, b"", "failed", "server_error: 500"),
        (502, b"", "failed", "server_error: 502"),
        (503, b"", "failed", "overloaded: 503"),
        (529, b"", "failed", "overloaded: 529"),
        (408, b"", "failed", "not_now: 408"),
        (409, b"", "failed", "not_now: 409"),
        (425, b"", "failed", "not_now: 425"),
        (400, b'{"error": {"message": "no\\nsuch  thing"}}', "refused", "bad_request: no such thing"),
        (422, b'{"detail": [{"msg": "wrong type"}]}', "refused", "bad_request: 422 wrong type"),
        (413, b"", "refused", "bad_request: 413"),
        (401, b'{"error": "no"}', "hopeless", "unauthorised: no"),
        (403, b"<html><style>x {}</style><b>Forbidden</b></html>", "hopeless", "unauthorised: Forbidden"),
        (404, b'{"message": "model x"}', "hopeless", "not_found: model x"),
        (402, b"", "hopeless", "payment_required"),
        (302, b"", "hopeless", "redirected"),
    ],
)
def test_each_status_has_its_reason(status: int, body: bytes, kind: str, reason: str) -> None:
    failure = of_status(status, {}, body, NOW)
    assert (failure.kind, str(failure)) == (kind, reason)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "20"}, 20),
        ({"retry-after": " 0 "}, 0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": email.utils.formatdate(NOW + 90, usegmt=True)}, 90),
        ({"retry-after": email.utils.formatdate(NOW - 90, usegmt=True)}, 0),
        ({"retry-after": "-5"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "0"}, 360),
        ({"x-ratelimit-reset-requests": "6m0s", "x-ratelimit-remaining-requests": "7"}, None),
        ({"x-ratelimit-reset-tokens": "120ms", "x-ratelimit-remaining-tokens": "0"}, 0.12),
        ({"x-ratelimit-reset-tokens": "1d2h3m4.5s", "x-ratelimit-remaining-tokens": "0"}, 93784.5),
    ],
)
def test_how_long_a_service_asks_to_wait(headers: Mapping[str, str], seconds: float | None) -> None:
    found = retry_after(headers, NOW)
    assert found is None if seconds is None else found == pytest.approx(seconds)


@given(st.text(max_size=60), st.binary(max_size=300), st.integers(300, 599))
def test_nothing_that_a_service_says_breaks_anything(said: str, body: bytes, status: int) -> None:
    headers = {"retry-after": said, "x-ratelimit-reset-tokens": said, "x-ratelimit-remaining-tokens": "0"}
    failure = of_status(status, headers, body, NOW)
    assert failure.wait is None or failure.wait >= 0
    assert len(str(failure).splitlines()) == 1
    assert len(cut(message(body))) <= LONGEST_MESSAGE


def test_deep_json_is_no_trap() -> None:
    assert message(b"[" * 100_000) == "[" * 8192
    assert message(b'{"error":' * 50 + b'"x"' + b"}" * 50)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_waits_grow_to_a_bound(failures: int, draw: float) -> None:
    assert 0 <= backoff(failures, draw) <= min(LONGEST, 0.5 * 2.0 ** min(failures - 1, 99))


def test_the_breaker_opens_after_failures_in_a_row_alone() -> None:
    breaker = Breaker()
    for second in range(FAILURES - 1):
        breaker.failed(second, second)
    breaker.answered()
    for second in range(FAILURES - 1):
        breaker.failed(second, second)
    assert breaker.lets_through(0)
    breaker.failed(100.0, 100.0)
    assert breaker.open and not breaker.lets_through(100.0)


def test_an_open_breaker_lets_one_probe_through_after_pauses_that_grow() -> None:
    breaker, now, pauses = Breaker(), 0.0, []
    for _ in range(FAILURES):
        breaker.failed(now, now)
    for _ in range(9):
        pauses.append(breaker.probe_at - now)
        assert not breaker.lets_through(breaker.probe_at - 0.01)
        now = breaker.probe_at
        assert breaker.lets_through(now)
        breaker.sent(now)
        assert not breaker.lets_through(now + 1000)  # one at a time
        breaker.failed(-1.0, now + 5)  # from before it opened: says nothing new
        assert not breaker.lets_through(now + 1000)
        breaker.failed(now, now + 10)
        now += 10
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60] and pauses[-1] == LONGEST_PAUSE
    assert breaker.answered() and not breaker.open


def test_a_probe_that_was_abandoned_is_not_waited_for() -> None:
    gate = Gate(Limits(), 0.0)
    for _ in range(FAILURES):
        gate.failed(TIMEOUT, 0.0, 0.0, 0.0)
    gate.sent(100.0)
    assert gate.room(0, 200.0) == 0
    gate.begin(200.0)
    assert gate.room(0, 200.0) == 1


def test_a_pause_holds_everybody_and_the_longest_counts() -> None:
    gate = Gate(Limits(), 0.0)
    gate.failed(Failure("limited", "rate_limited", "", 10.0), 0.0, 1.0, 0.0)
    gate.failed(Failure("limited", "rate_limited", "", 2.0), 0.0, 1.0, 0.0)
    assert gate.room(0, 10.9) == 0 and gate.room(0, 11.0) > 0
    assert gate.status(5.0) == "waiting 6 s (rate_limited)"


def test_rate_limits_end_a_run_by_patience_and_any_answer_is_one() -> None:
    gate = Gate(Limits(patience=100.0), 0.0)
    gate.failed(Failure("limited", "rate_limited"), 0.0, 50.0, 0.0)
    gate.answered(60.0)
    assert gate.given_up(1, 1000.0) is None  # nothing is wrong, it only takes long
    gate.failed(Failure("limited", "rate_limited"), 60.0, 150.0, 0.0)
    assert gate.given_up(0, 159.0) is None
    assert gate.given_up(0, 160.0) == (100.0, "rate_limited")


def test_a_pause_beyond_all_patience_is_not_waited_for() -> None:
    gate = Gate(Limits(patience=100.0), 0.0)
    gate.failed(Failure("limited", "rate_limited", "", 5000.0), 0.0, 1.0, 0.0)
    assert gate.given_up(3, 2.0) is None  # three are under way still
    assert gate.given_up(0, 2.0) == (2.0, "rate_limited; it asks to wait 4999 s more")


def test_a_few_failures_are_no_outage() -> None:
    gate = Gate(Limits(patience=100.0), 0.0)
    gate.failed(TIMEOUT, 0.0, 600.0, 0.0)
    assert gate.given_up(0, 601.0) is None  # one slow request: its attempts are counted
    for _ in range(FAILURES):
        gate.failed(TIMEOUT, 601.0, 700.0, 0.0)
    assert gate.given_up(0, 700.0) == (700.0, "timeout")
    assert gate.status(700.0) == "no answer for 700 s (timeout)"


def test_a_service_that_was_never_reached_is_given_up_sooner() -> None:
    never, lost, answered = Gate(Limits(), 0.0), Gate(Limits(), 0.0), Gate(Limits(), 0.0)
    lost.failed(TIMEOUT, 0.0, 0.0, 0.0)
    answered.answered(0.0)
    for gate in (never, lost, answered):
        gate.failed(REFUSED, 0.0, 1.0, 0.0)
    assert never.given_up(0, FIRST_CONTACT) == (FIRST_CONTACT, "connection_refused")
    for gate in (lost, answered):
        assert gate.given_up(0, FIRST_CONTACT) is None
        assert gate.given_up(0, Limits().patience) is not None
