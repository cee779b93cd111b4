"""The switch of the interface's language: at the head of every page, without scripts, at every width."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from flask.testing import FlaskClient

from leaderboard.app import create_app
from leaderboard.prefixes import DEFAULT, LOCALES
from tests.leaderboard import browsing
from tests.leaderboard.browsing import Scheme, Watched
from tests.leaderboard.markup import check

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATH = "/languages/amh_Ethi"
ROOTS = tuple("" if locale == DEFAULT else f"/{locale}" for locale in LOCALES)
LEAST_TARGET = 24
"""CSS pixels (WCAG 2.2, 2.5.8)."""


@pytest.mark.parametrize("root", ROOTS)
def test_every_language_of_the_interface_is_at_the_head_of_a_page(root: str, client: FlaskClient) -> None:
    page = client.get(f"{root}{PATH}").text
    check(page)
    head = page[page.index("<header") : page.index("</header>")]
    assert re.findall(r'<a href="([^"]*)" lang="(\w+)" dir="\w+" hreflang="\w+"', head) == [
        (f"{root}{PATH}", locale) for root, locale in zip(ROOTS, LOCALES, strict=True)
    ]
    assert page.count('hreflang="sw"') == 2  # and among the alternates, nowhere else
    (now,) = re.findall(r'<a [^>]*lang="(\w+)"[^>]* aria-current="true">[^<]*</a></li>\n', head[head.index("</nav>") :])
    assert now == (root.strip("/") or DEFAULT)


def test_the_switch_keeps_what_was_asked_and_the_snapshot(client: FlaskClient) -> None:
    name = client.get("/board.json").get_json()["snapshot"]
    page = client.get(f"/fr/snapshots/{name}/board?script=Ethi&page=1").text
    assert f'<a href="/ar/snapshots/{name}/board?page=1&amp;script=Ethi" lang="ar" dir="rtl"' in page


def test_an_error_page_has_the_switch_too(client: FlaskClient) -> None:
    page = client.get("/fr/nowhere").text
    assert '<details class="tongues">' in page and 'href="/sw/nowhere"' in page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if browsing.CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with browsing.chromium() as opened:
        yield opened


@pytest.mark.parametrize(("root", "scheme"), [("", "light"), ("/ar", "dark"), ("/fr", "dark"), ("/sw", "light")])
@pytest.mark.parametrize("width", [320, 640, 1280])
def test_the_open_switch_fits_the_window(root: str, scheme: Scheme, width: int, browser: Browser, board: Path) -> None:
    with browsing.serving(create_app(board)) as address:
        visitor = browsing.context(browser, width, scheme)
        seen = Watched(visitor.new_page(), address)
        seen.go(f"{root}{PATH}")
        links = seen.page.locator("header .tongues a")
        assert not links.first.is_visible()
        seen.page.locator("header .tongues summary").click()
        assert seen.overflow() <= 0
        for target in (seen.page.locator("header .tongues summary"), *links.all()):
            box = target.bounding_box()
            assert box is not None and box["x"] >= 0 and box["x"] + box["width"] <= width
            assert box["width"] >= LEAST_TARGET and box["height"] >= LEAST_TARGET
        links.nth(1).click()
        seen.page.wait_for_url(f"**/fr{PATH}")
        assert seen.page.locator("html").get_attribute("lang") == "fr"
        visitor.close()


@pytest.mark.parametrize("root", ["", "/ar"])
def test_the_switch_is_at_the_end_of_the_head_and_beside_the_name_where_there_is_little_room(
    root: str, browser: Browser, board: Path
) -> None:
    with browsing.serving(create_app(board)) as address:
        for width, rows in ((320, "name, switch | menu"), (1280, "name, menu, switch")):
            visitor = browsing.context(browser, width)
            seen = Watched(visitor.new_page(), address)
            seen.go(f"{root}{PATH}")
            boxes = {}
            for name, place in (("name", ".brand"), ("menu", "nav"), ("switch", ".tongues summary")):
                box = seen.page.locator(f"header {place}").bounding_box()
                assert box is not None
                boxes[name] = box
            lines: list[list[str]] = []
            for name in sorted(boxes, key=lambda one: boxes[one]["y"] + boxes[one]["height"] / 2):
                middle = boxes[name]["y"] + boxes[name]["height"] / 2
                if lines and boxes[lines[-1][0]]["y"] + boxes[lines[-1][0]]["height"] > middle:
                    lines[-1].append(name)
                else:
                    lines.append([name])
            read = [", ".join(sorted(line, key=lambda one: boxes[one]["x"], reverse=root == "/ar")) for line in lines]
            assert " | ".join(read) == rows
            visitor.close()


@pytest.mark.parametrize("root", ["", "/ar"])
def test_axe_finds_nothing_wrong_with_the_open_switch(root: str, browser: Browser, board: Path) -> None:
    pytest.importorskip("axe_playwright_python", reason="axe-playwright-python is not installed")
    with browsing.serving(create_app(board)) as address:
        visitor = browsing.context(browser, inspected=True)
        seen = Watched(visitor.new_page(), address)
        seen.go(f"{root}{PATH}")
        seen.page.locator("header .tongues summary").click()
        assert seen.violations() == []
        seen.page.emulate_media(color_scheme="dark")
        assert seen.violations(*browsing.COLOUR_RULES) == []
        visitor.close()
