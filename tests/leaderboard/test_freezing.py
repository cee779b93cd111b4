"""The site as files: a plain file server shows it, every link leads to a file, and its numbers are the live board's."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import threading
from collections.abc import Iterator
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import urlopen

import pytest
from flask.testing import FlaskClient

from bench.records import UsageError
from bench.watch import Progress, Standing
from leaderboard import freezing, snapshot, walking
from leaderboard.app import create_app
from leaderboard.freezing import Frozen
from leaderboard.site import Site
from tests.leaderboard.markup import tables


@pytest.fixture(scope="module")
def site(board: Path) -> Site:
    return walking.site_of(create_app(board))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("frozen") / "site"


@pytest.fixture(scope="module")
def frozen(site: Site, folder: Path) -> Frozen:
    # Every page of a few kinds is enough: there are 462 languages.
    kept = [
        stop
        for stop in walking.stops(site, snapshot.current(site.folder))
        if not stop.arguments.get("code") or stop.arguments["code"] in ("yor_Latn", "pes_Arab", "amh_Ethi")
    ]
    patch = pytest.MonkeyPatch()
    patch.setattr(walking, "stops", lambda *_given: kept)
    try:
        return freezing.freeze(site, folder, locales=("en", "ar"), live="https://board.example")
    finally:
        patch.undo()


@pytest.fixture(scope="module")
def address(frozen: Frozen, folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's own name
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def text(address: str) -> str:
    with urlopen(address) as answer:
        assert answer.status == 200
        read: bytes = answer.read()
    return read.decode()


@pytest.mark.parametrize(
    "path", ["/", "/board", "/models/", "/languages/yor_Latn", "/models/hf-maker-good/sib200", "/tasks/sib200"]
)
@pytest.mark.parametrize("prefix", ["", "/ar"])
def test_pages_and_their_numbers_are_the_live_ones(address: str, client: FlaskClient, prefix: str, path: str) -> None:
    page = text(f"{address}{prefix}{path}")
    assert tables(page) == tables(client.get(f"{prefix}{path}").text) != []
    assert not re.search(r"<(form|input|button)\b", page)
    twin = f"{path.rstrip('/') or '/index'}.json"
    assert json.loads(text(f"{address}{twin}")) == client.get(twin).json
    assert text(f"{address}{twin[:-5]}.csv").encode() == client.get(f"{twin[:-5]}.csv").data


def test_every_link_leads_to_a_file_or_to_the_live_board(frozen: Frozen, folder: Path) -> None:
    left_out = re.compile(r"(/ar)?/languages/[a-z]{3}_[A-Z][a-z]{3}(/[a-z-]+)?")
    assert [one for one in frozen.lost if not left_out.fullmatch(one)] == []
    live = {f"https://board.example{one}" for one in frozen.lost}
    checked = seen = 0
    for file in folder.rglob("index.html"):
        for link in re.findall(r' (?:href|src)="([^"]*)"', file.read_text()):
            where = urlsplit(unescape(link))
            if where.scheme:
                assert where.netloc == "board.example"
                seen += f"https://board.example{unquote(where.path)}" in live
                continue
            assert not where.query
            target = folder / unquote(where.path).lstrip("/")
            checked += 1
            assert target.is_file() or (target / "index.html").is_file(), (file, link)
    assert checked > 1000 and seen > 100


@pytest.fixture
def few(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the coverage page, the list of languages and one language, which link to everything else."""
    kept = [
        stop
        for stop in walking.stops(site, snapshot.current(site.folder))
        if stop.path in ("/coverage", "/languages/", "/languages/yor_Latn", "/history")
    ]
    monkeypatch.setattr(walking, "stops", lambda *_given: kept)


@pytest.mark.usefixtures("few")
def test_without_a_live_board_what_is_no_file_is_no_link(site: Site, tmp_path: Path) -> None:
    made = freezing.freeze(site, tmp_path, root="/x")
    assert "/languages/yor_Latn/general" in made.lost
    assert made.bytes == sum(file.stat().st_size for file in tmp_path.rglob("*") if file.is_file())
    for file in tmp_path.rglob("index.html"):
        for link in re.findall(r' href="([^"]*)"', file.read_text()):
            path = unquote(urlsplit(unescape(link)).path)
            target = tmp_path / path.removeprefix("/x").lstrip("/")
            assert not path.startswith("/") or target.is_file() or (target / "index.html").is_file(), (file, link)


@pytest.mark.usefixtures("few")
def test_links_to_the_live_board_are_its_own_addresses(site: Site, client: FlaskClient, tmp_path: Path) -> None:
    """Wherever the files lie, the live board's addresses do not begin with that."""
    freezing.freeze(site, tmp_path, root="/x", live="https://board.example")
    live = {
        unescape(link).removeprefix("https://board.example")
        for file in tmp_path.rglob("index.html")
        for link in re.findall(r' href="(https://board\.example/[^"]*)"', file.read_text())
    }
    assert {"/submit", "/models/", "/languages/yor_Latn/general"} <= live
    some = [one for one in sorted(live) if not one.startswith("/languages/") or "yor_Latn" in one]
    assert {client.get(one).status_code for one in some} == {200}


def test_nothing_of_the_desk_and_no_form_is_in_the_files(frozen: Frozen, folder: Path) -> None:
    assert frozen.pages > 50
    names = {path.name for path in folder.rglob("*")}
    assert not names & {"submissions.db", "uploads", "secret"}
    assert all("<form" not in file.read_text() for file in folder.rglob("*.html"))


def test_a_folder_that_holds_something_is_refused(site: Site, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(UsageError, match="not empty"):
        freezing.freeze(site, tmp_path)
    assert (tmp_path / "mine").read_text() == "kept"
    with pytest.raises(UsageError, match="begins with a slash"):
        freezing.freeze(site, tmp_path / "new", root="board")


def test_a_freeze_that_breaks_off_leaves_nothing_and_can_be_repeated(site: Site, tmp_path: Path) -> None:
    class Interrupted(Exception):
        pass

    @contextlib.contextmanager
    def broken_off(_what: str, _total: int) -> Iterator[Progress]:
        def told(done: int, standing: Standing | None = None) -> None:
            if done == 5:
                raise Interrupted

        yield told

    with pytest.raises(Interrupted):
        freezing.freeze(site, tmp_path / "files", watch=broken_off)
    assert list(tmp_path.iterdir()) == []
    assert freezing.freeze(site, tmp_path / "files").pages > 50
    assert [path.name for path in tmp_path.iterdir()] == ["files"]
