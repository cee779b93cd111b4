"""`publish --to` against a small server that behaves as a board does, and as one does not."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bench.cli import main
from bench.cli.submit import address
from bench.records import UsageError
from leaderboard.desk import structure

TOKEN = "bench_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG"
RECEIVED = {"id": "abc", "state": "received", "reason": "", "detail": "", "address": "/submissions/abc"}

Answer = tuple[int, dict[str, str], object]


@dataclass
class Seen:
    """What reached the server, and what it is to answer, the last one again and again."""

    answers: list[Answer]
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    url: str = ""


@contextlib.contextmanager
def serving(*answers: Answer) -> Iterator[Seen]:
    seen = Seen(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.requests.append((self.command, self.path, dict(self.headers), body))
            status, headers, said = seen.answers.pop(0) if len(seen.answers) > 1 else seen.answers[0]
            content = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer  # noqa: N815 - the names that http.server looks for

        def log_message(self, *arguments: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        seen.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield seen
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "*")


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    captured = capsys.readouterr()
    assert TOKEN not in captured.out + captured.err
    return captured.out, captured.err


def test_a_run_is_sent_whole_packed_and_with_the_token(
    runs: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving((202, {}, RECEIVED)) as seen:
        assert main(["publish", str(runs[3]), "--to", f"{seen.url}/"]) == 0
    ((method, path, headers, body),) = seen.requests
    assert (method, path) == ("POST", "/api/submissions")
    assert headers["Authorization"] == f"Bearer {TOKEN}"
    assert headers["Content-Type"] == "application/vnd.sqlite3"
    assert (headers["Content-Encoding"], headers["Content-Length"]) == ("gzip", str(len(body)))
    arrived = tmp_path / "arrived.run.db"
    arrived.write_bytes(gzip.decompress(body))
    structure.check(arrived)
    with contextlib.closing(sqlite3.connect(arrived)) as made, contextlib.closing(sqlite3.connect(runs[3])) as sent:
        for table in ("requests", "responses", "scores", "cells", "manifest"):
            question = f"SELECT * FROM {table}"
            assert made.execute(question).fetchall() == sent.execute(question).fetchall()
    assert b"in-the-command-line" in runs[3].read_bytes()
    assert b"in-the-command-line" not in arrived.read_bytes()
    out, _ = said(capsys)
    assert out == f"{runs[3]}: received, {seen.url}/submissions/abc\n"


def test_the_token_may_be_in_a_file(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("BENCH_TOKEN")
    (tmp_path / "token").write_text("bench_other\n")
    with serving((202, {}, RECEIVED)) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url, "--token-file", str(tmp_path / "token")]) == 0
        assert seen.requests[0][2]["Authorization"] == "Bearer bench_other"
        assert main(["publish", str(runs[3]), "--to", seen.url]) == 2
        assert "no token: set BENCH_TOKEN" in said(capsys)[1]
        (tmp_path / "token").write_text("two words\n")
        assert main(["publish", str(runs[3]), "--to", seen.url, "--token-file", str(tmp_path / "token")]) == 2
    assert len(seen.requests) == 1


def test_no_netrc_takes_the_place_of_the_token(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with serving((202, {}, RECEIVED)) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url]) == 0
    assert seen.requests[0][2]["Authorization"] == f"Bearer {TOKEN}"


def test_waiting_looks_until_the_check_is_done(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    checking = {**RECEIVED, "state": "checking"}
    waiting = {**RECEIVED, "state": "waiting", "detail": "self-reported"}
    with serving((202, {}, RECEIVED), (200, {}, checking), (200, {}, waiting)) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url, "--wait", "--json"]) == 0
    assert [one[:2] for one in seen.requests[1:]] == [("GET", "/api/submissions/abc")] * 2
    (told,) = json.loads(said(capsys)[0])
    assert (told["state"], told["detail"], told["address"]) == (
        "waiting",
        "self-reported",
        f"{seen.url}/submissions/abc",
    )


def test_a_rejection_is_an_exit_code_and_a_reason(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    rejected = {**RECEIVED, "state": "rejected", "reason": "forged_scores", "detail": "its answers give other numbers"}
    with serving((202, {}, RECEIVED), (200, {}, rejected)) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url, "--wait"]) == 1
    assert "rejected (forged_scores; its answers give other numbers)" in said(capsys)[0]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_board_is_tried_again_with_the_whole_file(status: int, runs: list[Path]) -> None:
    with serving((status, {"Retry-After": "0"}, {"error": "busy"}), (202, {}, RECEIVED)) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url]) == 0
    first, second = seen.requests
    assert first[3] == second[3] and first[3]


def test_a_long_wait_is_told_and_not_waited_for(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    with serving((429, {"Retry-After": "40000"}, {"error": "20 submissions came today"})) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url]) == 1
    assert len(seen.requests) == 1
    _, err = said(capsys)
    assert "20 submissions came today" in err and "40,000 s" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not know the token, or it has expired"),
        (403, "may not do this"),
        (404, "no board takes submissions there"),
        (409, "has this very run already"),
        (413, "larger than the board takes"),
        (500, "failed with status 500"),
    ],
)
def test_a_refusal_is_one_line_without_the_token(
    status: int, words: str, runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving((status, {}, {"error": f"the board's\nown \x1b[31mwords on {TOKEN}"})) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url]) == 1
    _, err = said(capsys)
    assert words in err and "own" in err and "words on ***" in err
    assert err.count("\n") == 1 and "\x1b" not in err


@pytest.mark.parametrize(
    "content", [b"", b"<html>", b"[1]", b"{}", b'{"id": "../x", "state": "received"}', b"[" * 100_000]
)
def test_an_answer_that_no_board_gives_is_one_line(
    content: bytes, runs: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with serving((200, {}, content)) as seen:
        assert main(["publish", str(runs[3]), "--to", seen.url]) == 1
    _, err = said(capsys)
    assert "answers as no board does" in err and err.count("\n") == 1


def test_a_redirect_gets_neither_the_file_nor_the_token(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    with (
        serving((202, {}, RECEIVED)) as other,
        serving((307, {"Location": f"{other.url}/api/submissions"}, {})) as seen,
    ):
        assert main(["publish", str(runs[3]), "--to", seen.url]) == 2
    assert len(seen.requests) == 1 and not other.requests
    assert other.url in said(capsys)[1]


def test_nobody_there_is_one_line(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    with serving((200, {}, {})) as gone:
        pass
    assert main(["publish", str(runs[3]), "--to", gone.url]) == 1
    _, err = said(capsys)
    assert f"nobody answers at {gone.url}: Connection refused" in err and err.count("\n") == 1
    assert "Pool" not in err and "urllib3" not in err and "retries" not in err


def test_a_server_that_hangs_up_is_one_line(runs: list[Path], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rude:

        def hang_up() -> None:
            client, _ = rude.accept()
            client.recv(10)
            client.close()

        waiting = threading.Thread(target=hang_up)
        waiting.start()
        url = f"http://127.0.0.1:{rude.getsockname()[1]}"
        assert main(["publish", str(runs[3]), "--to", url]) == 1
        waiting.join()
    _, err = said(capsys)
    assert err == f"bench: the connection to {url} broke off; try again later\n"


@pytest.mark.parametrize(
    "url",
    ["http://board.example", "ftp://board.example", "https://me:secret@board.example", "https://b.example/?a=1", "x"],
)
def test_an_address_where_the_token_would_be_read_is_refused(url: str) -> None:
    with pytest.raises(UsageError):
        address(url)


def test_an_address_may_have_a_folder_and_be_on_this_machine() -> None:
    assert address("https://board.example/bench/") == "https://board.example/bench"
    assert address("http://localhost:8000") == "http://localhost:8000"


def test_what_is_no_run_is_not_sent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.run.db").write_bytes(b"no run")
    with serving((202, {}, RECEIVED)) as seen:
        assert main(["publish", str(tmp_path / "a.run.db"), "--to", seen.url]) == 2
        assert main(["publish", str(tmp_path / "none.run.db"), "--to", seen.url]) == 2
        assert main(["publish", str(tmp_path / "a.premium.json"), "--to", seen.url]) == 2
    assert not seen.requests
    assert said(capsys)[1].count("\n") == 3


def test_options_of_sending_go_with_an_address(runs: list[Path], tmp_path: Path) -> None:
    assert main(["publish", str(runs[3]), "--board", str(tmp_path / "board"), "--wait"]) == 2
    assert not (tmp_path / "board").exists()
