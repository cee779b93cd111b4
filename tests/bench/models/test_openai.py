"""`openai:` against real local servers: what each can do is found out, and what it says is what is recorded."""

from __future__ import annotations

import contextlib
import json
import math
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.models import ModelStopped, Settings, load
from bench.prices import Price
from bench.records import Request, Response, UsageError
from bench.services.probing import culprit
from bench.services.service import ServiceModel
from tests import openai_server
from tests.bench.models.asked import asked, no_training, reply, settings
from tests.openai_server import BARE, ECHOING, OLLAMA, OPENAI, OPENAI_REASONING, VLLM, Kind, Mangle, Server, answer

SECRET = "sk-very-secret-0123456789"
QUESTIONS = [asked(f"ጥያቄ {number} 👩\u200d👧 \u202eשאלה") for number in range(30)]
OPTIONS = (" ሰላም ነው", " peace", " мир, да 😀")
SCORED = [asked(f"The word {number} is  ", "loglikelihood", OPTIONS) for number in range(30)]


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_API_KEY_FILE", "OPENAI_BASE_URL", "MY_KEY", "MY_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def loaded(server: Server, name: str = "openai:tiny", **options: Any) -> Iterator[ServiceModel]:
    model = load(name, settings(server.url, **options))
    assert isinstance(model, ServiceModel)
    try:
        yield model
    finally:
        model.close()


def answers(model: ServiceModel, requests: Iterable[Request]) -> dict[str, Response]:
    requests = list(requests)
    made = list(model.respond(iter(requests)))
    found = {response.request: response for response in made}
    assert len(found) == len(made) == len(requests)
    return found


def expected(prompt: str, continuation: str) -> float:
    """The sum of the log-probabilities of what a continuation adds to a prompt, spaces between them counted with it."""
    context = prompt.rstrip()
    front = [openai_server.BOS, *map(openai_server.number, openai_server.pieces(context))]
    whole = [openai_server.BOS, *map(openai_server.number, openai_server.pieces(prompt + continuation))]
    tokens = front + whole[len(front) :]
    return sum(openai_server.log_probability(tokens[:at], tokens[at]) for at in range(len(front), len(tokens)))


@pytest.mark.parametrize("kind", [VLLM, OPENAI, OLLAMA, BARE, ECHOING])
def test_chat_answers(kind: Kind) -> None:
    with Server(kind) as server, loaded(server) as model:
        found = answers(model, QUESTIONS)
        for request in QUESTIONS:
            response = found[request.id]
            assert (response.text, response.finish, response.status) == (answer(request.prompt), "stop", "ok")
            assert (response.prompt_tokens is None) == (not kind.usage)
            assert response.attempts == 1
        sent = server.bodies("/chat/completions")[-1]
        assert (sent["max_tokens"], sent["temperature"], "stop" in sent) == (64, 0, False)
    assert (model.name, model.revision, model.template, model.decoding) == (
        "openai:tiny",
        "served:tiny",
        "served",
        "greedy",
    )
    assert model.capabilities.remote


def test_what_chat_can_do() -> None:
    with Server(VLLM) as server, loaded(server) as model:
        assert model.capabilities.modes == ("generate", "first_token")
        assert len(server.seen) == 1
        request = asked("Which?", "first_token", (" A", " B", " C", " D"))
        response = answers(model, [request])[request.id]
        assert response.status == "ok"
        best = max(range(4), key=lambda place: response.loglikelihoods[place])
        assert "ABCD"[best] == openai_server.letter("Which?")
        many = asked("Which?", "first_token", (" A", " E"))
        assert answers(model, [many])[many.id].reason == "not_in_top_logprobs"
    with Server(OLLAMA) as server, loaded(server) as model:
        assert model.capabilities.modes == ("generate",)
    with Server(VLLM) as server, loaded(server, logprobs="false", reasoning_tokens=9) as model:
        assert model.capabilities.modes == ("generate",)
        assert "logprobs" not in server.bodies()[0]
        assert model.capabilities.reasoning_tokens == 9


