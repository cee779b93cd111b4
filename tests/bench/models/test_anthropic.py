"""`anthropic:` against a real local server, and its protocol read: what is no answer is none."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from bench.models import load
from bench.models.anthropic_dialect import Manner, Messages
from bench.records import Response, UsageError
from bench.services import wire
from bench.services.calls import Unusable
from bench.services.service import ServiceModel
from tests.bench.models.asked import asked, reply, settings
from tests.bench.models.test_openai_dialect import hostile, json_values, put, sound, touches
from tests.openai_server import CLAUDE_NEW, VLLM, Kind, Server, answer

SECRET = "sk-ant-very-secret-0123456789"
QUESTION = asked("What is it?")
QUESTIONS = [asked(f"ጥያቄ {number} 👩\u200d👧 \u202eשאלה") for number in range(20)]

ANSWER: dict[str, Any] = {
    "id": "msg",
    "type": "message",
    "role": "assistant",
    "model": "tiny",
    "content": [
        {"type": "thinking", "thinking": "hm", "signature": "x"},
        {"type": "text", "text": "ሰላ"},
        {"type": "text", "text": "ም"},
    ],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 7,
        "output_tokens": 5,
        "cache_read_input_tokens": 4,
        "cache_creation_input_tokens": 2,
        "output_tokens_details": {"thinking_tokens": 3},
    },
}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_API_KEY_FILE", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def messages(**manner: Any) -> Messages:
    return Messages(Manner("tiny", **manner), wire.Served("tiny"))


def content(*blocks: object, stop: object = "end_turn", **more: object) -> dict[str, Any]:
    return {"content": list(blocks), "stop_reason": stop, **more}


def text(said: object) -> dict[str, object]:
    return {"type": "text", "text": said}


@contextlib.contextmanager
def loaded(server: Server, **options: Any) -> Iterator[ServiceModel]:
    model = load("anthropic:tiny", settings(server.url, **options))
    assert isinstance(model, ServiceModel)
    try:
        yield model
    finally:
        model.close()


def test_an_answer_with_all_that_belongs_to_it() -> None:
    assert messages().read(QUESTION, reply(ANSWER)) == Response(
        QUESTION.id,
        "ok",
        text="ሰላም",
        reasoning="hm",
        finish="stop",
        prompt_tokens=13,  # the service leaves out what it had in its cache, and what it put there
        output_tokens=5,
        reasoning_tokens=3,
        cached_tokens=4,
        seconds=0.25,
        attempts=3,
    )


@pytest.mark.parametrize(
    ("said", "expected", "finish"),
    [
        (content(text("B")), "B", "stop"),
        (content(text("B"), stop="stop_sequence"), "B", "stop"),
        (content(text("B"), stop="max_tokens"), "B", "length"),
        (content(text("B"), stop="model_context_window_exceeded"), "B", "length"),
        (content(text("I wo"), stop="refusal"), "I wo", "filter"),
        (content(stop="refusal"), "", "filter"),
        (content(stop="end_turn"), "", "stop"),
        (content({"type": "redacted_thinking", "data": "x"}, text("B")), "B", "stop"),
        (content({"type": "thinking", "thinking": "", "signature": "x"}, text("B")), "B", "stop"),
        (content({"type": "tool_use", "id": "x", "name": "y", "input": {}}, stop="tool_use"), "", "stop"),
        (content(text("B"), stop="new one"), "B", ""),
        (content(text("a\ud800")), "a\ufffd", "stop"),
    ],
)
def test_what_the_service_says(said: object, expected: str, finish: str) -> None:
    response = messages().read(QUESTION, reply(said))
    assert (response.status, response.text, response.finish) == ("ok", expected, finish)
    assert (response.prompt_tokens, response.output_tokens, response.cached_tokens) == (None, None, None)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({}, "no_content"),
        ({"content": "B", "stop_reason": "end_turn"}, "no_content"),
        (content(stop=None), "empty_content"),
        (content(text(5)), "unknown_block"),
        (content("B"), "unknown_block"),
        (content({"type": "image"}), "unknown_block"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error_in_reply"),
    ],
)
def test_what_is_no_answer(said: object, code: str) -> None:
    with pytest.raises(Unusable, match=f"^{code}$"):
        messages().read(QUESTION, reply(said))


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"input_tokens": 7, "output_tokens": 5}, (7, 5, None)),
        ({"input_tokens": 7, "output_tokens": 5, "cache_read_input_tokens": None}, (7, 5, None)),
        ({"input_tokens": 7, "output_tokens": 5, "cache_read_input_tokens": 0}, (7, 5, 0)),
        ({"input_tokens": 7, "output_tokens": 5, "cache_read_input_tokens": -1}, (None, 5, None)),
        ({"input_tokens": None, "output_tokens": "5", "cache_read_input_tokens": 3}, (None, None, None)),
        (None, (None, None, None)),
    ],
)
def test_counts(usage: object, counts: tuple[int | None, ...]) -> None:
    response = messages().read(QUESTION, reply(content(text("B"), usage=usage)))
    assert (response.prompt_tokens, response.output_tokens, response.cached_tokens) == counts


def test_what_is_sent() -> None:
    request = asked("ጤና?", max_tokens=7, stop=("\n\n", "END", " "))
    manner = {"drawing": {"temperature": 0}, "system": "Be brief.", "extra": {"top_k": 1}}
    call = messages(**manner).call(request)
    assert call.path == "/messages"
    assert json.loads(call.body or b"") == {
        "model": "tiny",
        "messages": [{"role": "user", "content": "ጤና?"}],
        "max_tokens": 7,
        "temperature": 0,
        "system": "Be brief.",
        "stop_sequences": ["END"],
        "top_k": 1,
    }
    assert "stop_sequences" not in json.loads(messages().call(asked("x", stop=("\n\n",))).body or b"")
    response = messages().read(request, reply(content(text("one\n\ntwo"))))
    assert (response.text, response.finish) == ("one", "stop")


@given(hostile(ANSWER))
def test_a_hostile_reply_is_an_answer_or_none(change: tuple[tuple[str | int, ...], object]) -> None:
    at, value = change
    try:
        response = messages().read(QUESTION, reply(put(ANSWER, at, value)))
    except Unusable:
        return
    sound(response)
    if response.status == "error":
        assert (response.reason, at) == ("other_model", ("model",))
        return
    if not touches(at, ("content",)):
        assert (response.text, response.reasoning) == ("ሰላም", "hm")
    if not touches(at, ("stop_reason",)):
        assert response.finish == "stop"
    if not touches(at, ("usage",)):
        assert (response.prompt_tokens, response.output_tokens) == (13, 5)


@given(json_values)
def test_a_hostile_error_says_nothing_of_the_prompt(value: object) -> None:
    for said in (value, {"type": "error", "error": value}, {"error": {"message": value}}):
        assert messages().refused(QUESTION, reply(said, 400)) is None


def test_a_model_that_takes_a_temperature() -> None:
    with Server() as server, loaded(server) as model:
        assert (model.name, model.revision, model.template) == ("anthropic:tiny", "served:tiny", "served")
        assert (model.decoding, model.capabilities.modes, model.price) == ("greedy", ("generate",), None)
        assert len(server.seen) == 1
        found = {response.request: response for response in model.respond(iter(QUESTIONS))}
        for request in QUESTIONS:
            response = found[request.id]
            assert (response.status, response.text, response.finish) == ("ok", answer(request.prompt), "stop")
            assert response.prompt_tokens is not None and response.cached_tokens == 2
        path, headers, body = server.seen[-1]
        assert (path, body["temperature"], body["max_tokens"]) == ("/v1/messages", 0, 64)
        assert headers["anthropic-version"] == "2023-06-01"
        assert "x-api-key" not in headers


def test_a_model_that_takes_none() -> None:
    with Server(CLAUDE_NEW) as server, loaded(server, effort="low") as model:
        assert model.decoding == 'sampled|output_config:{"effort":"low"}'
        assert "temperature" not in server.bodies()[-1]
    with Server(CLAUDE_NEW) as server, pytest.raises(UsageError, match="temperature` is deprecated"):
        load("anthropic:tiny", settings(server.url, temperature="0"))


def test_a_model_that_thinks() -> None:
    with Server() as server, loaded(server, reasoning_tokens=2048) as model:
        assert model.decoding == 'sampled|thinking:{"budget_tokens":2048,"type":"enabled"}'
        assert model.capabilities.reasoning_tokens == 2048
        [response] = model.respond([asked("Why?", max_tokens=2112)])
        assert (response.reasoning, response.text) == ("hm", answer("Why?"))
        sent = server.bodies()[-1]
        assert (sent["max_tokens"], sent["thinking"]["budget_tokens"], "temperature" in sent) == (2112, 2048, False)
    with Server(CLAUDE_NEW) as server, loaded(server, reasoning_tokens=2048) as model:
        assert model.decoding == 'sampled|thinking:{"type":"adaptive"}'


@pytest.mark.parametrize(
    ("options", "tokens", "problem"),
    [
        ({}, 1000, "1000 tokens are too few to think; the service wants 1024"),
        ({"temperature": "0.5"}, 2000, "a model that thinks has temperature 1"),
        ({"temperature": "2"}, 0, "temperature"),
        ({"api_key": SECRET}, 0, "set ANTHROPIC_API_KEY, or ANTHROPIC_API_KEY_FILE"),
        ({"extra": '{"max_tokens": 1}'}, 0, "extra has max_tokens"),
        ({"seed": "1"}, 0, "no option 'seed'"),
    ],
)
def test_wrong_options(options: dict[str, Any], tokens: int, problem: str) -> None:
    with pytest.raises(UsageError) as caught:
        load("anthropic:tiny", settings("http://127.0.0.1:1", reasoning_tokens=tokens, **options))
    assert problem in str(caught.value)
    assert SECRET not in str(caught.value)


def test_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(Kind(key=SECRET)) as server:
        with pytest.raises(UsageError, match="wants a key .401.*set ANTHROPIC_API_KEY"):
            load("anthropic:tiny", settings(server.url))
        monkeypatch.setenv("ANTHROPIC_API_KEY", f"{SECRET}0")
        with pytest.raises(UsageError, match="refuses the key that ANTHROPIC_API_KEY has") as caught:
            load("anthropic:tiny", settings(server.url))
        assert SECRET not in str(caught.value)
        monkeypatch.setenv("ANTHROPIC_API_KEY", SECRET)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url.removesuffix("/v1"))
        with pytest.raises(UsageError, match="anthropic:tiny: base_url is empty"):
            load("anthropic:tiny", settings(server.url, base_url=""))
        with loaded(server, base_url=None) as model:
            assert [response.status for response in model.respond([QUESTION])] == ["ok"]
            assert SECRET not in repr(model) + repr(vars(model))


def test_what_is_too_long_or_cannot_be_sent_is_skipped() -> None:
    with Server(VLLM) as server, loaded(server) as model:
        requests = [asked("ab " * 2000, name="long"), asked("\ud800", name="half"), QUESTION]
        found = {response.request: response.reason for response in model.respond(iter(requests))}
    assert found == {"long": "too_long", "half": "not_unicode", QUESTION.id: ""}
