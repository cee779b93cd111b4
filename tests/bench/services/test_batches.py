"""Batches against a local server that speaks both APIs: everything is answered once, and nothing is paid twice."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import json
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from bench.backend import ModelStopped, Remembering
from bench.models import Settings, anthropic_dialect, load
from bench.models.anthropic_dialect import Messages
from bench.models.openai_dialect import Chat, Manner
from bench.records import Request, Response, UsageError
from bench.services import batch_notes, wire
from bench.services.batch_notes import Note, Notes, uncollected
from bench.services.batch_protocols import AnthropicBatches, BatchProtocol, OpenAIBatches
from bench.services.batches import ROUNDS, Batches, Options
from bench.services.endpoint import Call, Dialect, Endpoint, Limits, Reply
from tests.batch_server import KEY, Provider, answer_to, serving

LIMITS = Limits(timeout=10.0, attempts=2, deadline=20.0, patience=10.0)
ONCE = Limits(timeout=10.0, attempts=1, deadline=20.0, patience=10.0)
QUICK = Options(size=10, under_way=4, poll=0.001)


APIS: Mapping[str, tuple[type[BatchProtocol], Callable[[], Dialect]]] = {
    "openai": (OpenAIBatches, lambda: Chat(Manner("m"), wire.Served("m"))),
    "anthropic": (AnthropicBatches, lambda: Messages(anthropic_dialect.Manner("m"), wire.Served("m"))),
}
api = pytest.mark.parametrize("api", APIS)


def asked(count: int, *, start: int = 0) -> list[Request]:
    return [
        Request(f"{number:032x}", "s", "t", "yor_Latn", "", "generate", f"ọ̀rọ̀ {number}", (), 9, (), "", ())
        for number in range(start, start + count)
    ]


class Mortal(Endpoint):
    """An endpoint whose caller dies at the call with the number `dies`, before or after it was made."""

    calls: Iterator[int]
    dies = -1
    after = False
    death: type[BaseException] = SystemExit

    def fetch(self, call: Call) -> Reply:
        dies = next(self.calls) == self.dies
        if dies and not self.after:
            raise self.death
        reply = super().fetch(call)
        if dies:
            raise self.death
        return reply


@contextlib.contextmanager
def batches(
    url: str,
    api: str,
    notes: MutableMapping[str, str],
    options: Options = QUICK,
    *,
    key: str = KEY,
    kind: type[Endpoint] = Endpoint,
) -> Iterator[Batches]:
    headers = {"Authorization": f"Bearer {key}"}
    protocol, dialect = APIS[api]
    with (
        contextlib.closing(kind(url, headers, LIMITS)) as endpoint,
        contextlib.closing(kind(url, headers, ONCE)) as once,
    ):
        yield Batches(endpoint, once, dialect(), protocol(), notes, options)


def respond(
    provider: Provider, api: str, requests: list[Request], notes: dict[str, str] | None = None, options: Options = QUICK
) -> list[Response]:
    with serving(provider) as url, batches(url, api, {} if notes is None else notes, options) as made:
        return list(made.respond(requests))


def check_answers(responses: list[Response], requests: list[Request]) -> None:
    """Each request has one response, and the right one."""
    prompts = {request.id: request.prompt for request in requests}
    assert collections.Counter(one.request for one in responses) == dict.fromkeys(prompts, 1)
    for one in responses:
        assert (one.status, one.text) == ("ok", answer_to(prompts[one.request])), one


@api
def test_every_request_is_answered_once_and_paid_once(api: str) -> None:
    provider, requests = Provider(double=True, strangers=3), asked(95)
    responses = respond(provider, api, requests)
    check_answers(responses, requests)
    assert provider.paid == dict.fromkeys((request.id for request in requests), 1)
    assert [len(sold.members) for sold in provider.batches.values()] == [10] * 9 + [5]
    assert {(one.seconds, one.attempts) for one in responses} == {(None, 1)}


@api
def test_an_answer_is_read_as_a_direct_one(api: str) -> None:
    [response] = respond(Provider(), api, asked(1))
    assert (response.finish, response.prompt_tokens, response.output_tokens) == ("stop", 7, 3)


@api
def test_nothing_is_asked_where_nothing_is_to_be_asked(api: str) -> None:
    provider, notes = Provider(), {"batch/x-y": '{"id":"batch_0001","count":1,"at":1.0}', "other": "kept"}
    assert respond(provider, api, [], notes) == []
    assert not provider.calls and len(notes) == 2


@api
def test_requests_are_read_as_they_are_needed(api: str) -> None:
    read, most = 0, QUICK.size * QUICK.under_way

    def source() -> Iterator[Request]:
        nonlocal read
        for read, request in enumerate(asked(300), start=1):  # noqa: B007
            yield request

    with serving(Provider()) as url, batches(url, api, {}) as made:
        for answered, _ in enumerate(made.respond(source())):
            assert read <= answered + most + 1
    assert read == 300


@api
def test_a_batch_is_no_larger_than_it_may_be(api: str) -> None:
    provider, requests = Provider(), asked(20)
    check_answers(respond(provider, api, requests, options=Options(size=100, most_bytes=1000, poll=0.001)), requests)
    sizes = [len(json.dumps(sold.members)) for sold in provider.batches.values()]
    assert max(sizes) < 1000 and len(sizes) < 10


@api
@pytest.mark.parametrize("fate", ["expired", "missing", "429", "500", "garbage"])
def test_what_failed_for_now_is_asked_again(api: str, fate: str) -> None:
    unlucky = {request.id for request in asked(30)[::4]}
    provider = Provider(lambda custom_id, before: fate if custom_id in unlucky and not before else "ok")
    requests = asked(30)
    responses = respond(provider, api, requests)
    check_answers(responses, requests)
    assert {one.attempts for one in responses if one.request in unlucky} == {2}
    assert set(provider.paid.values()) == {1}


@api
@pytest.mark.parametrize(
    ("fate", "reason"),
    [("expired", "batch_expired"), ("missing", "no_result"), ("429", "rate_limited"), ("500", "server_error")],
)
def test_what_fails_for_ever_becomes_an_error(api: str, fate: str, reason: str) -> None:
    bad = asked(30)[7].id
    provider = Provider(lambda custom_id, before: fate if custom_id == bad else "ok")
    responses = {one.request: one for one in respond(provider, api, asked(30))}
    assert responses[bad].status == "error" and responses[bad].reason == f"{reason}, in {ROUNDS} batches"
    assert provider.asked[bad] == responses[bad].attempts == ROUNDS
    assert len(responses) == 30 and sum(one.status == "ok" for one in responses.values()) == 29


@api
def test_what_the_service_will_not_have_is_not_asked_again(api: str) -> None:
    bad = asked(3)[1].id
    provider = Provider(lambda custom_id, before: "400" if custom_id == bad else "ok")
    responses = {one.request: one for one in respond(provider, api, asked(3))}
    assert (responses[bad].status, responses[bad].reason) == ("error", "bad_request: status 400")
    assert provider.asked[bad] == 1


@api
@pytest.mark.parametrize("trouble", ["cut_off", "hidden"])
@pytest.mark.parametrize("times", [1, 3])
def test_results_that_arrive_cut_off_or_late_are_fetched_again(api: str, trouble: str, times: int) -> None:
    provider, requests = Provider(), asked(25)
    setattr(provider, trouble, times)
    check_answers(respond(provider, api, requests), requests)
    assert set(provider.paid.values()) == {1}


@api
def test_a_look_that_cannot_be_read_is_repeated(api: str) -> None:
    provider, requests = Provider(garbled=3), asked(25)
    check_answers(respond(provider, api, requests), requests)
    assert set(provider.paid.values()) == {1}


@api
@pytest.mark.parametrize("trouble", ["lost", "broken", "refused", "limited"])
def test_a_batch_of_unclear_fate_is_not_paid_twice(api: str, trouble: str) -> None:
    requests, notes = asked(35), dict[str, str]()
    provider = Provider()
    setattr(provider, trouble, 2)
    check_answers(respond(provider, api, requests, notes), requests)
    assert set(provider.paid.values()) == {1}


@api
def test_of_several_batches_that_may_be_ours_the_next_invocation_finds_out(api: str) -> None:
    provider, requests, notes = Provider(lost=1), asked(10), dict[str, str]()
    sell = functools.partial(provider.sell, metadata={"bench": "another run's"}, anthropic=api == "anthropic")
    sell({f"smaller-{n}": {} for n in range(9)})
    sell({f"other-{n}": {} for n in range(10)})
    if api == "anthropic":  # whose batches have no names
        with pytest.raises(ModelStopped, match="not clear whether a batch was made"):
            respond(provider, api, requests, notes)
    check_answers(respond(provider, api, requests, notes), requests)
    assert [provider.paid[request.id] for request in requests] == [1] * 10


@api
def test_batches_of_another_size_are_not_ours(api: str) -> None:
    provider, requests = Provider(lost=1), asked(10)
    provider.sell({f"smaller-{n}": {} for n in range(9)}, {}, anthropic=api == "anthropic")
    check_answers(respond(provider, api, requests), requests)
    assert [provider.paid[request.id] for request in requests] == [1] * 10


@api
@pytest.mark.parametrize("fate", ["400", "429", "garbage", "expired"])
def test_a_result_of_an_earlier_invocation_that_is_none_is_asked_for_again(api: str, fate: str) -> None:
    requests, notes = asked(10), dict[str, str]()
    bad = requests[4].id
    provider = Provider(lambda custom_id, before: fate if custom_id == bad and not before else "ok")
    attributes: dict[str, Any] = {"calls": itertools.count(), "dies": 3}
    with serving(provider) as url:
        with batches(url, api, notes, kind=type("Dies", (Mortal,), attributes)) as made, pytest.raises(SystemExit):
            list(made.respond(requests))
        assert provider.asked[bad] == 1
        with batches(url, api, notes) as made:
            check_answers(list(made.respond(requests)), requests)
    assert provider.asked[bad] == 2 and set(provider.paid.values()) == {1}


@api
def test_a_server_that_restarts_between_two_looks(api: str) -> None:
    provider, requests = Provider(polls=4), asked(40)
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        url = first.enter_context(serving(provider))
        port = int(url.rpartition(":")[2].partition("/")[0])
        looks = itertools.count()
        gone = threading.Event()

        def watch(method: str, path: str) -> None:
            if method == "GET" and next(looks) in {3, 9}:
                gone.set()

        provider.watcher = watch
        done = threading.Event()

        def restart() -> None:
            nonlocal first
            while not done.is_set():
                if gone.wait(0.01):
                    gone.clear()
                    first.close()
                    first.enter_context(serving(provider, port))

        restarter = threading.Thread(target=restart)
        restarter.start()
        try:
            with batches(url, api, {}) as made:
                responses = list(made.respond(requests))
        finally:
            done.set()
            restarter.join()
    check_answers(responses, requests)
    assert set(provider.paid.values()) == {1}


@api
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_call_costs_nothing(api: str, after: bool) -> None:
    """Every call in turn is the last one of an invocation; what it handed over at the end never reached the disk."""
    requests, options = asked(45), Options(size=10, under_way=2, poll=0.001)
    for dies in itertools.count():
        bad = requests[3].id
        provider = Provider(lambda custom_id, before: "expired" if custom_id == bad and not before else "ok")  # noqa: B023
        notes: dict[str, str] = {}
        mortal = type("Dies", (Mortal,), {"calls": itertools.count(), "dies": dies, "after": after})
        answers: list[Response] = []
        died = True
        with serving(provider) as url:
            with batches(url, api, notes, options, kind=mortal) as made, contextlib.suppress(SystemExit):
                answers.extend(made.respond(requests))
                died = False
            kept = answers if not died else answers[:-4]
            rest = [request for request in requests if request.id not in {one.request for one in kept}]
            with batches(url, api, notes, options) as made:
                kept += made.respond(rest)
        check_answers(kept, requests)
        assert set(provider.paid.values()) == {1}, dies
        assert not uncollected(notes)
        if not died:
            assert dies > 15
            break


CLIENT = """
import contextlib, sqlite3, sys
from tests.bench.services.test_batches import QUICK, Disk, asked, batches
url, api, path = sys.argv[1:]
with contextlib.closing(Disk(path)) as disk, batches(url, api, disk) as made:
    known = disk.answered()
    for response in made.respond([request for request in asked(60) if request.id not in known]):
        disk.answer(response)