def test_a_reasoning_model_of_openai() -> None:
    with Server(OPENAI_REASONING) as server, loaded(server) as model:
        assert (model.capabilities.modes, model.decoding) == (("generate",), "sampled")
        assert len(server.seen) == 4
        assert answers(model, QUESTIONS[:2])[QUESTIONS[0].id].text == answer(QUESTIONS[0].prompt)
        sent = server.bodies()[-1]
        assert sent.keys() == {"model", "messages", "max_completion_tokens"}
    refused: list[dict[str, Any]] = [{"temperature": "0.5"}, {"logprobs": "true"}, {"temperature": 0}]
    for option in refused:
        with Server(OPENAI_REASONING) as server, pytest.raises(UsageError, match="Unsupported parameter"):
            load("openai:tiny", settings(server.url, **option))


def test_a_model_that_thinks_longer_than_the_probe_lets_it() -> None:
    def cut(path: str, sent: dict[str, Any]) -> object:
        if server.bodies()[-1]["max_tokens"] < 100:
            return 400, {"error": {"message": "Could not finish the message because max_tokens or model output limit"}}
        return sent

    with Server(VLLM, cut) as server, loaded(server) as model:
        assert model.capabilities.modes == ("generate", "first_token")
        assert [body["max_tokens"] for body in server.bodies()] == [16, 1024]
        response = answers(model, QUESTIONS[:1])[QUESTIONS[0].id]
        assert (response.status, response.text, response.finish) == ("ok", "", "length")


def test_options_change_the_decoding_and_what_is_sent() -> None:
    extra = {"chat_template_kwargs": {"enable_thinking": False}}
    options = {"temperature": "0.7", "top_p": "0.9", "seed": "3", "reasoning_effort": "low", "system": "Be brief."}
    with Server() as server, loaded(server, extra=json.dumps(extra), revision="abc", **options) as model:
        assert model.revision == "served:tiny@abc"
        words = model.decoding.split("|")
        assert words[:5] == ["sampled", "temperature:0.7", "top_p:0.9", "seed:3", "reasoning_effort:low"]
        assert words[5].startswith("system:")
        assert json.loads(words[6].removeprefix("extra:")) == extra
        answers(model, QUESTIONS[:1])
        sent = server.bodies()[-1]
        assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
        assert (sent["seed"], sent["chat_template_kwargs"]) == (3, {"enable_thinking": False})
    with Server() as server, loaded(server, extra=extra) as model:
        assert model.decoding.startswith("greedy|extra:")


@pytest.mark.parametrize(("kind", "calls"), [(VLLM, 2), (ECHOING, 3)])
def test_completions_score_options(kind: Kind, calls: int) -> None:
    with Server(kind) as server, loaded(server, api="completions") as model:
        assert model.capabilities.modes == ("loglikelihood", "first_token", "generate")
        assert len(server.seen) == calls
        assert (model.template, model.decoding) == ("none", "greedy")
        found = answers(model, SCORED)
        for request in SCORED:
            want = [expected(request.prompt, option) for option in OPTIONS]
            assert found[request.id].loglikelihoods == pytest.approx(want)
        letters = asked("Which?\nA. x\nB. y\nAnswer:", "first_token", (" A", " B"))
        want = [expected(letters.prompt, option) for option in letters.continuations]
        assert answers(model, [letters])[letters.id].loglikelihoods == pytest.approx(want)


def test_a_server_that_insists_on_making_a_token() -> None:
    def insist(path: str, sent: dict[str, Any]) -> object:
        if server.bodies()[-1]["max_tokens"] == 0:
            return 400, {"error": {"message": "max_tokens must be at least 1"}}
        return sent

    with Server(ECHOING, insist) as server, loaded(server, api="completions") as model:
        want = [expected(SCORED[0].prompt, option) for option in OPTIONS]
        assert answers(model, SCORED[:1])[SCORED[0].id].loglikelihoods == pytest.approx(want)


