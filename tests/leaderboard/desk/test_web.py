"""The desk over the web: sending by form and by program, the queue, the log, withdrawing, and the check after it."""

from __future__ import annotations

import gzip
import hashlib
import json
import resource
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from werkzeug.serving import make_server

from bench.records import UsageError
from leaderboard.app import create_app
from leaderboard.desk import access, guard, intake, log, reception, review
from leaderboard.desk.records import Event
from leaderboard.desk.store import DATABASE, Desk
from tests.leaderboard.desk.visitors import FILE, Place, csrf, fill_in, place, send, uploads
from tests.leaderboard.markup import check, words


@pytest.fixture
def desk(board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the board that takes submissions and leaves them unchecked."""
    monkeypatch.setenv(reception.CHECK, "0")
    return place(Path(shutil.copytree(board, tmp_path / "board")))


@pytest.fixture
def visitor(desk: Place) -> FlaskClient:
    """Somebody with a browser."""
    return desk.app.test_client()


def test_a_form_becomes_a_submission(desk: Place, visitor: FlaskClient) -> None:
    answer = fill_in(visitor, desk.secret)
    assert answer.status_code == 303
    number = answer.headers["Location"].removeprefix("/submissions/")
    assert uploads(desk.folder) == [number]
    path = desk.folder / "uploads" / number
    assert path.read_bytes() == FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    page = visitor.get(answer.headers["Location"])
    assert page.status_code == 200
    assert "received" in words(page.get_data(as_text=True))
    told = visitor.get(f"/submissions/{number}.json").get_json()["submission"]
    assert (told["sender"], told["size"], told["sha256"]) == ("Ada", len(FILE), hashlib.sha256(FILE).hexdigest())


def test_a_program_is_told_what_becomes_of_its_file(desk: Place, visitor: FlaskClient) -> None:
    answer = send(visitor, desk.secret)
    told = answer.get_json()
    assert answer.status_code == 201
    assert told | {"id": ""} == {
        "id": "",
        "state": "received",
        "reason": "",
        "detail": "",
        "address": f"/submissions/{told['id']}",
    }
    assert answer.headers["Location"] == told["address"]
    assert visitor.get(f"/api/submissions/{told['id']}").get_json() == told
    packed = send(visitor, desk.secret, gzip.compress(FILE), **{"Content-Encoding": "gzip"})
    assert packed.status_code == 201


@pytest.mark.parametrize(
    "path", ["/submit", "/submissions/", "/submissions/?state=received", "{one}", "{one}/withdraw"]
)
@pytest.mark.parametrize("root", ["", "/ar"])
def test_the_pages_are_sound_and_kept_by_nobody(desk: Place, visitor: FlaskClient, root: str, path: str) -> None:
    one = send(visitor, desk.secret).get_json()["address"]
    answer = visitor.get(root + path.format(one=one))
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "ETag" not in answer.headers
    check(answer.get_data(as_text=True))


def test_only_forms_set_a_cookie(desk: Place, visitor: FlaskClient) -> None:
    one = send(visitor, desk.secret).get_json()["address"]
    for path in ("/", "/submissions/", one, f"{one}.json", "/submissions/log.jsonl", "/openapi.json"):
        assert "Set-Cookie" not in visitor.get(path).headers, path
    cookie = visitor.get("/submit").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    assert "Secure" in desk.app.test_client().get("/submit", base_url="https://localhost").headers["Set-Cookie"]


def test_the_queue_is_paged_and_filtered(desk: Place, visitor: FlaskClient) -> None:
    with Desk.open(desk.folder) as opened:
        token = access.listed(opened)[0]
        for number in range(53):
            path = desk.folder / "uploads" / f".receiving-{number}"
            path.write_bytes(FILE)
            opened.receive(path, len(FILE), hashlib.sha256(FILE).hexdigest(), token, limit=100)
    first = visitor.get("/submissions.json").get_json()
    assert first["counts"]["received"] == 53
    assert len(first["submissions"]) == 50
    rest = visitor.get(f"/submissions.json?before={first['older']}").get_json()
    ids = [one["id"] for one in (*first["submissions"], *rest["submissions"])]
    assert len(set(ids)) == 53
    assert rest["older"] == ""
    assert visitor.get("/submissions.json?state=accepted").get_json()["submissions"] == []
    wrong = visitor.get("/submissions.json?state=good")
    assert (wrong.status_code, "good" in wrong.get_json()["error"]) == (400, True)


def test_the_log_can_be_checked_by_anybody(desk: Place, visitor: FlaskClient) -> None:
    for _ in range(3):
        send(visitor, desk.secret)
    lines = visitor.get("/submissions/log.jsonl").get_data(as_text=True).splitlines()
    events = [Event(**json.loads(each)) for each in lines]
    assert len(events) == 3
    assert log.verify(events) is None
    assert log.verify(events[1:]) is not None


def test_who_sent_it_may_withdraw_it_and_nobody_else(desk: Place, visitor: FlaskClient) -> None:
    one = send(visitor, desk.secret).get_json()
    with Desk.open(desk.folder) as opened:
        other, _token = access.create(opened, "Eve", ("submit", "withdraw"))
        sender, _token = access.create(opened, "Ada", ("submit",))
        namesake, _token = access.create(opened, "Ada", ("submit", "withdraw"))
    path = f"/api{one['address']}/withdraw"
    for secret, status in ((other, 403), (sender, 403), (namesake, 403), ("bench_no", 401)):
        assert visitor.post(path, headers={"Authorization": f"Bearer {secret}"}).status_code == status
    form = {"csrf_token": csrf(visitor, f"{one['address']}/withdraw"), "token": desk.secret}
    assert visitor.post(f"{one['address']}/withdraw", data=form).status_code == 303
    assert visitor.get(f"{one['address']}.json").get_json()["submission"]["state"] == "withdrawn"
    assert uploads(desk.folder) == []
    again = visitor.post(path, headers={"Authorization": f"Bearer {desk.secret}"})
    assert again.status_code == 409


def test_a_server_that_starts_goes_on_with_what_waits_for_its_check(
    desk: Place, visitor: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Path] = []
    monkeypatch.setattr(reception, "_check", started.append)
    monkeypatch.delenv(reception.CHECK)
    create_app(desk.folder)
    assert started == []
    send(visitor, desk.secret)
    create_app(desk.folder)
    assert started == [desk.folder]
    with Desk.open(desk.folder) as opened:
        claimed = opened.next()  # as a check leaves it that was killed
    create_app(desk.folder)
    assert len(started) == 2
    monkeypatch.setenv(reception.CHECK, "0")
    create_app(desk.folder)
    assert len(started) == 2
    assert intake.work(desk.folder) == 1
    with Desk.open(desk.folder) as opened:
        assert claimed is not None and opened.submission(claimed.id).state == "rejected"


def test_a_desk_that_cannot_be_read_is_said_once_and_stops_no_page(
    board: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(board, tmp_path / "board"))
    (folder / DATABASE).write_text("no database at all")
    visitor = create_app(folder).test_client()
    assert [visitor.get(path).status_code for path in ("/", "/submissions/", "/submissions/")] == [200, 503, 503]
    assert caplog.messages == [f"cannot use the desk of {folder}: file is not a database"]
    caplog.clear()
    create_app(folder, checks=False)
    assert caplog.messages == []


def test_a_board_without_a_desk_gets_none_by_being_shown(board: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(board, tmp_path / "board"))
    create_app(folder)
    assert not (folder / DATABASE).exists()


def test_a_state_is_never_shown_as_part_of_a_snapshot(desk: Place, visitor: FlaskClient) -> None:
    answer = visitor.get("/fr/snapshots/0123456789abcdef/submissions/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/fr/submissions/")


def test_the_secret_is_made_once_and_for_the_owner_only(desk: Place) -> None:
    path = desk.folder / guard.SECRET_FILE
    made = path.read_text()
    assert len(made) >= 43
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert create_app(desk.folder).secret_key == desk.app.secret_key == made
    assert not list(desk.folder.glob(".secret-*"))


@pytest.mark.parametrize(("name", "value"), [(guard.PROXIES, "one"), (reception.MOST_BYTES, "1 GB")])
def test_a_wrong_setting_is_named(desk: Place, monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=f"{name} is '{value}'"):
        create_app(desk.folder)


def test_a_disk_without_room_keeps_nothing_and_says_so(desk: Place, visitor: FlaskClient) -> None:
    # The kernel's own limit on the size of files stands for a disk that is full: the write fails half way.
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, hard))
        answer = send(visitor, desk.secret, bytes(3 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert answer.status_code == 507
    assert "no room" in answer.get_json()["error"]
    assert "Retry-After" in answer.headers
    assert uploads(desk.folder) == []
    assert visitor.get("/submissions.json").get_json()["submissions"] == []
    assert visitor.get("/board").status_code == 200


def test_no_more_uploads_at_once_than_leave_threads_for_readers(desk: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reception, "AT_ONCE", 0)
    app = create_app(desk.folder)
    answer = send(app.test_client(), desk.secret)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"


@pytest.fixture
def address(board: Path, tmp_path: Path) -> Iterator[tuple[Path, str, str]]:
    """A board on a port, with its checks: its folder, its address, and a token."""
    there = place(Path(shutil.copytree(board, tmp_path / "board")))
    server = make_server("127.0.0.1", 0, there.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield there.folder, f"http://127.0.0.1:{server.server_port}", there.secret
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_run_goes_from_a_terminal_to_the_board(
    address: tuple[Path, str, str], runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, url, secret = address
    shutil.rmtree(folder / "runs", ignore_errors=True)  # the same run is no duplicate of what is not there
    monkeypatch.setenv("BENCH_TOKEN", secret)
    command = [sys.executable, "-m", "bench", "publish", str(runs[0]), "--to", url, "--wait"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "waiting" in done.stdout
    assert secret not in done.stdout + done.stderr
    intake.work(folder)  # whatever the server's own process left
    with Desk.open(folder) as opened:
        (one,) = opened.submissions()
    assert (one.state, one.model, one.badge) == ("waiting", "baseline:random", "re_scored")
    info = review.accept(folder, one.id, "Grace")
    page = create_app(folder).test_client().get(f"/submissions/{one.id}").get_data(as_text=True)
    assert f"/snapshots/{info.snapshot}" in page
    assert "accepted" in words(page)