"""


class Disk(MutableMapping[str, str]):
    """Notes and answers in a file, as a run file has them."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("CREATE TABLE IF NOT EXISTS notes (key TEXT PRIMARY KEY, value TEXT)")
        self._database.execute("CREATE TABLE IF NOT EXISTS answers (id TEXT PRIMARY KEY, text TEXT)")

    def __getitem__(self, key: str) -> str:
        row = self._database.execute("SELECT value FROM notes WHERE key = ?", (key,)).fetchone()
        if row is None:
            raise KeyError(key)
        return str(row[0])

    def __setitem__(self, key: str, value: str) -> None:
        self._database.execute("INSERT OR REPLACE INTO notes VALUES (?, ?)", (key, value))

    def __delitem__(self, key: str) -> None:
        self._database.execute("DELETE FROM notes WHERE key = ?", (key,))

    def __iter__(self) -> Iterator[str]:
        return iter([key for (key,) in self._database.execute("SELECT key FROM notes").fetchall()])

    def __len__(self) -> int:
        return len(list(iter(self)))

    def answer(self, response: Response) -> None:
        """Fails where there is one already."""
        self._database.execute("INSERT INTO answers VALUES (?, ?)", (response.request, response.text))

    def answered(self) -> dict[str, str]:
        return dict(self._database.execute("SELECT id, text FROM answers").fetchall())

    def close(self) -> None:
        self._database.close()