def test_a_token_that_spans_context_and_option() -> None:
    requests = [
        asked(f"{number} Englis", "loglikelihood", ("h x", " y", "hm 😀"), name=str(number)) for number in range(40)
    ]
    with Server() as server, loaded(server, api="completions", batch=4) as model:
        probes = len(server.seen)
        found = answers(model, requests)
        for request in requests:
            want = [expected(request.prompt, option) for option in request.continuations]
            assert found[request.id].loglikelihoods == pytest.approx(want)
        assert len(server.seen) == probes + 2 * len(requests)
        answers(model, requests)  # nothing is kept of what is answered
        assert len(server.seen) == probes + 4 * len(requests)


def test_a_server_that_makes_tokens_which_nobody_wanted() -> None:
    def generous(path: str, sent: dict[str, Any]) -> object:
        for index, choice in enumerate(sent["choices"]):
            if choice.get("logprobs"):
                choice["logprobs"]["tokens"].append(("three", "x")[index])
                choice["logprobs"]["token_logprobs"].append(-1.0)
        return sent

    with Server(ECHOING, generous) as server, loaded(server, api="completions") as model:
        assert model.capabilities.modes == ("generate",)


def test_a_server_that_takes_no_limit_by_either_name() -> None:
    kind = Kind(refused=frozenset({"max_tokens", "max_completion_tokens"}))
    with Server(kind) as server:
        assert "the service refuses the request (400: Unsupported" in message("openai:tiny", settings(server.url))
        assert len(server.seen) == 2


def test_the_parameter_that_a_service_names_comes_before_its_words() -> None:
    names = {"top_p": ("top_p",), "limit": ("max_tokens", "max_completion_tokens"), "temperature": ("temperature",)}
    both = "`temperature` and `top_p` cannot both be specified"
    assert culprit(reply({"error": {"message": both, "param": "top_p"}}, 400), names) == "top_p"
    assert culprit(reply({"error": {"message": both}}, 400), names) == "temperature"
    assert culprit(reply({"detail": [{"msg": "extra", "loc": ["body", "max_tokens"]}]}, 400), names) == "limit"
    assert culprit(reply({"error": "no"}, 400), names) == ""


@pytest.mark.parametrize("kind", [OLLAMA, OPENAI])
def test_completions_without_log_probabilities(kind: Kind) -> None:
    with Server(kind) as server, loaded(server, api="completions") as model:
        assert model.capabilities.modes == ("generate",)
        request = asked("Go on", stop=("\n\n",))
        response = answers(model, [request])[request.id]
        assert (response.text, response.finish) == (f" {answer('Go on')}", "stop")
    with Server(kind) as server, pytest.raises(UsageError, match="gives no log-probabilities of a prompt's tokens"):
        load("openai:tiny", settings(server.url, api="completions", logprobs="true"))
    with Server(BARE) as server, pytest.raises(UsageError, match="gives no log-probabilities of first tokens"):
        load("openai:tiny", settings(server.url, logprobs="true"))


def test_what_cannot_be_sent_or_is_too_long_is_skipped() -> None:
    long = "ab " * 2000
    requests = [
        asked("half \ud800", name="half"),
        asked(" \n", "loglikelihood", OPTIONS, name="blank"),
        asked(long, name="long"),
        asked(long, "loglikelihood", OPTIONS, name="long options"),
        asked("fine", name="fine"),
        asked("half", "loglikelihood", (" \udfff",), name="half option"),
    ]
    with Server() as server, loaded(server, api="completions") as model:
        found = {name: response.reason for name, response in answers(model, requests).items()}
    assert found == {
        "half": "not_unicode",
        "blank": "no_context_token",
        "long": "too_long",
        "long options": "too_long",
        "fine": "",
        "half option": "not_unicode",
    }


def test_nothing_but_what_cannot_be_sent() -> None:
    with Server() as server, loaded(server) as model:
        assert [response.status for response in model.respond([asked("\ud800")])] == ["skipped"]
        assert list(model.respond([])) == []


