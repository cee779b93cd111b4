"""Requests made by hand, and how answers of two backends are compared."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bench.backend import Model
from bench.records import Request, Response

FLOAT32 = 1e-4
"""How far log-likelihoods in float32 may lie apart: sums are taken in another order. Seen: 1e-5."""

PROMPTS = (
    "",
    " ",
    "France",
    "Which country is this?\nAnswer:",
    "A question that ends in spaces:  ",
    "ما هي عاصمة فرنسا؟ الجواب:",
    "भारत की राजधानी क्या है? उत्तर:",
    "የኢትዮጵያ ዋና ከተማ",
    "👩🏽‍🚀👨‍👩‍👧‍👦🏳️‍🌈",
    "𞤀𞤣𞤤𞤢𞤥 𐍅𐌿𐌻𐍆𐌹𐌻𐌰 𝔘𝔫𝔦",
    "日本の首都は",
    "ÉCOLE e\u0301cole\u200d\u00a0x",
    "<s>begins with BOS itself",
    "a </s> in the middle <|user|>",
    "Afghanistan, Albania, Algeria, " * 12,
    "переводчик " * 40,
)
OPTIONS = (" science", " 科学", " A", " विज्ञान", " 👩🏽‍🚀", " B")


def request(number: int, prompt: str, **changes: Any) -> Request:
    """A request of six options; `mode="generate"` makes it one for text."""
    fields: dict[str, Any] = {
        "id": f"r{number}",
        "sample": f"t@1/eng_Latn//{number}",
        "task": "t",
        "language": "eng_Latn",
        "variety": "",
        "mode": "loglikelihood",
        "prompt": prompt,
        "continuations": OPTIONS,
        "max_tokens": 16,
        "stop": (),
        "input": prompt,
        "options": (),
    }
    if changes.get("mode") == "generate":
        fields["continuations"] = ()
    return Request(**(fields | changes))


def mixed(times: int = 1, **changes: Any) -> list[Request]:
    """Every prompt in every mode, in turns."""
    modes = ("generate", "loglikelihood", "first_token")
    asked = [(prompt, mode) for _ in range(times) for prompt in PROMPTS for mode in modes]
    return [request(number, prompt, mode=mode, **changes) for number, (prompt, mode) in enumerate(asked)]


def answers(model: Model, requests: Sequence[Request]) -> list[Response]:
    """In the order of the requests, after a check that each has exactly one answer."""
    model.check(requests)
    found = list(model.respond(iter(requests)))
    assert sorted(response.request for response in found) == sorted(request.id for request in requests)
    by_id = {response.request: response for response in found}
    return [by_id[request.id] for request in requests]


def assert_agree(requests: Sequence[Request], ours: Sequence[Response], theirs: Sequence[Response]) -> None:
    """The same text, finish, reason and counts, and log-likelihoods within `FLOAT32`."""
    for request, one, two in zip(requests, ours, theirs, strict=True):
        about = (request.mode, request.prompt[:40])
        assert (one.status, one.text, one.finish, one.reason) == (two.status, two.text, two.finish, two.reason), about
        assert (one.prompt_tokens, one.output_tokens) == (two.prompt_tokens, two.output_tokens), about
        assert one.loglikelihoods == pytest.approx(two.loglikelihoods, abs=FLOAT32), about