@api
def test_a_process_that_is_killed_over_and_over(api: str, tmp_path: Path) -> None:
    """SIGKILL at calls of every kind, each time by the server, in the midst of the call."""
    provider, path = Provider(polls=2), str(tmp_path / "run.db")
    client: subprocess.Popen[bytes] | None = None
    kills = {"POST": [2, 3], "GET": [1, 4, 9]}  # the calls of an invocation at which it dies, one an invocation
    count: collections.Counter[str] = collections.Counter()

    def watch(method: str, path: str) -> None:
        count[method] += 1
        if client and kills[method] and count[method] == kills[method][0]:
            kills[method].pop(0)
            client.send_signal(signal.SIGKILL)
            client.wait()

    provider.watcher = watch
    with serving(provider) as url:
        for _ in range(10):
            count.clear()
            client = subprocess.Popen([sys.executable, "-c", CLIENT, url, api, path], cwd=Path(__file__).parents[3])
            if client.wait() == 0:
                break
            assert client.returncode == -signal.SIGKILL
    assert client and client.returncode == 0 and kills == {"POST": [], "GET": []}
    with contextlib.closing(Disk(path)) as disk:
        assert disk.answered() == {request.id: answer_to(request.prompt) for request in asked(60)}
    assert provider.paid == dict.fromkeys((request.id for request in asked(60)), 1)


