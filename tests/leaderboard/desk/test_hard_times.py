"""What may happen to a desk that runs for years: a check that is killed, a disk that fills up, clients that dawdle."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.records import BenchError
from leaderboard.desk import access, intake, log
from leaderboard.desk.store import Desk
from leaderboard.snapshot import current, publish
from tests.conftest import REPOSITORY
from tests.leaderboard.desk.desks import send_file, token_of
from tests.processes import started

PATIENCE = 120.0
"""Seconds after which what has not come is not waited for: a test that fails must not hang."""


def sent(board: Path, *paths: Path) -> list[str]:
    with Desk.open(board) as desk:
        token = token_of(desk)
        return [send_file(desk, token, path).id for path in paths]


@pytest.fixture
def struck(monkeypatch: pytest.MonkeyPatch) -> list[signal.Signals]:
    """Signals of which each next check gets one from outside, once it is at work."""
    waiting: list[signal.Signals] = []
    usual = subprocess.Popen.wait

    def wait(process: subprocess.Popen[Any], timeout: float | None = None) -> int:
        if waiting and "leaderboard.desk.checking" in process.args:  # type: ignore[operator]
            work = Path(f"/proc/{process.pid}/cwd").resolve()
            while not (work / "upload.run.db").exists() and process.poll() is None:
                time.sleep(0.01)
            os.kill(process.pid, waiting.pop())
        return usual(process, timeout)

    monkeypatch.setattr(subprocess.Popen, "wait", wait)
    return waiting


def test_a_check_that_is_killed_ends_with_a_reason_and_the_queue_goes_on(
    runs: list[Path], empty: Path, struck: list[signal.Signals]
) -> None:
    first, second = sent(empty, runs[0], runs[3])
    struck.append(signal.SIGKILL)
    assert intake.work(empty) == 2
    with Desk.open(empty) as desk:
        assert [desk.submission(each).state for each in (first, second)] == ["rejected", "waiting"]
        assert desk.submission(first).reason == "check_memory" and desk.submission(first).detail
        assert log.check(desk) is None
    (again,) = sent(empty, runs[0])  # it was nothing about the file
    assert intake.work(empty) == 1
    with Desk.open(empty) as desk:
        assert desk.submission(again).state == "waiting"


def test_a_check_that_a_shutdown_ends_is_begun_again(
    runs: list[Path], empty: Path, struck: list[signal.Signals]
) -> None:
    first, second = sent(empty, runs[0], runs[3])
    struck.append(signal.SIGTERM)
    with pytest.raises(BenchError, match=f"submission {first} is not checked yet: signal 15 ended the check"):
        intake.work(empty)
    with Desk.open(empty) as desk:
        assert desk.states() == {first: "checking", second: "waiting"}
    assert intake.work(empty) == 1
    with Desk.open(empty) as desk:
        assert desk.states() == {first: "waiting", second: "waiting"}
        assert log.check(desk) is None


def test_an_intake_that_is_killed_leaves_everything_to_the_next(runs: list[Path], empty: Path) -> None:
    first, second = sent(empty, runs[0], runs[3])
    with started([sys.executable, "-m", "leaderboard.desk.intake", str(empty)], cwd=REPOSITORY) as process:
        while not list(empty.glob(".checking-*/upload.run.db")) and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    for path in empty.glob(".checking-*"):  # its own check goes on alone for a while; nobody hears of it
        assert path.is_dir()
    assert intake.work(empty) == 2
    with Desk.open(empty) as desk:
        assert desk.states() == {first: "waiting", second: "waiting"}
        assert log.check(desk) is None
    assert not list(empty.glob(".checking-*"))


# A full disk: a file system of a few MB, in a namespace of its own

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]
MOUNT = 'mount -t tmpfs -o size="$1" tmpfs "$2" && shift 2 && exec "$@"'

UPLOAD = """
import sys
from pathlib import Path
from leaderboard.desk import reception
from tests.leaderboard.desk.visitors import place, send, uploads
reception.ROOM = 0  # so that the disk fills up in the middle, as when others write to it too
board = Path(sys.argv[1])
from leaderboard.snapshot import publish
publish([Path(sys.argv[2])], board)
there = place(board)
visitor = there.app.test_client()
answer = send(visitor, there.secret, bytes(64 << 20))
assert (answer.status_code, "no room" in answer.get_json()["error"]) == (507, True), answer.get_json()
assert uploads(board) == [], uploads(board)
assert visitor.get("/submissions.json").get_json()["submissions"] == []
assert visitor.get("/board").status_code == 200
print("fine")
"""

CHECK = """
import os, shutil, sys
from pathlib import Path
from bench.records import BenchError
from leaderboard.desk import access, intake, log
from leaderboard.desk.store import Desk
from tests.leaderboard.desk.desks import send_file, token_of
board, run, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
with Desk.open(board) as desk:
    token = token_of(desk)
    sent = send_file(desk, token, run).id
filler = board / "filler"
with filler.open("wb") as file:
    file.write(bytes(max(0, shutil.disk_usage(board).free - room)))
try:
    intake.work(board)
except BenchError as error:
    assert ("no room" in str(error) or "No space" in str(error)) and "\\n" not in str(error), error
