"""What attackers try over the web, one test a trick. Slow bodies are the server's to bound (`leaderboard.serving`)."""

from __future__ import annotations

import csv
import io
import logging
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from leaderboard import app as website
from leaderboard import twins, walking
from leaderboard.app import HEADERS, create_app
from leaderboard.desk import access, forms, guard, reception
from leaderboard.desk.access import Token
from leaderboard.desk.store import Desk
from tests.leaderboard.conftest import HOSTILE
from tests.leaderboard.desk.visitors import FILE, Place, csrf, fill_in, place, send, uploads
from tests.leaderboard.markup import check

TEMPLATES = sorted((Path(website.__file__).parent / "templates").glob("*.html"))
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
HOSTILE_PAGES = ("/", "/board", "/models/", "/models/command-script-alert-x-script", "/languages/yor_Latn")


@pytest.fixture
def desk(board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A copy of the board that takes submissions and leaves them unchecked."""
    monkeypatch.setenv(reception.CHECK, "0")
    return place(Path(shutil.copytree(board, tmp_path / "board")))


@pytest.fixture
def visitor(desk: Place) -> FlaskClient:
    """Somebody with a browser."""
    return desk.app.test_client()


@pytest.fixture(scope="module")
def still(board: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A copy of the board to which nothing is sent."""
    return place(Path(shutil.copytree(board, tmp_path_factory.mktemp("still") / "board")))


def nothing_came(desk: Place) -> bool:
    """Whether no submission was made and no file left behind."""
    with Desk.open(desk.folder) as opened:
        return not opened.submissions() and not uploads(desk.folder)


# Headers and markup


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_code_or_style_in_it(template: Path) -> None:
    text = template.read_text("utf-8")
    # A string of the template's own may be marked as safe, and nothing else.
    bad = r"<script|<style|\sstyle=|\son[a-z]+=|javascript:|[^\"\s]\s*\|\s*safe\b|Markup\("
    assert not re.search(bad, text, re.IGNORECASE)
    assert "autoescape" not in text


def test_every_answer_has_the_headers_whatever_became_of_it(visitor: FlaskClient) -> None:
    for path, status in (
        ("/", 200),
        ("/submit", 200),
        ("/submissions/log.jsonl", 200),
        ("/openapi.json", 200),
        ("/nothing", 404),
        ("/submissions/x", 404),
        ("/static/x", 404),
        ("/board?page=x", 400),
        ("/" + "x" * 2000, 414),
    ):
        answer = visitor.get(path)
        assert answer.status_code == status, path
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (path, name)
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]
    assert HEADERS["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", HOSTILE_PAGES)
def test_a_models_name_is_text_and_cannot_turn_the_line(visitor: FlaskClient, path: str) -> None:
    text = visitor.get(path).get_data(as_text=True)
    check(text)  # fails on any script, style or handler
    assert "<img src=x" not in text
    assert not BIDI.search(text)


def test_what_a_sender_calls_its_model_is_text_too(desk: Place, visitor: FlaskClient) -> None:
    one = send(visitor, desk.secret).get_json()["id"]
    with Desk.open(desk.folder) as opened:
        opened.next()
        detail = '"><script>alert(1)</script>\u202e'
        opened.move(one, "waiting", "", detail, actor="intake", model=HOSTILE, revision=detail, duplicate_of=detail)
    for path in ("/submissions/", f"/submissions/{one}", f"/submissions/{one}/withdraw"):
        text = visitor.get(path).get_data(as_text=True)
        check(text)
        assert "<script" not in text
        assert not BIDI.search(text)


def test_a_spreadsheet_runs_nothing(visitor: FlaskClient) -> None:
    for text in ("=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1"):
        rows = list(csv.reader(io.StringIO(twins.to_csv([{"name": text, "value": -1.5}]).decode(), newline="")))
        assert rows[1] == [f"'{text}", "-1.5"]
    for path in ("/models.csv", "/board.csv"):
        for row in csv.reader(io.StringIO(visitor.get(path).get_data(as_text=True), newline="")):
            for field in row:
                assert re.fullmatch(r"-?[0-9.]+(e-?[0-9]+)?", field) or not field.startswith(("=", "+", "-", "@", "\t"))


