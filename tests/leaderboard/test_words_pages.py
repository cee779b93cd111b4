"""The pages of words: method, changes, accessibility, data."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from leaderboard import words_pages
from leaderboard.wording import REASONS
from tests.leaderboard.markup import check, words


@pytest.mark.parametrize("path", ["/method", "/changes", "/accessibility", "/data", "/history"])
@pytest.mark.parametrize("prefix", ["", "/fr", "/ar"])
def test_pages_of_words_are_well_formed(client: FlaskClient, prefix: str, path: str) -> None:
    answer = client.get(f"{prefix}{path}")
    assert answer.status_code == 200
    check(answer.get_data(as_text=True))


def said(client: FlaskClient, path: str) -> str:
    return words(client.get(path).get_data(as_text=True))


def test_the_method_tells_ranks_badges_and_reasons(client: FlaskClient) -> None:
    page = said(client, "/method")
    for part in ("Klein, Wright and Wieczorek 2020", "compound symmetry", "Self-reported", "Re-scored", "Sealed set"):
        assert part in page
    assert all(code in page for code in REASONS)
    for anchor in ("ranks", "badges", "intervals", "means", "invalid", "missing"):
        assert f'id="{anchor}"' in client.get("/method").get_data(as_text=True)


def test_changes_come_with_the_newest_first(client: FlaskClient) -> None:
    told = client.get("/changes.json").get_json()["changes"]
    days = [change["date"] for change in told]
    assert days == sorted(days, reverse=True) and len(told) == len(words_pages.changes())
    assert all(change["what"] in said(client, "/changes") and change["effect"] and change["tasks"] for change in told)


def test_whom_to_write_to_is_configured(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(words_pages.CONTACT, raising=False)
    assert "Open an issue with whoever runs this board." in said(client, "/accessibility")
    monkeypatch.setenv(words_pages.CONTACT, "the desk\nof <b>this</b> board")
    assert words_pages.contact() == "the desk of <b>this</b> board"


def test_the_data_page_lists_addresses_that_are_there(client: FlaskClient) -> None:
    told = client.get("/data.json").get_json()
    pages = {one["page"]: one for one in told["pages"]}
    assert {"/", "/board", "/tasks/", "/tasks/<name>", "/languages/<code>"} <= pages.keys()
    for one in pages.values():
        if "<" not in one["page"]:
            for address in one["data"].values():
                assert client.get(address).status_code == 200, address
    assert f"/snapshots/{told['snapshot']}/" in said(client, "/data")
