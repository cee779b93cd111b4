"""Asking over HTTP, against real servers on this machine that do as each test says."""

from __future__ import annotations

import _thread
import contextlib
import itertools
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bench.backend import ModelStopped
from bench.records import Request, Response, UsageError
from bench.services.breaker import FAILURES
from bench.services.concurrency import START
from bench.services.endpoint import Call, Endpoint, Limits, Reply, Unusable

KEY = "sk-AbCdEfGhIjKlMnOpQrStUvWxYz"

Answer = tuple[int, dict[str, str], bytes]
Answers = Callable[[str, str, int], Answer | None]
"""(path, prompt, how often this prompt came before) -> status, headers, body; None hangs up."""


class Script:
    """A server that answers as a function says, and remembers what it was sent."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers
        self.prompts: list[str] = []
        self.paths: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.most_at_once = 0
        self._at_once = 0
        self.lock = threading.Lock()
        script = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                script.answer(self)

            def do_GET(self) -> None:
                script.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 512

            def handle_error(self, *_: object) -> None:  # a client that hung up is no news
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        prompt = handler.rfile.read(int(handler.headers.get("Content-Length") or 0)).decode()
        with self.lock:
            before = self.prompts.count(prompt)
            self.prompts.append(prompt)
            self.paths.append(handler.path)
            self.headers.append({name.lower(): value for name, value in handler.headers.items()})
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        given = self.answers(handler.path, prompt, before)
        with self.lock:
            self._at_once -= 1
        if given is None:
            handler.close_connection = True
            return
        status, headers, body = given
        handler.close_connection = "Content-Length" in headers  # a length that is not true
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)


@contextlib.contextmanager
def scripted(answers: Answers) -> Iterator[Script]:
    script = Script(answers)
    thread = threading.Thread(target=script.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield script
    finally:
        script.server.shutdown()
        thread.join()
        script.server.daemon_threads = True
        script.server.block_on_close = False
        script.server.server_close()


class Plain:
    """A protocol that sends the prompt and gets the answer, as they are. "?" is no answer, and "long" too long."""

    def call(self, request: Request) -> Call:
        return Call("/ask", request.prompt.encode())

    def read(self, request: Request, reply: Reply) -> Response:
        if reply.body == b"?":
            raise Unusable("empty_choices")
        text = reply.body.decode()
        return Response(request.id, "ok", text, finish="stop", seconds=reply.seconds, attempts=reply.attempts)

    def refused(self, request: Request, reply: Reply) -> Response | None:
        return Response(request.id, "skipped", reason="too_long") if b"too long" in reply.body else None


def asked(*prompts: str) -> list[Request]:
    return [
        Request(f"r-{prompt}", prompt, "t", "l", "", "generate", prompt, (), 16, (), prompt, ()) for prompt in prompts
    ]


def respond(url: str, *prompts: str, **limits: Any) -> dict[str, Response]:
    """What each prompt was answered; every one just once."""
    found: dict[str, Response] = {}
    endpoint = Endpoint(url, {"Authorization": f"Bearer {KEY}"}, Limits(**{"timeout": 30, **limits}))
    with contextlib.closing(endpoint):
        for response in endpoint.respond(Plain(), asked(*prompts)):
            assert response.request not in found
            found[response.request] = response
    assert sorted(found) == sorted(request.id for request in asked(*prompts))
    return {request.removeprefix("r-"): response for request, response in found.items()}


def echo(path: str, prompt: str, before: int) -> Answer:
    return 200, {}, prompt.upper().encode()


def at_first(first: Answer | None, times: int = 1) -> Answers:
    """Each prompt gets `first`, so many times, and then its echo."""
    return lambda path, prompt, before: first if before < times else echo(path, prompt, before)


def test_every_request_is_answered_once_with_the_key_in_its_header() -> None:
    prompts = [f"p{number}" for number in range(300)]

    def answers(path: str, prompt: str, before: int) -> Answer:
        time.sleep(0.01)
        return echo(path, prompt, before)

    with scripted(answers) as script:
        found = respond(script.url, *prompts, most=20)
    assert {prompt: response.text for prompt, response in found.items()} == {p: p.upper() for p in prompts}
    assert all(response.attempts == 1 and response.seconds is not None for response in found.values())
    assert sorted(script.prompts) == sorted(prompts) and set(script.paths) == {"/v1/ask"}
    assert {headers["authorization"] for headers in script.headers} == {f"Bearer {KEY}"}
    assert {headers["content-type"] for headers in script.headers} == {"application/json"}
    assert 1 < script.most_at_once <= 20


def test_no_request_is_no_trouble_even_without_a_server() -> None:
    assert respond("http://127.0.0.1:9/v1") == {}


def test_one_endpoint_answers_again_and_again_and_its_query_stays() -> None:
    with scripted(echo) as script:
        endpoint = Endpoint(f"{script.url}/?api-version=7", {}, Limits())
        with contextlib.closing(endpoint):
            for prompt in "abc":
                assert [response.text for response in endpoint.respond(Plain(), asked(prompt))] == [prompt.upper()]
            assert endpoint.fetch(Call("/files?limit=2")).status == 200
    assert script.paths == ["/v1/ask?api-version=7"] * 3 + ["/v1/files?api-version=7&limit=2"]


@pytest.mark.parametrize(
    "first",
    [
        (429, {}, b""),
        (429, {"Retry-After": "0.01"}, b""),
        (500, {}, b"it broke"),
        (503, {}, b""),
        (529, {}, b""),
        (408, {}, b""),
        (409, {}, b""),
        (425, {}, b""),
        (200, {}, b"?"),
        (200, {"Content-Length": "100"}, b"half"),
        (200, {"Content-Encoding": "gzip"}, b"no gzip"),
        (200, {"Transfer-Encoding": "chunked", "Content-Length": ""}, b"zz\r\n"),
        None,
    ],
)
def test_what_fails_once_is_asked_again(first: Answer | None) -> None:
    with scripted(at_first(first)) as script:
        found = respond(script.url, "a", "b")
    assert [(response.status, response.text, response.attempts) for response in found.values()] == [
        ("ok", prompt.upper(), 2) for prompt in found
    ]


@pytest.mark.parametrize(
    ("always", "reason"),
    [
        ((500, {}, b""), "server_error: 500, 2 attempts"),
        ((503, {}, b""), "overloaded: 503, 2 attempts"),
        ((200, {}, b"?"), "empty_choices: 2 attempts"),
        ((200, {"Content-Length": "100"}, b"half"), "connection_reset: 2 attempts"),
        (None, "connection_reset: 2 attempts"),
    ],
)
def test_what_always_fails_is_an_error_with_its_reason(always: Answer | None, reason: str) -> None:
    with scripted(at_first(always, 99)) as script:
        found = respond(script.url, "a", attempts=2)["a"]
    assert (found.status, found.reason, found.text, found.attempts) == ("error", reason, "", 2)


def test_rate_limits_use_up_no_attempts() -> None:
    with scripted(at_first((429, {"Retry-After": "0"}, b""), 3)) as script:
        found = respond(script.url, "a", attempts=1)["a"]
    assert (found.status, found.attempts) == ("ok", 4)


def test_rate_limits_end_with_the_deadline() -> None:
    with scripted(at_first((429, {"Retry-After": "0"}, b""), 999)) as script:
        found = respond(script.url, "a", deadline=2)["a"]
    assert found.status == "error"
    assert found.reason.startswith("deadline: rate_limited, ")


def test_a_pause_that_the_service_asks_for_is_kept_by_all() -> None:
    times: list[float] = []

    def answers(path: str, prompt: str, before: int) -> Answer:
        times.append(time.monotonic())
        first = len(times) == 1
        return (429, {"Retry-After": "0.4"}, b"") if first else echo(path, prompt, before)

    with scripted(answers) as script:
        respond(script.url, *(f"p{number}" for number in range(5)), most=1)
    assert times[1] - times[0] >= 0.4


def test_a_pause_beyond_all_patience_is_not_waited_for() -> None:
    first = 429, {"Retry-After": "9999"}, b""
    with scripted(at_first(first)) as script, pytest.raises(ModelStopped, match=r"rate_limited; it asks to wait \d+ s"):
        respond(script.url, "a", patience=500)


def test_a_request_that_hangs_is_asked_again() -> None:
    gone = threading.Event()

    def answers(path: str, prompt: str, before: int) -> Answer | None:
        if not before:
            gone.wait(30)
            return None
        return echo(path, prompt, before)

    with scripted(answers) as script:
        found = respond(script.url, "a", "b", timeout=0.3)
        gone.set()
    assert {response.text for response in found.values()} == {"A", "B"}
    assert all(response.attempts >= 2 for response in found.values())


def test_a_request_that_always_hangs_is_an_error() -> None:
    gone = threading.Event()

    def answers(path: str, prompt: str, before: int) -> None:
        gone.wait(30)

    with scripted(answers) as script:
        found = respond(script.url, "a", timeout=0.1, attempts=2)["a"]
        gone.set()
    assert (found.status, found.reason) == ("error", "timeout: 2 attempts")


def test_a_consumer_that_takes_its_time_causes_no_timeout() -> None:
    def answers(path: str, prompt: str, before: int) -> Answer:
        time.sleep(0 if prompt == "a" else 0.3)
        return echo(path, prompt, before)

    endpoint_limits = Limits(timeout=2)
    with scripted(answers) as script, contextlib.closing(Endpoint(script.url, {}, endpoint_limits)) as endpoint:
        answered = endpoint.respond(Plain(), asked(*"abcdefgh"))
        assert next(answered).text == "A"
        time.sleep(2.5)  # longer than the timeout, while the others are under way
        found = list(answered)
    assert [(response.status, response.attempts) for response in found] == [("ok", 1)] * 7
    assert all(response.seconds is not None and response.seconds < 2 for response in found)


def test_what_the_service_says_of_a_bad_request_is_told_in_one_line_without_the_key() -> None:
    said = json.dumps({"error": {"message": f"no\nsuch\tparameter \x1b[31m {KEY} " + "x" * 500}}).encode()
    with scripted(lambda *_: (400, {}, said)) as script:
        found = respond(script.url, "a")["a"]
    assert (found.status, found.attempts) == ("error", 1)
    assert found.reason.startswith("bad_request: no such parameter [31m *** xxx")
    assert len(found.reason) <= 220 and found.reason.isprintable()


def test_the_dialect_says_what_a_refusal_means() -> None:
    with scripted(lambda *_: (400, {}, b"too long")) as script:
        found = respond(script.url, "a")["a"]
    assert (found.status, found.reason) == ("skipped", "too_long")


@pytest.mark.parametrize(
    ("status", "told"),
    [(401, "unauthorised (401): "), (403, "unauthorised (403): "), (404, "not_found (404): "), (402, "(402)")],
)
def test_what_no_request_can_mend_stops_at_once(status: int, told: str) -> None:
    said = json.dumps({"error": {"message": f"Incorrect key: {KEY}."}}).encode()
    with scripted(lambda *_: (status, {}, said)) as script:
        with pytest.raises(ModelStopped) as raised:
            respond(script.url, *(f"p{number}" for number in range(100)), most=1)
        assert len(script.prompts) == 1
    assert told in str(raised.value) and str(raised.value).startswith(script.url)
    assert KEY not in str(raised.value) and "\n" not in str(raised.value)


def test_answers_that_came_before_the_stop_are_kept() -> None:
    answered = itertools.count()

    def answers(path: str, prompt: str, before: int) -> Answer:
        return echo(path, prompt, before) if next(answered) < 5 else (401, {}, b"")

    with scripted(answers) as script, contextlib.closing(Endpoint(script.url, {}, Limits(most=1))) as endpoint:
        answers_ = endpoint.respond(Plain(), asked(*"abcdefgh"))
        assert len([next(answers_).text for _ in range(5)]) == 5
        with pytest.raises(ModelStopped):
            next(answers_)


def test_a_service_that_is_not_there_is_given_up_with_the_cause() -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/v1"
        with pytest.raises(ModelStopped, match=r"no answer since 20.* UTC \(\d+ s\): connection_refused") as raised:
            respond(url, *(f"p{number}" for number in range(50)), patience=0.5)
    assert str(raised.value).startswith(url)


def test_a_service_that_goes_away_is_probed_and_no_error_is_recorded() -> None:
    with scripted(at_first(None, 10**6)) as script, pytest.raises(ModelStopped, match=r"connection_reset"):
        respond(script.url, *(f"p{number}" for number in range(200)), patience=2.5, attempts=50)
    assert len(script.prompts) < START + FAILURES + 10  # until it is plain, and then a few probes


def test_a_service_that_comes_back_answers_everything() -> None:
    down = time.monotonic() + 1.5

    def answers(path: str, prompt: str, before: int) -> Answer | None:
        return None if time.monotonic() < down else echo(path, prompt, before)

    with scripted(answers) as script:
        found = respond(script.url, *(f"p{number}" for number in range(200)))
    assert all(response.status == "ok" for response in found.values())


def test_requests_are_read_as_slots_become_free() -> None:
    read = itertools.count()
    with scripted(echo) as script, contextlib.closing(Endpoint(script.url, {}, Limits(most=8))) as endpoint:
        answers = endpoint.respond(Plain(), (request for number in read for request in asked(f"p{number}")))
        for _ in range(40):
            next(answers)
        answers.close()
    assert next(read) <= 40 + 3 * 8


def test_memory_does_not_grow_with_the_plan() -> None:
    with scripted(echo) as script, contextlib.closing(Endpoint(script.url, {}, Limits(most=8))) as endpoint:
        script.prompts = script.paths = script.headers = _Forgetful()
        answers = endpoint.respond(Plain(), (asked(f"p{number}")[0] for number in itertools.count()))
        for _ in range(200):
            next(answers)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(500):
            next(answers)
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
        answers.close()
    assert grown < 250_000


class _Forgetful(list[Any]):
    def append(self, _: Any) -> None:
        pass


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, ModelStopped])
def test_what_the_plan_raises_comes_out_and_the_endpoint_lives_on(error: type[BaseException]) -> None:
    def plan() -> Iterator[Request]:
        yield from asked(*(f"p{number}" for number in range(50)))
        raise error

    with scripted(echo) as script, contextlib.closing(Endpoint(script.url, {}, Limits())) as endpoint:
        with pytest.raises(error):
            list(endpoint.respond(Plain(), plan()))
        assert [response.text for response in endpoint.respond(Plain(), asked("a"))] == ["A"]


def test_whoever_stops_listening_leaves_nothing_open() -> None:
    with scripted(echo) as script, contextlib.closing(Endpoint(script.url, {}, Limits())) as endpoint:
        answers = endpoint.respond(Plain(), asked(*(f"p{number}" for number in range(500))))
        next(answers)
        answers.close()
        never_started = endpoint.respond(Plain(), asked("a"))
        never_started.close()
        assert [response.text for response in endpoint.respond(Plain(), asked("b"))] == ["B"]


def test_closing_the_endpoint_ends_what_is_asked() -> None:
    with scripted(echo) as script:
        endpoint = Endpoint(script.url, {}, Limits())
        answers = endpoint.respond(Plain(), asked(*(f"p{number}" for number in range(500))))
        next(answers)
        endpoint.close()
        answers.close()


def test_an_interrupt_leaves_nothing_open() -> None:
    gone = threading.Event()

    def answers(path: str, prompt: str, before: int) -> Answer:
        if prompt == "slow":
            _thread.interrupt_main()
            gone.wait(30)
        return echo(path, prompt, before)

    with scripted(answers) as script, contextlib.closing(Endpoint(script.url, {}, Limits())) as endpoint:
        with pytest.raises(KeyboardInterrupt):
            list(endpoint.respond(Plain(), asked("slow")))
        gone.set()
        assert [response.text for response in endpoint.respond(Plain(), asked("a"))] == ["A"]


def test_a_redirect_on_the_same_service_is_followed_and_no_other() -> None:
    with scripted(echo) as elsewhere:

        def answers(path: str, prompt: str, before: int) -> Answer:
            if path == "/v1/ask":
                return 307, {"Location": "/v2/ask"}, b""
            if path == "/v2/ask":
                return echo(path, prompt, before)
            return 302, {"Location": f"{elsewhere.url}/ask"}, b""

        with scripted(answers) as script:
            assert respond(script.url, "a")["a"].text == "A"
            with pytest.raises(ModelStopped, match="redirected .302.*give that as the base URL"):
                respond(f"{script.url}/away", "a")
        assert elsewhere.prompts == []


def test_a_redirect_in_a_circle_ends() -> None:
    def answers(path: str, prompt: str, before: int) -> Answer:
        return 307, {"Location": f"{path}x"}, b""

    with scripted(answers) as script, pytest.raises(ModelStopped, match="redirected"):
        respond(script.url, "a")
    assert len(script.prompts) == 3


@pytest.mark.parametrize("status", [200, 202, 400, 401, 404, 500, 429])
def test_fetch_brings_any_final_status(status: int) -> None:
    with scripted(lambda path, *_: (status, {"X-Seen": path, "Retry-After": "0"}, b"said")) as script:
        limits = Limits(attempts=2, deadline=2)
        with contextlib.closing(Endpoint(script.url, {}, limits)) as endpoint:
            reply = endpoint.fetch(Call("/batches/b1"))
    assert (reply.status, reply.body, reply.headers["x-seen"]) == (status, b"said", "/v1/batches/b1")


def test_fetch_sends_what_it_is_given() -> None:
    body = b"x" * (3 << 20)
    with scripted(lambda path, prompt, before: (200, {}, str(len(prompt)).encode())) as script:
        endpoint = Endpoint(script.url, {"x-api-key": KEY}, Limits())
        reply = endpoint.fetch(Call("/files", body, headers={"Content-Type": "multipart/form-data; boundary=b"}))
        assert endpoint.fetch(Call(f"{script.url}/whole", method="POST")).status == 200
        with contextlib.closing(endpoint), pytest.raises(ModelStopped, match="gets no key"):
            endpoint.fetch(Call("https://elsewhere.example.org/results"))
    assert reply.body == str(len(body)).encode()
    assert script.headers[0]["content-type"] == "multipart/form-data; boundary=b"
    assert script.headers[0]["x-api-key"] == KEY and script.paths == ["/v1/files", "/v1/whole"]


def test_fetch_from_nobody_stops() -> None:
    endpoint = Endpoint("http://127.0.0.1:9/v1", {}, Limits(patience=0.2))
    with contextlib.closing(endpoint), pytest.raises(ModelStopped, match="connection_refused"):
        endpoint.fetch(Call("/models"))


def test_a_name_that_nobody_knows_is_unreachable() -> None:
    endpoint = Endpoint("http://nowhere.invalid/v1", {}, Limits(patience=0.2))
    with contextlib.closing(endpoint), pytest.raises(ModelStopped, match="unreachable: name not known"):
        endpoint.fetch(Call("/models"))


def test_fetch_between_two_answers() -> None:
    with scripted(echo) as script, contextlib.closing(Endpoint(script.url, {}, Limits(most=4))) as endpoint:
        found = []
        for response in endpoint.respond(Plain(), asked(*"abcdefgh")):
            found.append(response.text)
            assert endpoint.fetch(Call("/models")).status == 200
        assert sorted(found) == list("ABCDEFGH")


def test_a_plan_that_takes_its_time_causes_no_timeout() -> None:
    def plan() -> Iterator[Request]:
        for prompt in "abcdefgh":
            yield from asked(prompt)
            time.sleep(0.4)

    def answers(path: str, prompt: str, before: int) -> Answer:
        time.sleep(0.2)
        return echo(path, prompt, before)

    with scripted(answers) as script, contextlib.closing(Endpoint(script.url, {}, Limits(timeout=2))) as endpoint:
        found = list(endpoint.respond(Plain(), plan()))
    assert [(response.status, response.attempts) for response in found] == [("ok", 1)] * 8


def test_a_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(echo) as proxy, scripted(echo) as script:
        monkeypatch.setenv("http_proxy", proxy.url.removesuffix("/v1"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert respond("http://api.invalid/v1", "a")["a"].text == "A"
        assert respond(script.url, "b")["b"].text == "B"
    assert proxy.paths == ["http://api.invalid/v1/ask"] and script.paths == ["/v1/ask"]


def test_status_says_how_many_at_a_time() -> None:
    with contextlib.closing(Endpoint("http://127.0.0.1:9/v1", {}, Limits(most=5))) as endpoint:
        assert endpoint.status() == "5 at a time"


def test_closing_twice_is_closing_once() -> None:
    with scripted(echo) as script:
        endpoint = Endpoint(script.url, {}, Limits())
        assert endpoint.fetch(Call("/models")).status == 200
        endpoint.close()
        endpoint.close()


def test_an_address_with_a_key_is_refused() -> None:
    with pytest.raises(UsageError, match="keys come from the environment"):
        Endpoint(f"https://user:{KEY}@example.org/v1", {}, Limits())


def test_a_reply_without_end_is_cut_off() -> None:
    with scripted(lambda *_: (200, {}, bytes(65 << 20))) as script:
        found = respond(script.url, "a", attempts=1)["a"]
    assert (found.status, found.reason) == ("error", "bad_reply: more than 64 MiB, 1 attempt")