# Forms of other sites


def test_a_form_needs_the_token_of_its_visitor(desk: Place, visitor: FlaskClient) -> None:
    other = csrf(desk.app.test_client())
    csrf(visitor)
    for forged in ("", "x", other, csrf(visitor)[:-2] + "xx"):
        assert fill_in(visitor, desk.secret, token=forged).status_code == 400, forged
    own = csrf(visitor)
    visitor.delete_cookie(guard.COOKIE)
    assert fill_in(visitor, desk.secret, token=own).status_code == 400
    assert nothing_came(desk)
    assert fill_in(visitor, desk.secret).status_code == 303


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://["},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_cannot_send_anything(desk: Place, visitor: FlaskClient, headers: dict[str, str]) -> None:
    fields = {"csrf_token": csrf(visitor), "token": desk.secret}
    for path in ("/submit", f"/submissions/{'0' * 20}/withdraw"):
        sent = {**fields, "file": (io.BytesIO(FILE), "x")}
        assert visitor.post(path, data=sent, headers=headers).status_code == 403
    assert send(visitor, desk.secret, FILE, **headers).status_code == 403
    assert nothing_came(desk)


def test_no_other_site_may_use_the_interface_from_a_browser(desk: Place, visitor: FlaskClient) -> None:
    answer = visitor.options("/api/submissions", headers={"Origin": "https://evil.example"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Access-Control-Allow-Origin" not in send(visitor, desk.secret).headers
    assert visitor.get("/submissions.json").headers["Access-Control-Allow-Origin"] == "*"


# Tokens


def test_the_interface_reads_a_token_from_its_header_only(desk: Place, visitor: FlaskClient) -> None:
    form = {"token": desk.secret, "file": (io.BytesIO(FILE), "x")}
    assert visitor.post(f"/api/submissions?token={desk.secret}", data=FILE).status_code == 401
    assert visitor.post("/api/submissions", data=form).status_code == 401
    for value in (desk.secret, f"Basic {desk.secret}", "Bearer", "Bearer  "):
        assert visitor.post("/api/submissions", data=FILE, headers={"Authorization": value}).status_code == 401
    assert nothing_came(desk)


def test_a_token_that_does_not_hold_is_refused(desk: Place, visitor: FlaskClient) -> None:
    def made(scopes: tuple[str, ...], **more: datetime) -> tuple[str, Token]:
        return access.create(opened, "Eve", scopes, **more)  # type: ignore[arg-type]

    with Desk.open(desk.folder) as opened:
        old, _ = made(("submit",), now=datetime.now(UTC) - timedelta(days=400))
        gone, token = made(("submit",))
        access.revoke(opened, token.id)
        narrow, _ = made(("withdraw",))
    cases = ((old, 401, "expired"), (gone, 401, "revoked"), (narrow, 403, "withdraw"), ("bench_x", 401, "no such"))
    for secret, status, words in cases:
        answer = send(visitor, secret)
        assert (answer.status_code, words in answer.get_json()["error"]) == (status, True)
        assert fill_in(visitor, secret).status_code == status
    assert nothing_came(desk)


def test_a_token_is_never_logged_shown_or_kept(
    desk: Place, visitor: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told = [send(visitor, desk.secret), fill_in(visitor, desk.secret), fill_in(visitor, f"{desk.secret}x")]
    told += [fill_in(visitor, desk.secret, token="forged"), send(visitor, desk.secret, b"")]
    told += [
        visitor.get(path) for path in ("/submissions/", "/submissions/log.jsonl", "/submit", told[0].location or "")
    ]
    for answer in told:
        assert desk.secret not in answer.get_data(as_text=True)
        assert desk.secret not in str(answer.headers)
    assert desk.secret not in caplog.text
    for path in desk.folder.rglob("*"):
        assert not path.is_file() or desk.secret.encode() not in path.read_bytes(), path.name


def test_who_may_not_send_is_told_before_the_file_is_read(desk: Place) -> None:
    class Unread(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def readinto(self, _buffer: object) -> int:
            raise AssertionError("the body was read")

    environ = {"wsgi.input": Unread(), "CONTENT_LENGTH": "1000000", "HTTP_AUTHORIZATION": "Bearer bench_x"}
    answer = desk.app.test_client().post("/api/submissions", environ_overrides=environ)
    assert answer.status_code == 401


# Paths and queries


TRICKS = (
    "%2e%2e",
    "..%2f..%2fsubmissions.db",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "..\\..\\x",
    "%00",
    "x%00.json",
    "%ff%fe",
    "%c0%ae%c0%ae",
    "a%0d%0aSet-Cookie:%20x",
    "%E2%80%AE",
    "' OR 1=1 --",
    "1;DROP TABLE submissions",
    "%25%32%65",
    "{{7*7}}",
    "__class__",
)


@pytest.mark.parametrize("trick", TRICKS)
def test_no_name_in_an_address_leads_out_of_its_place(still: Place, trick: str) -> None:
    visitor = still.app.test_client()
    places = ("/submissions/", "/api/submissions/", "/static/", "/snapshots/", "/models/", "/languages/", "/tasks/")
    for place_ in (*places, "/runs/", "/families/", "/tokens/", "/"):
        for end in ("", ".json", "/withdraw"):
            answer = visitor.get(f"{place_}{trick}{end}")
            assert answer.status_code in (404, 405, 308), (place_, trick, answer.status_code)
            assert "root:" not in answer.get_data(as_text=True)
            assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    "trick", ["' OR '1'='1", "1; DROP TABLE cells; --", "\u202e", "%00", "' UNION SELECT * --", "9" * 40]
)
def test_no_parameter_is_ever_part_of_a_query(still: Place, trick: str) -> None:
    visitor, site = still.app.test_client(), walking.site_of(still.app)
    pages = [page for page in site.pages if "<" not in page.rule]
    before = {page.rule: visitor.get(page.twin("json")).data for page in pages}
    for page in pages:
        for name in page.parameters:
            answer = visitor.get(page.twin("json"), query_string={name: trick})
            assert answer.status_code in (200, 400, 404), (page.rule, name)
            assert "syntax error" not in answer.get_data(as_text=True)
    for name in ("state", "before"):
        assert visitor.get("/submissions/", query_string={name: trick}).status_code in (200, 400)
    assert all(visitor.get(page.twin("json")).data == before[page.rule] for page in pages)


def test_an_unknown_host_is_answered_nothing(board: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(website.HOSTS, "board.example")
    client = create_app(board).test_client()
    assert client.get("/submit", base_url="http://evil.example").status_code == 400
    assert client.get("/submit", base_url="http://board.example").status_code == 200


def test_only_known_proxies_are_believed(desk: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    assert "Secure" not in desk.app.test_client().get("/submit", headers=told).headers["Set-Cookie"]
    monkeypatch.setenv(guard.PROXIES, "1")
    behind = create_app(desk.folder).test_client().get("/submit", headers=told)
    assert "Secure" in behind.headers["Set-Cookie"]
    assert "evil.example" not in behind.get_data(as_text=True)


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "PUT", "DELETE", "PATCH", "FOO"])
def test_other_methods_are_none_of_ours(visitor: FlaskClient, method: str) -> None:
    for path in ("/", "/board", "/submit", "/submissions/", "/api/submissions", "/openapi.json", "/healthz"):
        answer = visitor.open(path, method=method)
        assert answer.status_code == 405, path
        assert "GET" in answer.headers["Allow"] or path == "/api/submissions"


def test_head_and_options_and_ranges(visitor: FlaskClient) -> None:
    for path in ("/", "/board.json", "/submissions.json", "/openapi.json"):
        whole = visitor.get(path)
        head = visitor.head(path)
        assert (head.status_code, head.data) == (200, b"")
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]
        assert "GET" in visitor.options(path).headers["Allow"]
        ranged = visitor.get(path, headers={"Range": "bytes=0-1,2-3,0-"})
        assert (ranged.status_code, len(ranged.data)) == (200, len(whole.data))


# Bodies


def test_a_file_that_is_too_large_leaves_nothing(desk: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(reception.MOST_BYTES, "100000")
    visitor = create_app(desk.folder).test_client()
    for answer in (send(visitor, desk.secret, bytes(100_001)), fill_in(visitor, desk.secret, bytes(200_000))):
        assert answer.status_code == 413
    environ = {"wsgi.input": io.BytesIO(bytes(200_000)), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    said = {"Authorization": f"Bearer {desk.secret}"}
    assert visitor.post("/api/submissions", environ_overrides=environ, headers=said).status_code == 413
    assert nothing_came(desk)
    assert send(visitor, desk.secret, bytes(100_000)).status_code == 201


def test_a_body_where_none_is_asked_for_is_bounded(visitor: FlaskClient) -> None:
    big = b"token=" + bytes(reception.LONGEST_FORM)
    kind = "application/x-www-form-urlencoded"
    assert visitor.post(f"/submissions/{'0' * 20}/withdraw", data=big, content_type=kind).status_code == 413
    assert visitor.post("/submit", data=big, content_type=kind).status_code == 415
    assert visitor.get("/board", data=bytes(1 << 20)).status_code == 200


def form(visitor: FlaskClient, secret: str, *parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> int:
    """The status for a form of these parts, written by hand, with the right tokens before them."""
    first = [('name="csrf_token"', csrf(visitor).encode()), ('name="token"', secret.encode())]
    body = b"".join(
        b"--x\r\nContent-Disposition: form-data; " + name.encode() + b"\r\n\r\n" + value + b"\r\n"
        for name, value in (*first, *parts)
    )
    return visitor.post("/submit", data=body + end, content_type="multipart/form-data; boundary=x").status_code


def test_a_form_that_is_not_whole_leaves_nothing(desk: Place, visitor: FlaskClient) -> None:
    file = ('name="file"; filename="/etc/passwd"', FILE)
    assert form(visitor, desk.secret, file, end=b"") == 400
    assert form(visitor, desk.secret) == 400
    assert form(visitor, desk.secret, ('name="other"; filename="x"', FILE)) == 400
    assert form(visitor, desk.secret, ('name="token"', b"second"), file) == 400
    assert form(visitor, desk.secret, ('name="more"', bytes(forms.LONGEST_FIELD + 1)), file) == 400
    assert form(visitor, desk.secret, ('name="file"; filename="x"', b"")) == 400
    many = [(f'name="{number}"', b"x") for number in range(forms.MOST_PARTS)]
    assert form(visitor, desk.secret, *many, file) in (400, 413)
    for kind in ("multipart/form-data", f"multipart/form-data; boundary={'x' * 80}"):
        assert visitor.post("/submit", data=b"--x", content_type=kind).status_code == 400
    assert nothing_came(desk)
    assert form(visitor, desk.secret, file) == 303


def test_a_sender_who_goes_away_leaves_nothing(desk: Place, visitor: FlaskClient) -> None:
    said = {"Authorization": f"Bearer {desk.secret}"}
    environ = {"wsgi.input": io.BytesIO(b"half"), "CONTENT_LENGTH": "5000"}
    assert visitor.post("/api/submissions", environ_overrides=environ, headers=said).status_code == 400
    ended = {"wsgi.input": io.BytesIO(b"half"), "wsgi.input_terminated": True, "CONTENT_LENGTH": "5000"}  # as gunicorn
    assert visitor.post("/api/submissions", environ_overrides=ended, headers=said).status_code == 400
    for length in ("-1", "x", "99999999999999999999", "1e3"):
        environ = {"wsgi.input": io.BytesIO(b"half"), "CONTENT_LENGTH": length}
        assert visitor.post("/api/submissions", environ_overrides=environ, headers=said).status_code in (400, 411, 413)
    assert send(visitor, desk.secret, b"").status_code in (400, 411)
    assert nothing_came(desk)


@pytest.mark.parametrize(
    "headers", [{"Content-Type": "text/html"}, {"Content-Type": "application/json"}, {"Content-Encoding": "br"}]
)
def test_other_types_are_refused(desk: Place, visitor: FlaskClient, headers: dict[str, str]) -> None:
    assert send(visitor, desk.secret, FILE, **headers).status_code == 415
    assert nothing_came(desk)


# Limits


def test_guessing_tokens_ends_soon(desk: Place) -> None:
    limited = place(desk.folder, limited=True)
    visitor = limited.app.test_client()
    path = f"/api/submissions/{'0' * 20}/withdraw"
    known = {"Authorization": f"Bearer {limited.secret}"}
    tried = [visitor.post(path, headers={"Authorization": f"Bearer {n}"}).status_code for n in range(21)]
    assert tried == [401] * 20 + [429]
    answer = send(visitor, limited.secret)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert "seconds" in answer.get_json()["error"]
    assert visitor.post(path, headers=known, environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 404
    assert visitor.get("/board").status_code == 200


def test_so_many_uploads_a_minute(desk: Place) -> None:
    limited = place(desk.folder, limited=True)
    visitor = limited.app.test_client()
    assert [send(visitor, limited.secret).status_code for _ in range(11)] == [201] * 10 + [429]
    page = fill_in(visitor, limited.secret)
    assert page.status_code in (303, 429)
    assert send(visitor, limited.secret, FILE, **{"X-Forwarded-For": "192.0.2.9"}).status_code == 429


def test_so_many_uploads_a_day(desk: Place, visitor: FlaskClient) -> None:
    answers = [send(visitor, desk.secret) for _ in range(access.UPLOADS_A_DAY + 1)]
    assert [answer.status_code for answer in answers] == [201] * access.UPLOADS_A_DAY + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_an_address_is_neither_stored_nor_logged(desk: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    limited = place(desk.folder, limited=True)
    visitor = limited.app.test_client()
    for _ in range(12):
        visitor.post(
            "/api/submissions",
            data=FILE,
            headers={"Authorization": f"Bearer {limited.secret}"},
            environ_base={"REMOTE_ADDR": "203.0.113.77"},
        )
    assert "exceeded" in caplog.text
    assert "203.0.113.77" not in caplog.text
    for path in desk.folder.rglob("*"):
        assert not path.is_file() or b"203.0.113.77" not in path.read_bytes(), path.name


def test_an_ipv6_network_is_one_visitor(desk: Place) -> None:
    with desk.app.test_request_context(environ_base={"REMOTE_ADDR": "2001:db8::1"}):
        one = guard.client()
    with desk.app.test_request_context(environ_base={"REMOTE_ADDR": "2001:db8::ffff"}):
        assert guard.client() == one
    with desk.app.test_request_context(environ_base={"REMOTE_ADDR": "2001:db8:1::1"}):
        assert guard.client() != one


@pytest.mark.parametrize("path", ["/languages", "/fr/languages", "/languages.csv/", "/favicon.ico"])
def test_no_redirect_names_the_host_that_was_asked_for(visitor: FlaskClient, path: str) -> None:
    answer = visitor.get(path, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    assert answer.status_code in (302, 308)
    assert answer.headers["Location"].startswith("/") and not answer.headers["Location"].startswith("//")
    assert "evil.example" not in f"{answer.headers}{answer.get_data(as_text=True)}"