filler.unlink()
with Desk.open(board) as desk:
    found = desk.submission(sent)
    assert found.state in ("received", "checking") or found.reason == "disk_full", found
    assert log.check(desk) is None
if found.reason == "disk_full":
    with Desk.open(board) as desk:
        sent = send_file(desk, token, run).id
intake.work(board)
with Desk.open(board) as desk:
    assert desk.submission(sent).state == "waiting", desk.submission(sent)
    assert log.check(desk) is None
assert not list(board.glob(".checking-*"))
print("fine")
"""


def on_a_small_disk(folder: Path, size: str, script: str, *arguments: str) -> str:
    """What a script prints that has a file system of this size for its board."""
    folder.mkdir()
    try:
        subprocess.run(
            [*NAMESPACE, "sh", "-c", MOUNT, "sh", size, str(folder), "true"], check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nobody may mount a file system here")
    command = [*NAMESPACE, "sh", "-c", MOUNT, "sh", size, str(folder), sys.executable, "-c", script, str(folder)]
    done = subprocess.run([*command, *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_disk_that_fills_up_during_an_upload_keeps_the_board(runs: list[Path], tmp_path: Path) -> None:
    assert on_a_small_disk(tmp_path / "disk", "32m", UPLOAD, str(runs[3])) == "fine\n"


@pytest.mark.parametrize("room", [4 << 10, 120 << 10, 200 << 10])
def test_a_disk_that_fills_up_during_a_check_loses_no_submission(
    runs: list[Path], tmp_path: Path, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BENCH_DATA", raising=False)
    assert on_a_small_disk(tmp_path / "disk", "64m", CHECK, str(runs[0]), str(room)) == "fine\n"


# Under gunicorn


@pytest.fixture
def served(board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, int, str]]:
    """A board under gunicorn with one process: its folder, its port, and a token."""
    monkeypatch.setenv("BOARD_CHECK", "0")
    folder = Path(shutil.copytree(board, tmp_path / "served"))
    with Desk.open(folder) as desk:
        secret, _token = access.create(desk, "Ada")
    command = [sys.executable, "-m", "bench", "serve", "--board", str(folder), "--workers", "1", "--port", "0"]
    with started(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None and server.stderr is not None
        said = str(server.stdout.readline())  # nothing, once it has ended
        found = re.fullmatch(r"the board is at http://127\.0\.0\.1:([0-9]+)/ \(Ctrl-C ends\)\n", said)
        assert found is not None, said or server.stderr.read()
        port = int(found[1])
        assert until(lambda: server.poll() is not None or answers(port)), "it does not answer"
        assert server.poll() is None, server.stderr.read()
        yield folder, port, secret
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=PATIENCE)


def until(done: Callable[[], bool]) -> bool:
    """Whether something came to be while there was patience to wait for it."""
    end = time.monotonic() + PATIENCE
    while not done():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE):
        return True
    return False


def get(port: int, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def dawdling(port: int, secret: str, size: int = 1000) -> socket.socket:
    """A client that has announced so many bytes and sent one."""
    client = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    head = f"POST /api/submissions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {secret}\r\n"
    client.sendall(f"{head}Content-Length: {size}\r\n\r\nx".encode())
    return client


def test_slow_senders_leave_threads_for_readers(served: tuple[Path, int, str]) -> None:
    folder, port, secret = served
    with contextlib.ExitStack() as opened:
        clients = [opened.enter_context(dawdling(port, secret)) for _ in range(2)]
        assert until(lambda: len(list((folder / "uploads").glob(".receiving-*"))) == 2)
        for client in clients:
            for _ in range(3):
                time.sleep(0.2)
                client.sendall(b"x")
                assert get(port, "/board")[0] == 200
        refused = opened.enter_context(dawdling(port, secret))
        assert refused.recv(12) == b"HTTP/1.1 503"
        unknown = opened.enter_context(dawdling(port, "bench_nobody"))
        assert unknown.recv(12) == b"HTTP/1.1 401"
    # Who goes away leaves nothing, once the server has noticed.
    assert until(lambda: not list((folder / "uploads").iterdir()))
    assert get(port, "/submissions.json")[0] == 200
    with Desk.open(folder) as desk:
        assert desk.submissions() == []


def test_no_request_fails_while_a_new_snapshot_takes_the_place_of_the_old(
    served: tuple[Path, int, str], runs: list[Path]
) -> None:
    folder, port, _secret = served
    before, over = current(folder), threading.Event()
    failed: list[object] = []
    seen: set[str] = set()

    def visit(paths: tuple[str, ...]) -> None:
        while not over.is_set():
            for path in paths:
                status, content = get(port, path)
                if status != 200:
                    failed.append((path, status))
                if path.endswith(".json"):
                    seen.add(json.loads(content)["snapshot"])

    pages = (("/", "/index.json"), ("/board", "/models/"), (f"/snapshots/{before}/board", "/languages/yor_Latn"))
    visitors = [threading.Thread(target=visit, args=(each,)) for each in pages]
    for each in visitors:
        each.start()
    try:
        made = [
            publish([runs[3]], folder, badge="re_run").snapshot,
            publish([runs[4]], folder, badge="re_run").snapshot,
        ]
        assert until(lambda: made[-1] in seen or bool(failed))
    finally:
        over.set()
        for each in visitors:
            each.join()
    assert not failed
    assert seen <= {before, *made}