@api
def test_a_batch_whose_answers_were_lost_on_the_way_to_the_disk(api: str) -> None:
    provider, requests, notes = Provider(), asked(30), dict[str, str]()
    respond(provider, api, requests, notes)
    assert not uncollected(notes)
    lost = requests[5:8]
    check_answers(respond(provider, api, lost, notes), lost)
    assert set(provider.paid.values()) == {1} and len(provider.batches) == 3


@api
def test_a_plan_that_has_grown(api: str) -> None:
    provider, notes = Provider(), dict[str, str]()
    respond(provider, api, asked(20), notes)
    check_answers(respond(provider, api, asked(20, start=20), notes), asked(20, start=20))
    assert set(provider.paid.values()) == {1} and len(provider.paid) == 40


@api
def test_notes_go_when_their_answers_are_on_disk(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_notes, "UNCOMMITTED", 25)
    notes: dict[str, str] = {"other": "kept"}
    respond(Provider(), api, asked(100), notes)
    assert notes.pop("other") == "kept"
    assert 3 <= len(notes) <= 4 and not uncollected(notes)


@api
def test_results_that_the_provider_no_longer_has_are_asked_for_again(api: str) -> None:
    provider, requests = Provider(), asked(10)
    notes = {"batch/a-b": json.dumps({"id": "batch_0001", "count": 10, "at": 1.0})}  # of 1970
    check_answers(respond(provider, api, requests, notes), requests)


@api
def test_a_batch_of_another_account_is_not_paid_again(api: str) -> None:
    provider, notes = Provider(), dict[str, str]()
    label, _ = Notes(notes).begin("0" * 16, 10)
    Notes(notes).made(label, "batch_9999")
    with pytest.raises(ModelStopped, match=r"does not know batch batch_9999.*the key of the account"):
        respond(provider, api, asked(10), notes)
    assert not provider.batches and uncollected(notes) == 1


@api
def test_a_service_that_takes_no_batches(api: str) -> None:
    provider, notes = Provider(will_not=(400, "the model has no batches")), dict[str, str]()
    with pytest.raises(ModelStopped, match="takes no batch: bad_request: the model has no batches"):
        respond(provider, api, asked(10), notes)
    assert not notes


@api
def test_a_wrong_key_is_in_no_message(api: str) -> None:
    notes: dict[str, str] = {}
    with (
        serving(Provider()) as url,
        batches(url, api, notes, key="sk-wrong-key-987654321") as made,
        pytest.raises(ModelStopped) as stopped,
    ):
        list(made.respond(asked(1)))
    assert "unauthorised" in str(stopped.value) and KEY not in str(stopped.value)


