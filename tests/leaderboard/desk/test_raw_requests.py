"""Bytes that no client library sends, to the server that the public meets: gunicorn, over a socket."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from leaderboard.desk import access
from leaderboard.desk.store import Desk

WAIT = 120.0
HOST = b"Host: board.example\r\nConnection: close\r\n"


@dataclass(frozen=True)
class Live:
    """A served board: its port, its folder, what it logs, and a token's secret."""

    port: int
    folder: Path
    log: Path
    secret: str

    def answer(self, request: bytes) -> bytes:
        """What comes back for these very bytes."""
        with socket.create_connection(("127.0.0.1", self.port), WAIT) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def sent(self, framing: bytes, body: bytes) -> bytes:
        """What the interface for programs says to a body."""
        token = f"Authorization: Bearer {self.secret}\r\n".encode()
        return self.answer(b"POST /api/submissions HTTP/1.1\r\n" + HOST + token + framing + b"\r\n\r\n" + body)


@pytest.fixture(scope="module")
def live(board: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    shutil.copytree(board, folder / "board")
    with Desk.open(folder / "board") as desk:
        secret, _token = access.create(desk, "Ada")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bench", "serve", "--board", "board", "--workers", "1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, "BOARD_CHECK": "0"}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        _await(process, port)
        yield Live(port, folder / "board", folder / "log", secret)
    finally:
        process.terminate()
        process.wait()


def _await(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + WAIT
    while process.poll() is None and time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.2)
    raise AssertionError("the server does not begin")


@pytest.mark.parametrize(
    ("framing", "body"),
    [
        (b"Transfer-Encoding: chunked", b"ZZ\r\nabc\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"3\r\nabcdef\r\n0\r\n\r\n"),
        (b"Transfer-Encoding: chunked", b"ffff\r\nabc"),
        (b"Transfer-Encoding: chunked", b""),
        (b"Content-Length: 4000", b"abc"),
    ],
)
def test_a_body_that_is_none_is_the_senders_fault(live: Live, framing: bytes, body: bytes) -> None:
    assert live.sent(framing, body).startswith(b"HTTP/1.1 400 ")
    assert not list((live.folder / "uploads").iterdir())
    assert "Traceback" not in live.log.read_text()


def test_nobody_says_where_the_site_is_mounted(live: Live) -> None:
    plain = live.answer(b"GET / HTTP/1.1\r\n" + HOST + b"\r\n")
    told = live.answer(b"GET / HTTP/1.1\r\n" + HOST + b"SCRIPT_NAME: /evil\r\n\r\n")
    assert plain.startswith(b"HTTP/1.1 200 ") and told.startswith(b"HTTP/1.1 200 ")
    assert plain.partition(b"\r\n\r\n")[2] == told.partition(b"\r\n\r\n")[2]
    moved = live.answer(b"GET //evil.example/ HTTP/1.1\r\n" + HOST + b"SCRIPT_NAME: //evil.example\r\n\r\n")
    assert moved.startswith(b"HTTP/1.1 404 ")


def test_what_is_no_request_leaves_no_address_in_the_log(live: Live) -> None:
    for request in (b"get / HTTP/1.1\r\n", b"GET /\xc3\xa9 HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nA : b\r\n"):
        assert live.answer(request + HOST + b"\r\n").startswith(b"HTTP/1.1 400 ")
    assert "ip=" not in live.log.read_text()
