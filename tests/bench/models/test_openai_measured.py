"""`openai:` while energy is measured: the server's own pages, answers of an exact length, and its tokenizer."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bench.backend import EngineFacts, Load, Measurable, ModelStopped, Tokenizing
from bench.models import load, openai_engine
from bench.models.openai_engine import ENGINES, UNKNOWN, root, samples
from bench.models.openai_model import Counting, MeasuredOpenAI, OpenAI
from bench.records import Request
from bench.services.calls import Unusable
from tests.bench.models.asked import asked, reply, settings
from tests.openai_server import BARE, LLAMA_CPP_ENGINE, VLLM, VLLM_ENGINE, Kind, Server, metrics, pieces

TEXT = "The word ሰላም is мир, да 😀 and peace 7 times."
BY_NAME = {engine.name: engine for engine in ENGINES}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_API_KEY_FILE", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@contextlib.contextmanager
def opened(server: Server, *, measured: bool = True, **options: Any) -> Iterator[OpenAI]:
    model = load("openai:tiny", replace(settings(server.url, **options), measured=measured))
    assert isinstance(model, OpenAI)
    try:
        yield model
    finally:
        model.close()


def exact(number: int, **changes: Any) -> Request:
    return replace(asked(f"question {number}", name=f"r{number}", max_tokens=9), **{"exact": True} | changes)


# Pages of metrics


def test_a_page_of_vllm() -> None:
    assert BY_NAME["vllm"].load(samples(metrics("vllm", 1000, 1234567))) == Load(3, 900, 1234567)


def test_a_page_of_llama_cpp() -> None:
    assert BY_NAME["llama.cpp"].load(samples(metrics("llama.cpp", 1000, 50))) == Load(3, 1000, 50)


def test_a_page_of_sglang() -> None:
    page = (
        'sglang:num_running_reqs{model_name="x",tp_rank="0"} 161.0\n'
        'sglang:prompt_tokens_total{model_name="x"} 8.128902e+06\n'
        'sglang:cached_tokens_total{model_name="x",cache_source="device"} 100.0\n'
        'sglang:cached_tokens_total{model_name="x",cache_source="host"} 2.0\n'
        'sglang:generation_tokens_total{model_name="x"} 7.557572e+06\n'
    )
    assert BY_NAME["sglang"].load(samples(page)) == Load(161, 8128800, 7557572)


def test_a_page_of_tgi() -> None:
    page = "tgi_batch_current_size 12\ntgi_request_generated_tokens_sum 345\ntgi_request_generated_tokens_count 7\n"
    assert BY_NAME["tgi"].load(samples(page)) == Load(12, None, 345)


@pytest.mark.parametrize(
    ("gone", "left"),
    [
        ("vllm:prompt_tokens_cached_total", Load(3, None, 5)),
        ("vllm:prompt_tokens_total", Load(3, None, 5)),
        ("vllm:generation_tokens_total", Load(3, 90, None)),
        ("vllm:num_requests_running", Load(None, 90, 5)),
    ],
)
def test_what_a_page_leaves_out_is_not_zero(gone: str, left: Load) -> None:
    page = "".join(
        line for line in metrics("vllm", 100, 5).splitlines(keepends=True) if not line.startswith(gone + "{")
    )
    assert BY_NAME["vllm"].load(samples(page)) == left


@pytest.mark.parametrize("value", ["NaN", "+Inf", "-1", "lots", ""])
def test_a_number_that_is_none_is_not_zero(value: str) -> None:
    page = f'vllm:num_requests_running{{engine="0"}} {value}\nvllm:generation_tokens_total{{engine="0"}} 7.0\n'
    assert BY_NAME["vllm"].load(samples(page)) == Load(None, None, 7)


def test_pages_of_something_else() -> None:
    for page in ("", "<html>vllm:num_requests_running</html>", "\x00\ufffd", "# only a comment 7\n"):
        assert all(engine.load(samples(page)) == UNKNOWN for engine in ENGINES)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://localhost:8000/v1", "http://localhost:8000"),
        ("http://localhost:8000/v1/", "http://localhost:8000"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://a.example/models/v1?x=1", "https://a.example/models"),
    ],
)
def test_where_the_pages_are(url: str, address: str) -> None:
    assert root(url) == address


# A server at hand


def told(model: OpenAI, wanted: Load) -> None:
    """Waits until the background has seen that."""
    assert isinstance(model, MeasuredOpenAI)
    for _ in range(200):
        if model.load() == wanted:
            return
        threading.Event().wait(0.05)
    assert model.load() == wanted


@pytest.mark.parametrize(
    ("kind", "facts"),
    [
        (VLLM_ENGINE, EngineFacts("vllm", "0.32.0", "")),
        (LLAMA_CPP_ENGINE, EngineFacts("llama.cpp", "b8681-x", "")),
        (VLLM, EngineFacts("", "", "")),
        (BARE, EngineFacts("", "", "")),
    ],
)
def test_which_engine_it_is(kind: Kind, facts: EngineFacts) -> None:
    with Server(kind) as server, opened(server) as model:
        assert isinstance(model, Measurable)
        assert isinstance(model, Tokenizing)
        assert model.engine == facts
        model.forget()
        assert facts.name or model.load() == UNKNOWN


def test_what_is_counted_is_what_was_answered() -> None:
    with Server(VLLM_ENGINE) as server, opened(server) as model:
        found = list(model.respond(asked(f"question {number}", name=f"r{number}") for number in range(20)))
        assert len(found) == 20
        told(model, Load(3, server.read - server.read // 10, server.wrote))
        assert server.wrote >= sum(response.output_tokens or 0 for response in found)
        assert isinstance(model, Measurable)
        before = sum(path == "/metrics" for path, _, _ in server.seen)
        for _ in range(1000):
            model.load()
        # A thousand looks are not a thousand requests.
        assert sum(path == "/metrics" for path, _, _ in server.seen) - before < 100


def test_a_server_that_is_gone_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_engine, "EVERY", 0.01)
    with Server(VLLM_ENGINE) as server, opened(server) as model:
        told(model, Load(3, server.read - server.read // 10, server.wrote))
        server.kind = replace(VLLM_ENGINE, key="another")
        told(model, UNKNOWN)


def test_nothing_is_left_running() -> None:
    before = threading.active_count()
    with Server(VLLM_ENGINE) as server:
        with opened(server) as model:
            assert isinstance(model, Measurable)
            model.load()
            model.load()
            looked = model.load
        assert looked() == UNKNOWN
    assert threading.active_count() == before


def test_forgetting_asks_the_server() -> None:
    with Server(VLLM_ENGINE) as server, opened(server) as model:
        assert isinstance(model, Measurable)
        model.forget()
        assert [path for path, _, _ in server.seen].count("/reset_prefix_cache") == 1


def test_the_key_goes_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-0123456789")
    with Server(replace(VLLM_ENGINE, key="sk-very-secret-0123456789")) as server, opened(server) as model:
        assert isinstance(model, Measurable)
        assert model.engine.name == "vllm"
        assert model.count_tokens(["a b"]) == [2]


# Whose energy may be measured


def test_an_ordinary_run_asks_for_no_pages() -> None:
    with Server(VLLM_ENGINE) as server, opened(server, measured=False) as model:
        assert not isinstance(model, Measurable)
        assert isinstance(model, Tokenizing)
        list(model.respond([asked("question")]))
        assert {path for path, _, _ in server.seen} == {"/v1/chat/completions"}
        assert not any("cache_salt" in body or "ignore_eos" in body for body in server.bodies())


def test_somebody_elses_server_is_not_measured() -> None:
    """The energy of this machine is not that of a service elsewhere."""
    with Server(VLLM_ENGINE) as server:
        elsewhere = server.url.replace("127.0.0.1", "0.0.0.0")
        given = replace(settings(elsewhere), measured=True)
        model = load("openai:tiny", given)
        assert not isinstance(model, Measurable)
        model.close()
        model = load("openai:tiny", replace(settings(elsewhere, own_server="true"), measured=True))
        assert isinstance(model, Measurable)
        assert model.engine.name == "vllm"
        model.close()


# Prompts that are read every time


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_a_prompt_is_read_every_time_by_vllm(api: str) -> None:
    with Server(VLLM_ENGINE) as server, opened(server, api=api) as model:
        list(model.respond(asked("the same", name=f"r{number}") for number in range(10)))
        salts = [body["cache_salt"] for body in server.bodies("completions")]
        assert len(set(salts)) == len(salts) >= 10
        assert model.decoding == "greedy"


def test_a_prompt_is_read_every_time_by_llama_cpp() -> None:
    with Server(LLAMA_CPP_ENGINE) as server, opened(server) as model:
        list(model.respond([asked("the same")]))
        assert all(body["cache_prompt"] is False for body in server.bodies("completions"))


# Answers of an exact length


@pytest.mark.parametrize("api", ["chat", "completions"])
def test_an_exact_answer_has_all_its_tokens(api: str) -> None:
    with Server(VLLM_ENGINE) as server, opened(server, api=api, exact="true") as model:
        assert model.capabilities.exact
        found = list(model.respond(exact(number, stop=("la",)) for number in range(5)))
        assert {(one.status, one.finish, one.output_tokens, one.text) for one in found} == {
            ("ok", "length", 9, " la" * 9)
        }
        sent = server.bodies("completions")[-1]
        assert (sent["ignore_eos"], sent["min_tokens"], sent["max_tokens"]) == (True, 9, 9)
        assert "stop" not in sent
        assert model.decoding == "greedy"


def test_exact_answers_are_an_option() -> None:
    with Server(VLLM_ENGINE) as server, opened(server) as model:
        assert not model.capabilities.exact


@pytest.mark.parametrize("api", ["chat", "completions"])
@pytest.mark.parametrize(
    "kind",
    [
        Kind(refused=frozenset({"ignore_eos"})),
        Kind(ignored=frozenset({"ignore_eos", "min_tokens"})),
        Kind(usage=False),
    ],
    ids=["refused", "ignored", "uncounted"],
)
def test_a_server_that_cannot_do_it(api: str, kind: Kind) -> None:
    with Server(kind) as server, opened(server, api=api, exact="true", logprobs="false") as model:
        [first, second] = model.respond([exact(1, max_tokens=40), asked("free", name="free")])
        assert {first.request: first, second.request: second}["r1"].reason == "exact_unsupported"
        assert {first.request: first, second.request: second}["r1"].status == "error"
        assert {first.request: first, second.request: second}["free"].status == "ok"


# The tokenizer


@pytest.mark.parametrize("kind", [VLLM_ENGINE, LLAMA_CPP_ENGINE])
@pytest.mark.parametrize("measured", [True, False])
def test_tokens_of_a_text(kind: Kind, measured: bool) -> None:
    with Server(kind) as server, opened(server, measured=measured) as model:
        texts = [TEXT, "", *(f"{TEXT} {number}" * (number % 5) for number in range(100))]
        assert model.count_tokens(texts) == [len(pieces(text)) for text in texts]
        assert model.count_tokens([]) == []
        for tokens in range(len(pieces(TEXT)) + 2):
            short = model.shortened(TEXT, tokens)
            assert TEXT.startswith(short)
            assert len(pieces(short)) == min(tokens, len(pieces(TEXT)))


def test_a_server_without_a_tokenizer() -> None:
    with Server(VLLM) as server, opened(server) as model:
        with pytest.raises(ModelStopped) as stopped:
            model.count_tokens(["a"])
        assert "openai:tiny: the service does not count tokens (http_404)" in str(stopped.value)
        assert "\n" not in str(stopped.value)
        with pytest.raises(ModelStopped):
            model.shortened("a b c", 1)


@pytest.mark.parametrize("sent", [{"tokens": "many"}, {"count": -1}, {"count": True}, {}, b"[1, 2]"])
def test_a_tokenizer_that_answers_nonsense(sent: object) -> None:
    with pytest.raises(Unusable):
        Counting("http://127.0.0.1/tokenize", "tiny").read(asked("x"), reply(sent))
