"""What answers cost, and the most that they can cost."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.prices import MILLION, TEMPLATE_TOKENS, Price
from bench.records import Request, Response

PRICE = Price(2.0, 10.0, "EUR", "2026-10-03", "https://example.org", 0.5, 1.0, 5.0)


def request(
    prompt: str, *, max_tokens: int = 0, mode: str = "generate", continuations: tuple[str, ...] = ()
) -> Request:
    return Request("r", "s", "t", "yor_Latn", "", mode, prompt, continuations, max_tokens, (), "", ())  # type: ignore[arg-type]


def test_cached_tokens_cost_less_and_thinking_is_paid_as_output() -> None:
    answer = Response("r", "ok", prompt_tokens=1000, cached_tokens=400, output_tokens=50, reasoning_tokens=40)
    assert PRICE.of(answer) == pytest.approx((600 * 2 + 400 * 0.5 + 50 * 10) / MILLION)
    assert dataclasses.replace(PRICE, cached_input=None).of(answer) == pytest.approx((1000 * 2 + 50 * 10) / MILLION)


def test_what_is_not_known_costs_nothing_known() -> None:
    assert PRICE.of(Response("r", "ok", prompt_tokens=5)) is None
    assert PRICE.of(Response("r", "ok", output_tokens=5)) is None


def test_a_price_that_ends_at_long_prompts() -> None:
    short = dataclasses.replace(PRICE, up_to=1000)
    assert short.of(Response("r", "ok", prompt_tokens=1000, output_tokens=1)) is not None
    assert short.of(Response("r", "ok", prompt_tokens=1001, output_tokens=1)) is None
    assert short.at_most(request("x" * (1000 - TEMPLATE_TOKENS), max_tokens=1)) < 1
    assert short.at_most(request("x" * (1001 - TEMPLATE_TOKENS), max_tokens=1)) == math.inf


def test_the_batch_price_is_a_price_of_its_own() -> None:
    batched = PRICE.batched()
    assert batched is not None
    assert (batched.input, batched.output, batched.cached_input) == (1.0, 5.0, None)
    assert (batched.currency, batched.as_of, batched.source) == ("EUR", "2026-10-03", "https://example.org")
    assert dataclasses.replace(PRICE, batch_input=None).batched() is None
    assert dataclasses.replace(PRICE, batch_output=None).batched() is None


@given(st.text(max_size=200), st.integers(0, 500), st.integers(0, 5000))
def test_no_answer_costs_more_than_the_most(prompt: str, max_tokens: int, thinking: int) -> None:
    """The worst tokenizer has a token for every byte, and the model uses all the room it has."""
    worst = Response(
        "r",
        "ok",
        prompt_tokens=len(prompt.encode(errors="surrogatepass")) + TEMPLATE_TOKENS,
        output_tokens=max(1, max_tokens) + thinking,
    )
    paid = PRICE.of(worst)
    assert paid is not None
    assert paid <= PRICE.at_most(request(prompt, max_tokens=max_tokens), thinking) * (1 + 1e-12)


def test_each_continuation_is_a_prompt_where_its_likelihood_is_asked_for() -> None:
    options = (" à", " béé")
    size = len("ọ̀rọ̀".encode())
    one = (size + TEMPLATE_TOKENS) * 2 + 10
    both = 2 * sum((size + len(option.encode()) + TEMPLATE_TOKENS) * 2 + 10 for option in ("", *options))
    scored = request("ọ̀rọ̀", mode="loglikelihood", continuations=options)
    assert PRICE.at_most(scored) == pytest.approx(both / MILLION)
    lettered = request("ọ̀rọ̀", mode="first_token", continuations=options)
    assert PRICE.at_most(lettered) == pytest.approx(one / MILLION)


def test_what_is_sent_with_every_request_counts() -> None:
    more = dataclasses.replace(PRICE, overhead=PRICE.overhead + 100)
    assert more.at_most(request("x")) - PRICE.at_most(request("x")) == pytest.approx(100 * 2 / MILLION)
