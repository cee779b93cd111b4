"""What OpenAI's protocol says, read: every answer that is none is refused, and none is made up."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.models.openai_completions import Completions
from bench.models.openai_dialect import Chat, Manner
from bench.records import Response
from bench.services import wire
from bench.services.calls import Unusable
from tests.bench.models.asked import asked, reply
from tests.hostile import segments

QUESTION = asked("What is it?")
LETTERS = asked("Which?", "first_token", (" A", " B"))
OPTIONS = asked("Sky is", "loglikelihood", (" blue", " red now"))

CHAT: dict[str, Any] = {
    "id": "x",
    "model": "tiny",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "ሰላም", "reasoning_content": "hm", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 9,
        "completion_tokens": 5,
        "total_tokens": 14,
        "completion_tokens_details": {"reasoning_tokens": 2},
        "prompt_tokens_details": {"cached_tokens": 4},
    },
}
FIRST: dict[str, Any] = {
    **CHAT,
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "A"},
            "logprobs": {
                "content": [
                    {
                        "token": "A",
                        "logprob": -0.5,
                        "top_logprobs": [
                            {"token": "A", "logprob": -0.5},
                            {"token": " B", "logprob": -2.0},
                            {"token": "B", "logprob": -3.0},
                        ],
                    }
                ]
            },
            "finish_reason": "length",
        }
    ],
}
TEXT: dict[str, Any] = {**CHAT, "choices": [{"index": 0, "text": " ሰላም", "logprobs": None, "finish_reason": "length"}]}
ECHO: dict[str, Any] = {
    **CHAT,
    "choices": [
        {
            "index": index,
            "text": "".join(tokens),
            "logprobs": {"tokens": tokens, "token_logprobs": [None, *(-float(at) for at in range(1, len(tokens)))]},
            "finish_reason": "length",
        }
        for index, tokens in enumerate((["Sky", " is"], ["Sky", " is", " blue"], ["Sky", " is", " red", " now"]))
    ],
}
NUMBERED: dict[str, Any] = {
    **CHAT,
    "choices": [
        {
            "index": index,
            "text": "x",
            "prompt_logprobs": [None, *({str(token): {"logprob": -float(token)}} for token in tokens[1:])],
            "prompt_token_ids": tokens,
            "finish_reason": "length",
        }
        for index, tokens in enumerate(([1, 2], [1, 2, 3], [1, 2, 4, 5]))
    ],
}


def chat(**manner: Any) -> Chat:
    return Chat(Manner("tiny", **manner), wire.Served("tiny"))


def completions(way: Any = "echo") -> Completions:
    return Completions(Manner("tiny"), wire.Served("tiny"), way)


def message(content: object, finish: object = "stop", **more: object) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **more}, "finish_reason": finish}]}


MISTRAL = {"type": "thinking", "thinking": [{"type": "text", "text": "t"}]}


def test_an_answer_with_all_that_belongs_to_it() -> None:
    assert chat().read(QUESTION, reply(CHAT)) == Response(
        QUESTION.id,
        "ok",
        text="ሰላም",
        reasoning="hm",
        finish="stop",
        prompt_tokens=9,
        output_tokens=5,
        reasoning_tokens=2,
        cached_tokens=4,
        seconds=0.25,
        attempts=3,
    )


@pytest.mark.parametrize(
    ("said", "text", "thought", "finish"),
    [
        (message("B"), "B", "", "stop"),
        (message("B", "eos_token"), "B", "", "stop"),
        (message("B", "length"), "B", "", "length"),
        (message("B", None), "B", "", ""),
        (message("B", 7), "B", "", ""),
        (message("B", "something new"), "B", "", ""),
        (message("", "stop"), "", "", "stop"),
        (message(None, "tool_calls", tool_calls=[{}]), "", "", "stop"),
        (message(None, "content_filter"), "", "", "filter"),
        (message("half an", "content_filter"), "half an", "", "filter"),
        (message(None, "stop", refusal="I will not."), "I will not.", "", "filter"),
        (message("yes", "stop", refusal=""), "yes", "", "stop"),
        (message("yes", "stop", refusal="no"), "yes", "", "stop"),
        (message(None, "length", reasoning="long thoughts"), "", "long thoughts", "length"),
        (message("B", reasoning_content="why", reasoning="other"), "B", "why", "stop"),
        (message("B", reasoning_content=None, reasoning="why"), "B", "why", "stop"),
        (message("B", reasoning={"x": 1}), "B", "", "stop"),
        (message("<think>why</think>\nB"), "B", "why", "stop"),
        (message("why</think>B"), "B", "why", "stop"),
        (message("<think>endless", "length"), "", "<think>endless", "length"),
        (message("<think> is HTML", reasoning="why"), "<think> is HTML", "why", "stop"),
        (message([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), "ab", "", "stop"),
        (message([MISTRAL, {"type": "text", "text": "b"}]), "b", "t", "stop"),
        (message([], "stop"), "", "", "stop"),
    ],
)  # fmt: skip
def test_what_servers_say(said: object, text: str, thought: str, finish: str) -> None:
    response = chat().read(QUESTION, reply(said))
    assert (response.text, response.reasoning.removeprefix("<think>"), response.finish) == (
        text,
        thought.removeprefix("<think>"),
        finish,
    )
    assert (response.status, response.prompt_tokens, response.output_tokens) == ("ok", None, None)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"", "not_json"),
        (b"<html>busy</html>", "not_json"),
        (json.dumps(CHAT).encode()[:-9], "not_json"),
        (b"[" * 100_000, "not_json"),
        (b'{"a": ' + b"9" * 5000 + b"}", "not_json"),
        (b'{"a": "\xff"}', "not_json"),
        ([], "no_object"),
        ({}, "empty_choices"),
        ({"choices": []}, "empty_choices"),
        ({"choices": {}}, "empty_choices"),
        ({"choices": [None]}, "no_choice"),
        ({"choices": [CHAT["choices"][0]] * 2}, "wrong_counts"),
        ({"choices": [{"finish_reason": "stop"}]}, "no_message"),
        (message(None, None), "empty_choice"),
        (message("", None), "empty_choice"),
        (message(5), "no_content"),
        (message([{"type": "image"}]), "unknown_part"),
        (message(["text"]), "unknown_part"),
        (message("half", "error"), "error_in_choice"),
        ({"choices": [{"message": {"content": "x"}, "error": {"code": 502}}]}, "error_in_choice"),
        ({"error": {"message": "upstream fell over", "code": 502}}, "error_in_reply"),
    ],
)
def test_what_is_no_answer(said: object, code: str) -> None:
    with pytest.raises(Unusable, match=f"^{code}$"):
        chat().read(QUESTION, reply(said))


@pytest.mark.parametrize("value", [None, -1, 1.0, "7", True, 2**60, [], {}])
def test_counts_that_are_none(value: object) -> None:
    told = {
        "prompt_tokens": value,
        "completion_tokens": value,
        "prompt_tokens_details": {"cached_tokens": value},
        "completion_tokens_details": value,
    }
    response = chat().read(QUESTION, reply({**message("B"), "usage": told}))
    counts = (response.prompt_tokens, response.output_tokens, response.reasoning_tokens, response.cached_tokens)
    assert counts == (None, None, None, None)


def test_counts_that_contradict_each_other() -> None:
    told = {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "prompt_tokens_details": {"cached_tokens": 5},
        "completion_tokens_details": {"reasoning_tokens": 6},
    }
    response = chat().read(QUESTION, reply({**message("B"), "usage": told}))
    assert (response.prompt_tokens, response.output_tokens) == (3, 4)
    assert (response.reasoning_tokens, response.cached_tokens) == (None, None)


def test_thinking_that_is_counted_beside_the_answer_is_added() -> None:
    told = {
        "prompt_tokens": 3,
        "completion_tokens": 4,
        "total_tokens": 13,
        "completion_tokens_details": {"reasoning_tokens": 6},
        "prompt_cache_hit_tokens": 2,
    }
    response = chat().read(QUESTION, reply({**message("B"), "usage": told}))
    assert (response.output_tokens, response.reasoning_tokens, response.cached_tokens) == (10, 6, 2)


def test_half_characters_become_replacement_characters() -> None:
    body = (
        b'{"choices":[{"message":{"content":"a\\ud800b \\ud83d\\ude00","reasoning":"\\udfff"},"finish_reason":"stop"}]}'
    )
    response = chat().read(QUESTION, reply(body))
    assert (response.text, response.reasoning) == ("a\ufffdb 😀", "\ufffd")


@given(segments, segments)
def test_any_text_comes_back_as_it_was_said(text: str, thought: str) -> None:
    expected, why = (one.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for one in (text, thought))
    response = chat().read(QUESTION, reply(message(text, "stop", reasoning_content=thought or "t")))
    response.text.encode()
    if "\ufffd" not in expected:
        assert response.text == expected
    if thought and "\ufffd" not in why:
        assert response.reasoning == why


def test_long_texts() -> None:
    text = "ሰላም 👩‍👧‍👦 \u202eשלום" * 10_000
    assert chat().read(QUESTION, reply(message(text))).text == text
    assert json.loads(chat().call(asked(text)).body or b"")["messages"][0]["content"] == text


def test_another_model_is_noticed_and_its_answer_is_none() -> None:
    served = wire.Served("tiny")
    dialect = Chat(Manner("tiny"), served)
    assert dialect.read(QUESTION, reply({**CHAT, "system_fingerprint": "new"})).status == "ok"
    assert dialect.read(QUESTION, reply({**CHAT, "model": None})).status == "ok"
    assert served.other == ""
    response = dialect.read(QUESTION, reply({**CHAT, "model": "huge"}))
    assert (response.status, response.text, response.reason) == ("error", "", "other_model")
    assert served.other == "huge"


def test_what_is_sent_to_chat() -> None:
    manner = {"limit": "max_completion_tokens", "drawing": {"seed": 3}, "extra": {"top_k": 1}, "system": "Be brief."}
    call = chat(**manner).call(asked("ጤና?", max_tokens=7, stop=("a", "b", "c", "d", "e")))
    assert call.path == "/chat/completions"
    assert json.loads(call.body or b"") == {
        "model": "tiny",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "ጤና?"}],
        "max_completion_tokens": 7,
        "seed": 3,
        "stop": ["a", "b", "c", "d"],
        "top_k": 1,
    }
    body = json.loads(chat().call(LETTERS).body or b"")
    assert (body["max_tokens"], body["logprobs"], body["top_logprobs"]) == (1, True, 20)


def test_what_comes_after_a_stop_string_is_cut() -> None:
    request = asked("Go on", stop=("\n\n", "END"))
    response = completions().read(request, reply({"choices": [{"text": "one\n\ntwo END", "finish_reason": "length"}]}))
    assert (response.text, response.finish) == ("one", "stop")
    response = chat().read(request, reply(message("oneEND", "length")))
    assert (response.text, response.finish) == ("one", "stop")


def test_letters_by_their_first_tokens() -> None:
    response = chat().read(LETTERS, reply(FIRST))
    assert response.loglikelihoods == pytest.approx((-0.5, math.log(math.exp(-2) + math.exp(-3))))
    assert (response.status, response.finish, response.text) == ("ok", "stop", "")
    three = asked("Which?", "first_token", (" A", " B", " C"))
    response = chat().read(three, reply(FIRST))
    assert (response.status, response.reason, response.loglikelihoods) == ("skipped", "not_in_top_logprobs", ())
    missing: object
    for missing in (None, {}, {"content": None}, {"content": []}, {"content": [{}]}):
        bare = copy.deepcopy(FIRST)
        bare["choices"][0]["logprobs"] = missing
        with pytest.raises(Unusable, match="no_logprobs"):
            chat().read(LETTERS, reply(bare))


@pytest.mark.parametrize(
    ("way", "said", "expected"), [("echo", ECHO, (-2.0, -5.0)), ("prompt", NUMBERED, (-3.0, -9.0))]
)
def test_options_are_summed_past_the_context(way: str, said: object, expected: tuple[float, ...]) -> None:
    response = completions(way).read(OPTIONS, reply(said))
    assert response.loglikelihoods == expected
    assert (response.status, response.finish, response.prompt_tokens) == ("ok", "stop", 9)


def test_the_token_that_a_server_insists_on_making_is_left_out() -> None:
    said = copy.deepcopy(ECHO)
    for choice in said["choices"]:
        choice["logprobs"]["tokens"].append("made")
        choice["logprobs"]["token_logprobs"].append(-100.0)
    assert completions("echo_one").read(OPTIONS, reply(said)).loglikelihoods == (-2.0, -5.0)


def test_choices_may_come_in_any_order() -> None:
    said = {**ECHO, "choices": ECHO["choices"][::-1]}
    assert completions().read(OPTIONS, reply(said)).loglikelihoods == (-2.0, -5.0)
    for index in (None, 0, 3, "1", True):
        wrong = copy.deepcopy(ECHO)
        wrong["choices"][1]["index"] = index
        with pytest.raises(Unusable, match="no_index|wrong_index"):
            completions().read(OPTIONS, reply(wrong))


def test_what_is_sent_to_completions() -> None:
    request = asked("Sky is  \n", "loglikelihood", (" blue", " red"))
    body = json.loads(completions("echo").call(request).body or b"")
    assert body == {
        "model": "tiny",
        "prompt": ["Sky is", "Sky is  \n blue", "Sky is  \n red"],
        "max_tokens": 0,
        "echo": True,
        "logprobs": 1,
    }
    assert json.loads(completions("echo_one").call(request).body or b"")["max_tokens"] == 1
    body = json.loads(completions("prompt").call(request).body or b"")
    assert (body["prompt_logprobs"], body["return_token_ids"], "echo" in body) == (0, True, False)
    body = json.loads(completions().call(asked("Go on", max_tokens=5, stop=("\n\n",))).body or b"")
    assert body == {"model": "tiny", "prompt": "Go on", "max_tokens": 5, "stop": ["\n\n"]}


def spanning() -> dict[str, Any]:
    said = copy.deepcopy(NUMBERED)
    said["choices"][1] |= {
        "prompt_token_ids": [1, 7, 3],
        "prompt_logprobs": [None, {"7": {"logprob": -1.0}}, {"3": {"logprob": -50.0}}],
    }
    return said


def test_a_token_that_spans_both_is_asked_again_by_numbers() -> None:
    dialect = completions("prompt")
    response = dialect.read(OPTIONS, reply(spanning()))
    assert (response.status, response.reason) == ("error", wire.AGAIN)
    assert list(dialect.again) == [OPTIONS]
    assert json.loads(dialect.call(OPTIONS).body or b"")["prompt"] == [[1, 2, 3], [1, 2, 4, 5]]
    said = {"choices": NUMBERED["choices"][1:]}
    said["choices"] = [{**choice, "index": index} for index, choice in enumerate(said["choices"])]
    assert dialect.read(OPTIONS, reply(said)).loglikelihoods == (-3.0, -9.0)
    other = copy.deepcopy(said)
    other["choices"][0]["prompt_token_ids"] = [1, 2, 9]
    other["choices"][0]["prompt_logprobs"][2] = {"9": {"logprob": -1.0}}
    with pytest.raises(Unusable, match="other_tokens"):
        dialect.read(OPTIONS, reply(other))
    dialect.forget(OPTIONS.id)
    assert len(json.loads(dialect.call(OPTIONS).body or b"")["prompt"]) == 3


def test_a_server_that_tells_no_numbers_is_not_asked_again() -> None:
    said = copy.deepcopy(ECHO)
    said["choices"][1]["logprobs"]["tokens"][1] = " isb"
    dialect = completions()
    assert dialect.read(OPTIONS, reply(said)).loglikelihoods == (-2.0, -5.0)
    assert not dialect.again


def test_nothing_to_score_is_skipped() -> None:
    said = copy.deepcopy(ECHO)
    said["choices"][1]["logprobs"] = said["choices"][0]["logprobs"]
    response = completions().read(OPTIONS, reply(said))
    assert (response.status, response.reason) == ("skipped", "empty_continuation")
    said = copy.deepcopy(ECHO)
    said["choices"][0]["logprobs"] = {"tokens": [], "token_logprobs": []}
    response = completions().read(OPTIONS, reply(said))
    assert (response.status, response.reason) == ("skipped", "no_context_token")


def test_tokens_and_log_probabilities_that_do_not_belong_together() -> None:
    said = copy.deepcopy(ECHO)
    said["choices"][1]["logprobs"]["tokens"].append("more")
    with pytest.raises(Unusable, match="wrong_counts"):
        completions().read(OPTIONS, reply(said))
    said = copy.deepcopy(NUMBERED)
    said["choices"][1]["prompt_token_ids"] = [1, 2, 4]
    with pytest.raises(Unusable, match="other_tokens"):
        completions("prompt").read(OPTIONS, reply(said))


@pytest.mark.parametrize("value", [None, "x", True, math.nan, math.inf, -math.inf, 0.5, [], -(10**400)])
def test_log_probabilities_that_are_none(value: object) -> None:
    said = copy.deepcopy(ECHO)
    said["choices"][1]["logprobs"]["token_logprobs"][2] = value
    with pytest.raises(Unusable, match="no_logprob"):
        completions().read(OPTIONS, reply(said))


def error(message: str, **more: object) -> dict[str, object]:
    return {"error": {"message": message, **more}}


VLLM = "This model's maximum context length is 1024 tokens. However, you requested 1500 tokens"
CLAUDE = "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000"
TGI = "`inputs` tokens + `max_new_tokens` must be <= 1512. Given: 1000 `inputs` tokens and 1024 `max_new_tokens`"
TOO_LONG: list[object] = [
    error("Your input exceeds the limit", code="context_length_exceeded"),
    error(VLLM, code=400, type="BadRequestError"),
    {"object": "error", "message": VLLM, "type": "BadRequestError", "code": 400},
    error("the request exceeds the available context size", code=400, type="exceed_context_size_error", n_ctx=256),
    {
        "error": "Input validation error: `inputs` must have less than 1024 tokens. Given: 15",
        "error_type": "validation",
    },
    {"error": TGI},
    {"type": "error", **error("prompt is too long: 208310 tokens > 200000 maximum", type="invalid_request_error")},
    {"type": "error", **error(CLAUDE, type="invalid_request_error")},
    error("Provider returned error", code=400, metadata={"raw": json.dumps(error(VLLM))}),
    {"detail": [{"msg": VLLM, "loc": ["body"], "input": "x"}]},
    {"detail": VLLM},
    VLLM.encode(),
]
FORBIDDEN: list[object] = [
    error("The response was filtered due to Azure OpenAI's content management policy", code="content_filter"),
    error("Invalid prompt: your prompt was flagged", type="invalid_request_error", code="invalid_prompt"),
    error("Content Exists Risk", type="invalid_request_error"),
    error("no", code=None, innererror={"code": "ResponsibleAIPolicyViolation"}),
]
ELSE = [
    {"error": {"message": "Unsupported parameter: 'top_k'", "param": "top_k"}},
    {"error": None},
    {"error": {"message": None, "code": {"a": 1}}},
    {"detail": [{"msg": "Field required", "loc": ["body"], "input": {"prompt": "maximum context length, moderation"}}]},
    [],
    b"",
    b"\xff\xfe",
]


@pytest.mark.parametrize("said", TOO_LONG)
def test_too_long(said: object) -> None:
    for dialect, request in ((chat(), QUESTION), (completions(), OPTIONS)):
        response = dialect.refused(request, reply(said, 400))
        assert response is not None
        assert (response.status, response.reason, response.text) == ("skipped", "too_long", "")


@pytest.mark.parametrize("said", FORBIDDEN)
def test_forbidden(said: object) -> None:
    response = chat().refused(QUESTION, reply(said, 400))
    assert response is not None
    assert (response.status, response.finish, response.text) == ("ok", "filter", "")
    response = completions().refused(OPTIONS, reply(said, 400))
    assert response is not None
    assert (response.status, response.reason, response.loglikelihoods) == ("skipped", "filtered", ())


@pytest.mark.parametrize("said", ELSE)
def test_what_is_not_about_the_prompt(said: object) -> None:
    assert chat().refused(QUESTION, reply(said, 400)) is None


def test_no_room_to_answer_is_a_cut_answer() -> None:
    said = {"error": {"message": "Could not finish the message because max_tokens or model output limit was reached."}}
    response = chat().refused(QUESTION, reply(said, 400))
    assert response is not None
    assert (response.status, response.finish, response.text) == ("ok", "length", "")
    assert chat().refused(LETTERS, reply(said, 400)) is None


def test_an_error_with_status_200_is_read_as_one() -> None:
    response = chat().read(QUESTION, reply(TOO_LONG[3]))
    assert (response.status, response.reason) == ("skipped", "too_long")


leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
json_values = st.recursive(
    leaves | st.sampled_from(["stop", "tiny", "A"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)

Place = tuple[str | int, ...]


def places(value: object, at: Place = ()) -> Iterator[Place]:
    """Every place in a JSON value."""
    yield at
    inside = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*at, key))


def put(value: Any, at: Place, other: object) -> Any:
    if not at:
        return other
    changed = copy.copy(value)
    changed[at[0]] = put(value[at[0]], at[1:], other)
    return changed


def hostile(whole: object) -> st.SearchStrategy[tuple[Place, object]]:
    """(place, what stands there instead)"""
    return st.tuples(st.sampled_from(list(places(whole))), json_values)


def touches(at: Place, *decisive: Place) -> bool:
    """Whether a change there may change what stands at one of the places, or what is under it."""
    return any(at[: len(one)] == one[: len(at)] for one in decisive)


def sound(response: Response) -> None:
    """What can be kept in a run file."""
    response.text.encode()
    response.reasoning.encode()
    counts = (response.prompt_tokens, response.output_tokens, response.reasoning_tokens, response.cached_tokens)
    assert all(count is None or 0 <= count < 2**63 for count in counts)
    assert all(math.isfinite(value) for value in response.loglikelihoods)


@given(hostile(CHAT))
def test_a_hostile_reply_is_an_answer_or_none(change: tuple[Place, object]) -> None:
    at, value = change
    right = chat().read(QUESTION, reply(CHAT))
    try:
        response = chat().read(QUESTION, reply(put(CHAT, at, value)))
    except Unusable:
        return
    sound(response)
    if response.status == "error":
        assert (response.reason, response.text, at) == ("other_model", "", ("model",))
        return
    said = ("choices", 0, "message", "content")
    if not touches(at, said, ("choices", 0, "message", "refusal"), ("choices", 0, "message", "reasoning_content")):
        assert (response.text, response.reasoning) == (right.text, right.reasoning)
    if at == said and value not in ([], None):
        assert isinstance(value, str)
        assert response.text == value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if not touches(at, ("choices", 0, "finish_reason"), ("choices", 0, "message")):
        assert response.finish == right.finish
    if not touches(at, ("usage",)):
        assert (response.prompt_tokens, response.output_tokens) == (9, 5)


PARTS = message([MISTRAL, {"type": "text", "text": "a"}, {"type": "refusal", "refusal": "b"}])


@given(hostile(PARTS))
def test_hostile_parts_are_an_answer_or_none(change: tuple[Place, object]) -> None:
    at, value = change
    try:
        response = chat().read(QUESTION, reply(put(PARTS, at, value)))
    except Unusable:
        return
    sound(response)
    if not touches(at, ("choices", 0, "message")):
        assert (response.text, response.reasoning) == ("ab", "t")


@given(hostile(FIRST))
def test_hostile_letters_are_letters_or_none(change: tuple[Place, object]) -> None:
    at, value = change
    right = chat().read(LETTERS, reply(FIRST))
    try:
        response = chat().read(LETTERS, reply(put(FIRST, at, value)))
    except Unusable:
        return
    sound(response)
    top = ("choices", 0, "logprobs", "content", 0, "top_logprobs")
    if response.status == "ok" and not touches(at, top):
        assert response.loglikelihoods == right.loglikelihoods
    if response.status == "skipped":
        assert touches(at, top)


@given(hostile(ECHO), st.just("echo") | st.just("echo_one"))
def test_hostile_scores_are_scores_or_none(change: tuple[Place, object], way: str) -> None:
    scored(change, ECHO, way)


@given(hostile(NUMBERED))
def test_hostile_numbered_scores_are_scores_or_none(change: tuple[Place, object]) -> None:
    scored(change, NUMBERED, "prompt")


def scored(change: tuple[Place, object], whole: dict[str, Any], way: str) -> None:
    at, value = change
    right = completions(way).read(OPTIONS, reply(whole))
    try:
        response = completions(way).read(OPTIONS, reply(put(whole, at, value)))
    except Unusable:
        return
    sound(response)
    assert len(response.loglikelihoods) in {0, 2}
    if response.status == "ok" and not touches(at, ("choices",)):
        assert response.loglikelihoods == right.loglikelihoods
    if response.status == "ok" and way == "echo" and at[3:] == ("token_logprobs", 2) and at[1] == 1:
        assert response.loglikelihoods[0] == value


@given(hostile(TEXT))
def test_a_hostile_completion_is_an_answer_or_none(change: tuple[Place, object]) -> None:
    at, value = change
    try:
        response = completions().read(QUESTION, reply(put(TEXT, at, value)))
    except Unusable:
        return
    sound(response)
    if response.status == "ok" and not touches(at, ("choices", 0, "text")):
        assert response.text == " ሰላም"


@given(json_values)
def test_a_hostile_error_says_nothing_of_the_prompt(value: object) -> None:
    for said in (value, {"error": value}, {"detail": [value]}, {"error": {"message": value, "metadata": value}}):
        assert chat().refused(QUESTION, reply(said, 400)) is None
        wire.complaint(reply(said, 400).body)