def test_another_model_in_the_place_of_ours_stops_the_run() -> None:
    def swapped(path: str, sent: dict[str, Any]) -> object:
        return sent | {"model": "/home/somebody/huge"} if len(server.seen) > 5 else sent

    with Server(VLLM, swapped) as server, loaded(server, batch=1) as model:
        found: list[Response] = []
        with pytest.raises(ModelStopped, match=r"^the service now answers as huge, the run is of tiny$"):
            found.extend(model.respond(iter(QUESTIONS)))
        assert len(server.seen) < 10


def test_the_name_that_the_service_answers_under_is_the_revision() -> None:
    dated: Mangle = lambda path, sent: sent | {"model": "tiny-2024-08-06", "system_fingerprint": len(server.seen)}  # noqa: E731
    with Server(VLLM, dated) as server, loaded(server) as model:
        assert model.revision == "served:tiny-2024-08-06"
        assert {response.status for response in answers(model, QUESTIONS).values()} == {"ok"}
    path = "/home/somebody/models/tiny"
    with Server(Kind(model=path)) as server, loaded(server, f"openai:{path}") as model:
        assert (model.name, model.revision) == ("openai:tiny", "served:tiny")


def test_answers_that_are_none_are_asked_for_again() -> None:
    def broken(path: str, sent: dict[str, Any]) -> object:
        number = len(server.seen)
        return {**sent, "choices": []} if number > 1 and number % 2 == 0 else sent

    with Server(VLLM, broken) as server, loaded(server, attempts="5", batch=1) as model:
        found = answers(model, QUESTIONS[:5])
        assert all(found[request.id].text == answer(request.prompt) for request in QUESTIONS[:5])
        assert max(response.attempts for response in found.values()) > 1
    with Server(VLLM, lambda path, sent: sent if len(server.seen) == 1 else {}) as server, loaded(server) as model:
        response = answers(model, QUESTIONS[:1])[QUESTIONS[0].id]
        assert (response.status, response.text) == ("error", "")
        assert response.reason.startswith("empty_choices")


def test_a_key_from_the_environment_or_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "key").write_text(f"{SECRET}\n")
    with Server(Kind(key=SECRET)) as server:
        ways: list[tuple[str, str, dict[str, Any]]] = [
            ("OPENAI_API_KEY", SECRET, {}),
            ("OPENAI_API_KEY_FILE", str(tmp_path / "key"), {}),
            ("MY_KEY", SECRET, {"key_env": "MY_KEY"}),
            ("MY_KEY_FILE", str(tmp_path / "key"), {"key_env": "MY_KEY"}),
        ]
        for variable, value, option in ways:
            with monkeypatch.context() as patch:
                patch.setenv(variable, value)
                with loaded(server, **option) as model:
                    assert answers(model, QUESTIONS[:1])[QUESTIONS[0].id].status == "ok"
                    assert SECRET not in repr(model) + repr(vars(model)) + model.status()
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        load("openai:tiny", Settings(no_training)).close()


def message(name: str, given: Settings) -> str:
    with pytest.raises(UsageError) as caught:
        load(name, given)
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error) + repr(error)
        error = error.__cause__ or error.__context__
    said = str(caught.value)
    assert "\n" not in said and len(said) < 500
    return said


def test_a_wrong_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(Kind(key="another")) as server:
        said = message("openai:tiny", settings(server.url))
        assert "wants a key (401" in said and "set OPENAI_API_KEY, or OPENAI_API_KEY_FILE" in said
        monkeypatch.setenv("OPENAI_API_KEY", SECRET)
        said = message("openai:tiny", settings(server.url))
        assert "refuses the key that OPENAI_API_KEY has (401: Incorrect API key provided: ***" in said
        unset = message("openai:tiny", settings(server.url, key_env="MY_KEY"))
        assert "key_env names a variable that is not set" in unset and "MY_KEY" not in unset, "it may be a key itself"
        monkeypatch.setenv("MY_KEY", "sk-also-wrong-0123456789")
        assert "refuses the key that MY_KEY has" in message("openai:tiny", settings(server.url, key_env="MY_KEY"))


