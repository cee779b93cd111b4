"""Prefixes of addresses, parameters of pages, the data beside them, and answers that were made before."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from leaderboard import asking, caching, prefixes, snapshot, twins, walking
from leaderboard.app import create_app
from leaderboard.asking import Asked
from leaderboard.caching import Made
from leaderboard.prefixes import LOCALES
from leaderboard.problems import Wrong
from tests.leaderboard.markup import words


@pytest.fixture
def name(board: Path) -> str:
    return snapshot.current(board)


@pytest.mark.parametrize("locale", [locale for locale in LOCALES if locale != "en"])
def test_every_language_of_the_interface_has_its_prefix_and_its_direction(client: FlaskClient, locale: str) -> None:
    page = client.get(f"/{locale}/languages/yor_Latn")
    assert page.status_code == 200
    assert f'<html lang="{locale}" dir="{"rtl" if locale == "ar" else "ltr"}">' in page.text
    assert f'href="/{locale}/languages/"' in page.text
    assert 'hreflang="en" href="/languages/yor_Latn"' in page.text


def test_a_snapshot_is_the_same_tree_under_its_name(client: FlaskClient, name: str) -> None:
    now, then = client.get("/languages/yor_Latn.json"), client.get(f"/snapshots/{name}/languages/yor_Latn.json")
    assert now.json == then.json
    page = client.get(f"/fr/snapshots/{name}/languages/yor_Latn")
    assert f'href="/fr/snapshots/{name}/languages/"' in page.text
    assert 'href="/fr/languages/yor_Latn"' in page.text  # the way back to today
    assert client.get(f"/snapshots/{name}").status_code == 200
    assert client.get(f"/snapshots/{name}.json").json == client.get("/index.json").json


def test_a_snapshot_that_never_was_is_missing(client: FlaskClient) -> None:
    assert client.get("/snapshots/0123456789abcdef/board").status_code == 404
    assert "no snapshot of that name" in words(client.get("/snapshots/0123456789abcdef/board").text)


def test_the_same_page_is_made_once_and_sent_packed_or_plain(client: FlaskClient) -> None:
    packed = client.get("/board", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/board")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
    assert packed.headers["ETag"] != plain.headers["ETag"]
    for answer in (packed, plain):
        assert client.get("/board", headers={"If-None-Match": answer.headers["ETag"]}).status_code == 304
    assert "Content-Encoding" not in client.get("/board", headers={"Accept-Encoding": "gzip;q=0"}).headers


def test_parameters_that_a_page_does_not_know_change_nothing(client: FlaskClient) -> None:
    known = client.get("/board")
    other = client.get("/board?utm_source=%22%3E%3Cscript%3E")
    assert other.data == known.data
    assert other.headers["ETag"] == known.headers["ETag"]


@pytest.mark.parametrize("query", ["language=" + "x" * 201, "&".join(f"language={n}" for n in range(51)), "a" * 2049])
def test_nobody_asks_for_so_much(client: FlaskClient, query: str) -> None:
    assert client.get(f"/costs?{query}").status_code == 400


def test_asked_keeps_what_is_known_in_canonical_order() -> None:
    given_ = MultiDict([("b", " 2 "), ("a", "x"), ("c", "unknown"), ("b", "1"), ("b", "2"), ("a", "")])
    found = asking.asked(given_, ("a", "b"), b"")
    assert found.values == (("a", "x"), ("b", "2"), ("b", "1"))
    assert (found.one("a"), found.all("b"), found.one("z", "none")) == ("x", ("2", "1"), "none")
    assert found.query(a=None, page=3) == "?b=2&b=1&page=3"
    assert found.query(b=["1", "3"]) == "?a=x&b=1&b=3" and found.query(b=[]) == "?a=x"
    assert found.without("b", "1") == "?a=x&b=2"


def test_no_two_pages_share_a_key(client: FlaskClient) -> None:
    """The first value counts, so that the same ones in another order are another page."""
    one, other = (client.get(f"/models/?{query}") for query in ("sort=name&sort=size", "sort=size&sort=name"))
    assert one.data != other.data and one.headers["ETag"] != other.headers["ETag"]


def test_parts_of_a_table_and_pages_that_are_not_there(client: FlaskClient) -> None:
    rows = list(range(7))
    with client.application.test_request_context(
        "/", environ_overrides={"leaderboard.prefix": prefixes.Prefix("", "en", "")}
    ):
        part, where = Asked((("page", "3"),)).part(rows, 3)
        assert (list(part), where) == ([6], asking.Part(3, 3, 7))
        assert list(Asked(whole=True).part(rows, 3)[0]) == rows
        assert Asked().part([], 3)[1] == asking.Part(1, 1, 0)
        for wrong in ("4", "0", "-1", "x", "1e3", "\u0661", "9" * 40):
            with pytest.raises(Wrong):
                Asked((("page", wrong),)).part(rows, 3)


@dataclass(frozen=True)
class Inner:
    value: float | None
    notes: dict[str, str]


@dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner | None
    tags: tuple[str, ...]


def test_rows_are_flat_and_a_missing_record_is_missing_values() -> None:
    rows = [Outer("a", None, ()), Outer("b", Inner(-0.5, {"why": "x"}), ("t",))]
    assert list(csv.reader(io.StringIO(twins.to_csv(rows).decode()))) == [
        ["name", "tags", "inner.value", "inner.notes"],
        ["a", "[]", "", ""],
        ["b", '["t"]', "-0.5", '{"why": "x"}'],
    ]
    table = pq.read_table(io.BytesIO(twins.to_parquet(rows))).to_pylist()
    assert table[0]["inner.value"] is None
    assert table[1]["inner.value"] == -0.5


hostile = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@given(
    st.lists(
        st.tuples(hostile, st.one_of(st.none(), st.integers(-(2**60), 2**60), st.floats(allow_nan=False))), min_size=1
    )
)
def test_csv_says_what_it_was_given_and_no_formula(pairs: list[tuple[str, float | None]]) -> None:
    rows = [{"text": text, "number": number} for text, number in pairs]
    made = list(csv.DictReader(io.StringIO(twins.to_csv(rows).decode(), newline="")))
    assert len(made) == len(rows)
    for row, (text, number) in zip(made, pairs, strict=True):
        assert row["text"] in (text, f"'{text}")
        assert not row["text"].lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0"))
        assert row["number"] == ("" if number is None else str(number))  # a negative number stays a number


def test_every_page_has_its_data_in_three_formats(client: FlaskClient, board: Path) -> None:
    site = walking.site_of(create_app(board))
    for page in site.pages:
        if "<" in page.rule:
            continue
        for suffix, kind in twins.FORMATS.items():
            answer = client.get(page.twin(suffix))
            assert (page.rule, suffix, answer.status_code) == (page.rule, suffix, 200)
            assert answer.headers["Content-Type"] == kind
            if suffix == "json":
                assert json.loads(answer.data)
            elif suffix == "csv":
                assert answer.text.splitlines()[:1] != []
            else:
                pq.read_table(io.BytesIO(answer.data))


def test_memory_forgets_the_oldest_and_makes_a_page_once() -> None:
    memory = caching.Memory(most=1000)
    made = []

    def page(key: str) -> Made:
        def make() -> Made:
            made.append(key)
            return Made(200, "text/html", "", b"x" * 400)

        return memory.get(key, make)

    for key in ("a", "b", "a", "c", "b"):
        page(key)
    assert made == ["a", "b", "c", "b"]  # c pushed b out, which nobody had asked for since
    barrier, count = threading.Barrier(8), []

    def slow() -> Made:
        count.append(1)
        return Made.of(200, "text/html", b"slow")

    def visit() -> None:
        barrier.wait()
        assert memory.get("slow", slow).body() == b"slow"

    visitors = [threading.Thread(target=visit) for _number in range(8)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert len(count) == 1


def test_pages_made_beforehand_are_the_pages(board: Path, tmp_path: Path) -> None:
    import shutil

    own = tmp_path / "board"
    shutil.copytree(board, own)
    plain = create_app(own).test_client().get("/languages/yor_Latn").data
    app = create_app(own)
    site = walking.site_of(app)
    written = walking.warm(site, ("en", "fr"))
    assert written >= 2 * 462
    (file,) = (own / "pages").glob("*.db")
    warmed = create_app(own)
    assert warmed.test_client().get("/languages/yor_Latn").data == plain
    # That it is read and not made anew: what the file says is what is shown.
    with sqlite3.connect(file) as connection:
        key = site.key(snapshot.current(own), "", "/languages/yor_Latn", Asked())
        changed = connection.execute("UPDATE pages SET packed = ? WHERE key = ?", (gzip.compress(b"other"), key))
        assert changed.rowcount == 1
    connection.close()
    assert create_app(own).test_client().get("/languages/yor_Latn").data == b"other"
    file.write_bytes(b"damaged")
    assert create_app(own).test_client().get("/languages/yor_Latn").data == plain
