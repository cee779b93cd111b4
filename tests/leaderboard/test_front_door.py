"""What a visitor and a crawler meet first: counts that hold, the icon, what is not to be crawled, and paper."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask.testing import FlaskClient

from leaderboard import invalidations
from leaderboard.app import create_app
from leaderboard.snapshot import publish
from tests.leaderboard import browsing


def test_crawlers_leave_filters_and_old_snapshots_alone(client: FlaskClient) -> None:
    answer = client.get("/robots.txt")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    lines = answer.get_data(as_text=True).splitlines()
    assert lines[0] == "User-agent: *" and {"Disallow: /*?", "Disallow: /snapshots/"} <= set(lines)
    assert "Disallow: /" not in lines


def test_the_icon_is_where_browsers_look_for_it(client: FlaskClient) -> None:
    answer = client.get("/favicon.ico", follow_redirects=True)
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert answer.request.path.startswith("/static/icon.")


def test_what_was_found_wrong_is_not_counted_at_the_door(runs: list[Path], tmp_path: Path) -> None:
    publish(runs, tmp_path / "board")
    visitor = create_app(tmp_path / "board").test_client()
    before = visitor.get("/index.json").get_json()
    assert before["tasks"] == 1 and before["cells"] and before["items"] and before["languages"]
    invalidations.add(tmp_path / "board", "sib200", [], "wrong gold")
    after = visitor.get("/index.json").get_json()
    assert [after[name] for name in ("tasks", "cells", "items", "languages")] == [0, 0, 0, 0]
    same = ("floor_tasks", "floor_cells", "floor_items", "floor_languages")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert sum(area["covered"] for area in after["areas"]) == 0


@pytest.mark.skipif(browsing.CHROMIUM is None, reason="there is no Chromium here")
def test_paper_is_light_whole_and_tells_its_address(board: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    with browsing.serving(create_app(board)) as site, sync_api.sync_playwright() as machine:
        browser = machine.chromium.launch(executable_path=browsing.CHROMIUM, args=list(browsing.FLAGS))
        page = browser.new_page(color_scheme="dark", viewport={"width": 718, "height": 1000})
        page.goto(f"{site}/languages/yor_Latn")
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.evaluate("document.documentElement.scrollWidth") <= 718
        widest = "Math.max(...[...document.querySelectorAll('table')].map(one => one.getBoundingClientRect().right))"
        assert page.evaluate(widest) <= 718
        assert page.locator("main details:not([open]) li").first.is_visible()
        told = "getComputedStyle(document.querySelector('footer a[href*=\"/snapshots/\"]'), '::after').content"
        assert "/languages/yor_Latn" in page.evaluate(told)
        browser.close()