def test_a_key_as_an_option_is_refused() -> None:
    for option in ("api_key", "key", "token", "API-KEY", "password"):
        given: dict[str, Any] = {option: SECRET}
        said = message("openai:tiny", settings("http://127.0.0.1:1/v1", **given))
        assert "set OPENAI_API_KEY, or OPENAI_API_KEY_FILE" in said
    said = message("openai:tiny", settings("http://127.0.0.1:1/v1", extra=json.dumps({"api_key": SECRET})))
    assert "a key is no option" in said
    assert "user name or password" in message("openai:tiny", settings(f"http://me:{SECRET}@127.0.0.1:1/v1"))


def test_an_unknown_model_or_path() -> None:
    with Server() as server:
        said = message("openai:nope", settings(server.url))
        assert "The model `nope` does not exist" in said
        assert "knows no such model, or no such path (404" in message("openai:tiny", settings(f"{server.url}/v2"))


def test_an_unreachable_server() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = message("openai:tiny", settings(f"http://127.0.0.1:{port}/v1", patience="0.2"))
    assert f"http://127.0.0.1:{port}/v1: no answer since" in said and "connection_refused" in said


@pytest.mark.parametrize("sent", [b"<html>hello</html>", b"", b"[]", b'{"choices": []}', b'{"ok": true}'])
def test_what_is_no_such_service(sent: bytes) -> None:
    with Server(VLLM, lambda path, made: sent) as server:
        for api in ("chat", "completions"):
            assert "does not speak this protocol" in message("openai:tiny", settings(server.url, api=api))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"tempature": "1"}, "did you mean 'temperature'"),
        ({"temperature": "3"}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"api": "responses"}, "api"),
        ({"logprobs": "maybe"}, "logprobs"),
        ({"attempts": "0"}, "attempts"),
        ({"patience": "-1"}, "patience"),
        ({"extra": "{"}, "extra is not JSON"),
        ({"extra": '{"a": "\\ud800"}'}, "extra is not JSON"),
        ({"system": "\udcff"}, "an option is not UTF-8: '\\udcff'"),
        ({"extra": "[1]"}, "no JSON object"),
        ({"extra": '{"stream": true}'}, "extra has stream"),
        ({"system": "x", "api": "completions"}, "system needs -M api=chat"),
        ({"batch_api": "true", "api": "completions"}, "batch_api needs -M api=chat"),
        ({"base_url": "localhost:8000"}, "no address"),
    ],
)
def test_wrong_options(options: dict[str, Any], problem: str) -> None:
    assert problem in message("openai:tiny", settings("http://127.0.0.1:1/v1", **options))


def test_prices() -> None:
    mine = Price(1.0, 2.0, "USD", "2026-01-01", "here", batch_input=0.5, batch_output=1.0)
    with Server() as server, loaded(server) as model:
        assert model.price is None  # not what somebody else asks for a model of that name
        given = settings(server.url, system="12345")
        priced = load("openai:tiny", Settings(no_training, options=given.options, price=mine))
        assert priced.price is not None
        assert (priced.price.input, priced.price.overhead) == (1.0, mine.overhead + 5)
        priced.close()


def test_status_and_closing() -> None:
    with Server() as server, loaded(server) as model:
        assert isinstance(model.status(), str)
        model.check(QUESTIONS)
        responses = model.respond(iter(QUESTIONS))
        next(responses)
        responses.close()  # type: ignore[attr-defined]
        assert math.isfinite(len(server.seen))


def test_a_server_that_fails_all_the_time() -> None:
    with Server(VLLM, lambda path, made: (500, {"error": "out of memory"})) as server:
        said = message("openai:tiny", settings(server.url))
        assert "fails (500: out of memory); -M logprobs=false asks for no log-probabilities" in said
    with Server(VLLM, lambda path, made: (403, {"error": {"message": "not in your country"}})) as server:
        assert "(403: not in your country)" in message("openai:tiny", settings(server.url))