def test_a_service_without_a_batch_api() -> None:
    refused = pytest.raises(ModelStopped, match=r"refuses: not_found \(404\)")
    with serving(Provider()) as url, batches(f"{url}/else", "openai", {}) as made, refused:
        list(made.respond(asked(1)))


def test_half_a_character_in_a_result_is_what_it_is_in_a_direct_reply() -> None:
    body = rb'{"model": "m", "choices": [{"message": {"content": "a\ud800b"}, "finish_reason": "stop"}]}'
    line = b'{"custom_id": "c", "response": {"status_code": 200, "body": ' + body + b"}}"
    dialect, [request] = Chat(Manner("m"), wire.Served("m")), asked(1)
    batched = OpenAIBatches().result(wire.decoded(line)).reply
    assert batched and dialect.read(request, batched).text == "a\ufffdb"
    assert dialect.read(request, batched) == dialect.read(request, Reply(200, {}, body, 0.0, 1))


def test_a_batch_that_fails_as_a_whole_stops_the_run() -> None:
    notes: dict[str, str] = {}
    with pytest.raises(ModelStopped, match="failed a batch: model_not_found: no room"):
        respond(Provider(fails=["model_not_found"]), "openai", asked(10), notes)
    assert not notes


@pytest.mark.parametrize("times", [1, 3, 5])
def test_an_account_that_is_full_gets_batches_later(times: int) -> None:
    provider, requests = Provider(fails=["token_limit_exceeded"] * times), asked(60)
    check_answers(respond(provider, "openai", requests), requests)
    assert set(provider.paid.values()) == {1}


def test_an_account_that_stays_full_stops_the_run() -> None:
    with pytest.raises(ModelStopped, match="token_limit_exceeded"):
        respond(Provider(fails=["token_limit_exceeded"] * 100), "openai", asked(5))


@api
def test_ctrl_c_leaves_batches_running_and_says_so(api: str) -> None:
    provider, requests, notes = Provider(polls=3), asked(30), dict[str, str]()
    attributes: dict[str, Any] = {"calls": itertools.count(), "dies": 9, "death": KeyboardInterrupt}
    with serving(provider) as url:
        kind = type("Interrupted", (Mortal,), attributes)
        with batches(url, api, notes, kind=kind) as made, pytest.raises(KeyboardInterrupt) as interrupt:
            list(made.respond(requests))
        assert interrupt.value.__notes__ == ["3 batches go on at the provider; the same command fetches the answers"]
        with batches(url, api, notes) as made:
            check_answers(list(made.respond(requests)), requests)
    assert set(provider.paid.values()) == {1}


@api
def test_the_status_says_how_far_the_batches_are(api: str) -> None:
    said = set()
    provider = Provider(polls=3)
    with serving(provider) as url, batches(url, api, {}, Options(size=1000, poll=0.001)) as made:
        provider.watcher = lambda method, path: said.add(made.status())
        list(made.respond(asked(1200)))
        assert made.status() == ""
    assert "2 batches: 0 of 1,200 requests done" in said


def test_a_note_is_read_as_it_was_written() -> None:
    kept: dict[str, str] = {}
    label, note = Notes(kept).begin("f" * 16, 3)
    assert Notes(kept).all() == {label: note} and note.id == "" and uncollected(kept) == 1
    Notes(kept).made(label, "b")
    Notes(kept).finish(label)
    assert Notes(kept).all() == {label: Note("b", 3, note.at, read=True)} and not uncollected(kept)


@api
def test_a_model_hands_in_batches_where_the_user_wants_it(api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{api.upper()}_API_KEY", KEY)
    monkeypatch.setattr("bench.services.batches.Options", lambda: QUICK)
    provider, requests, notes = Provider(), asked(25), dict[str, str]()
    with serving(provider) as url:
        options = {"base_url": url, "batch_api": "true"}
        with contextlib.closing(load(f"{api}:m", Settings(lambda *_: (), options=options))) as model:
            assert isinstance(model, Remembering) and model.price is None
            model.remember(notes)
            check_answers(list(model.respond(requests)), requests)
            assert model.status() == ""
        assert len(provider.batches) == 3 and set(provider.paid.values()) == {1}
        Notes(notes).begin("0" * 16, 1)
        with contextlib.closing(load(f"{api}:m", Settings(lambda *_: (), options={"base_url": url}))) as model:
            assert isinstance(model, Remembering)
            with pytest.raises(UsageError, match="batch_api=true"):
                model.remember(notes)
