"""A key is used, and is nowhere: in no run file, output, error or export, whatever the service does with it."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Bench
from tests.e2e.test_kill import Run, declared, endpoint
from tests.slow_server import serving

CANARY = "sk-canary-7Qm2Zt9Lr4Xw8Vb6"
PIECE = 10
"""Characters of a key in a row that nobody may see."""


def holds_key(text: str | bytes) -> bool:
    whole = text if isinstance(text, bytes) else text.encode()
    places = range(len(CANARY) - PIECE + 1)
    # What was written in UTF-16, or with a character more in between, is not looked for.
    return any(CANARY[place : place + PIECE].encode() in whole for place in places)


@dataclass(slots=True)
class Echo:
    """A service that repeats the key that it was given, in whatever it says."""

    url: str
    keys: set[str] = field(default_factory=set)


class Handler(BaseHTTPRequestHandler):
    """Does what the prompt says: every kind of answer has the key in it, but for the answer's own text.

    What ends a run at once, such as 401, it does where the model is named so.
    """

    protocol_version = "HTTP/1.1"
    echo: Echo

    def do_GET(self) -> None:
        self._send(200, {"object": "list", "data": [{"id": "one"}]})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        key = self._key()
        self.echo.keys.add(key.removeprefix("Bearer "))
        prompt = body["messages"][-1]["content"]
        model = body["model"]
        failures = {
            "Text 1 ": 400,
            "Text 5 ": 429,
            "Text 6 ": 500,
            "Text 7 ": 503,
        }
        status = int(model) if model.isdigit() else next((failures[text] for text in failures if text in prompt), 200)
        error = {"message": f"the key {key} is not right", "type": key, "code": key, "param": key}
        if status == 302:
            self._send(302, {}, Location=f"http://127.0.0.1:9/{key.removeprefix('Bearer ')}")
        elif status != 200:
            self._send(status, {"type": "error", "error": error})
        elif "Text 8 " in prompt:
            self._send(200, {"error": error})
        elif "Text 9 " in prompt:
            self._send(200, raw=f'{{"choices": [{{"message": {{"role": "{key}'.encode())
        elif "Text 11 " in prompt:
            self._send(200, {"choices": [{"message": {"content": None}, "finish_reason": key}], "usage": key})
        else:
            self._send(200, self._answer(model, key))

    def _answer(self, model: str, key: str) -> dict[str, Any]:
        if self.path.endswith("/messages"):
            said: dict[str, Any] = {"content": [{"type": "text", "text": "well"}], "stop_reason": "end_turn"}
            return said | {"id": key, "type": "message", "role": "assistant", "model": model, "usage": {}}
        choice = {"index": 0, "message": {"role": "assistant", "content": "well"}, "finish_reason": "stop"}
        return {"id": key, "model": model, "system_fingerprint": key, "choices": [choice], "usage": {}}

    def _key(self) -> str:
        return self.headers.get("Authorization") or self.headers.get("x-api-key") or ""

    def _send(self, status: int, body: dict[str, Any] | None = None, raw: bytes = b"", **headers: str) -> None:
        content = raw or json.dumps(body).encode()
        key = self._key()
        self.send_response(status, f"No {key}")
        echoed = {"WWW-Authenticate": key, "X-Request-Id": key, "Set-Cookie": f"key={key}", "Retry-After": key}
        for name, value in {**echoed, "Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def echo() -> Iterator[Echo]:
    class Here(Handler):
        pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Here) as server:
        server.daemon_threads = True
        Here.echo = Echo(f"http://127.0.0.1:{server.server_port}/v1")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield Here.echo
        server.shutdown()
        thread.join()


def assert_nowhere(folder: Path, *keys: Path) -> None:
    """No file in the folder holds the key, but for those that are there to hold it."""
    for path in folder.rglob("*"):
        assert not holds_key(str(path))
        if path.is_file() and path not in keys:
            assert not holds_key(path.read_bytes()), f"{path.relative_to(folder)} has the key"


def arguments(provider: str, model: str, url: str, task: Path) -> list[str]:
    options = ["-M", f"base_url={url}", "-M", "attempts=2", "-M", "deadline=3", "-M", "patience=20"]
    return ["-m", f"{provider}:{model}", *options, "-t", str(task)]


PROVIDERS = [("openai", "OPENAI_API_KEY"), ("anthropic", "ANTHROPIC_API_KEY")]


@pytest.mark.parametrize(("provider", "variable"), PROVIDERS)
@pytest.mark.parametrize("from_file", [False, True])
def test_a_service_that_repeats_the_key_in_every_way(
    bench: Bench, echo: Echo, tmp_path: Path, provider: str, variable: str, from_file: bool
) -> None:
    task = declared(tmp_path, 60)
    holder = tmp_path / "holder"
    given = {variable: CANARY}
    if from_file:
        holder.write_text(f"{CANARY}\n")
        given = {variable: "", f"{variable}_FILE": str(holder)}
    path = "runs/a.run.db"
    run = ("run", *arguments(provider, "good", echo.url, task), "--output", path, "--max-errors", "1")
    done = bench(*run, expect=1, **given)
    assert echo.keys == {CANARY}, "the service was to get the key"
    verbs = [
        ("show", path, "--json"),
        ("show", path),
        ("list", "runs", "--json"),
        ("rescore", path, "-t", str(task)),
        *(("export", path, "--format", to) for to in ("parquet", "csv", "jsonl", "db")),
        ("doctor",),
        ("doctor", "--json", "--endpoint", echo.url),
    ]
    said = [done, *(bench(*verb, **given) for verb in verbs)]
    lines = [json.loads(line) for line in (tmp_path / "runs/a.jsonl").read_text().splitlines()]
    assert {line["status"] for line in lines} >= {"ok", "error"}
    for one in said:
        assert not holds_key(one.stdout), one.args
        assert not holds_key(one.stderr), one.args
    assert_nowhere(tmp_path, holder)


@pytest.mark.parametrize(("provider", "variable"), PROVIDERS)
@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 500])
def test_a_service_that_refuses_everybody_and_repeats_the_key(
    bench: Bench, echo: Echo, tmp_path: Path, provider: str, variable: str, status: int
) -> None:
    command = arguments(provider, str(status), echo.url, declared(tmp_path, 2))
    command[command.index("patience=20")] = "patience=1"
    done = bench("run", *command, expect=2, **{variable: CANARY})
    assert echo.keys == {CANARY}
    assert done.stderr.count("\n") == 1
    assert str(status) in done.stderr or status == 302
    assert not holds_key(done.stderr + done.stdout)
    assert_nowhere(tmp_path)
    assert not list(tmp_path.rglob("*.db"))


def test_a_killed_run_has_no_key_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with serving(0.005) as service:
        service.allow(20)
        run = Run(tmp_path / "a.run.db", endpoint(service, declared(tmp_path, 100), 4))
        with run.started() as process:
            run.wait_for_news(process)
    assert list(tmp_path.glob("a.run.db-wal"))
    assert_nowhere(tmp_path)


ROUTES = [
    ["-M", f"api_key={CANARY}"],
    ["-M", f"API-KEY={CANARY}"],
    ["-M", f"key={CANARY}"],
    ["-M", f"token={CANARY}"],
    ["-M", f"authorization=Bearer {CANARY}"],
    ["-M", f"OPENAI_API_KEY={CANARY}"],
    ["-M", f"headers=Authorization: {CANARY}"],
    ["-M", CANARY],
    ["-M", f"key_env={CANARY}"],
    ["-M", f'extra={{"api_key": "{CANARY}"}}'],
    ["-M", f'extra={{"headers": {{"Authorization": "{CANARY}"}}}}'],
    ["-M", f'extra={{"api_key": "{CANARY}"'],
    ["-M", f"temperature={CANARY}"],
    ["-M", "base_url=http://user:{canary}@{host}"],
    ["-M", "base_url=http://{canary}@{host}"],
    ["-M", "base_url=http://{host}?api_key={canary}"],
    ["-M", f"base_url={CANARY}"],
    ["--api-key", CANARY],
    [f"--api-key={CANARY}"],
]


@pytest.mark.parametrize("provider", [provider for provider, _ in PROVIDERS])
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: " ".join(route).replace(CANARY, "KEY"))
def test_a_key_on_the_command_line_is_refused_and_not_repeated(
    bench: Bench, echo: Echo, tmp_path: Path, provider: str, route: list[str]
) -> None:
    host = echo.url.removeprefix("http://")
    filled = [word.replace("{canary}", CANARY).replace("{host}", host) for word in route]
    base = [] if any("base_url" in word for word in filled) else ["-M", f"base_url={echo.url}"]
    command = ["run", "-m", f"{provider}:one", *base, *filled, "-t", str(declared(tmp_path, 2))]
    done = bench(*command, expect=2)
    assert not echo.keys, "nothing was to be asked"
    assert done.stderr.count("\n") == 1
    assert not holds_key(done.stderr + done.stdout)
    assert not list(tmp_path.rglob("*.db"))
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "line",
    ['api_key = "{}"', 'key_env = "{}"', 'base_url = "http://user:{}@127.0.0.1:9/v1"', 'extra = {{ token = "{}" }}'],
)
def test_a_key_in_a_model_file_is_refused_and_not_repeated(bench: Bench, tmp_path: Path, line: str) -> None:
    (tmp_path / "m.toml").write_text(f'model = "openai:one"\n\n[options]\n{line.format(CANARY)}\n')
    done = bench("run", "-m", "m.toml", "-t", "cldr-dates", expect=2)
    assert done.stderr.count("\n") == 1
    assert not holds_key(done.stderr + done.stdout)
    assert not list(tmp_path.rglob("*.db"))


def test_a_key_that_is_none_is_not_repeated(bench: Bench, tmp_path: Path) -> None:
    broken = f"{CANARY}\n{CANARY}"
    done = bench("run", "-m", "openai:one", "-t", "cldr-dates", expect=2, OPENAI_API_KEY=broken)
    assert not holds_key(done.stderr + done.stdout)
    (tmp_path / "holder").write_text(broken)
    given = {"OPENAI_API_KEY": "", "OPENAI_API_KEY_FILE": "holder"}
    done = bench("run", "-m", "openai:one", "-t", "cldr-dates", expect=2, **given)
    assert not holds_key(done.stderr + done.stdout)
    with contextlib.suppress(FileNotFoundError):
        (tmp_path / "holder").unlink()
    assert_nowhere(tmp_path)
